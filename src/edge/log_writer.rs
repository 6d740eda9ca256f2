//! Writes the log on a thread of its own, so that no request ever waits for whoever reads the log.
//!
//! Lines are gathered for a moment and written together, which costs less than a system call for each. What finds no room
//! while the reader is slow, and what cannot be written at all (a full disk, a reader that is gone), is dropped and counted;
//! the log says how much as soon as it can be written again.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tracing_subscriber::fmt::MakeWriter;

use crate::text::units::Redactor;

/// The most that waits to be written, in bytes.
const ROOM: usize = 1 << 20;
/// So much is written without waiting for more, in bytes.
const ENOUGH: usize = 64 << 10;
/// How long lines are gathered.
const GATHER: Duration = Duration::from_millis(10);
/// How long to wait for an output that takes nothing at the moment and does not block.
const BUSY: Duration = Duration::from_millis(20);

/// The log's output. Clones share it.
#[derive(Clone)]
pub struct LogWriter(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// There is something to write.
    filled: Condvar,
    /// All is written.
    emptied: Condvar,
    lost: AtomicU64,
    /// What is struck out of every line.
    keys: ArcSwapOption<Redactor>,
}

#[derive(Default)]
struct Queue {
    text: Vec<u8>,
    /// Whether the thread waits for the first line.
    is_idle: bool,
    /// Whether the thread holds lines that are not written yet.
    is_writing: bool,
    /// Whether lines are no longer gathered: the process is about to end.
    is_ending: bool,
}

impl LogWriter {
    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// If the system gives no more threads.
    pub fn start(output: impl Write + Send + 'static) -> io::Result<LogWriter> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            lost: AtomicU64::new(0),
            keys: ArcSwapOption::empty(),
        });
        let thread = shared.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || thread.write_to(output))?;
        Ok(LogWriter(shared))
    }

    /// Strikes these keys out of every line from now on: clients may send them anywhere, and their words are logged.
    pub fn strike_out(&self, keys: Arc<Redactor>) {
        self.0.keys.store(Some(keys));
    }

    /// How many lines were dropped since the start.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Waits until all lines are written, but no longer than this. Returns whether they are.
    pub fn flush(&self, at_most: Duration) -> bool {
        let mut queue = self.0.queue();
        queue.is_ending = true;
        self.0.filled.notify_all();
        let is_busy = |queue: &mut Queue| queue.is_writing || !queue.text.is_empty();
        let waited = self.0.emptied.wait_timeout_while(queue, at_most, is_busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a LogWriter;

    fn make_writer(&'a self) -> &'a LogWriter {
        self
    }
}

impl Write for &LogWriter {
    /// Takes a whole line, or drops it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut queue = self.queue();
        if queue.text.len() + line.len() > ROOM {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.text.extend_from_slice(line);
        let is_enough = queue.text.len() >= ENOUGH && queue.text.len() - line.len() < ENOUGH;
        if queue.is_idle || is_enough {
            queue.is_idle = false;
            drop(queue);
            self.filled.notify_one();
        }
    }

    fn write_to(&self, output: impl Write) {
        let mut output = Output { output, is_torn: false };
        let mut batch = Vec::new();
        let mut told = 0;
        loop {
            self.take(&mut batch);
            if let Some(clean) = self.keys.load().as_ref().and_then(|keys| keys.redacted(&batch)) {
                batch = clean;
            }
            let written = output.write(&batch, || self.queue().is_ending);
            let missing = batch.get(written..).unwrap_or_default();
            if missing.is_empty() {
                let lost = self.lost.load(Ordering::Relaxed);
                if lost > told {
                    tracing::error!("{} lines of the log could not be written and are lost", lost - told);
                    told = lost;
                }
            } else {
                let lines = missing.iter().filter(|byte| **byte == b'\n').count();
                self.lost.fetch_add(lines as u64, Ordering::Relaxed);
            }
            batch.clear();
        }
    }

    /// Waits for lines, and for more of them, and takes them all.
    fn take(&self, batch: &mut Vec<u8>) {
        let mut queue = self.queue();
        queue.is_writing = false;
        if queue.text.is_empty() {
            self.emptied.notify_all();
        }
        while queue.text.is_empty() {
            queue.is_idle = true;
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.is_idle = false;
        let is_little = |queue: &mut Queue| !queue.is_ending && queue.text.len() < ENOUGH;
        let gathered = self.filled.wait_timeout_while(queue, GATHER, is_little);
        let mut queue = gathered.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::swap(batch, &mut queue.text);
        queue.is_writing = true;
    }
}

/// The output, and whether it ends in the middle of a line.
struct Output<W> {
    output: W,
    is_torn: bool,
}

impl<W: Write> Output<W> {
    /// Writes as much of `lines` as can be written; how many bytes that was. Waits as long as the output blocks; for one
    /// that says that it would block, until `is_ending`.
    fn write(&mut self, lines: &[u8], is_ending: impl Fn() -> bool) -> usize {
        if self.is_torn && self.put(b"\n", &is_ending) == 1 {
            self.is_torn = false;
        }
        if self.is_torn {
            return 0;
        }
        let written = self.put(lines, &is_ending);
        self.is_torn = lines.get(..written).and_then(<[u8]>::last).is_some_and(|last| *last != b'\n');
        written
    }

    fn put(&mut self, bytes: &[u8], is_ending: &impl Fn() -> bool) -> usize {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.output.write(rest) {
                Ok(0) => break,
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && !is_ending() => {
                    thread::sleep(BUSY);
                }
                Err(_) => break,
            }
        }
        written
    }
}

#[cfg(test)]
mod tests;
