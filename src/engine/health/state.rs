//! What is known of providers as JSON, and back: for the file that lets it survive a restart.

use super::evidence::{After, Counted, Tally};
use super::origin::{Fate, Loaded, Outdated};
use super::pauses::Whose;
use super::{Aside, Health, KeptError, Pause, ProviderHealth, Switch};
use crate::engine::Ms;
use crate::engine::failure::FailureKind;
use crate::engine::judge::cooling::millis;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The version of what is written. One that is larger was written by a newer program.
pub const VERSION: u64 = 1;
/// The program that writes it. What rules mean is put in numbers that another one may reckon otherwise.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

impl Health {
    /// All that is to survive a restart, times in milliseconds since 1970. There is no key in it, and no more of
    /// errors than their message. The same health gives the same text.
    pub fn to_state(&self) -> Value {
        let mut providers: Vec<(&String, &ProviderHealth)> = self.providers.iter().collect();
        providers.sort_by_key(|(name, _)| *name);
        let providers: Map<String, Value> =
            providers.into_iter().map(|(name, known)| (name.clone(), provider(known))).collect();
        let mut limited: Vec<(&String, &Ms)> = self.limited.iter().collect();
        limited.sort();
        let limited: Map<String, Value> =
            limited.into_iter().map(|(id, at)| (id.clone(), json!(at))).collect();
        let switch = self
            .switch
            .as_ref()
            .map(|it| json!({ "provider": it.provider, "since": it.since, "until": it.until }));
        json!({
            "version": VERSION,
            "program": PROGRAM,
            "switch": switch,
            "pauses": self.pauses.all().map(|(aside, pause)| paused(aside, pause)).collect::<Vec<_>>(),
            "evidence": self.evidence.all().map(counted).collect::<Vec<_>>(),
            "limited": limited,
            "providers": providers,
        })
    }

    /// What [`Health::to_state`] gave.
    ///
    /// # Errors
    /// What about it cannot be understood.
    pub fn from_state(state: &Value) -> Result<Health, String> {
        match state["version"].as_u64() {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => return Err(format!("it is of the newer version {newer}")),
            _ => return Err("it names no version".to_owned()),
        }
        let mut health = Health::new();
        if !state["switch"].is_null() {
            let switch = &state["switch"];
            let (provider, since) = (text(switch, "provider")?, moment(switch, "since")?);
            health.switch = Some(Switch { provider, since, until: switch["until"].as_i64() });
        }
        let is_own = state["program"] == PROGRAM;
        for item in state["pauses"].as_array().ok_or("it has no list of pauses")? {
            let (aside, mut pause) = read_pause(item)?;
            pause.meaning = pause.meaning.filter(|_| is_own);
            health.pauses.put(aside, pause);
        }
        // A file of an older program has none.
        for item in state["evidence"].as_array().into_iter().flatten() {
            let (aside, rule, tally) = read_counted(item)?;
            health.evidence.put(aside, rule, tally);
        }
        for (id, at) in state["limited"].as_object().into_iter().flatten() {
            let at = at.as_i64().ok_or("a limit has no time")?;
            health.limited.insert(id.clone(), at);
        }
        for (name, known) in state["providers"].as_object().ok_or("it has no providers")? {
            let mut known = read_provider(known)?;
            known.down.iter_mut().filter(|_| !is_own).for_each(|down| down.meaning = None);
            health.providers.insert(name.clone(), known);
        }
        Ok(health)
    }
}

fn whose(aside: &Aside) -> (&'static str, &str) {
    match &aside.whose {
        Whose::Provider(name) => ("provider", name),
        Whose::Key(id) => ("key", id),
    }
}

fn read_aside(item: &Value) -> Result<Aside, String> {
    let aside = match (item["provider"].as_str(), item["key"].as_str()) {
        (Some(name), None) => Aside::provider(name),
        (None, Some(id)) => Aside::key(id),
        _ => return Err("a pause says not whose it is".to_owned()),
    };
    Ok(aside.with_model(item["model"].as_str().unwrap_or_default()))
}

