//! One reading of the rules: from files to what requests are answered by, or to what is wrong.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use serde_json::Value;

use crate::config::changes::Meaning;
use crate::config::check::check;
use crate::config::files::{Disk, Seen};
use crate::config::keys;
use crate::config::load::{Loaded, load_to_run};
use crate::config::model::{Key, Rules};
use crate::config::secrets::Values;
use crate::edge::access::Access;
use crate::edge::tls;
use crate::engine::{self, Engine};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Severity};

/// The environment variables, or what stands for them.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;
/// Runs the rules' own tests, and reports those that fail.
pub type Proof = Arc<dyn Fn(&Rules, &Arc<Engine>, &mut Diagnostics) + Send + Sync>;

/// Where rules come from, and what they must pass.
pub struct Source {
    /// The main file; `builtin:rules.yaml` is the one inside the program.
    pub path: PathBuf,
    /// What `${NAME}` means.
    pub variables: Variables,
    /// The rules' own tests.
    pub proof: Option<Proof>,
}

/// What of the rules in force must not be lost to those that follow; nothing at the start.
#[derive(Clone, Default)]
pub struct InForce {
    /// The values of variables.
    pub values: Values,
    /// The providers that have a key.
    pub providers: Vec<String>,
}

/// Rules that can run.
pub struct Ready {
    /// Compiled.
    pub engine: Arc<Engine>,
    /// Who may ask.
    pub access: Access,
    /// TLS for new connections, if there is to be any.
    pub tls: Option<Arc<ServerConfig>>,
    /// SHA-256 of all files.
    pub hash: String,
    /// What they mean, to be compared with those that follow.
    pub meaning: Arc<Meaning>,
    /// What they were compiled from, as long as there is more to make of it: see `Router::improve`.
    pub rules: Option<Arc<Rules>>,
}

/// What one reading found.
pub struct Checked {
    /// The rules, if nothing is wrong with them.
    pub ready: Option<Ready>,
    /// All files that were read or looked for, as they were then.
    pub files: Vec<Seen>,
    /// SHA-256 of their content.
    pub hash: String,
    /// The values that variables have in them.
    pub values: Values,
    /// Each warning in one line.
    pub warnings: Vec<String>,
    /// The first error in one line, and how many more there are.
    pub summary: String,
    /// All that was found, for people.
    pub text: String,
    /// All that was found, for programs.
    pub diagnostics: Value,
    errors: bool,
}

impl Checked {
    /// Were the rules refused?
    pub fn refused(&self) -> bool {
        self.errors
    }

    /// Reading itself met a bug. The files of the last reading are still to be watched.
    pub(super) fn broken(last: &Checked) -> Self {
        let summary = "an internal error stopped the reading of the rules; please report it".to_owned();
        Self {
            ready: None,
            files: last.files.clone(),
            hash: String::new(),
            values: Values::new(),
            warnings: Vec::new(),
            text: summary.clone(),
            diagnostics: serde_json::json!([{ "severity": "error", "code": "bug", "message": summary }]),
            summary,
            errors: true,
        }
    }
}

/// Reads, checks, builds and tests the rules for a router that listens, or is to listen, at `bound` (`None`:
/// where the rules say). Blocks on the disk.
pub fn read(source: &Source, bound: Option<SocketAddr>, in_force: &InForce) -> Checked {
    judge(source, load_to_run(&Disk, &source.path, &*source.variables, &in_force.values), bound, in_force)
}

/// The same, but if the files hold what is known by its hash already, that is all that is done: the files are
/// given back.
pub fn read_unless(
    source: &Source,
    bound: Option<SocketAddr>,
    in_force: &InForce,
    known: &str,
) -> Result<Checked, Vec<Seen>> {
    let loaded = load_to_run(&Disk, &source.path, &*source.variables, &in_force.values);
    if loaded.hash == known { Err(loaded.files) } else { Ok(judge(source, loaded, bound, in_force)) }
}

fn judge(source: &Source, loaded: Loaded, bound: Option<SocketAddr>, in_force: &InForce) -> Checked {
    let Loaded { rules, sources, mut diagnostics, files, hash, values } = loaded;
    let mut ready = None;
    if let Some(rules) = rules {
        check(&rules, &mut diagnostics);
        losses(&rules, &in_force.providers, &mut diagnostics);
        if !diagnostics.has_errors() {
            ready = build(source, Arc::new(rules), &hash, bound, &mut diagnostics);
        }
    }
    if diagnostics.has_errors() {
        ready = None;
    }
    diagnostics.sort();
    let errors = ready.is_none();
    let lines = |severity: Severity| {
        let found = diagnostics.iter().filter(move |found| found.severity == severity);
        found.map(|found| found.one_line(&sources)).collect::<Vec<_>>()
    };
    Checked {
        summary: summary(&lines(Severity::Error)),
        warnings: lines(Severity::Warning),
        text: diagnostics.render(&sources, false),
        diagnostics: diagnostics.to_json(&sources),
        ready,
        files,
        hash,
        values,
        errors,
    }
}

/// Refuses rules that would leave a provider of `working` without any key: a variable is not set that nobody could set in
/// a process that runs.
fn losses(rules: &Rules, working: &[String], diagnostics: &mut Diagnostics) {
    for (name, provider) in rules.providers.iter().filter(|(name, _)| working.contains(&name.text)) {
        let keys: Vec<_> = provider.all_keys().collect();
        let unset = keys.iter().filter_map(|key| match &key.value {
            Key::Unset(names) => Some(names.join(" and ")),
            _ => None,
        });
        let unset: Vec<String> = unset.collect();
        if unset.is_empty() || unset.len() < keys.len() {
            continue;
        }
        let set = unset.join(" or ");
        let message = format!("`{}` works now, and would be left without a key: {set} is not set", name.text);
        let at = keys.first().map_or(provider.span, |key| key.span);
        let diagnostic = Diagnostic::error("lost-key", message).at(at).label("no key");
        let help = format!(
            "a process that runs gets no new environment variables: start the router again, or write {}",
            keys::line(&set)
        );
        diagnostics.push(diagnostic.help(help));
    }
}

fn build(
    source: &Source,
    rules: Arc<Rules>,
    hash: &str,
    bound: Option<SocketAddr>,
    diagnostics: &mut Diagnostics,
) -> Option<Ready> {
    let meaning = Arc::new(Meaning::of(&rules));
    let engine = Arc::new(engine::build(&rules, hash, diagnostics)?);
    let access = Access::of(&engine, bound);
    if let Some(objection) = access.objection() {
        diagnostics.push(Diagnostic::error("open-to-all", objection));
    }
    if !diagnostics.has_errors()
        && let Some(proof) = &source.proof
    {
        proof(&rules, &engine, diagnostics);
    }
    let tls = tls::config(&rules, diagnostics);
    Some(Ready { engine, access, tls, hash: hash.to_owned(), meaning, rules: Some(rules) })
}

fn summary(errors: &[String]) -> String {
    match errors {
        [] => String::new(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}
