//! A log that nobody reads, or that cannot be written: the router goes on with everything else.

#![cfg(unix)]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::support::rules::{ask, completion, message, two};
use crate::support::{Client, Folder, Upstream, program, refusing, within};

/// How many requests are sent: at the debug level their lines are more than a pipe holds.
const REQUESTS: usize = 200;

/// A router whose log goes where the test wants. Dropping it kills the process.
struct Deaf {
    folder: Folder,
    child: Child,
    client: Client,
}

impl Drop for Deaf {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a router on a port that was free a moment ago, since no log tells which one it took.
async fn start(rules: &str, log: Stdio) -> Deaf {
    let folder = Folder::new();
    folder.write("rules.yaml", rules);
    let (address, port) = refusing();
    drop(port);
    let address = address.trim_start_matches("http://").parse().unwrap();
    let mut command = program(folder.path());
    command.args(["run", "--rules", "rules.yaml", "--log", "debug", "--listen", &format!("{address}")]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    within("it listens", async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    Deaf { folder, child, client: Client::new(address) }
}

impl Deaf {
    async fn lost_lines(&self) -> u64 {
        let page = self.client.get("/-/metrics").await.text();
        let line = page.lines().find_map(|line| line.strip_prefix("rulegate_log_lines_lost_total "));
        line.unwrap().parse().unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    async fn exited(&mut self) -> Option<i32> {
        within("the process ends", async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status.code();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }
}

/// What must work whatever becomes of the log: requests, a reload by request and by signal, the end.
async fn works(log: Stdio) -> u64 {
    let first = Upstream::always(message("from first")).await;
    let second = Upstream::always(completion("from second")).await;
    let mut router = start(&two(&first.url(), &second.url()), log).await;
    for _ in 0..REQUESTS {
        let answer = router.client.post("/v1/messages", ask()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let swapped = two(&second.url(), &first.url()).replace("first:", "other:");
    router.folder.write("rules.yaml", &format!("{swapped}\n# changed\n"));
    let report = router.client.post("/-/reload", "").await.json();
    assert_eq!(report["status"], "reloaded", "{report}");
    let version = report["rules_version"].clone();
    router.folder.write("rules.yaml", &two(&first.url(), &second.url()));
    router.signal("HUP");
    within("the rules are followed", async {
        while router.client.get("/v1/health").await.json()["rules_version"] == version {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let lost = router.lost_lines().await;
    router.signal("TERM");
    assert_eq!(router.exited().await, Some(0));
    lost
}

#[tokio::test]
async fn a_reader_that_is_gone_stops_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert!(works(writer.into()).await > 0);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_stops_nothing() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert!(works(full.into()).await > 0);
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_holds_nothing_up() {
    let (_reader, writer) = std::io::pipe().unwrap();
    works(writer.into()).await;
}

#[tokio::test]
async fn how_much_was_lost_is_told_when_the_log_can_be_written_again() {
    let folder = Folder::new();
    let path = folder.file("log");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    // Opened both ways it waits for nobody.
    let both = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let writer = OpenOptions::new().write(true).open(&path).unwrap();
    drop(both);
    let first = Upstream::always(message("from first")).await;
    let router = start(&two(&first.url(), &first.url()), writer.into()).await;
    assert_eq!(router.client.post("/v1/messages", ask()).await.status, 200);
    within("lines are lost", async {
        while router.lost_lines().await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let log = BufReader::new(File::open(&path).unwrap());
    let told = tokio::task::spawn_blocking(move || {
        log.lines().map_while(Result::ok).find(|line| line.contains("lines of the log could not be written"))
    });
    assert_eq!(router.client.post("/v1/messages", ask()).await.status, 200);
    let told = within("the loss is told", told).await.unwrap().unwrap();
    assert!(told.contains("ERROR"), "{told}");
}
