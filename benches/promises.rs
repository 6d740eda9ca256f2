//! What is promised to be fast: the goals stand in `benches/RESULTS.md`, beside the numbers seen.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use rulegate::config::builtin;
use rulegate::config::files::Disk;
use rulegate::config::load::load;
use rulegate::text::json::Doc;

/// A request of about 1 KB.
const REQUEST: &str = r#"{"model":"claude-sonnet-4-6","max_tokens":1024,"system":[{"type":"text","text":"You are a terse assistant that answers in one sentence and never apologises."}],"messages":[{"role":"user","content":"What is the weather in Paris?"},{"role":"assistant","content":[{"type":"text","text":"Let me look."},{"type":"tool_use","id":"toolu_01","name":"get_weather","input":{"city":"Paris","unit":"celsius"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01","content":[{"type":"text","text":"18 degrees, light rain"}]},{"type":"text","text":"And should I take an umbrella?"}]}],"tools":[{"name":"get_weather","description":"Current weather of a city","input_schema":{"type":"object","properties":{"city":{"type":"string"},"unit":{"type":"string","enum":["celsius","fahrenheit"]}},"required":["city"]}}],"tool_choice":{"type":"auto"},"temperature":0.7,"stream":true}"#;

fn reading(criterion: &mut Criterion) {
    criterion.bench_function("parse a 1 KB request", |bench| {
        bench.iter(|| Doc::parse(black_box(REQUEST.as_bytes().to_vec())));
    });
    criterion.bench_function("load the shipped rules", |bench| {
        bench.iter(|| load(&Disk, Path::new(builtin::MAIN), &|_| None).rules.is_some());
    });
}

criterion_group!(promises, reading);
criterion_main!(promises);
