//! The world around one mapping: rules with one provider, one route and no failover, so that nothing but the
//! mapping decides, and the engine's own plan carries it out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::json;

use super::Exit;
use crate::cli::examine::readable;
use crate::cli::style::Style;
use crate::config::builtin;
use crate::config::files::{Disk, Files, Place};
use crate::config::load::load;
use crate::config::model::{Mapping, Protocol, Rules, RulesFile};
use crate::config::record::FromNode;
use crate::engine::health::Health;
use crate::engine::plan::{Answer, Attempt, Incoming, Plan, Step};
use crate::engine::{self, Engine, Ms};
use crate::language::{Compiler, Env, Scope};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Sources, did_you_mean};
use crate::text::json::Doc;
use crate::text::yaml;

/// When the request comes: 2026-01-01T00:00:00Z, so that the same input always gives the same output.
pub(super) const NOW: Ms = 1_767_225_600_000;
/// The request's id.
const ID: &str = "0map0map0map0map0map0map";
/// The only path.
const PATH: &str = "/map";
/// The provider's name where none of the rules is asked.
const PROVIDER: &str = "provider";
/// The file that includes the mapping and the rules. It is nowhere on disk.
const MAIN: &str = "rulegate map";
/// The folder that a mapping of the program's seems to stand in.
const INSIDE: &str = "(inside the program)";

/// Why nothing can be shown.
pub(super) enum Problem {
    /// The command line is wrong, or a file cannot be read.
    Unusable(String),
    /// The mapping or the rules are wrong.
    Wrong(Box<Diagnostics>, Box<Sources>),
}

impl Problem {
    /// Prints it.
    pub fn tell(self) -> Exit {
        match self {
            Problem::Unusable(message) => {
                complain!("rulegate map: {message}");
                Exit::Unusable
            }
            Problem::Wrong(mut found, sources) => {
                found.sort();
                complain!("{}", found.render(&sources, Style::stderr().colours()).trim_end());
                Exit::Wrong
            }
        }
    }
}

/// The mapping, compiled, and all that it needs.
pub(super) struct World {
    engine: Arc<Engine>,
    /// The mapping as its file has it.
    pub mapping: Mapping,
    /// What the client speaks.
    client: Option<Protocol>,
}

/// A request that has been put in the provider's words.
pub(super) struct Asked {
    pub plan: Plan,
    pub health: Health,
    pub attempt: Attempt,
    /// The client's request.
    pub request: Bytes,
}

impl World {
    /// Reads the mapping and the rules, and compiles what is needed of them.
    pub fn build(mapping: &Path, rules: &Path, provider: Option<&str>) -> Result<World, Problem> {
        let unreadable = |path: &Path, error| format!("{}: {error}", path.display());
        readable(mapping).map_err(|error| {
            Problem::Unusable(format!("{}\n  = help: {}", unreadable(mapping, error), inside(mapping)))
        })?;
        readable(rules).map_err(|error| Problem::Unusable(unreadable(rules, error)))?;
        let (mut mapping, rules) = (here(mapping), here(rules));
        let mut overlaid = None;
        if let Place::Builtin(name) = Place::of(Path::new(&mapping))
            && let Some(text) = builtin::text(&name)
        {
            // Under a name on disk, since files there come before what is inside the program.
            mapping = format!("{INSIDE}/{name}");
            overlaid = Some((PathBuf::from(&mapping), text));
        }
        let files = Overlay { main: json!({ "include": [mapping, rules] }).to_string(), inside: overlaid };
        let loaded = load(&files, Path::new(MAIN), &|name| std::env::var(name).ok());
        let (mut sources, mut found) = (loaded.sources, Diagnostics::new());
        let name = Place::of(Path::new(MAIN)).beside(&mapping).shown();
        let is_ours = |span| sources.name(span) == name;
        // The mapping that is tried stands before the rules' own for the same pair of protocols.
        found.extend(loaded.diagnostics.into_vec().into_iter().filter(|it| {
            let places = it.span.iter().chain(it.notes.iter().map(|(span, _)| span));
            it.code != "defined-twice" || !places.map(|span| span.file).any(is_ours)
        }));
        let tried = loaded
            .rules
            .as_ref()
            .and_then(|rules| rules.mappings.iter().find(|it| is_ours(it.mapping.span.file)).cloned());
        let (Some(mut rules), Some(tried)) = (loaded.rules, tried) else {
            if !found.has_errors() {
                return Err(Problem::Unusable(format!("{name} is no mapping: it has no `mapping:`")));
            }
            return Err(Problem::Wrong(Box::new(found), Box::new(sources)));
        };
        reduce(&mut rules, &tried, provider, &mut sources, &mut found)?;
        let engine = engine::build(&rules, "", &mut found);
        match engine.filter(|_| !found.has_errors()) {
            Some(engine) => {
                let client = rules.protocol(&tried.mapping.from.value).cloned();
                Ok(World { engine: Arc::new(engine), mapping: tried, client })
            }
            None => Err(Problem::Wrong(Box::new(found), Box::new(sources))),
        }
    }

