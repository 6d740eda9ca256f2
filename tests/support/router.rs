//! The router as its users run it: the built program in a process of its own, with its log in hand.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tokio::sync::watch;

use super::{Client, Folder, within};

/// How to start the router.
pub struct Settings {
    /// Text of `rules.yaml`; `None` starts with the rules built into the program.
    pub rules: Option<String>,
    /// Environment variables; no other reaches the process.
    pub env: Vec<(String, String)>,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// The log's level.
    pub log: &'static str,
}

impl Settings {
    /// These rules, at the debug level.
    pub fn rules(text: impl Into<String>) -> Settings {
        Settings { rules: Some(text.into()), env: Vec::new(), arguments: Vec::new(), log: "debug" }
    }

    /// The rules built into the program.
    pub fn shipped() -> Settings {
        Settings { rules: None, env: Vec::new(), arguments: Vec::new(), log: "debug" }
    }

    /// One environment variable more.
    pub fn env(mut self, name: &str, value: impl ToString) -> Settings {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }
}

/// A running router. Dropping it kills the process.
pub struct Router {
    /// Where its `rules.yaml` is, when it has one of its own.
    pub folder: Folder,
    address: SocketAddr,
    child: Child,
    log: Arc<watch::Sender<Vec<String>>>,
}

impl Router {
    /// Starts a router with these rules on a free loopback port, and returns when it listens.
    pub async fn start(rules: impl Into<String>) -> Router {
        Router::with(Settings::rules(rules)).await
    }

    /// Starts a router so, and returns when it listens.
    pub async fn with(settings: Settings) -> Router {
        let folder = Folder::new();
        if let Some(rules) = &settings.rules {
            folder.write("rules.yaml", rules);
        }
        Router::inside(folder, settings).await
    }

    /// Starts a router in a folder that is already laid out.
    pub async fn inside(folder: Folder, settings: Settings) -> Router {
        let mut command = program(folder.path());
        command.args(["run", "--listen", "127.0.0.1:0", "--log", settings.log]);
        if settings.rules.is_some() {
            command.args(["--rules", "rules.yaml"]);
        }
        command.args(&settings.arguments).envs(settings.env.iter().map(|(name, value)| (name, value)));
        Router::spawn(folder, command).await
    }

    /// Starts the program with these arguments, which must make it listen.
    pub async fn command(folder: Folder, arguments: &[&str]) -> Router {
        Router::command_in(folder, arguments, &[]).await
    }

    /// The same with these environment variables.
    pub async fn command_in(folder: Folder, arguments: &[&str], env: &[(&str, &str)]) -> Router {
        let mut command = program(folder.path());
        command.args(arguments).envs(env.iter().copied());
        Router::spawn(folder, command).await
    }

    async fn spawn(folder: Folder, mut command: Command) -> Router {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(watch::channel(Vec::new()).0);
        follow(child.stdout.take().unwrap(), log.clone());
        follow(child.stderr.take().unwrap(), log.clone());
        let mut lines = log.subscribe();
        let listening = lines.wait_for(|lines| lines.iter().any(|line| address_in(line).is_some()));
        let started = tokio::time::timeout(super::PATIENCE, listening).await.is_ok_and(|seen| seen.is_ok());
        let address = log.borrow().iter().find_map(|line| address_in(line));
        let Some(address) = address.filter(|_| started) else {
            let _ = child.kill();
            panic!("the router does not listen; its log:\n{}", log.borrow().join("\n"));
        };
        Router { folder, address, child, log }
    }

    /// A client of this router.
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.borrow().join("\n")
    }

    /// Waits for a log line that contains all of these, and returns it.
    pub async fn logged(&self, parts: &[&str]) -> String {
        let fits = |line: &String| parts.iter().all(|part| line.contains(part));
        let mut lines = self.log.subscribe();
        let found =
            tokio::time::timeout(super::PATIENCE, lines.wait_for(|lines| lines.iter().any(fits))).await;
        match found {
            Ok(Ok(lines)) => lines.iter().find(|line| fits(line)).cloned().unwrap_or_default(),
            _ => panic!("the log never said {parts:?}:\n{}", self.log()),
        }
    }

    /// How many log lines contain this text.
    pub fn times_logged(&self, text: &str) -> usize {
        self.log.borrow().iter().filter(|line| line.contains(text)).count()
    }

    /// Sends the process a signal, by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process in the middle of whatever it does; its folder.
    pub fn killed(mut self) -> Folder {
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::mem::replace(&mut self.folder, Folder::new())
    }

    /// Asks the process to end and waits until it has; its folder.
    pub async fn stopped(mut self) -> Folder {
        self.signal("TERM");
        self.ended().await;
        std::mem::replace(&mut self.folder, Folder::new())
    }

    /// Waits for the process to end; its exit code.
    pub async fn exited(mut self) -> Option<i32> {
        self.ended().await
    }

    async fn ended(&mut self) -> Option<i32> {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(10));
        within("the process ends", async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status.code();
                }
                tick.tick().await;
            }
        })
        .await
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, to be run in a folder with an empty environment: the one that was built with the tests, or the one that
/// `RULEGATE_PROGRAM` names, such as an older or a faster one.
pub fn program(folder: &Path) -> Command {
    let built = env!("CARGO_BIN_EXE_rulegate").into();
    let mut command = Command::new(std::env::var_os("RULEGATE_PROGRAM").unwrap_or(built));
    command.current_dir(folder).env_clear();
    command
}

/// Collects the lines of one of the process's outputs.
fn follow(output: impl std::io::Read + Send + 'static, log: Arc<watch::Sender<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            log.send_modify(|lines| lines.push(line));
        }
    });
}

/// The address in the line that says where the router listens.
fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = line.split_once("listening")?.1;
    let address = rest.split_once("://")?.1;
    let end = address.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(address.len());
    address[..end].parse().ok()
}
