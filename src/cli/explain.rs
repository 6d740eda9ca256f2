//! `rulegate explain`: which rule fires on an answer and why the earlier ones do not; the order of the rules; and how
//! an answer of a running router came about.

mod record;
mod show;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::ask::RouterArguments;
use super::examine::{examine, several, usual};
use super::input;
use super::style::Style;
use super::{Outcome, now};
use crate::edge::compression::{Decoder, Next};
use crate::engine::failure::FailureKind;
use crate::proof::explain::{Question, explain as ask, order};
use crate::text::diagnostic::did_you_mean;
use crate::text::units::instant_from;

pub(super) const EXAMPLES: &str = "\
Examples:
  rulegate explain --provider first --status 429 --body error.json
  rulegate explain --provider first --status 529 --header retry-after:30 --body -
  rulegate explain --provider second --failure first_byte_timeout
  rulegate explain --provider first --status 529 --attempt 3   the third such answer in a row
  rulegate explain --provider second --streaming --body broken.sse --failure reset
  rulegate explain --order                   all rules in the order in which they are asked
  rulegate explain --list                    the latest decisions in which something failed
  rulegate explain                           the latest decision of the router on this machine
  rulegate explain ke4n5w7x2m --url http://127.0.0.1:9000   one decision, by the answer's x-rulegate-request

Which rule fires, why the earlier ones do not, what it does and what comes next: told by the engine that
answers requests, with nobody else put aside, and without a network. A running router is asked for its
records under /-/decisions; if it wants an admin key, that is read from $RULEGATE_ADMIN_KEY.
Exit codes: 0 explained; 1 the rules are wrong, or the router does not answer; 2 a file cannot be read or
the question makes no sense.";

/// What is to be explained.
#[derive(clap::Args, Debug)]
pub(super) struct ExplainArguments {
    /// A decision of a running router: the answer's x-rulegate-request, or `last` [default: last, if nothing else is
    /// asked]
    #[arg(value_name = "ID", conflicts_with_all = ["decision", "order", "provider"])]
    id: Option<String>,
    #[command(flatten)]
    router: RouterArguments,
    /// A decision that was saved, as JSON; `-` is the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["order", "provider"])]
    decision: Option<PathBuf>,
    /// All rules in the order in which they are asked, for each provider (or for --provider)
    #[arg(long)]
    order: bool,
    /// The provider that answers
    #[arg(long, short, value_name = "NAME")]
    provider: Option<String>,
    /// Its status [default: 200, and none with --failure alone]
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..=999))]
    status: Option<u16>,
    /// Its body, or its stream as it comes over the wire; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// One of its headers, `name:value`; may be said several times
    #[arg(long, value_name = "HEADER", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// What goes wrong, by the name that rules use: connect, first_byte_timeout, reset, ...
    #[arg(long, value_name = "KIND", value_parser = failure)]
    failure: Option<FailureKind>,
    /// The client wanted a stream
    #[arg(long)]
    streaming: bool,
    /// How many times in a row the provider has answered so, this one included
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    attempt: u32,
    /// The path that the client asked [default: the first that leads to the provider]
    #[arg(long, value_name = "PATH")]
    route: Option<String>,
    /// The model that the client asked for
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The client's request, as JSON, instead of a short question
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// When it happens, as servers write moments: 2026-03-01T10:00:00Z, 1772359200 [default: now]
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    at: Option<i64>,
    /// The rules [default: ./rules/rules.yaml, else ./rules.yaml, else the built-in rules]
    #[arg(long, short, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// The latest decisions of a running router in which something failed, a line each
    #[arg(long, conflicts_with_all = ["id", "decision", "order", "provider"])]
    list: bool,
    /// Also say of each rule that does not apply why not
    #[arg(long)]
    all: bool,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

impl ExplainArguments {
    /// Whether it is about what the rules would do, and not about what happened.
    fn asks_of_rules(&self) -> bool {
        let given = [&self.body, &self.request, &self.rules];
        self.provider.is_some()
            || self.order
            || self.status.is_some()
            || self.failure.is_some()
            || given.into_iter().any(Option::is_some)
    }
}

/// Why there is no explanation.
enum Problem {
    /// Said already.
    Told(Outcome),
    /// To be said.
    Say(Outcome, String),
}

/// Explains.
pub(super) fn explain(arguments: &ExplainArguments) -> Outcome {
    let done = match (&arguments.id, &arguments.decision) {
        _ if arguments.list => list(arguments),
        (Some(id), _) => record::fetch(&arguments.router, id).and_then(|text| past(arguments, &text)),
        (_, Some(file)) => {
            file_or_stdin(file).and_then(|text| past(arguments, &String::from_utf8_lossy(&text)))
        }
        _ if arguments.asks_of_rules() => by_rules(arguments),
        _ => record::fetch(&arguments.router, "last").and_then(|text| past(arguments, &text)),
    };
    match done {
        Ok(()) => Outcome::Well,
        Err(Problem::Told(outcome)) => outcome,
        Err(Problem::Say(outcome, text)) => {
            complain!("rulegate explain: {text}");
            outcome
        }
    }
}

/// The latest decisions in which something failed.
fn list(arguments: &ExplainArguments) -> Result<(), Problem> {
    let page = record::fetch_failed(&arguments.router)?;
    if arguments.json {
        say!("{page:#}");
    } else {
        say_as_is!("{}", show::list(&page, Style::stdout()));
    }
    Ok(())
}

