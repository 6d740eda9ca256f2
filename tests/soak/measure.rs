//! What a soak counts: how requests ended, and what the process takes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::caller::End;

/// How requests ended, and how often.
#[derive(Default)]
pub struct Tally {
    ends: BTreeMap<String, usize>,
    /// Promises that were broken, with an example of each.
    broken: BTreeMap<String, (usize, String)>,
}

impl Tally {
    /// Counts one end.
    pub fn count(&mut self, end: &str) {
        *self.ends.entry(end.to_owned()).or_default() += 1;
    }

    /// Counts a broken promise.
    pub fn breaks(&mut self, promise: &str, example: impl ToString) {
        self.broken.entry(promise.to_owned()).or_insert_with(|| (0, example.to_string())).0 += 1;
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: Tally) {
        other.ends.into_iter().for_each(|(end, count)| *self.ends.entry(end).or_default() += count);
        for (promise, (count, example)) in other.broken {
            self.broken.entry(promise).or_insert((0, example)).0 += count;
        }
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        self.ends.values().sum()
    }

    /// Prints the counts.
    pub fn print(&self) {
        println!("requests {:>42}", self.requests());
        for (end, count) in &self.ends {
            println!("  {end:<40} {count:>8}");
        }
        println!("promises broken {:>35}", self.broken.values().map(|(count, _)| count).sum::<usize>());
        for (promise, (count, example)) in &self.broken {
            println!("  {promise:<40} {count:>8}   {example}");
        }
    }

    /// Fails if a promise was broken.
    pub fn hold(&self) {
        assert!(self.broken.is_empty(), "{} promises were broken, see above", self.broken.len());
    }

    /// Counts how a request ended where no provider's failure may reach the client before its answer has begun.
    pub fn ended(&mut self, end: End) {
        match end {
            End::Good => self.count("as they should"),
            End::Left => self.count("the client left"),
            End::BrokenOff(kind) => self.count(&format!("broken off, and said so: {kind}")),
            End::Refused(kind) => {
                self.count(&format!("refused: {kind}"));
                self.breaks("a request failed although a provider was well", kind);
            }
            End::NoAnswer => {
                self.count("no answer");
                self.breaks("no answer at all", "");
            }
            End::HalfAnswer => {
                self.count("cut");
                self.breaks("an answer was cut without a word", "");
            }
            End::Wrong(what) => {
                self.count("wrong");
                self.breaks("an answer was wrong", what);
            }
        }
    }
}

/// The resident memory of a process, in KiB.
pub fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// How many descriptors a process has open.
pub fn descriptors(process: u32) -> Option<usize> {
    Some(std::fs::read_dir(format!("/proc/{process}/fd")).ok()?.count())
}

/// What a process took, second by second.
pub struct Samples {
    process: u32,
    start: Instant,
    resident: Vec<(f64, f64)>,
    most: usize,
}

impl Samples {
    pub fn of(process: u32) -> Samples {
        Samples { process, start: Instant::now(), resident: Vec::new(), most: 0 }
    }

    /// Looks at the process once a second, for so long.
    pub async fn take(&mut self, time: Duration) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let end = Instant::now() + time;
        while Instant::now() < end {
            tick.tick().await;
            let Some(kib) = resident(self.process) else { continue };
            self.resident.push((self.start.elapsed().as_secs_f64(), kib as f64 / 1024.0));
            self.most = self.most.max(descriptors(self.process).unwrap_or(0));
        }
    }

    /// The most descriptors that were seen.
    pub fn most_descriptors(&self) -> usize {
        self.most
    }

    /// Resident memory at the begin, at its height and at the end, in MiB.
    pub fn memory(&self) -> (f64, f64, f64) {
        let all = || self.resident.iter().map(|(_, mib)| *mib);
        (all().next().unwrap_or(0.0), all().fold(0.0, f64::max), all().next_back().unwrap_or(0.0))
    }

    /// How the memory grew in the second half of the time: MiB an hour, and MiB in all, on the line of least squares.
    pub fn growth(&self) -> (f64, f64) {
        let half = &self.resident[self.resident.len() / 2..];
        let count = half.len() as f64;
        let (sum_x, sum_y) = half.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
        let (mean_x, mean_y) = (sum_x / count, sum_y / count);
        let (above, below) = half.iter().fold((0.0, 0.0), |(above, below), (x, y)| {
            (above + (x - mean_x) * (y - mean_y), below + (x - mean_x).powi(2))
        });
        if half.len() < 2 || below == 0.0 {
            return (0.0, 0.0);
        }
        let slope = above / below;
        (slope * 3600.0, slope * (half[half.len() - 1].0 - half[0].0))
    }
}

/// The time in milliseconds under which so many of 100 stay.
pub fn percentile(times: &mut [Duration], share: usize) -> f64 {
    times.sort();
    let at = (times.len() * share / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}
