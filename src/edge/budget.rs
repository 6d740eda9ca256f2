//! What all requests in flight may take together: their number, and the memory of what is held whole of them.
//!
//! It is checked at the door: what was let in is finished, since an answer that was paid for is not thrown away.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::engine::Limits;

/// Where the rules do not say: a request for so many bytes of memory.
const BYTES_A_REQUEST: usize = 64 << 10;

/// What is in flight now.
#[derive(Debug)]
pub struct Budget {
    bytes: AtomicUsize,
    requests: AtomicUsize,
    /// The limit where the rules do not say, in bytes.
    usual: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { bytes: AtomicUsize::new(0), requests: AtomicUsize::new(0), usual: usual_memory() }
    }
}

/// A request's share. It is given back when this is dropped, whatever became of the request.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    most: usize,
    bytes: usize,
    requests: usize,
}

/// There is no room left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overload;

impl Budget {
    /// Lets one more request in.
    ///
    /// # Errors
    /// There are as many as may be, or they take as much memory as they may.
    pub fn begin(self: &Arc<Self>, limits: &Limits) -> Result<Share, Overload> {
        let most = limits.in_flight.unwrap_or(self.usual);
        let requests = limits.requests.unwrap_or((most / BYTES_A_REQUEST).clamp(64, 10_000));
        if self.bytes.load(Ordering::Relaxed) >= most {
            return Err(Overload);
        }
        add(&self.requests, 1, requests)?;
        Ok(Share { budget: self.clone(), most, bytes: 0, requests: 1 })
    }

    /// How many bytes, and how many requests, are in flight.
    pub fn now(&self) -> (usize, usize) {
        (self.bytes.load(Ordering::Relaxed), self.requests.load(Ordering::Relaxed))
    }
}

impl Share {
    /// Takes so many bytes more.
    ///
    /// # Errors
    /// Together with the others that would be more than may be.
    pub fn take(&mut self, bytes: usize) -> Result<(), Overload> {
        add(&self.budget.bytes, bytes, self.most)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Takes so many bytes in all: more or less than before.
    ///
    /// # Errors
    /// It would be more, and together with the others more than may be.
    pub fn resize(&mut self, bytes: usize) -> Result<(), Overload> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.take(more),
            None => {
                self.give_back(self.bytes - bytes);
                Ok(())
            }
        }
    }

    /// Takes so many bytes more, be it too many: for what comes of a request that was let in.
    pub fn hold(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.budget.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives so many of them back.
    pub fn give_back(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The request is done but for its answer: these bytes have the share from now on, until they have been sent.
    pub fn until_sent(mut self, answer: Bytes) -> Bytes {
        self.budget.requests.fetch_sub(std::mem::take(&mut self.requests), Ordering::Relaxed);
        self.hold(answer.len());
        self.give_back(self.bytes - answer.len());
        Bytes::from_owner(Unsent { answer, _share: self })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.requests.fetch_sub(self.requests, Ordering::Relaxed);
    }
}

struct Unsent {
    answer: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

fn add(count: &AtomicUsize, more: usize, most: usize) -> Result<(), Overload> {
    let next = |now: usize| now.checked_add(more).filter(|sum| *sum <= most);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).map(drop).map_err(|_| Overload)
}

/// A quarter of the memory that this process may have, in bytes, but at least 64 MiB: the smallest limit of its control
/// groups (version 2 or 1), or else the machine's. Where nothing tells (not on Linux), 1 GiB.
fn usual_memory() -> usize {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let groups = groups(&read("/proc/self/cgroup"));
    let limits = groups.iter().filter_map(|path| read(path).trim().parse::<usize>().ok());
    let memory = limits.chain(machine(&read("/proc/meminfo"))).min();
    memory.map_or(1 << 30, |memory| (memory / 4).max(64 << 20))
}

/// Where the limits of a process's control groups stand: its own and those around it.
fn groups(own: &str) -> Vec<String> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let version_2 =
        Path::new(path).ancestors().map(|at| format!("/sys/fs/cgroup{}/memory.max", at.display()));
    version_2.chain(["/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned()]).collect()
}

/// `MemTotal:       24689012 kB`, in bytes.
fn machine(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(in_flight: usize, requests: usize) -> Limits {
        Limits { in_flight: Some(in_flight), requests: Some(requests), ..Limits::default() }
    }

    #[test]
    fn what_is_taken_is_given_back_whatever_happens() {
        let budget = Arc::new(Budget::default());
        let limits = limits(100, 2);
        let mut one = budget.begin(&limits).unwrap();
        let mut two = budget.begin(&limits).unwrap();
        assert_eq!(budget.begin(&limits).err(), Some(Overload));
        assert_eq!(one.take(60), Ok(()));
        assert_eq!(two.take(60), Err(Overload));
        assert_eq!(two.take(40), Ok(()));
        assert_eq!(budget.now(), (100, 2));
        one.give_back(20);
        assert_eq!(two.take(20), Ok(()));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _held = one;
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(panicked.is_err());
        assert_eq!(budget.now(), (60, 1));
        drop(two);
        assert_eq!(budget.now(), (0, 0));
    }

    #[test]
    fn what_was_let_in_may_go_over_and_keeps_others_out() {
        let budget = Arc::new(Budget::default());
        let limits = limits(100, 2);
        let mut one = budget.begin(&limits).unwrap();
        one.hold(150);
        assert_eq!(budget.begin(&limits).err(), Some(Overload));
        let answer = one.until_sent(Bytes::from_static(b"an answer"));
        assert_eq!((&answer[..], budget.now()), (&b"an answer"[..], (9, 0)));
        let rest = answer.slice(3..);
        drop(answer);
        assert_eq!(budget.now(), (9, 0));
        drop(rest);
        assert_eq!(budget.now(), (0, 0));
    }

    #[test]
    fn the_memory_of_machine_and_container_is_read() {
        assert_eq!(machine("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(machine("MemFree: 1 kB\n"), None);
        let found = groups("1:memory:/x\n0::/a.slice/b.service\n");
        let wanted =
            ["a.slice/b.service/", "a.slice/", "/"].map(|at| format!("/sys/fs/cgroup/{at}memory.max"));
        assert_eq!(found[..3], wanted);
    }
}
