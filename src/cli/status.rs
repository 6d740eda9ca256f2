//! `rulegate status`: who answers, who is cooling down until when and why, and which rules fired.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::ask::RouterArguments;
use super::out::is_read;
use super::style::Style;
use super::{Outcome, now};
use crate::text::units::{duration_text, instant_from};
use crate::text::visible::is_hidden;

pub(super) const EXAMPLES: &str = "\
Examples:
  rulegate status
  rulegate status --watch                again and again, until it is stopped
  rulegate status --json --url http://127.0.0.1:9000

The admin key is taken from $RULEGATE_ADMIN_KEY; without one that the rules want, a router tells only whether all is well.
Exit codes: 0 some provider can answer; 1 none can, or the router does not answer.";

/// As wide as a terminal usually is, in characters.
const WIDTH: usize = 80;
/// No column is narrower.
const NARROWEST: usize = 20;

/// What is to be shown.
#[derive(clap::Args, Debug)]
pub(super) struct StatusArguments {
    /// Show it again every so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = clap::value_parser!(u64).range(1..=3600))]
    watch: Option<u64>,
    #[command(flatten)]
    router: RouterArguments,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Asks, and shows it.
pub(super) fn status(arguments: &StatusArguments) -> Outcome {
    loop {
        let (outcome, text) = once(arguments);
        let mut out = std::io::stdout();
        // On a terminal each look takes the place of the one before.
        let clear = if arguments.watch.is_some() && out.is_terminal() { "\u{1b}[H\u{1b}[2J" } else { "" };
        let is_read = is_read(write!(out, "{clear}{text}").and_then(|()| out.flush()));
        match arguments.watch {
            Some(seconds) if is_read => sleep(Duration::from_secs(seconds)),
            _ => return outcome,
        }
    }
}

fn once(arguments: &StatusArguments) -> (Outcome, String) {
    let parsed = |body: String| serde_json::from_str::<Value>(&body).unwrap_or_default();
    let health = match arguments.router.ask("GET /v1/health", "") {
        Ok(body) => parsed(body),
        Err(wrong) => {
            complain!("rulegate status: {}", wrong.told);
            return (Outcome::Wrong, String::new());
        }
    };
    // Who may see the health page may perhaps not see this one.
    let rules = arguments.router.ask("GET /-/rules", "").map(parsed).unwrap_or_default();
    let outcome = if health["status"] == "healthy" { Outcome::Well } else { Outcome::Wrong };
    let text = if arguments.json {
        format!("{:#}\n", json!({ "health": health, "rules": rules["rules"] }))
    } else {
        table(&health, &rules, now(), Style::stdout())
    };
    (outcome, text)
}

/// The table. `now` is in milliseconds since the epoch.
fn table(health: &Value, rules: &Value, now: i64, style: Style) -> String {
    let status = plain(&health["status"]);
    let mark = if status == "healthy" { style.good(&status) } else { style.bad(&status) };
    let mut first = vec![mark];
    if let Some(current) = health["current_provider"].as_str() {
        let by_hand = match health["manual_until"].as_str() {
            Some(until) => format!(" (by hand, {})", until_in(until, now)),
            None if health["manual"].is_string() => " (by hand)".to_owned(),
            None => String::new(),
        };
        first.push(format!("{} is asked first{by_hand}", style.strong(current)));
    }
    if let Some(version) = health["rules_version"].as_str() {
        first.push(format!("rules {version}"));
    }
    let mut out = format!("{}\n", first.join(", "));
    if let Some(since) = health["rules_refused"]["since"].as_str() {
        let told = style.bad("the rules in the files are refused");
        let error = plain(&health["rules_refused"]["error"]);
        let runs = plain(&health["rules_since"]);
        let _ = writeln!(out, "{told} since {} ({}):", shown(since), ago(since, now));
        write_note(&mut out, &error);
        let _ = writeln!(out, "those of {runs} run on; `rulegate reload` shows all that is wrong");
    }
    let Some(details) = health["details"].as_object() else {
        out.push_str("for more the admin key is wanted: set RULEGATE_ADMIN_KEY\n");
        return out;
    };
    out.push('\n');
    let head = ["PROVIDER", "STATUS", "SINCE", "FAILED", "TOKENS IN", "OUT"];
    let mut rows = vec![Row { cells: head.map(str::to_owned).to_vec(), notes: Vec::new() }];
    for (name, detail) in details {
        let asked = |count: &Value| count.as_u64().unwrap_or_default();
        let cells = vec![
            name.clone(),
            plain(&detail["status"]),
            detail["since"].as_str().map_or_else(|| "-".to_owned(), |since| ago(since, now)),
            format!("{}/{}", asked(&detail["failures"]), asked(&detail["attempts"])),
            tokens(&detail["tokens"], &["input", "cache_read", "cache_write"]),
            tokens(&detail["tokens"], &["output"]),
        ];
        rows.push(Row { cells, notes: reasons(detail, now) });
    }
    write_rows(&mut out, &rows, style);
    let fired = rules["rules"].as_array().into_iter().flatten();
    let fired = fired.filter(|rule| rule["fired"].as_u64().is_some_and(|count| count > 0));
    let mut hits: Vec<&Value> = fired.collect();
    hits.sort_by_key(|rule| std::cmp::Reverse(rule["last"].as_str().map(str::to_owned)));
    if !hits.is_empty() {
        out.push('\n');
        let head = ["RULE", "FIRED", "LAST", "AND THEN"].map(str::to_owned).to_vec();
        let rows = hits.into_iter().map(|rule| {
            let last = rule["last"].as_str().map_or_else(|| "-".to_owned(), |last| ago(last, now));
            vec![plain(&rule["rule"]), rule["fired"].to_string(), last, and_then(&rule["after"])]
        });
        let rows = std::iter::once(head).chain(rows).map(|cells| Row { cells, notes: Vec::new() });
        write_rows(&mut out, &rows.collect::<Vec<_>>(), style);
    }
    if let Some(since) = health["counted_since"].as_str() {
        let line = format!("tokens and rules are counted since {} ({})", shown(since), ago(since, now));
        let _ = writeln!(out, "\n{}", style.faint(&line));
    }
    out
}

/// The sum of these counts of tokens, short enough for a column; `-` where none was told.
fn tokens(counts: &Value, names: &[&str]) -> String {
    let told: Vec<u64> = names.iter().filter_map(|name| counts[*name].as_u64()).collect();
    let sum: u64 = told.iter().fold(0, |sum, count| sum.saturating_add(*count));
    match sum {
        _ if told.is_empty() => "-".to_owned(),
        0..10_000 => sum.to_string(),
        10_000..1_000_000 => format!("{}k", sum / 1_000),
        1_000_000..10_000_000 => format!("{}.{}M", sum / 1_000_000, sum / 100_000 % 10),
        _ => format!("{}M", sum / 1_000_000),
    }
}

/// Why a provider is as it is, a line each: its cool downs, what counts towards one, its latest error.
fn reasons(detail: &Value, now: i64) -> Vec<String> {
    let mut why = Vec::new();
    let by_rule = |it: &Value| {
        let request =
            it["request"].as_str().map(|id| format!(" (explain\u{a0}{})", shown(id))).unwrap_or_default();
        it["rule"].as_str().map(|rule| format!("by rule {rule}{request}")).unwrap_or_default()
    };
    let outdated = |it: &Value| {
        it["outdated"]["text"].as_str().map(|text| format!("; {}", shown(text))).unwrap_or_default()
    };
    let part = |it: &Value| {
        let key = it["key"].as_str().map(|key| format!("key {key} ")).unwrap_or_default();
        let model = it["model"].as_str().map(|model| format!("{} ", shown(model))).unwrap_or_default();
        format!("{key}{model}")
    };
    if let Some(reason) = detail["reason"].as_str() {
        why.push(shown(reason));
    }
    if detail["rule"].is_string() {
        let until = match detail["until"].as_str() {
            Some(until) => until_in(until, now),
            None => "until a probe finds it well".to_owned(),
        };
        why.push(format!("{until}, {}{}", by_rule(detail), outdated(detail)));
    }
    for paused in detail["paused"].as_array().into_iter().flatten() {
        let until = paused["until"].as_str().map(|until| until_in(until, now)).unwrap_or_default();
        why.push(format!("{}cools down {until}, {}{}", part(paused), by_rule(paused), outdated(paused)));
    }
    for counted in detail["evidence"].as_array().into_iter().flatten() {
        why.push(format!("{}{}, {}", part(counted), plain(&counted["seen"]), by_rule(counted)));
    }
    let error = &detail["last_error"];
    if let Some(message) = error["message"].as_str() {
        let at = error["at"].as_str().map(|at| ago(at, now)).unwrap_or_default();
        let message = shown(message);
        // Where no status came, the kind says what went wrong; the router's own words begin with it.
        let what = match (error["status"].as_u64(), plain(&error["kind"])) {
            (Some(status), _) => format!("{status} "),
            (None, kind) if message.starts_with(&kind) => String::new(),
            (None, kind) => format!("{kind} "),
        };
        why.push(format!("last error {at}: {what}{message}"));
    }
    why
}

/// What came after a rule had fired: `3 answered by another, 1 returned`.
fn and_then(after: &Value) -> String {
    let words = [
        ("answered", "answered by the next"),
        ("again", "asked again"),
        ("returned", "given to the client"),
        ("failed", "the next failed too"),
        ("otherwise", "answered by the route itself"),
        ("left", "given up by the client"),
        ("probe", "by probes"),
    ];
    let counts = words.into_iter().filter_map(|(name, words)| {
        let count = after[name].as_u64().filter(|count| *count > 0)?;
        Some(format!("{count} {words}"))
    });
    let said = counts.collect::<Vec<_>>().join(", ");
    if said.is_empty() { "-".to_owned() } else { said }
}

/// A line of a table, and what is to be read under it.
struct Row {
    cells: Vec<String>,
    notes: Vec<String>,
}

/// Columns as wide as their widest cell; the last one takes what is left of the width, on several lines if need be.
fn write_rows(out: &mut String, rows: &[Row], style: Style) {
    let columns = rows.first().map_or(0, |row| row.cells.len());
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.saturating_sub(1)).map(|column| width(column) + 2).collect();
    let begin: usize = widths.iter().sum();
    for (place, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.cells.iter().zip(&widths).enumerate() {
            let pad = width.saturating_sub(cell.chars().count());
            line.push_str(&match (place, column, cell.as_str()) {
                (0, ..) => style.faint(cell),
                (_, 1, "available") => style.good(cell),
                (_, 1, "cooling" | "down") => style.bad(cell),
                _ => cell.clone(),
            });
            line.extend(std::iter::repeat_n(' ', pad));
        }
        let last = row.cells.last().map(String::as_str).unwrap_or_default();
        for (count, part) in folded(last, WIDTH.saturating_sub(begin).max(NARROWEST)).iter().enumerate() {
            if count > 0 {
                line.push('\n');
                line.extend(std::iter::repeat_n(' ', begin));
            }
            line.push_str(&if place == 0 { style.faint(part) } else { part.clone() });
        }
        out.push_str(line.trim_end());
        out.push('\n');
        row.notes.iter().for_each(|note| write_note(out, note));
    }
}

