//! Mixed traffic: both protocols, streamed and whole, small and large, clients that leave or have the wrong key,
//! providers that misbehave in every way, reloads good and broken; first through restarts and kills, then in one
//! process, whose memory and descriptors are watched.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::caller::{Door, End, Wish, Wrong, call};
use super::measure::{Samples, Tally, descriptors, percentile};
use super::provider::{self, Faults};
use crate::second_door::Dice;
use crate::support::rules::{BASE, FAILOVER};
use crate::support::{Client, Folder, Router, Settings, Upstream};

/// What the clients show.
pub const KEY: &str = "soak-key";
/// How many clients there are.
const CLIENTS: u64 = 16;
/// How often the rules change.
const RELOAD: Duration = Duration::from_millis(300);
/// How long a process lives where it is ended again and again.
const LIFE: Duration = Duration::from_secs(3);
/// By how much the memory may seem to grow in the second half of the steady time, in MiB.
const GROWTH: f64 = 16.0;
/// How long a soak must be for that to say something: before, the allocator is still filling its caches.
const LONG: Duration = Duration::from_secs(300);

/// Where the router is now, if it is anywhere.
#[derive(Clone, Default)]
struct Place {
    client: Option<Client>,
    /// Which process that is.
    number: usize,
    /// Whether it is being ended, so that connections may be refused.
    ending: bool,
    /// Whether its end is a kill, which may also cut answers.
    killed: bool,
}

/// The traffic, while it is there.
struct Traffic {
    place: watch::Sender<Place>,
    stop: watch::Sender<bool>,
    tally: Arc<Mutex<Tally>>,
    clients: JoinSet<()>,
}

impl Traffic {
    fn start() -> Traffic {
        let (place, stop) = (watch::channel(Place::default()).0, watch::channel(false).0);
        let tally = Arc::<Mutex<Tally>>::default();
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(client(number, place.subscribe(), stop.subscribe(), tally.clone()));
        }
        Traffic { place, stop, tally, clients }
    }

    /// A new process is there; at its end it will be killed, or asked to stop.
    fn at(&self, router: &Router, killed: bool) {
        self.place.send_modify(|place| {
            *place = Place { client: Some(router.client()), number: place.number + 1, ending: false, killed }
        });
    }

    fn ending(&self) {
        self.place.send_modify(|place| place.ending = true);
    }

    /// Lets the requests in flight end.
    async fn stop(&mut self) {
        let _ = self.stop.send(true);
        while let Some(ended) = self.clients.join_next().await {
            if let Err(error) = ended {
                self.tally.lock().unwrap().breaks("an answer does not come to an end", error);
            }
        }
    }
}

async fn client(
    number: u64,
    mut place: watch::Receiver<Place>,
    stop: watch::Receiver<bool>,
    tally: Arc<Mutex<Tally>>,
) {
    let mut dice = Dice::new(number + 1);
    let mut kept = None;
    let mut of = 0;
    for request in 0_u64.. {
        let Ok(here) =
            place.wait_for(|place| place.client.is_some() && !place.ending).await.map(|it| it.clone())
        else {
            return;
        };
        if *stop.borrow() {
            return;
        }
        if of != here.number {
            (kept, of) = (None, here.number);
        }
        let Some(client) = &here.client else { continue };
        let (wish, tag) = (wish(&mut dice), format!("c{number}r{request}"));
        let reused = kept.is_some();
        let end = call(client, &mut kept, &wish, &tag).await;
        let now = place.borrow().clone();
        let moved = now.number != here.number || now.ending;
        let mut tally = tally.lock().unwrap();
        match end {
            End::NoAnswer if reused && !moved => tally.count("the kept connection was closed"),
            End::NoAnswer if moved => tally.count("the router was ended"),
            End::HalfAnswer if moved && here.killed => tally.count("the router was killed"),
            end => tally.ended(end),
        }
    }
}

