//! Limits that would let nobody in.

use crate::config::model::Rules;
use crate::text::diagnostic::{Diagnostic, Diagnostics};

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    let limits = &rules.limits;
    let counts = [&limits.connections, &limits.connections_per_address];
    for count in counts.into_iter().flatten().filter(|count| count.value == 0) {
        let diagnostic = Diagnostic::error("bad-limit", "with no connection nobody can be answered");
        diags.push(diagnostic.at(count.span).label("at least 1 is wanted here"));
    }
    let memory = limits.in_flight.as_ref().filter(|most| most.value.0 == 0).map(|most| most.span);
    let count = limits.requests.as_ref().filter(|count| count.value == 0).map(|count| count.span);
    for span in [memory, count].into_iter().flatten() {
        let diagnostic = Diagnostic::error("bad-limit", "with nothing in flight nobody can be answered");
        diags.push(diagnostic.at(span).label("at least 1 is wanted here"));
    }
    if let Some(most) = limits.in_flight.as_ref().filter(|most| most.value.0 > 0)
        && most.value.0 < limits.body.0.saturating_mul(2)
    {
        let message =
            "a body within `body` may have no room in flight, and would be answered with 503 for ever";
        let diagnostic = Diagnostic::warning("bad-limit", message).at(most.span);
        let label = format!("less than twice `body`, which is {} MiB", limits.body.0 >> 20);
        diags.push(
            diagnostic
                .label(label)
                .help("a request in flight takes its body twice: raise this, or lower `body`"),
        );
    }
    for (name, time) in [("head_time", limits.head_time), ("body_time", limits.body_time)] {
        if time.is_zero() {
            let message = format!("with `{name}: 0` no request could arrive");
            let diagnostic = Diagnostic::error("bad-limit", message).at(limits.span);
            diags.push(diagnostic.label("here").help("write for example 30s"));
        }
    }
}
