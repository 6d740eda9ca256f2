//! What a path means: the router's own paths, and everything else by the rules.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming as Received;
use rustls::ServerConfig;
use serde_json::Value;
use tokio::sync::watch;

use super::access::{Access, Caller};
use super::admin;
use super::body::ReplyBody;
use super::budget::Share;
use super::clock;
use super::compression;
use super::pace::Pace;
use super::proxy::{self, World};
use super::reload::rules::Ready;
use super::reload::{self, Handle};
use super::request_body::{self, BodyError};
use super::server::{Handler, ServerLimits};
use super::stopping;
use crate::engine::health::origin::{Loaded, Orphan};
use crate::engine::plan::{Incoming, sign};
use crate::engine::{Engine, Ms, build_for_providers};
use crate::text::units::local_offset;

mod admission;
mod home;

use admission::{Entry, ForStranger, admit};
pub(super) use admission::{options, stranger};

/// How long a client may pause in the middle of its request's body.
const BODY_PAUSE: Duration = Duration::from_secs(30);

/// A running router: the rules in force, and what outlives them.
pub struct Router {
    rules: ArcSwap<Ready>,
    world: Arc<World>,
    bound: SocketAddr,
    /// Of the listening side, where the rules say nothing else.
    limits: ServerLimits,
    reload: Handle,
    last_reload: Mutex<LastReload>,
    /// Told at each change of the rules.
    changes: watch::Sender<()>,
}

/// How the latest reading of the rules went.
#[derive(Clone, Debug)]
pub struct LastReload {
    /// Do the files hold what runs?
    pub ok: bool,
    /// When they were read.
    pub at: Ms,
    /// What was found.
    pub diagnostics: Value,
    /// When the rules in force came into force.
    pub in_force_since: Ms,
    /// Since when what the files hold is refused, if it is.
    pub refused_since: Option<Ms>,
}

impl Router {
    /// A router that listens at `bound` and begins with the rules `first`.
    pub fn new(
        first: Ready,
        world: Arc<World>,
        bound: SocketAddr,
        limits: ServerLimits,
        reload: Handle,
        found: Value,
    ) -> Self {
        let now = world.clock.now();
        reload::tell_orphans(&take_up(&world, &first.engine, true));
        let last =
            LastReload { ok: true, at: now, diagnostics: found, in_force_since: now, refused_since: None };
        Self {
            rules: ArcSwap::from_pointee(first),
            world,
            bound,
            limits,
            reload,
            last_reload: Mutex::new(last),
            changes: watch::channel(()).0,
        }
    }

    /// The rules in force. A request asks once, and keeps what it got.
    pub fn rules(&self) -> Arc<Ready> {
        self.rules.load_full()
    }

    /// What outlives the rules.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The address that it listens at.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Reads the rules again when asked.
    pub fn reload(&self) -> &Handle {
        &self.reload
    }

    /// Puts new rules in force, for every request that comes from now on. Returns the cool-downs whose rules are gone or
    /// changed with that.
    pub fn adopt(&self, ready: Ready) -> Vec<Orphan> {
        let orphans = take_up(&self.world, &ready.engine, false);
        let links = ready.engine.providers.iter().map(|it| (it.url.as_str(), it.link.as_ref()));
        self.world.upstream.keep_only(links);
        self.rules.store(Arc::new(ready));
        self.last().in_force_since = self.world.clock.now();
        self.changes.send_replace(());
        orphans
    }

    /// Builds the rules in force once more, with mappings of each provider's own, and puts that in their place, if they
    /// are still in force then. In the background: nobody has to wait for it, neither at the start nor at a reload.
    pub fn improve(self: &Arc<Self>) {
        let (router, now) = (self.clone(), self.rules());
        let Some(rules) = now.rules.clone() else { return };
        tokio::task::spawn_blocking(move || {
            if let Some(engine) = build_for_providers(&rules, &now.engine) {
                router.improved(&now, engine);
            }
        });
    }

    fn improved(&self, before: &Arc<Ready>, engine: Engine) {
        let access = Access::of(&engine, Some(self.bound));
        let (tls, hash, meaning) = (before.tls.clone(), before.hash.clone(), before.meaning.clone());
        let ready = Ready { engine: Arc::new(engine), access, tls, hash, meaning, rules: None };
        self.rules.compare_and_swap(before, Arc::new(ready));
    }

    /// Notes how a reading of the rules went.
    pub fn remember(&self, ok: bool, diagnostics: Value) {
        let (now, mut last) = (self.world.clock.now(), self.last());
        let refused_since = (!ok).then_some(last.refused_since.unwrap_or(now));
        *last = LastReload { ok, at: now, diagnostics, refused_since, ..last.clone() };
    }

    /// How the latest reading of the rules went.
    pub fn last_reload(&self) -> LastReload {
        self.last().clone()
    }

