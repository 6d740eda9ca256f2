//! The rules in the order in which they are asked.

use crate::config::model::Rules;
use crate::engine::Engine;
use crate::engine::judge::Rule;
use crate::text::diagnostic::Span;

/// The rules for what a provider answers on some routes.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    /// The provider.
    pub provider: String,
    /// The routes' paths.
    pub paths: Vec<String>,
    /// The rules.
    pub rules: Vec<Ordered>,
}

/// A rule as it stands in the order of one provider.
#[derive(Clone, PartialEq, Debug)]
pub struct Ordered {
    /// Its name.
    pub rule: String,
    /// Where it stands.
    pub at: Span,
    /// Whose rule it is: `its own` (the provider's), `the route's` or `everybody's`.
    pub whose: &'static str,
    /// What it does, in a few words.
    pub does: String,
}

/// What a rule does, in a few words.
fn does(rule: &Rule) -> String {
    let mut words = vec![rule.action.name().to_owned()];
    words.extend(rule.cooling.as_ref().map(|cooling| match cooling.after {
        Some(after) => format!("cool_down after {after}"),
        None => "cool_down".to_owned(),
    }));
    let rest =
        [(rule.down, "down"), (rule.switch, "switch"), (rule.last, "last"), (rule.shadow, "only tried out")];
    words.extend(rest.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned()));
    words.join(", ")
}

/// The rules in the order in which they are asked, provider by provider in the order of priority.
pub fn order(engine: &Engine, rules: &Rules) -> Vec<Order> {
    let everybodys: Vec<Span> = rules.failover.iter().map(|rule| rule.name.span).collect();
    let routes: Vec<Span> =
        rules.routes.iter().flat_map(|route| &route.failover).map(|it| it.name.span).collect();
    let mut orders: Vec<Order> = Vec::new();
    for place in engine.by_priority() {
        let Some(provider) = engine.providers.get(*place) else { continue };
        for route in engine.routes.iter().filter(|route| route.asks(*place)) {
            let ordered = engine.failover(route, *place).iter().map(|rule| Ordered {
                rule: rule.name.clone(),
                at: rule.at,
                whose: match rule.at {
                    at if everybodys.contains(&at) => "everybody's",
                    at if routes.contains(&at) => "the route's",
                    _ => "its own",
                },
                does: does(rule),
            });
            let rules: Vec<Ordered> = ordered.collect();
            let known = orders.iter_mut().find(|it| it.provider == provider.name && it.rules == rules);
            match known {
                Some(order) if order.paths.contains(&route.path) => {}
                Some(order) => order.paths.push(route.path.clone()),
                None => {
                    let (provider, paths) = (provider.name.clone(), vec![route.path.clone()]);
                    orders.push(Order { provider, paths, rules });
                }
            }
        }
    }
    orders
}
