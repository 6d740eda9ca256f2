//! Outputs that misbehave, played by a channel: each write is answered by what the test sends, so that nothing sleeps.

use super::*;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Long enough for any machine, and never waited for in full when all is well.
const SOON: Duration = Duration::from_secs(20);

/// What an output does with one write: takes so many bytes at most, or fails.
type Answer = Result<usize, ErrorKind>;

/// An output that waits for the test to say what becomes of each write.
struct Played {
    answers: Receiver<Answer>,
    taken: Sender<Vec<u8>>,
}

impl Write for Played {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Ok(answer) = self.answers.recv() else {
            let _ = self.taken.send(bytes.to_vec());
            return Ok(bytes.len());
        };
        let length = answer?.min(bytes.len());
        let _ = self.taken.send(bytes[..length].to_vec());
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer, what answers its output's writes (dropped: it takes all), and what the output took.
fn played() -> (LogWriter, Sender<Answer>, Receiver<Vec<u8>>) {
    let (answer, answers) = channel();
    let (taken, took) = channel();
    (LogWriter::start(Played { answers, taken }).unwrap(), answer, took)
}

fn say(mut log: &LogWriter, line: &str) {
    log.write_all(line.as_bytes()).unwrap();
}

fn all(took: &Receiver<Vec<u8>>) -> String {
    String::from_utf8(took.try_iter().flatten().collect()).unwrap()
}

#[test]
fn lines_come_whole_and_in_order() {
    let (log, answer, took) = played();
    drop(answer);
    for number in 0..1000 {
        say(&log, &format!("line {number}\n"));
    }
    assert!(log.flush(SOON));
    let expected: String = (0..1000).map(|number| format!("line {number}\n")).collect();
    assert_eq!((all(&took), log.lost()), (expected, 0));
}

#[test]
fn an_output_that_nobody_reads_holds_nobody_up_and_what_has_no_room_is_counted() {
    let (log, answer, took) = played();
    let line = format!("{}\n", "x".repeat(1023));
    say(&log, "first\n");
    // The first write is under way, and blocks.
    let blocked = || log.0.queue().is_writing;
    while !blocked() {
        thread::yield_now();
    }
    for _ in 0..ROOM / line.len() + 7 {
        say(&log, &line);
    }
    assert_eq!(log.lost(), 7);
    assert!(!log.flush(Duration::ZERO), "it is still blocked");
    drop(answer);
    assert!(log.flush(SOON));
    assert_eq!(all(&took).lines().count(), 1 + ROOM / line.len());
}

#[test]
fn a_full_disk_loses_lines_and_the_next_ones_begin_on_a_line_of_their_own() {
    let (log, answer, took) = played();
    // Half a line is written, then nothing more.
    for it in [Ok(4), Err(ErrorKind::StorageFull), Err(ErrorKind::StorageFull)] {
        answer.send(it).unwrap();
    }
    say(&log, "cut off\n");
    while log.lost() == 0 {
        thread::yield_now();
    }
    say(&log, "also lost\n");
    while log.lost() == 1 {
        thread::yield_now();
    }
    drop(answer);
    say(&log, "after\n");
    assert!(log.flush(SOON));
    assert_eq!((all(&took).as_str(), log.lost()), ("cut \nafter\n", 2));
}

#[test]
fn an_output_that_would_block_is_tried_again() {
    let (log, answer, took) = played();
    for it in [Err(ErrorKind::WouldBlock), Err(ErrorKind::Interrupted), Ok(2), Err(ErrorKind::WouldBlock)] {
        answer.send(it).unwrap();
    }
    drop(answer);
    say(&log, "line\n");
    let mut said = String::new();
    while said.len() < 5 {
        said.push_str(&String::from_utf8(took.recv_timeout(SOON).unwrap()).unwrap());
    }
    assert_eq!((said.as_str(), log.lost()), ("line\n", 0));
}