    fn last(&self) -> MutexGuard<'_, LastReload> {
        self.last_reload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells when the rules have changed.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    async fn by_rules(
        &self,
        ready: &Ready,
        caller: &Caller,
        request: Request<Received>,
    ) -> Response<ReplyBody> {
        let (mut parts, body) = request.into_parts();
        let id = clock::request_id();
        let engine = &ready.engine;
        match admit(ready, caller, &mut parts) {
            Entry::Come => {}
            Entry::Hollow if home::is_asked(&parts) => {
                return home::answer(&parts, self.bound, ready.tls.is_some());
            }
            Entry::Hollow => return self.answer(engine, caller, parts, id, Bytes::new(), None).await,
            Entry::Options(allow) => return options(&allow),
            Entry::Denied(denied) => {
                request_body::discard(&parts.headers, body).await;
                let status = StatusCode::from_u16(denied.status).unwrap_or(StatusCode::FORBIDDEN);
                return stranger(self.refuse(engine, caller, &parts, status, denied.message.to_owned()));
            }
        }
        let read = match self.world.budget.begin(&engine.limits) {
            Ok(share) => tokio::select! {
                read = self.body(engine, &parts.headers, body, share) => read,
                () = self.world.stopping.is_over() => {
                    Err((StatusCode::SERVICE_UNAVAILABLE, stopping::REASON.to_owned()))
                }
            },
            Err(_) => {
                request_body::discard_briefly(&parts.headers, body).await;
                Err(BodyError::Overload.told())
            }
        };
        match read {
            Ok((body, share)) => {
                if parts.headers.remove(CONTENT_ENCODING).is_some() {
                    // What is known from here on is the body as it was before.
                    parts.headers.remove(CONTENT_LENGTH);
                }
                self.answer(engine, caller, parts, id, body, Some(share)).await
            }
            Err((status, message)) => {
                let mut answer = self.refuse(engine, caller, &parts, status, message);
                let is_unread =
                    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE);
                if is_unread && parts.version < Version::HTTP_2 {
                    // What is still to come of the body is in the way of a next request.
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                compression::tell_supported(&mut answer);
                answer
            }
        }
    }

    fn refuse(
        &self,
        engine: &Engine,
        caller: &Caller,
        parts: &Parts,
        status: StatusCode,
        message: String,
    ) -> Response<ReplyBody> {
        let (method, path) = (&parts.method, parts.uri.path());
        proxy::refuse(&self.world, engine, caller.address, method, path, status, message)
    }

    async fn body(
        &self,
        engine: &Engine,
        headers: &HeaderMap,
        body: Received,
        mut share: Share,
    ) -> Result<(Bytes, Share), (StatusCode, String)> {
        let limit = engine.limits.body as u64;
        let pace = Pace::new(BODY_PAUSE, engine.limits.min_rate);
        let time = request_body::Time { pace, total: engine.limits.body_time };
        let fits = |bytes: usize| share.resize(bytes).is_ok();
        let read = request_body::read(headers, body, limit, time, fits).await;
        read.map(|body| (body, share)).map_err(|error| error.told())
    }

    async fn answer(
        &self,
        engine: &Arc<Engine>,
        caller: &Caller,
        parts: Parts,
        id: String,
        body: Bytes,
        share: Option<Share>,
    ) -> Response<ReplyBody> {
        let incoming = Incoming {
            id,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            method: parts.method,
            headers: parts.headers,
            body,
            now: self.world.clock.now(),
            seed: clock::seed(),
        };
        proxy::answer(self.world.clone(), engine.clone(), incoming, caller.address, share).await
    }
}

impl Handler for Router {
    async fn handle(self: Arc<Self>, request: Request<Received>) -> Response<ReplyBody> {
        let ready = self.rules();
        let caller = ready.access.caller(&request);
        let mut response = match ready.access.preflight(&caller, &request) {
            Some(preflight) => preflight,
            None => match admin::path(request.uri().path()) {
                Some(path) => {
                    let answer = admin::answer(&self, &ready, path, &caller, request).await;
                    answer.map(|body| body.without(&ready.engine.shown))
                }
                None => self.by_rules(&ready, &caller, request).await,
            },
        };
        if response.extensions().get::<ForStranger>().is_none() {
            sign(response.headers_mut(), &ready.engine.version);
        }
        ready.access.share(&caller, response.headers_mut());
        response
    }

    fn panicked(&self, path: &str) -> Response<ReplyBody> {
        let id = clock::request_id();
        let engine = &self.rules().engine;
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let answer = engine.error_answer(path, status, proxy::INTERNAL_ERROR, &id);
        let mut response = proxy::respond(&id, answer);
        sign(response.headers_mut(), &engine.version);
        response
    }

    fn limits(&self) -> ServerLimits {
        let (own, rules) = (self.limits, self.rules().engine.limits);
        let connections = rules.connections.unwrap_or(own.connections);
        let half = connections.div_ceil(2);
        ServerLimits {
            head: rules.head_time,
            min_rate: rules.min_rate,
            connections,
            connections_per_address: rules.connections_per_address.unwrap_or(half),
            drain: rules.shutdown,
            ..own
        }
    }

    fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.rules().tls.clone()
    }

    fn cut_off(&self) {
        self.world.stopping.cut_off();
    }
}

/// Lets what outlives rules know of new ones, and what cools down be compared with them.
fn take_up(world: &World, engine: &Engine, is_start: bool) -> Vec<Orphan> {
    world.strike_out(engine);
    let at = world.clock.now();
    let offset = if world.local_time { local_offset(at) } else { 0 };
    let mut health = world.stores.health();
    health.adopt(engine);
    let orphans =
        health.compare_rules(engine, Loaded { at, offset, is_start }, engine.recovery.clear_outdated);
    drop(health);
    if !orphans.is_empty() {
        world.unsaved.notify_one();
    }
    orphans
}