/// What is to be read under a line.
fn write_note(out: &mut String, note: &str) {
    for (count, part) in folded(note, WIDTH - 4).iter().enumerate() {
        let indent = if count == 0 { "  " } else { "    " };
        let _ = writeln!(out, "{indent}{part}");
    }
}

/// A text in lines of so many characters, broken between words; a longer word has a line of its own.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let is_full = |line: &String| line.chars().count() + 1 + word.chars().count() > width;
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if !is_full(line) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

/// `until 10:00Z (in 42m)`: the moment, and how long that is from now.
fn until_in(moment: &str, now: i64) -> String {
    match instant_from(moment, now) {
        Some(at) if at > now => format!("until {} (in {})", shown(moment), rough(at - now)),
        _ => format!("until {}", shown(moment)),
    }
}

/// How long ago a moment was.
fn ago(moment: &str, now: i64) -> String {
    instant_from(moment, now)
        .map_or_else(|| shown(moment), |at| format!("{} ago", rough(now.saturating_sub(at))))
}

/// A length of time in its two largest units.
fn rough(millis: i64) -> String {
    let seconds = u64::try_from(millis / 1000).unwrap_or_default();
    let unit = match seconds {
        0..3_600 => 1,
        3_600..172_800 => 60,
        _ => 3_600,
    };
    duration_text(Duration::from_secs(seconds / unit * unit))
}