    /// Puts a request in the provider's words; without one, the least that there can be. `streams` says whether
    /// it shall ask for a stream. `Err` is the answer to a request that the mapping refuses.
    #[allow(clippy::result_large_err)]
    pub fn ask(&self, request: Option<Doc>, streams: Option<bool>) -> Result<Result<Asked, Answer>, Problem> {
        let body = match &self.client {
            Some(client) => self.complete(client, request, streams)?,
            None => request.map_or_else(|| Bytes::from_static(b"{}"), |request| request.bytes()),
        };
        let incoming = Incoming {
            id: ID.to_owned(),
            method: Method::POST,
            path: PATH.to_owned(),
            query: None,
            headers: HeaderMap::new(),
            body: body.clone(),
            now: NOW,
            seed: 1,
        };
        let mut plan = match Plan::begin(self.engine.clone(), incoming) {
            Ok(plan) => plan,
            Err(answer) => return Ok(Err(answer)),
        };
        plan.rehearse();
        let mut health = Health::new();
        Ok(match plan.next(&mut health, NOW) {
            Step::Send(attempt) => Ok(Asked { plan, health, attempt: *attempt, request: body }),
            Step::Answer(answer) => Err(answer),
            Step::Wait(_) => return Err(Problem::Unusable("the request is never sent".to_owned())),
        })
    }

    /// The request with a model, and with or without the wish for a stream.
    fn complete(
        &self,
        client: &Protocol,
        request: Option<Doc>,
        streams: Option<bool>,
    ) -> Result<Bytes, Problem> {
        let mut edits = Vec::new();
        if let Some(path) = client.model.as_ref().filter(|_| request.is_none()) {
            edits.push(json!({ "default": { path.value.as_str(): "model" } }));
        }
        match (client.streaming.as_ref(), streams) {
            (Some(path), Some(true)) => edits.push(json!({ "set": { path.value.as_str(): true } })),
            (Some(path), Some(false)) => {
                let path = path.value.as_str();
                edits.push(json!({ "when": path, "patch": [{ "set": { path: false } }] }));
            }
            (None, Some(true)) => {
                let name = &client.protocol.value;
                let message = format!("{name} does not say where a request asks for a stream (`streaming:`)");
                return Err(Problem::Unusable(message));
            }
            (_, None) | (None, Some(false)) => {}
        }
        let request = match request {
            Some(request) => request,
            None => Doc::parse(Bytes::from_static(b"{}")).unwrap_or_else(|_| Doc::null()),
        };
        Ok(patched(&request, &json!(edits).to_string()).unwrap_or_else(|| request.bytes()))
    }
}

