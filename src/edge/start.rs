//! Starts a router, and stops it: what the command line, the demo and the tests do first and last.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::access::Access;
use super::clock::{self, Clock};
use super::log_writer::LogWriter;
use super::probes;
use super::proxy::World;
use super::reload::rules::{Checked, InForce, Proof, Source, Variables, read};
use super::reload::watch::FileWatch;
use super::reload::{self, Handle, Hangup, Report};
use super::router::Router;
use super::server::{self, ServerLimits};
use super::state::{self, Keeper};
use super::stop::Wish;
use super::stores::Stores;

/// Descriptors that are not for connections: files, the log, the listener.
const KEPT_DESCRIPTORS: usize = 64;
/// However few descriptors there are, so many connections are taken.
const FEWEST_CONNECTIONS: usize = 16;
/// How long the last writing of the state may take.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// How to start a router.
#[derive(Clone)]
pub struct Options {
    /// The rules file; `builtin:rules.yaml` for the rules inside the program.
    pub rules: PathBuf,
    /// Where to listen (`host:port`, port 0 for a free one), instead of where the rules say.
    pub listen: Option<String>,
    /// What `${NAME}` means in the rules.
    pub variables: Variables,
    /// Runs the rules' own tests; rules that fail them are refused.
    pub proof: Option<Proof>,
    /// The time.
    pub clock: Clock,
    /// How patient to be with clients, where the rules do not say.
    pub limits: ServerLimits,
    /// How many descriptors the process may have open, which says how many connections there may be at most.
    pub descriptors: Option<u64>,
    /// The file for what is known of providers, or `off`, instead of what the rules say.
    pub state: Option<String>,
    /// What writes the log, for the count of lines that were lost.
    pub log: Option<LogWriter>,
    /// Whether moments are shown to people in the machine's zone, as in the log, and not in UTC.
    pub local_time: bool,
    /// Whether to watch the rules' files. If not, they are read again only when somebody asks for it.
    pub follow: bool,
}

impl Options {
    /// A router with these rules, as a user starts it.
    pub fn new(rules: impl Into<PathBuf>) -> Self {
        Self {
            rules: rules.into(),
            listen: None,
            variables: Arc::new(|name| std::env::var(name).ok()),
            proof: None,
            clock: Clock::machine(),
            limits: ServerLimits::default(),
            descriptors: None,
            state: None,
            log: None,
            local_time: false,
            follow: true,
        }
    }
}