/// What a client may want.
fn wish(dice: &mut Dice) -> Wish {
    let door = dice.of(&[Door::Messages, Door::Chat]);
    let mut wish = Wish::stream(door, usize::try_from(dice.below(40)).unwrap() + 1);
    wish.stream = dice.below(3) > 0;
    match dice.below(100) {
        0..2 => wish.words = 3000,
        2..5 => wish.says = 200_000,
        5 => wish.says = 2_000_000,
        6..17 => wish.leaves = Some(usize::try_from(dice.below(900)).unwrap()),
        17..20 => wish.wrong = Some(dice.of(&[Wrong::Key, Wrong::Json, Wrong::Path])),
        _ => {}
    }
    wish
}

/// Four providers, of which only the last is always well, with short cool-downs, so that all are asked all the time.
fn rules(providers: &[Upstream], version: usize) -> String {
    let failover = FAILOVER.replace("30s", "300ms").replace("10s", "200ms").replace("1h", "1s");
    let [first, second, third, spare] = providers else { panic!("four providers") };
    format!(
        r#"{BASE}
  - {{ path: /v1/chat/completions, protocol: openai.chat }}
access: {{ keys: [ {KEY} ] }}
models: [ version-{version} ]
providers:
  first: {{ speaks: anthropic.messages, url: "{}", key: k1 }}
  second: {{ speaks: openai.chat, url: "{}", key: k2 }}
  third: {{ speaks: anthropic.messages, url: "{}", key: k3 }}
  spare: {{ speaks: openai.chat, url: "{}", key: k4, timeouts: {{ first_byte: 1m, idle: 1m }} }}
{failover}"#,
        first.url(),
        second.url(),
        third.url(),
        spare.url()
    )
    .replace("first_byte: 1m, idle: 1m", "first_byte: 2s, idle: 2s")
}

/// Changes the rules again and again; each fourth time they are broken.
async fn reload(
    folder: std::path::PathBuf,
    rules: impl Fn(usize) -> String,
    tally: Arc<Mutex<Tally>>,
    place: watch::Receiver<Place>,
) {
    for version in 1.. {
        tokio::time::sleep(RELOAD).await;
        let here = place.borrow().clone();
        let Some(client) = here.client.filter(|_| !here.ending) else { continue };
        let broken = version % 4 == 0;
        let text = if broken { rules(version).replace("failover:", "failover: [") } else { rules(version) };
        let _ = std::fs::write(folder.join("rules.yaml"), text);
        let client = client.with("x-api-key", KEY);
        let Ok(mut wire) = client.try_connect().await else { continue };
        wire.write(&client.request("POST", "/-/reload", b"")).await;
        let Some(stream) = wire.try_answer(false).await else { continue };
        let answer = stream.finish().await;
        // A router that has been told to stop meanwhile reads no rules any more, and says so.
        if answer.status == 503 && place.borrow().ending {
            continue;
        }
        if answer.complete && (answer.status == 422) != broken {
            let example = format!("{} {}", answer.status, answer.text());
            tally.lock().unwrap().breaks("a reload did not say what it was", example);
        }
        tally.lock().unwrap().count(if broken { "a broken reload" } else { "a reload" });
    }
}

/// Asks how the router is, and how long that takes.
async fn ask_health(place: watch::Receiver<Place>, times: Arc<Mutex<Vec<Duration>>>) {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let Some(client) = place.borrow().client.clone() else { continue };
        let asked = Instant::now();
        let Ok(mut wire) = client.try_connect().await else { continue };
        wire.write(&client.request("GET", "/v1/health", b"")).await;
        if wire.try_answer(false).await.is_some() {
            times.lock().unwrap().push(asked.elapsed());
        }
    }
}