/// Leaves of the rules what one mapping needs: one provider, one route, and a rule that passes errors on.
fn reduce(
    rules: &mut Rules,
    mapping: &Mapping,
    provider: Option<&str>,
    sources: &mut Sources,
    found: &mut Diagnostics,
) -> Result<(), Problem> {
    let (from, to) = (&mapping.mapping.from.value, &mapping.mapping.to.value);
    let text = json!({
        "providers": { provider.unwrap_or(PROVIDER): { "speaks": to, "url": "http://provider", "key": "none" } },
        "routes": [{ "path": PATH, "protocol": from }],
        "failover": [{ "name": "as-it-came", "do": "return" }],
    });
    let text = text.to_string();
    let file = sources.add(MAIN, text.as_str());
    let own = yaml::parse(file, &text).ok().and_then(|node| RulesFile::from_node(&node, found));
    let Some(own) = own else { return Err(Problem::Unusable("these names cannot be used".to_owned())) };
    for (name, side) in [(from, &mapping.mapping.from), (to, &mapping.mapping.to)] {
        if rules.protocol(name).is_none() {
            let known = rules.protocols.iter().map(|it| it.protocol.value.as_str());
            let mut unknown = Diagnostic::error("unknown-name", format!("no protocol is called `{name}`"))
                .at(side.span)
                .help("the rules include the files of the protocols; `--rules FILE` names the rules");
            if let Some(near) = did_you_mean(name, known) {
                unknown = unknown.help(format!("did you mean `{near}`?"));
            }
            found.push(unknown);
        }
    }
    let mut providers = own.providers;
    if let Some(name) = provider {
        let known = rules.providers.names().map(|key| key.text.as_str());
        let Some(real) = rules.providers.get(name) else {
            let near = did_you_mean(name, known).map(|near| format!("; did you mean {near}?"));
            let near = near.unwrap_or_default();
            return Err(Problem::Unusable(format!("the rules have no provider {name}{near}")));
        };
        if !real.speaks.iter().any(|spoken| spoken.value == *to) {
            return Err(Problem::Unusable(format!("the provider {name} does not speak {to}")));
        }
        let mut only = providers.get(name).cloned();
        if let Some(only) = &mut only {
            *only = crate::config::model::Provider {
                speaks: only.speaks.clone(),
                failover: Vec::new(),
                ..real.clone()
            };
        }
        let key = rules.providers.key(name).cloned();
        providers = crate::config::model::Table::default();
        if let (Some(key), Some(only)) = (key, only) {
            providers.push(key, only);
        }
    }
    rules.providers = providers;
    rules.routes = own.routes;
    rules.failover = own.failover;
    rules.mappings = vec![mapping.clone()];
    rules.health.clear();
    rules.tests.clear();
    Ok(())
}

/// The document with edits of the rules' own language made in it.
fn patched(doc: &Doc, edits: &str) -> Option<Bytes> {
    let scope = Scope::new(&[""]);
    let mut ignored = Diagnostics::new();
    let file = Sources::new().add(MAIN, edits);
    let patch = Compiler::new(&scope, &mut ignored).patch(&yaml::parse(file, edits).ok()?)?;
    let mut env = Env::new(scope.len());
    env.set(0, crate::language::Val::Json(doc.root()));
    patch.apply(doc, &mut env).ok()
}

/// The path as the rules' own files are named, so that a file is known under one name: below this folder
/// relative to it, elsewhere absolute. What cannot be told stays as it is.
fn here(path: &Path) -> String {
    let shown = path.display().to_string();
    if matches!(Place::of(path), Place::Builtin(_)) {
        return shown;
    }
    let folder = std::env::current_dir().and_then(std::fs::canonicalize);
    match (folder, std::fs::canonicalize(path)) {
        (Ok(folder), Ok(whole)) => whole.strip_prefix(folder).unwrap_or(&whole).display().to_string(),
        _ => shown,
    }
}

/// Which mapping of the program was meant instead of a file that is not there, or else which ones there are.
fn inside(missing: &Path) -> String {
    let files = || builtin::FILES.iter().map(|(name, _)| *name).filter(|name| name.starts_with("mappings/"));
    let bare = |name: &'static str| name.trim_start_matches("mappings/").trim_end_matches(".yaml");
    let given = missing.file_name().unwrap_or_default().to_string_lossy();
    match did_you_mean(given.trim_end_matches(".yaml"), files().map(bare)) {
        Some(name) => format!("did you mean `{}mappings/{name}.yaml`?", builtin::PREFIX),
        None => {
            let names: Vec<_> = files().map(|name| format!("{}{name}", builtin::PREFIX)).collect();
            format!("the program itself has {}", names.join(" and "))
        }
    }
}

/// The disk, the file that includes everything, and a mapping out of the program.
struct Overlay {
    main: String,
    inside: Option<(PathBuf, &'static str)>,
}

impl Files for Overlay {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match &self.inside {
            _ if path == Path::new(MAIN) => Ok(self.main.clone().into_bytes()),
            Some((known, text)) if path == known => Ok(text.as_bytes().to_vec()),
            _ => Disk.read(path),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        Disk.list(folder)
    }
}
