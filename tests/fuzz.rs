//! The fuzz targets on any Rust: the kept corpus, and inputs made of it by chance. `RULEGATE_FUZZ=60s` goes on for so
//! long instead of for a fixed number of inputs; `RULEGATE_FUZZ_SEED` takes other ones. `just fuzz` has the fuzzer that
//! sees which code is reached.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::second_door::Dice;

#[path = "../fuzz/src/lib.rs"]
mod targets;

/// How many made-up inputs are tried where no time is given: few, since this is a debug build.
const INPUTS: usize = 200;
/// The longest input that is made, in bytes: all of them together find more than long ones.
const LONGEST: usize = 8 << 10;
/// What the readers look for, beyond what stands in the corpus.
const WORDS: &[&str] = &[
    "\r\n", "\n\n", "data: ", "event: ", ": ", "\u{feff}", "[DONE]", "\\u0000", "\\ud83d", "null", "true",
    "-0", "1e999", "{}", "[]", "\"\"", ",", "&a ", "*a", "<<: ", "|\n", "!!str ", "${X}", "$.", "..", "[?",
    "[-1:]",
];

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}

/// Where inputs are kept that broke a promise.
fn failures() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz")
}

/// The kept inputs of a target; recorded streams too, where there are any.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let inside =
        |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().map(|it| it.unwrap().path());
    let failed = inside(failures()).filter(|path| {
        path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(&format!("{name}-")))
    });
    let mut files: Vec<PathBuf> = inside(folder(name)).collect();
    files.sort();
    // What failed before is tried first.
    files.splice(0..0, failed);
    let mut all: Vec<(String, Vec<u8>)> =
        files.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
    let (ending, before): (_, &[&[u8]]) = match name {
        "exchange" => (".sse", &[b"0100\n", b"1100\n", b"2100\n", b"3100\n"]),
        "json" => (".json", &[b""]),
        "sse" => (".sse", &[b"\xff"]),
        _ => return all,
    };
    for (number, path) in crate::recordings::recorded_files(ending).iter().enumerate() {
        let mut bytes = before[number % before.len()].to_vec();
        bytes.extend(std::fs::read(path).unwrap());
        bytes.truncate(4 * LONGEST);
        all.push((path.display().to_string(), bytes));
    }
    all
}

/// One input made of others: cut, joined, repeated, and changed in a few places.
fn made_up(dice: &mut Dice, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut input = dice.of(corpus).1;
    input.truncate(LONGEST);
    for _ in 0..=dice.below(6) {
        let mut place = |length: usize| usize::try_from(dice.below(length as u64 + 1)).unwrap();
        let (from, to) = (place(input.len()), place(input.len()));
        let (from, to) = (from.min(to), from.max(to));
        match dice.below(8) {
            0 => input.truncate(to),
            1 => drop(input.drain(from..to.min(from + 16))),
            2 => {
                let part = input[from..to.min(from + 64)].to_vec();
                let times = 1 + usize::try_from(dice.below(8)).unwrap();
                input.splice(from..from, part.repeat(times));
            }
            3 => {
                let other = dice.of(corpus).1;
                let at = usize::try_from(dice.below(other.len() as u64 + 1)).unwrap();
                let end = other.len().min(at + 256);
                input.splice(from..from, other[at..end].iter().copied());
            }
            4 | 5 => {
                let word = dice.of(WORDS).as_bytes();
                let until = if dice.below(2) == 0 { from } else { to.min(from + word.len()) };
                input.splice(from..until, word.iter().copied());
            }
            6 if from < input.len() => input[from] ^= 1 << dice.below(8),
            _ if from < input.len() => {
                input[from] = dice.of(b"{}[]\":,.\\0 19-\n\r\t#'&*|>?!@$e\x00\x7f\xc3\xa9\xff");
            }
            _ => {}
        }
    }
    input.truncate(LONGEST);
    input
}

/// Tries one input; one that breaks a promise is kept, to be looked at and to become part of the corpus.
fn attempt(name: &str, target: targets::Target, input: &[u8], from: &str) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_ok() {
        return;
    }
    std::fs::create_dir_all(failures()).unwrap();
    let kept = failures().join(format!("{name}-{}", input.len()));
    std::fs::write(&kept, input).unwrap();
    panic!("{name}: a promise is broken, see above, by {} ({from})", kept.display());
}

fn fuzz(name: &str) {
    let (_, target) = targets::TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    let corpus = corpus(name);
    assert!(corpus.len() >= 5, "{name} has a corpus");
    for (from, input) in &corpus {
        attempt(name, target, input, from);
    }
    let time =
        std::env::var("RULEGATE_FUZZ").ok().map(|text| rulegate::text::units::duration(&text).unwrap());
    let seed = std::env::var("RULEGATE_FUZZ_SEED").map_or(1, |text| text.parse().unwrap());
    let (begin, mut dice, mut tried) = (Instant::now(), Dice::new(seed), 0);
    while time.map_or(tried < INPUTS, |time: Duration| begin.elapsed() < time) {
        attempt(name, target, &made_up(&mut dice, &corpus), "made up");
        tried += 1;
    }
    println!("{name}: {} inputs of the corpus, {tried} made up", corpus.len());
}

#[test]
fn compression() {
    fuzz("compression");
}

#[test]
fn exchange() {
    fuzz("exchange");
}

#[test]
fn json() {
    fuzz("json");
}

#[test]
fn path() {
    fuzz("path");
}

#[test]
fn rules() {
    fuzz("rules");
}

#[test]
fn sse() {
    fuzz("sse");
}

#[test]
fn state() {
    fuzz("state");
}

#[test]
fn yaml() {
    fuzz("yaml");
}

#[test]
fn every_target_has_its_door_and_its_test() {
    let manifest = std::fs::read_to_string(folder("../Cargo.toml")).unwrap();
    let tests = include_str!("fuzz.rs");
    for (name, _) in targets::TARGETS {
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name} in fuzz/Cargo.toml");
        assert!(folder(&format!("../targets/{name}.rs")).exists(), "fuzz/targets/{name}.rs");
        assert!(tests.contains(&format!("fuzz(\"{name}\")")), "{name} in tests/fuzz.rs");
    }
}
