//! `rulegate demo`: three simulated providers, the router in front of them with the shipped rules, and what to try.

mod provider;
mod script;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use self::script::{Provider, Script};
use super::style::Style;
use super::{DemoArguments, Outcome, log, run};
use crate::config::builtin;
use crate::edge::Options;
use crate::text::units;

/// Where people expect the router.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8000);

/// Plays the demo until a signal ends it.
pub(super) fn demo(arguments: &DemoArguments) -> Outcome {
    let log = log::start(arguments.log);
    let reset = reset(SystemTime::now());
    let Some(script) = Script::read(reset) else {
        complain!("rulegate demo: its data file is broken; please report it");
        return Outcome::Wrong;
    };
    // Only what stands here: the demo must not send anything with the keys of whoever tries it.
    let mut variables = BTreeMap::new();
    let mut introduced = String::new();
    for provider in &script.providers {
        let address = match provider::start(provider.clone(), Arc::new(tell)) {
            Ok(address) => address,
            Err(error) => {
                complain!("rulegate demo: {error}");
                return Outcome::Wrong;
            }
        };
        variables.insert(provider.url.clone(), format!("http://{address}"));
        variables.insert(provider.key.clone(), "simulated".to_owned());
        introduced.push_str(&format!("  {:<12} {address}   {}\n", provider.name, provider.does));
    }
    let mut options = Options::new(builtin::MAIN);
    options.listen = match run::listen(arguments.listen) {
        Ok(listen) => Some(listen.unwrap_or_else(|| free_address().to_string())),
        Err(outcome) => return outcome,
    };
    // And who may use it: in a container the demo listens for its host.
    let is_of_access =
        |name: &str| ["RULEGATE_PUBLISHED", "RULEGATE_KEY", "RULEGATE_ADMIN_KEY"].contains(&name);
    options.variables = Arc::new(move |name| match variables.get(name) {
        None if is_of_access(name) => std::env::var(name).ok(),
        simulated => simulated.cloned(),
    });
    options.follow = false;
    options.log = log.writer();
    options.local_time = log.is_local();
    options.state = Some("off".to_owned());
    run::serve(options, |address| introduce(&script, &introduced, reset, address))
}

/// The usual address, or a free port where that one is taken.
fn free_address() -> SocketAddr {
    match TcpListener::bind(USUAL) {
        Ok(_) => USUAL,
        Err(_) => SocketAddr::new(USUAL.ip(), 0),
    }
}

/// When the first provider's limit ends: a full hour, at least half an hour ahead; in seconds since 1970.
fn reset(now: SystemTime) -> i64 {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
    i64::try_from((now + 1800) / 3600 * 3600 + 3600).unwrap_or(i64::MAX)
}

/// Says what there is and what to try.
fn introduce(script: &Script, providers: &str, reset: i64, address: SocketAddr) {
    let style = Style::stdout();
    say!("\n{}\n{providers}", style.strong("Three simulated providers"));
    say!("{}", style.strong("The router, with the shipped rules"));
    say!("  http://{address}\n");
    say!("The limit of the first provider ends at {}.\n", units::instant_text(reset.saturating_mul(1000)));
    let has_key = std::env::var("RULEGATE_KEY").is_ok_and(|key| !key.trim().is_empty());
    let curl = if has_key { "curl -H \"x-api-key: $RULEGATE_KEY\" " } else { "curl " };
    for (title, command) in &script.tries {
        say!("{}", style.strong(title));
        say!("  {}\n", command.replace("%url%", &format!("http://{address}")).replacen("curl ", curl, 1));
    }
    say!("{}\n", style.faint("What is decided appears here. Ctrl-C ends the demo."));
}

/// One line for each request that reached a simulated provider.
fn tell(provider: &Provider, status: u16) {
    let style = Style::stdout();
    let status = status.to_string();
    let shown = if status.starts_with('2') { style.good(&status) } else { style.bad(&status) };
    say!("  {} was asked and answers {shown}", style.strong(&provider.name));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_limit_ends_at_a_full_hour_ahead() {
        for now in [0, 1799, 1800, 5399, 5400] {
            let reset = reset(UNIX_EPOCH + Duration::from_secs(now));
            assert_eq!(reset % 3600, 0);
            assert!(reset - i64::try_from(now).unwrap() >= 1800, "{now} {reset}");
        }
    }
}
