//! What is promised to be fast: the goals stand in `benches/RESULTS.md`, beside the numbers seen.

#![allow(clippy::expect_used, clippy::panic, missing_docs)] // a bench that cannot begin should say so

mod world;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rulegate::engine::failure::Phase;
use rulegate::engine::judge::counts::Counts;
use rulegate::engine::judge::{Facts, RouteFacts};
use rulegate::proof::rule_tests;
use rulegate::text::json::Doc;
use world::{CHUNK, DELTA, MODEL, World, headers, huge_request, large_request, many_calls, small_request};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A client's request, from its bytes to the bytes for the provider: route, model, mapping, headers, key.
fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    let bodies = [
        ("1 KB", small_request(false)),
        ("100 KB with 40 tools", large_request()),
        ("2 MB", huge_request()),
        ("a turn of 1,000 calls", many_calls()),
    ];
    for (name, body) in &bodies {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("parse {name}"), |bench| {
            bench.iter(|| Doc::parse(black_box(body.clone())));
        });
        let mapper = World::translating().mapper(body.clone());
        group.bench_function(format!("mapping alone {name}"), |bench| {
            bench.iter(|| mapper.map(black_box(body.clone())));
        });
        for (what, world) in [("map", World::translating()), ("pass on", World::shipped())] {
            group.bench_function(format!("{what} {name}"), |bench| {
                bench.iter_batched(
                    || world.incoming(body.clone()),
                    |incoming| world.attempt(incoming),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

/// One event in the midst of a stream, from the provider's bytes to the client's.
fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("event");
    for (name, world, event) in
        [("translated", World::translating(), CHUNK), ("passed on", World::shipped(), DELTA)]
    {
        let mut stream = world.stream(event);
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let _ = stream.feed(black_box(event.as_bytes()));
                stream.take_output()
            });
        });
        assert!(!stream.finished() && stream.failure().is_none(), "{name} does not measure what it says");
    }
    group.finish();
}

/// What an open stream holds in memory, of a request of 1 KB: the growth of the process over many of them.
fn memory(_: &mut Criterion) {
    const STREAMS: usize = 4000;
    let cases = [("translated", World::translating(), CHUNK), ("passed on", World::shipped(), DELTA)];
    for (name, world, event) in cases {
        // What the first ones need is there for all.
        let warm: Vec<_> = (0..100).map(|_| world.stream(event)).collect();
        let before = world::resident();
        let streams: Vec<_> = (0..STREAMS).map(|_| world.stream(event)).collect();
        let each = world::resident().saturating_sub(before) / STREAMS;
        println!("memory/open stream, {name}: {each} bytes");
        drop((warm, streams));
    }
}

/// What the shipped rules say of an error that has been read.
fn verdicts(criterion: &mut Criterion) {
    let world = World::shipped();
    let engine = &world.engine;
    let provider = engine.provider("claude_pro").expect("a provider");
    let protocol = engine.protocol("anthropic.messages").expect("a protocol");
    let request = Doc::parse(small_request(false)).expect("JSON");
    let counts = Counts::default();
    let mut group = criterion.benchmark_group("verdict");
    let cases = [
        ("of the last rule", 400, "the-callers-own-mistake", world::TOO_LONG, &[][..]),
        ("by a header", 429, "five-hour-window", world::LIMITED, &world::WINDOW[..]),
        ("by the text", 429, "usage-limit", world::USAGE_LIMIT, &[][..]),
    ];
    for (name, status, rule, body, fields) in cases {
        let headers = headers(fields);
        let body = bytes::Bytes::from_static(body.as_bytes());
        let read = protocol.read_error(&body, &headers, Some(status));
        let facts = Facts {
            came: None,
            failure: Some(rulegate::engine::failure::FailureKind::Status),
            status: Some(status),
            headers: &headers,
            body: &body,
            read: &read,
            answer: None,
            unheard: None,
            request: &request,
            counts: &counts,
            model: MODEL,
            provider_doc: None,
            provider: "claude_pro",
            key: "",
            sent_key: None,
            zone: None,
            route: RouteFacts::default(),
            attempt: 1,
            phase: Phase::Content,
            committed: false,
            dropped: &[],
            now: world::NOW,
            chance: 0.0,
        };
        let found = engine.judge(provider, &facts).map(|rule| rule.name.as_str());
        assert_eq!(found, Some(rule), "{name} does not measure what it says");
        group
            .bench_function(name, |bench| bench.iter(|| engine.judge(provider, black_box(&facts)).is_some()));
        group.bench_function(format!("{name}, with reading the error"), |bench| {
            bench.iter(|| {
                let read = protocol.read_error(black_box(&body), &headers, Some(status));
                engine.judge(provider, &Facts { read: &read, ..facts }).is_some()
            });
        });
    }
    // The same question to few rules and to many: the last one fires.
    for count in [10, 10_000] {
        let engine = world::of_rules(count);
        let (headers, body) = (headers(&[]), world::refused_by(count - 1));
        let read = protocol.read_error(&body, &headers, Some(429));
        let facts = Facts {
            came: None,
            failure: Some(rulegate::engine::failure::FailureKind::Status),
            status: Some(429),
            headers: &headers,
            body: &body,
            read: &read,
            answer: None,
            unheard: None,
            request: &request,
            counts: &counts,
            model: MODEL,
            provider_doc: None,
            provider: "one",
            key: "",
            sent_key: None,
            zone: None,
            route: RouteFacts::default(),
            attempt: 1,
            phase: Phase::Content,
            committed: false,
            dropped: &[],
            now: world::NOW,
            chance: 0.0,
        };
        let found = engine.judge(0, &facts).map(|rule| rule.name.clone());
        assert_eq!(found, Some(format!("r{}", count - 1)), "{count} rules do not measure what they say");
        group.bench_function(format!("of {count} rules"), |bench| {
            bench.iter(|| engine.judge(0, black_box(&facts)).is_some())
        });
    }
    group.finish();
}

/// From the files to an engine that answers, as at start and at each reload.
fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    group.bench_function("load", |bench| bench.iter(|| world::load().rules.is_some()));
    group.bench_function("check and build", |bench| {
        bench.iter_batched(world::load, |loaded| world::build(loaded).is_some(), BatchSize::SmallInput);
    });
    group.bench_function("load, check and build", |bench| {
        bench.iter(|| world::build(world::load()).is_some())
    });
    let rules = world::load().rules.expect("rules");
    let first = world::build(world::load()).expect("the shipped rules compile");
    group.bench_function("build for each provider, in the background", |bench| {
        bench.iter(|| rulegate::engine::build_for_providers(&rules, &first).is_some())
    });
    let engine: Arc<_> = World::shipped().engine;
    group
        .bench_function("run their tests", |bench| bench.iter(|| rule_tests::run(&engine, &rules).is_good()));
    group.finish();
}

criterion_group!(promises, requests, events, memory, verdicts, rules);
criterion_main!(promises);