fn counted((aside, rule, tally): (&Aside, &str, &Tally)) -> Value {
    let (whose, name) = whose(aside);
    let After { needed, counted, within } = tally.after;
    let of = match counted {
        Counted::OfLatest(of) => Some(of),
        Counted::InARow | Counted::All => None,
    };
    json!({
        whose: name,
        "model": aside.model,
        "rule": rule,
        "needed": needed,
        "in_a_row": counted == Counted::InARow,
        "of": of,
        "within_ms": within.map(millis),
        "attempts": tally.attempts,
        "failures": tally.failures,
    })
}

fn read_counted(item: &Value) -> Result<(Aside, String, Tally), String> {
    let number = |name: &str| item[name].as_u64().and_then(|number| u32::try_from(number).ok());
    let counted = match number("of") {
        Some(of) => Counted::OfLatest(of),
        None if item["in_a_row"] == true => Counted::InARow,
        None => Counted::All,
    };
    let needed = number("needed").ok_or("failures are counted, and not how many are needed")?;
    let within = item["within_ms"].as_u64().map(Duration::from_millis);
    let failure = |failure: &Value| Some((failure[0].as_i64()?, failure[1].as_u64()?));
    let failures = item["failures"].as_array().ok_or("failures are counted, and there are none")?;
    let failures = failures.iter().map(failure).collect::<Option<_>>().ok_or("a failure has no time")?;
    let tally =
        Tally::of(After { needed, counted, within }, item["attempts"].as_u64().unwrap_or_default(), failures);
    Ok((read_aside(item)?, text(item, "rule")?, tally))
}

fn paused(aside: &Aside, pause: &Pause) -> Value {
    let (whose, name) = whose(aside);
    json!({
        whose: name,
        "model": aside.model,
        "since": pause.since,
        "until": pause.until,
        "rule": pause.rule,
        "meaning": pause.meaning.map(meaning_text),
        "outdated": pause.outdated.map(outdated),
        "trials": pause.trials,
        "repeats": pause.repeats,
        "guess": pause.is_guess,
        "stated": pause.stated,
        "moment": pause.is_moment,
        "request": pause.request,
    })
}

fn read_pause(item: &Value) -> Result<(Aside, Pause), String> {
    let aside = read_aside(item)?;
    let number = |name: &str| item[name].as_u64().and_then(|number| u32::try_from(number).ok());
    let pause = Pause {
        since: moment(item, "since")?,
        until: Some(moment(item, "until")?),
        trials: number("trials").unwrap_or_default(),
        repeats: number("repeats").unwrap_or_default(),
        is_guess: item["guess"].as_bool().unwrap_or_default(),
        stated: item["stated"].as_i64(),
        is_moment: item["moment"].as_bool().unwrap_or_default(),
        request: item["request"].as_str().map(str::to_owned),
        outdated: read_outdated(&item["outdated"]),
        ..Pause::down(&text(item, "rule")?, read_meaning(item), 0)
    };
    Ok((aside, pause))
}

/// A text, since a number of 64 bits does not survive every reader of JSON.
fn meaning_text(meaning: u64) -> String {
    format!("{meaning:016x}")
}

fn read_meaning(item: &Value) -> Option<u64> {
    item["meaning"].as_str().and_then(|text| u64::from_str_radix(text, 16).ok())
}

fn outdated(outdated: Outdated) -> Value {
    let Loaded { at, offset, is_start } = outdated.since;
    json!({ "fate": outdated.fate.word(), "since": at, "offset": offset, "start": is_start })
}

/// A file of an older program has none; what is not understood is found out anew.
fn read_outdated(item: &Value) -> Option<Outdated> {
    let fate = [Fate::Gone, Fate::Changed].into_iter().find(|fate| item["fate"] == fate.word())?;
    let offset = i32::try_from(item["offset"].as_i64()?).ok()?;
    let since = Loaded { at: item["since"].as_i64()?, offset, is_start: item["start"] == true };
    Some(Outdated { fate, since })
}