fn plain(value: &Value) -> String {
    shown(value.as_str().unwrap_or_default())
}

/// A text that does nothing to a terminal: what providers and clients say may stand in it.
fn shown(text: &str) -> String {
    text.replace(is_hidden, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_359_200_000; // 2026-03-01T10:00:00Z

    #[test]
    fn the_table_says_who_waits_until_when_and_why() {
        let health = json!({
            "status": "healthy", "current_provider": "two", "manual": null, "manual_until": null,
            "providers": { "one": "cooling", "two": "available" },
            "details": {
                "one": {
                    "status": "cooling", "since": "2026-03-01T09:57:00Z", "until": "2026-03-01T10:42:30Z", "rule": "usage-limit",
                    "request": "ymq3piycf56hy8yykrrtkh6n", "attempts": 12, "failures": 3,
                    "tokens": { "input": 1200, "cache_read": 12345678, "output": 56789 },
                    "last_error": { "at": "2026-03-01T09:57:00Z", "status": 429, "message": "\"limit\u{1b}[31m\" (rate_limit_error)" },
                },
                "two": {
                    "status": "available", "since": null, "until": null, "rule": null, "attempts": 9, "failures": 0,
                    "paused": [ {
                        "key": "work", "model": "big", "until": "2026-03-03T10:00:00Z", "rule": "tokens",
                        "outdated": { "rule": "gone", "text": "the rule `tokens` is gone since the reload of 09:58Z" },
                    } ],
                    "evidence": [ { "rule": "broken", "seen": "2 of 3 failures within 30s" } ],
                },
            },
            "rules_version": "45fe27bc31f1", "counted_since": "2026-03-01T09:00:00Z",
        });
        let rules = json!({ "rules": [
            { "rule": "quiet", "fired": 0, "last": null, "after": {} },
            { "rule": "usage-limit", "fired": 3, "last": "2026-03-01T09:57:00Z", "after": { "answered": 2, "again": 5, "failed": 1, "probe": 2 } },
        ] });
        let plain = Style::none();
        assert_eq!(
            table(&health, &rules, NOW, plain),
            "\
healthy, two is asked first, rules 45fe27bc31f1

PROVIDER  STATUS     SINCE   FAILED  TOKENS IN  OUT
one       cooling    3m ago  3/12    12M        56k
  until 2026-03-01T10:42:30Z (in 42m30s), by rule usage-limit
    (explain ymq3piycf56hy8yykrrtkh6n)
  last error 3m ago: 429 \"limit [31m\" (rate_limit_error)
two       available  -       0/9     -          -
  key work big cools down until 2026-03-03T10:00:00Z (in 2d), by rule tokens;
    the rule `tokens` is gone since the reload of 09:58Z
  2 of 3 failures within 30s, by rule broken

RULE         FIRED  LAST    AND THEN
usage-limit  3      3m ago  2 answered by the next, 5 asked again, 1 the next
                            failed too, 2 by probes

tokens and rules are counted since 2026-03-01T09:00:00Z (1h ago)
"
        );
    }

    #[test]
    fn rules_that_were_refused_are_told_on_top() {
        let health = json!({
            "status": "healthy", "rules_version": "45fe27bc31f1", "details": {},
            "rules_since": "2026-03-01T08:00:00Z",
            "rules_refused": { "since": "2026-03-01T09:58:00Z", "error": "rules.yaml:3: unknown key `spaeks`" },
        });
        let told = table(&health, &Value::Null, NOW, Style::none());
        assert!(
            told.starts_with(
                "healthy, rules 45fe27bc31f1\n\
                 the rules in the files are refused since 2026-03-01T09:58:00Z (2m ago):\n\
                 \x20 rules.yaml:3: unknown key `spaeks`\n\
                 those of 2026-03-01T08:00:00Z run on; `rulegate reload` shows all that is wrong\n"
            ),
            "{told}"
        );
    }

    #[test]
    fn a_stranger_is_told_what_is_missing() {
        let told = table(&json!({ "status": "unhealthy" }), &Value::Null, NOW, Style::none());
        assert_eq!(told, "unhealthy\nfor more the admin key is wanted: set RULEGATE_ADMIN_KEY\n");
    }
}