/// A decision of the past.
fn past(arguments: &ExplainArguments, text: &str) -> Result<(), Problem> {
    let page = record::read(text).map_err(|text| Problem::Say(Outcome::Unusable, text))?;
    if arguments.json {
        say!("{page:#}");
    } else {
        say_as_is!("{}", show::record(&page, arguments.all, Style::stdout()));
    }
    Ok(())
}

/// What the rules would do.
fn by_rules(arguments: &ExplainArguments) -> Result<(), Problem> {
    let path = arguments.rules.clone().unwrap_or_else(usual);
    let shown = path.display();
    let mut examined =
        examine(&path).map_err(|error| Problem::Say(Outcome::Unusable, format!("{shown}: {error}")))?;
    let Some((rules, engine)) = examined.ready.take() else {
        examined.report(Style::stderr());
        let (errors, _) = examined.counts();
        complain!("rulegate explain: {shown}: {}", several(errors, "error"));
        return Err(Problem::Told(Outcome::Wrong));
    };
    let (sources, style) = (&examined.sources, Style::stdout());
    let provider = arguments.provider.as_deref();
    if let Some(name) = provider.filter(|name| engine.provider(name).is_none()) {
        let names = || engine.providers.iter().map(|provider| provider.name.as_str());
        let near = did_you_mean(name, names()).map(|near| format!("; did you mean {near}?"));
        let known = || format!("; there are {}", names().collect::<Vec<_>>().join(", "));
        let text = format!("there is no provider {name}{}", near.unwrap_or_else(known));
        return Err(Problem::Say(Outcome::Unusable, text));
    }
    if arguments.order {
        let mut all = order(&engine, &rules);
        all.retain(|order| provider.is_none_or(|wanted| wanted == order.provider));
        if arguments.json {
            say!("{:#}", show::order_json(&all, sources));
        } else {
            say_as_is!("{}", show::order(&all, sources, style));
        }
        return Ok(());
    }
    let question = question(arguments, engine.models.first().map(String::as_str))?;
    let explained = ask(&engine, &question).map_err(|text| Problem::Say(Outcome::Unusable, text))?;
    if arguments.json {
        say!("{:#}", show::explained_json(&explained, sources));
    } else {
        say_as_is!("{}", show::explained(&question, &explained, arguments.all, sources, style));
    }
    Ok(())
}

fn question(arguments: &ExplainArguments, model: Option<&str>) -> Result<Question, Problem> {
    if arguments.provider.is_none() {
        let text = "who answers so? Say --provider NAME, or --order for all rules".to_owned();
        return Err(Problem::Say(Outcome::Unusable, text));
    }
    if arguments.status.is_none() && arguments.failure.is_none() && arguments.body.is_none() {
        let text = "what does it answer? Say --status, --body or --failure".to_owned();
        return Err(Problem::Say(Outcome::Unusable, text));
    }
    let file = |path: &Option<PathBuf>| path.as_deref().map(file_or_stdin).transpose();
    let headers = HeaderMap::from_iter(arguments.header.iter().cloned());
    let (headers, body) = decoded(headers, file(&arguments.body)?.unwrap_or_default())?;
    let named = arguments.model.as_deref().or(model).unwrap_or("some-model");
    Ok(Question {
        provider: arguments.provider.clone().unwrap_or_default(),
        status: arguments.status,
        headers,
        body,
        failure: arguments.failure,
        path: arguments.route.clone(),
        model: named.to_owned(),
        request: file(&arguments.request)?,
        streaming: arguments.streaming,
        attempt: arguments.attempt,
        at: arguments.at.unwrap_or_else(now),
    })
}

/// The answer as the rules see it: decoded, if its headers say that it is compressed.
fn decoded(mut headers: HeaderMap, body: Bytes) -> Result<(HeaderMap, Bytes), Problem> {
    /// As a router does, where the rules say nothing else.
    const LARGEST: usize = 64 << 20;
    let Some(mut decoder) = Decoder::of(&headers).filter(|_| !body.is_empty()) else {
        return Ok((headers, body));
    };
    let wrong = |why: String| {
        let text = format!(
            "--body: the answer {why}; give it as the provider sends it, or leave out content-encoding"
        );
        Problem::Say(Outcome::Unusable, text)
    };
    let mut out = Vec::new();
    decoder.push(body);
    loop {
        match decoder.decode().map_err(|error| wrong(error.to_string()))? {
            Next::Piece(piece) => out.extend_from_slice(&piece),
            Next::Later => {}
            Next::Hungry => break,
        }
        if out.len() > LARGEST {
            return Err(wrong(format!("is longer than {LARGEST} bytes")));
        }
    }
    decoder.finish().map_err(|error| wrong(error.to_string()))?;
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    Ok((headers, out.into()))
}

/// The bytes of an input file, or of the standard input.
fn file_or_stdin(path: &Path) -> Result<Bytes, Problem> {
    input::read(path).map_err(|error| Problem::Say(Outcome::Unusable, format!("{}: {error}", path.display())))
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as name:value")?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| "this cannot be a header's name")?;
    let value = HeaderValue::try_from(value.trim()).map_err(|_| "this cannot be a header's value")?;
    Ok((name, value))
}

fn failure(text: &str) -> Result<FailureKind, String> {
    let names = || FailureKind::ALL.iter().map(|kind| kind.name());
    FailureKind::from_name(text).ok_or_else(|| match did_you_mean(text, names()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
    })
}

fn moment(text: &str) -> Result<i64, String> {
    instant_from(text, now()).ok_or_else(|| "this is no moment".to_owned())
}