/// Why a router did not start.
#[derive(Debug)]
pub enum StartError {
    /// The rules are wrong: all that was found, with the lines shown.
    Rules(String),
    /// It may not listen there.
    Address {
        /// Where.
        address: String,
        /// Why not.
        error: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rules(text) => write!(out, "the rules are wrong:\n{}", text.trim_end()),
            Self::Address { address, error } => write!(out, "cannot listen on {address}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A router that runs. Dropping it stops everything at once; see [`Running::shutdown`] for the gentle way.
pub struct Running {
    router: Arc<Router>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<usize>,
    state: Arc<Keeper>,
    helpers: Vec<JoinHandle<()>>,
}

/// Reads the rules, listens, and answers from then on.
///
/// # Errors
/// If the rules are wrong, or the address cannot be had.
pub async fn serve(options: Options) -> Result<Running, StartError> {
    let path = options.rules.clone();
    let source = Source { path: options.rules, variables: options.variables, proof: options.proof };
    let asked = options.listen.as_deref().and_then(|listen| listen.parse::<SocketAddr>().ok());
    let (source, mut first) = blocking(move || {
        let first = read(&source, asked, &InForce::default());
        (source, first)
    })
    .await?;
    let Some(mut ready) = first.ready.take() else { return Err(StartError::Rules(first.text)) };
    let listen = options.listen.unwrap_or_else(|| ready.engine.listen.clone());
    let failed = |error| StartError::Address { address: listen.clone(), error };
    let listener = TcpListener::bind(&listen).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    // What a name in `listen` means is known only now.
    ready.access = Access::of(&ready.engine, Some(bound));
    if let Some(objection) = ready.access.objection() {
        return Err(StartError::Rules(objection.to_owned()));
    }

    let state = Arc::new(Keeper::new(&path, options.state, &ready.engine));
    let keeper = state.clone();
    let now = options.clock.now();
    let mut known = blocking(move || keeper.read(now)).await?;
    if let Some(by) = known.resume(now) {
        tracing::warn!(
            "the clock was set back by {} or more since the state was written; cool downs keep their length",
            clock::length(by)
        );
    }
    let (clock, stores, local_time) = (options.clock, Stores::with(known), options.local_time);
    let (keeper, log) = (Some(state.clone()), options.log);
    let world = Arc::new(World { clock, began: now, stores, keeper, log, local_time, ..World::default() });
    let (handle, wishes) = reload::channel();
    let limits = allowed(options.limits, options.descriptors);
    let router = Arc::new(Router::new(ready, world, bound, limits, handle, first.diagnostics.clone()));
    // Before anybody is told that the router runs, and may send the signal.
    let hangup = Hangup::listen();
    announce(&router, &first);
    router.improve();

    let watch = options.follow.then(FileWatch::new);
    let helpers = vec![
        tokio::spawn(probes::run(router.clone())),
        tokio::spawn(clock::keep(router.clone())),
        tokio::spawn(reload::follow(router.clone(), source, first, watch, hangup, wishes)),
        tokio::spawn(state::keep(state.clone(), router.clone())),
    ];
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server::run(listener, router.clone(), async move {
        let _ = stopped.await;
    }));
    Ok(Running { router, stop: Some(stop), server, state, helpers })
}

/// No more connections than the descriptors allow: each may need another one to a provider, and some are for files.
fn allowed(limits: ServerLimits, descriptors: Option<u64>) -> ServerLimits {
    let Some(descriptors) = descriptors.and_then(|count| usize::try_from(count).ok()) else { return limits };
    let connections = descriptors.saturating_sub(KEPT_DESCRIPTORS) / 2;
    ServerLimits { connections: limits.connections.min(connections.max(FEWEST_CONNECTIONS)), ..limits }
}

/// How a router came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody asked for it, and it stopped as it should.
    Asked,
    /// It no longer answered.
    Failed,
}

/// Starts a router, calls `started` with where it listens, and serves until a signal says that it is enough: then what
/// is under way may end within the grace period, and a second signal ends all at once.
///
/// # Errors
/// As for [`serve`].
pub async fn until_stopped(
    options: Options,
    started: impl FnOnce(SocketAddr),
) -> Result<Stopped, StartError> {
    let address = options.listen.clone().unwrap_or_default();
    let mut wish = Wish::listen().map_err(|error| StartError::Address { address, error })?;
    let mut running = tokio::select! {
        running = serve(options) => running?,
        () = wish.heard() => {
            tracing::info!("stopped before the router had started");
            return Ok(Stopped::Asked);
        }
    };
    started(running.local_addr());
    tokio::select! {
        () = wish.heard() => {}
        () = running.failed() => return Ok(Stopped::Failed),
    }
    let grace = running.router().rules().engine.limits.shutdown;
    tracing::info!(
        "stopping: requests in flight may end within {grace:?}, a second signal ends them at once"
    );
    tokio::select! {
        cut = running.shutdown() => match cut {
            0 => tracing::info!("stopped"),
            cut => tracing::warn!("stopped; {cut} connections had to be cut"),
        },
        () = wish.heard() => tracing::warn!("stopped at once"),
    }
    Ok(Stopped::Asked)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StartError> {
    let bug = |_| {
        StartError::Rules("an internal error stopped the reading of the rules; please report it".to_owned())
    };
    tokio::task::spawn_blocking(work).await.map_err(bug)
}

/// Says in the log what runs, and what of the rules cannot be used.
fn announce(router: &Router, first: &Checked) {
    reload::warn_of_new(&first.warnings, &[]);
    let rules = router.rules();
    let scheme = if rules.tls.is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{} with rules {}", router.bound(), rules.engine.version);
    let engine = &rules.engine;
    let order = engine.by_priority().iter().filter_map(|place| engine.providers.get(*place));
    let names: Vec<&str> = order.filter(|p| p.has_key()).map(|p| p.name.as_str()).collect();
    match &*names {
        [] => tracing::warn!("no provider has a key; every request will be told what to set"),
        names => tracing::info!("providers, first choice first: {}", names.join(", ")),
    }
}

impl Running {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.router.bound()
    }

    /// The router itself.
    pub fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// Asks for the rules to be read again.
    pub fn reload_handle(&self) -> Handle {
        self.router.reload().clone()
    }

    /// Reads the rules again. `None` if the router is stopping.
    pub async fn reload(&self) -> Option<Report> {
        self.router.reload().reload().await
    }

    /// Takes no new request, lets the running ones end within the rules' `limits.shutdown`, and stops.
    /// Returns how many connections had to be cut.
    pub async fn shutdown(mut self) -> usize {
        // Nobody waits for probes, and new rules are of no use any more.
        self.helpers.iter().for_each(JoinHandle::abort);
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let cut = (&mut self.server).await.unwrap_or(0);
        let (keeper, router) = (self.state.clone(), self.router.clone());
        let write = blocking(move || keeper.write(&router.rules().engine, &router.world().stores));
        if timeout(LAST_WRITE, write).await.is_err() {
            tracing::warn!("the state could not be written in {} s", LAST_WRITE.as_secs());
        }
        cut
    }

    /// Resolves if the router no longer answers although nobody stopped it.
    pub async fn failed(&mut self) {
        let _ = (&mut self.server).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.helpers.iter().for_each(JoinHandle::abort);
        self.server.abort();
    }
}
