//! Probes: whom they ask, and when.

use std::time::Duration;

use super::providers::{known, understands};
use crate::config::model::{Probe, Rules};
use crate::config::values::unknown_name;
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::units::Cron;

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    for probe in &rules.health {
        for name in probe.provider.iter() {
            known(rules, name, diags);
        }
        schedule(probe, diags);
        path(rules, probe, diags);
        if probe.recovered_after == 0 {
            let diagnostic = Diagnostic::error("bad-probe", "`recovered_after` is at least 1").at(probe.span);
            diags.push(diagnostic.label("in this probe"));
        }
    }
}

fn schedule(probe: &Probe, diags: &mut Diagnostics) {
    match (&probe.schedule, &probe.every) {
        (None, None) => {
            let diagnostic =
                Diagnostic::error("bad-probe", "a probe needs `schedule` or `every`").at(probe.span);
            diags.push(diagnostic.label("when?").help("write for example every: 5m"));
        }
        (Some(_), Some(every)) => {
            let diagnostic = Diagnostic::error("bad-probe", "a probe has `schedule` or `every`, not both");
            diags.push(diagnostic.at(every.span).label("one too many"));
        }
        _ => {}
    }
    if let Some(every) = &probe.every
        && every.value < Duration::from_secs(1)
    {
        let diagnostic = Diagnostic::error("bad-probe", "a probe comes once a second at most").at(every.span);
        diags.push(diagnostic.label("too often"));
    }
    if let Some(zone) = &probe.time_zone {
        if probe.schedule.is_none() {
            let diagnostic = Diagnostic::warning("unused", "a time zone matters to a `schedule` only");
            diags.push(diagnostic.at(zone.span).label("without effect"));
        }
        if let Err(reason) = Cron::parse("* * * * *", Some(zone)) {
            let diagnostic = Diagnostic::error("bad-time-zone", "this is not a time zone").at(zone.span);
            diags.push(diagnostic.label(reason));
        }
    }
    if let Some(schedule) = &probe.schedule
        && let Err(reason) = Cron::parse(schedule, None)
    {
        let diagnostic =
            Diagnostic::error("bad-schedule", "this is not a schedule").at(schedule.span).label(reason);
        diags.push(diagnostic.help("five fields: minute, hour, day of month, month, day of week"));
    }
}

fn path(rules: &Rules, probe: &Probe, diags: &mut Diagnostics) {
    if rules.incomplete {
        return;
    }
    let asked = |route: &&crate::config::model::Route| route.protocol.is_some() && route.answer.is_none();
    let route = match &probe.path {
        Some(path) => rules.routes.iter().filter(asked).find(|route| route.path.value == path.value),
        None => rules.routes.iter().find(asked),
    };
    match (route, &probe.path) {
        (None, Some(path)) => {
            let paths = rules.routes.iter().filter(asked).map(|route| route.path.value.as_str());
            diags.push(unknown_name("route", path, paths));
        }
        (Some(route), _) => {
            let Some(protocol) = &route.protocol else { return };
            for name in probe.provider.iter() {
                let provider = rules.providers.get(name);
                if provider.is_some_and(|provider| !understands(rules, provider, protocol)) {
                    let message = format!("`{}` cannot answer `{}`", name.value, protocol.value);
                    let diagnostic = Diagnostic::error("no-mapping", message).at(name.span);
                    let label = format!("the probe takes the route `{}`", route.path.value);
                    diags.push(diagnostic.label(label).help("name another route with `path`"));
                }
            }
        }
        (None, None) => {}
    }
}