/// Ends the process again and again, by turns gently and in the middle of everything.
async fn unrest(folder: Folder, text: &str, traffic: &Traffic, time: Duration) -> Folder {
    let mut folder = folder;
    let end = Instant::now() + time;
    let mut dice = Dice::new(99);
    for life in 0.. {
        // The reloads may have left broken rules, with which no router starts.
        folder.write("rules.yaml", text);
        let router = Router::inside(folder, Settings { log: "info", ..Settings::rules(text) }).await;
        let killed = life % 2 == 0;
        traffic.at(&router, killed);
        tokio::time::sleep(LIFE / 2 + Duration::from_millis(dice.below(3000))).await;
        traffic.ending();
        look_at_log(&router, traffic);
        folder = if killed { router.killed() } else { router.stopped().await };
        traffic.tally.lock().unwrap().count(if killed { "a kill -9" } else { "a restart" });
        if folder.file("rules.state.json.broken").exists() {
            traffic.tally.lock().unwrap().breaks("the state was not understood after a restart", life);
        }
        if Instant::now() > end {
            break;
        }
    }
    folder
}

fn look_at_log(router: &Router, traffic: &Traffic) {
    let log = router.log();
    for line in
        log.lines().filter(|line| ["panicked", "a bug", "internal error"].iter().any(|it| line.contains(it)))
    {
        traffic.tally.lock().unwrap().breaks("the log tells of a bug", line);
    }
}

/// The whole soak.
pub async fn run(time: Duration) {
    let mut providers = Vec::new();
    for seed in 1..4 {
        providers.push(provider::start(Faults::all(), seed, Duration::ZERO).await);
    }
    providers.push(provider::start(Faults::default(), 4, Duration::ZERO).await);
    let first = rules(&providers, 0);
    let pattern = first.clone();
    let again = move |version: usize| pattern.replace("version-0", &format!("version-{version}"));

    let folder = Folder::new();
    folder.write("rules.yaml", &first);
    let mut traffic = Traffic::start();
    let reloads = tokio::spawn(reload(
        folder.path().to_owned(),
        again,
        traffic.tally.clone(),
        traffic.place.subscribe(),
    ));
    let folder = unrest(folder, &first, &traffic, time.mul_f64(0.3)).await;
    folder.write("rules.yaml", &first);
    println!("\nthrough restarts and kills");
    traffic.tally.lock().unwrap().print();

    let router = Router::inside(folder, Settings { log: "info", ..Settings::rules(first) }).await;
    let begin = descriptors(router.id()).unwrap_or(0);
    traffic.at(&router, false);
    let times = Arc::<Mutex<Vec<Duration>>>::default();
    let health = tokio::spawn(ask_health(traffic.place.subscribe(), times.clone()));
    let mut samples = Samples::of(router.id());
    samples.take(time.mul_f64(0.7)).await;
    traffic.stop().await;
    reloads.abort();
    health.abort();
    look_at_log(&router, &traffic);
    // With them go the connections that the router keeps for the next request.
    drop(providers);
    let mut end = usize::MAX;
    for _ in 0..100 {
        end = descriptors(router.id()).unwrap_or(0);
        if end <= begin + 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let mut tally = traffic.tally.lock().unwrap();
    let (at_first, most, at_last) = samples.memory();
    let (slope, grown) = samples.growth();
    let mut times = times.lock().unwrap();
    let (half, most_of, longest) =
        (percentile(&mut times, 50), percentile(&mut times, 99), percentile(&mut times, 100));
    if end > begin + 4 {
        tally.breaks("descriptors are not given back", format!("{begin} at the begin, {end} at the end"));
    }
    if grown > GROWTH && time >= LONG {
        tally.breaks("memory grows", format!("{grown:.1} MiB in the second half"));
    }
    println!("\nin all");
    tally.print();
    println!("resident memory: {at_first:.1} MiB at first, {most:.1} at most, {at_last:.1} at last");
    println!("its slope in the second half: {slope:+.1} MiB an hour ({grown:+.2} MiB)");
    println!("descriptors: {begin} at the begin, {} at most, {end} at the end", samples.most_descriptors());
    println!(
        "/v1/health: {half:.1} ms p50, {most_of:.1} ms p99, {longest:.1} ms at most, of {}",
        times.len()
    );
    tally.hold();
}
