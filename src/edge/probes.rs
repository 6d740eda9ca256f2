//! Asks providers on a schedule whether they are well again.
//!
//! A probe is a request like any other: the same plan, the same rules. What differs is that nobody else is
//! asked, and that a good answer ends the provider's pause.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::proxy;
use super::router::Router;
use super::server::caught;
use crate::engine::{Engine, Ms};

/// Follows the schedules of the rules in force until it is dropped.
pub async fn run(router: Arc<Router>) {
    let mut changes = router.changes();
    loop {
        changes.mark_unchanged();
        let engine = router.rules().engine.clone();
        tokio::select! {
            () = follow(&router, engine) => {}
            () = changed(&mut changes) => {}
        }
    }
}

async fn changed(changes: &mut watch::Receiver<()>) {
    if changes.changed().await.is_err() {
        std::future::pending().await
    }
}

/// Runs the probes of one set of rules. Each has a task of its own, so that a slow provider holds up nobody
/// else's; the tasks end with this future, and with them the calls under way.
async fn follow(router: &Arc<Router>, engine: Arc<Engine>) {
    let mut tasks = JoinSet::new();
    for place in 0..engine.probes.len() {
        tasks.spawn(follow_one(router.clone(), engine.clone(), place));
    }
    while tasks.join_next().await.is_some() {}
    // No schedule, or none that ever comes again: only new rules can change that.
    std::future::pending().await
}

async fn follow_one(router: Arc<Router>, engine: Arc<Engine>, place: usize) {
    let Some(probe) = engine.probes.get(place) else { return };
    let world = router.world();
    let mut last: Ms = world.clock.now();
    while let Some(next) = probe.next_after(last) {
        if !world.clock.sleep_until(next).await {
            // Schedules follow the calendar; what passed by when the clock was set is not made up for.
            last = world.clock.now();
            continue;
        }
        let now = world.clock.now();
        if probe.is_wanted(&engine, &world.stores.health(), now) {
            let name = engine.providers.get(probe.provider).map(|provider| provider.name.as_str());
            tracing::debug!("probing {}", name.unwrap_or_default());
            // One that met a bug has been told of, and the next one may well go right.
            let _ = caught(proxy::probe(world.clone(), engine.clone(), probe)).await;
        }
        // Moments that passed meanwhile, in a long answer or while the machine slept, are not made up for.
        last = world.clock.now().max(next);
    }
}