fn provider(known: &ProviderHealth) -> Value {
    json!({
        "attempts": known.attempts,
        "failures": known.failures,
        "since": known.since,
        "last_success": known.last_success,
        "last_probe": known.last_probe,
        "good_probes": known.good_probes,
        "turns": known.turns,
        "down": known.down.as_ref().map(|pause| json!({
            "since": pause.since,
            "rule": pause.rule,
            "meaning": pause.meaning.map(meaning_text),
            "outdated": pause.outdated.map(outdated),
        })),
        "last_error": known.last_error.as_ref().map(|error| json!({
            "at": error.at,
            "kind": error.kind,
            "status": error.status,
            "message": error.message,
            "rule": error.rule,
        })),
    })
}

fn read_provider(from: &Value) -> Result<ProviderHealth, String> {
    let count = |name: &str| from[name].as_u64().ok_or_else(|| format!("a provider has no `{name}`"));
    let mut known = ProviderHealth {
        attempts: count("attempts")?,
        failures: count("failures")?,
        since: from["since"].as_i64(),
        last_success: from["last_success"].as_i64(),
        last_probe: from["last_probe"].as_i64(),
        good_probes: u32::try_from(count("good_probes")?).unwrap_or_default(),
        turns: usize::try_from(count("turns")?).unwrap_or_default(),
        ..ProviderHealth::default()
    };
    let down = &from["down"];
    if !down.is_null() {
        let pause = Pause::down(&text(down, "rule")?, read_meaning(down), moment(down, "since")?);
        known.down = Some(Pause { outdated: read_outdated(&down["outdated"]), ..pause });
    }
    let error = &from["last_error"];
    // A kind that this program does not know is no reason to forget the rest.
    if let Some(kind) = error["kind"].as_str().and_then(FailureKind::from_name) {
        known.last_error = Some(KeptError {
            at: moment(error, "at")?,
            kind: kind.name(),
            status: error["status"].as_u64().and_then(|status| u16::try_from(status).ok()),
            message: text(error, "message")?,
            rule: error["rule"].as_str().map(str::to_owned),
        });
    }
    Ok(known)
}

fn text(from: &Value, name: &str) -> Result<String, String> {
    from[name].as_str().map(str::to_owned).ok_or_else(|| format!("`{name}` is missing somewhere"))
}

fn moment(from: &Value, name: &str) -> Result<Ms, String> {
    from[name].as_i64().ok_or_else(|| format!("the time `{name}` is missing somewhere"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::health::{Lane, Wanted};

    #[test]
    fn what_is_written_is_read_again() {
        let mut health = Health::new();
        let wanted = Wanted {
            until: 9_000,
            rule: "limit",
            meaning: Some(u64::MAX - 1),
            trials: 2,
            is_guess: true,
            is_stated: true,
            is_moment: true,
        };
        health.put_aside(Aside::provider("one").with_model("m"), wanted, 1_000);
        health.put_aside(Aside::key("abc"), wanted, 2_000);
        let lane = Lane { provider: "three", key: "", model: "m".into() };
        for counted in [Counted::InARow, Counted::All, Counted::OfLatest(5)] {
            let after = After { needed: 3, counted, within: Some(Duration::from_secs(30)) };
            let rule = format!("{counted:?}");
            health.count(&lane, &Aside::provider("three").with_model("m"), &rule, after, 2_500);
        }
        health.down("two", "dead", Some(7), 3_000);
        health.asked("two");
        health.switch = Some(Switch { provider: "two".to_owned(), since: 4_000, until: Some(5_000) });
        let written = health.to_state();
        let read = Health::from_state(&written).unwrap();
        assert_eq!(read.to_state(), written);
        assert_eq!(read.free_at("two", 3_000), Some(Ms::MAX));
        assert!(
            !read.is_chosen("one", 4_500) && read.is_chosen("two", 4_500) && !read.is_chosen("two", 5_000)
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for state in [json!({}), json!([]), json!({ "version": 2 }), json!({ "version": 1, "pauses": [{}] })]
        {
            assert!(Health::from_state(&state).is_err(), "{state}");
        }
    }
}
