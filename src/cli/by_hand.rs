//! `rulegate clear`, `switch` and `reload`: what a person tells a running router to do.

use clap::Args;
use serde_json::{Value, json};

use super::ask::{NoAnswer, Place, RouterArguments};
use super::{Outcome, ReloadArguments, SwitchArguments};

#[derive(Args, Debug)]
pub(super) struct ClearArguments {
    /// The provider [default: say which there are]
    name: Option<String>,
    /// Only this one of its keys, by name
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// Only this model, by the provider's name of it
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The same as --url
    #[arg(value_name = "ADDR", hide = true, conflicts_with = "url")]
    address: Option<Place>,
    #[command(flatten)]
    router: RouterArguments,
    /// The router's answer as JSON
    #[arg(long)]
    json: bool,
}

/// Lets a provider be used again.
pub(super) fn clear(arguments: &ClearArguments) -> Outcome {
    let router = arguments.router.or_at(arguments.address.as_ref());
    let Some(name) = &arguments.name else { return ask_whom("clear", &router) };
    if !is_name(name) {
        complain!("rulegate clear: {name:?} cannot be the name of a provider");
        return Outcome::Unusable;
    }
    let wish = match (&arguments.key, &arguments.model) {
        (None, None) => String::new(),
        (key, model) => json!({ "key": key, "model": model }).to_string(),
    };
    done("clear", arguments.json, router.ask(&format!("POST /-/providers/{name}/clear"), &wish), |page| {
        let whom = format!("{name}{}", part(page));
        let first = match page["was"]["rule"].as_str() {
            Some(rule) => format!("{whom} may be asked again; it was cooling down by rule {rule}"),
            None => format!("{whom} was not cooling down"),
        };
        let still = page["still_cooling_down"].as_array().into_iter().flatten();
        let still = still.map(|it| {
            let until = it["until"].as_str().unwrap_or("a probe finds it well");
            format!("{name}{} still cools down until {until} by rule {}", part(it), text(&it["rule"]))
        });
        std::iter::once(first).chain(still).collect::<Vec<_>>().join("\n")
    })
}

/// ` (key NAME) for MODEL`, as far as these are said.
fn part(page: &Value) -> String {
    let key = page["key"].as_str().map(|key| format!(" (key {key})")).unwrap_or_default();
    let model = page["model"].as_str().map(|model| format!(" for {model}")).unwrap_or_default();
    key + &model
}

/// Makes a provider the first choice, or gives the choice back to the rules.
pub(super) fn switch(arguments: &SwitchArguments) -> Outcome {
    let Some(name) = &arguments.name else { return ask_whom("switch", &arguments.router) };
    if !is_name(name) {
        complain!("rulegate switch: {name:?} cannot be the name of a provider");
        return Outcome::Unusable;
    }
    let wish = match &arguments.time {
        Some(time) => json!({ "provider": name, "for": time }),
        None => json!({ "provider": name }),
    };
    let answer = arguments.router.ask("POST /v1/switch-provider", &wish.to_string());
    done("switch", arguments.json, answer, |page| {
        let current = page["current_provider"].as_str().unwrap_or("nobody");
        let over =
            page["ended"]["rule"].as_str().map(|rule| format!("; it no longer cools down by rule {rule}"));
        let over = over.unwrap_or_default();
        match (page["manual"].as_str(), page["manual_until"].as_str()) {
            (Some(_), Some(until)) => format!("{current} is asked first until {until}{over}"),
            (Some(_), None) => format!("{current} is asked first, until `rulegate switch auto`{over}"),
            (None, _) => format!("the rules choose again: {current} is asked first"),
        }
    })
}

/// Says which providers there are, to whoever names none.
fn ask_whom(command: &str, router: &RouterArguments) -> Outcome {
    let body = match router.ask("GET /v1/health", "") {
        Ok(body) => body,
        Err(wrong) => {
            complain!("rulegate {command}: which provider? {}", wrong.told);
            return Outcome::Wrong;
        }
    };
    let page: Value = serde_json::from_str(&body).unwrap_or_default();
    let providers = page["providers"].as_object().into_iter().flatten();
    let mut names: Vec<String> = providers.map(|(name, is)| format!("{name} ({})", text(is))).collect();
    if command == "switch" {
        names.push("auto (the rules choose)".to_owned());
    }
    complain!("rulegate {command}: which provider? There are {}", names.join(", "));
    Outcome::Unusable
}

/// Has the rules read again.
pub(super) fn reload(arguments: &ReloadArguments) -> Outcome {
    let answer = arguments.router.ask_for_work("POST /-/reload", "");
    if let Err(NoAnswer { status: Some(422), body, .. }) = &answer {
        let page: Value = serde_json::from_str(body).unwrap_or_default();
        if arguments.json {
            say!("{}", body.trim_end());
        } else {
            complain!("the new rules were refused, {} goes on running", text(&page["rules_version"]));
            findings(&page).for_each(|line| complain!("{line}"));
        }
        return Outcome::Wrong;
    }
    done("reload", arguments.json, answer, |page| {
        let version = text(&page["rules_version"]);
        let first = match page["status"].as_str() {
            Some("unchanged") => format!("the rules have not changed: {version}"),
            _ => format!("the new rules are in force: {version}"),
        };
        let changes = page["changes"].as_array().into_iter().flatten().map(|it| format!("  {}", text(it)));
        let kept = page["cool_downs"].as_array().into_iter().flatten().map(text);
        std::iter::once(first).chain(changes).chain(kept).chain(findings(page)).collect::<Vec<_>>().join("\n")
    })
}

/// What was found in the rules, a line each.
fn findings(page: &Value) -> impl Iterator<Item = String> {
    page["diagnostics"].as_array().into_iter().flatten().map(|found| {
        let place = match (found["file"].as_str(), found["line"].as_u64(), found["column"].as_u64()) {
            (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column}: "),
            _ => String::new(),
        };
        let [severity, code, message, label] =
            ["severity", "code", "message", "label"].map(|key| text(&found[key]));
        let label = if label.is_empty() { label } else { format!(": {label}") };
        let helps = found["help"].as_array().into_iter().flatten().map(text);
        let helps: String = helps.map(|help| format!("\n  = help: {help}")).collect();
        format!("{place}{severity}[{code}]: {message}{label}{helps}")
    })
}

/// Says what came of it, or why nothing did.
fn done(
    command: &str,
    as_json: bool,
    answer: Result<String, NoAnswer>,
    in_words: impl FnOnce(&Value) -> String,
) -> Outcome {
    match answer {
        Ok(body) if as_json => say!("{}", body.trim_end()),
        Ok(body) => {
            let page = serde_json::from_str(&body).unwrap_or_default();
            say!("{}", in_words(&page));
            if let Some(warning) = page["warning"].as_str() {
                complain!("rulegate {command}: {warning}");
            }
        }
        Err(wrong) => {
            complain!("rulegate {command}: {}", wrong.told);
            return Outcome::Wrong;
        }
    }
    Outcome::Well
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
