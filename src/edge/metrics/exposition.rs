//! The counters in Prometheus' text format, version 0.0.4: a few lines that no crate is needed for.

use std::fmt::Write;

use super::{BETWEEN, FAMILIES, Metrics};

/// Something that goes up and down, as it is now.
pub struct Gauge<'a> {
    /// Its name.
    pub name: &'static str,
    /// What it tells.
    pub help: &'static str,
    /// Labels and value, one for each line.
    pub values: Vec<(Vec<(&'static str, &'a str)>, f64)>,
}

/// All counters, how many lines the log has lost, and these gauges.
pub fn page(metrics: &Metrics, lost_lines: u64, gauges: &[Gauge<'_>]) -> String {
    let counts = metrics.counts();
    let mut out = String::new();
    for (family, values) in FAMILIES.iter().zip(&counts.values) {
        head(&mut out, family.name, family.help, "counter");
        for (key, value) in values {
            let labels: Vec<(&str, &str)> = family.labels.iter().copied().zip(key.split(BETWEEN)).collect();
            line(&mut out, family.name, &labels, *value as f64);
        }
    }
    let name = "rulegate_log_lines_lost_total";
    head(&mut out, name, "Lines of the log that could not be written, or not fast enough.", "counter");
    line(&mut out, name, &[], lost_lines as f64);
    head(&mut out, "rulegate_requests_running", "Requests and streams under way.", "gauge");
    line(&mut out, "rulegate_requests_running", &[], counts.running as f64);
    let name = "rulegate_rule_last_hit_timestamp_seconds";
    head(&mut out, name, "When a failover rule decided last.", "gauge");
    for (rule, at) in &counts.last_hits {
        line(&mut out, name, &[("rule", rule)], *at as f64 / 1000.0);
    }
    for gauge in gauges {
        head(&mut out, gauge.name, gauge.help, "gauge");
        for (labels, value) in &gauge.values {
            line(&mut out, gauge.name, labels, *value);
        }
    }
    out
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    out.push_str(name);
    for (place, (label, value)) in labels.iter().enumerate() {
        out.push_str(if place == 0 { "{" } else { "," });
        let _ = write!(out, "{label}=\"");
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    if !labels.is_empty() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out_of_their_quotes() {
        let mut out = String::new();
        line(&mut out, "n", &[("a", "x\"} 1\n\\"), ("b", "")], 3.0);
        assert_eq!(out, "n{a=\"x\\\"} 1\\n\\\\\",b=\"\"} 3\n");
    }
}
