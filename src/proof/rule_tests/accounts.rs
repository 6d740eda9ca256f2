//! Tests of rules come out the same wherever they run: that the environment gives two providers one address and one key
//! does not make them one account.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::model::Rules;
use crate::config::values::Spanned;
use crate::engine::{Engine, build};
use crate::text::diagnostic::Diagnostics;

/// The rules and their engine with an account for each provider that names none, where `engine` has providers that would
/// share one otherwise.
pub fn apart(engine: &Engine, rules: &Rules) -> Option<(Rules, Arc<Engine>)> {
    let mut users: BTreeMap<&str, &str> = BTreeMap::new();
    let keys =
        engine.providers.iter().flat_map(|it| it.keys.iter().map(|key| (key.id.as_str(), it.name.as_str())));
    let is_shared = keys.into_iter().any(|(id, name)| *users.entry(id).or_insert(name) != name);
    if !is_shared {
        return None;
    }
    let mut rules = rules.clone();
    for (name, provider) in rules.providers.iter_mut().filter(|(_, provider)| provider.account.is_none()) {
        provider.account = Some(Spanned { value: name.text.clone(), span: name.span });
    }
    let engine = build(&rules, &engine.version, &mut Diagnostics::new())?;
    Some((rules, Arc::new(engine)))
}
