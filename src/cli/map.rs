//! `rulegate map`: shows what a mapping makes of a request, an answer, an error or a stream, without a network.

mod show;
mod world;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::Outcome as Exit;
use super::examine::usual;
use super::input;
use super::style::Style;
use crate::engine::exchange::Progress;
use crate::engine::failure::Failure;
use crate::engine::plan::{Answer, AnswerBody, Outcome, Step};
use crate::text::json::Doc;
use show::Page;
use world::{Asked, Problem, World};

pub(super) const EXAMPLES: &str = "\
Examples:
  rulegate map --mapping my.yaml --request ask.json            the provider's request
  rulegate map --mapping my.yaml --response answer.json        the client's answer
  rulegate map --mapping my.yaml --stream answer.sse --steps   each event, and what it caused
  rulegate map --mapping my.yaml --error error.json --status 429
  rulegate map --mapping my.yaml --request ask.json --provider fast --rules rules.yaml

The protocols come from the rules, as do a provider's models and parameters (`with`); without --provider the
mapping's defaults count. Beside --response, --error or --stream, --request is the request that went before.
Exit codes: 0 the mapping gave an answer; 1 it refused or failed, or is wrong; 2 a file cannot be read.";

/// What a mapping is tried with.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("input").required(true).multiple(true).args(["request", "response", "error", "stream"]))]
pub(super) struct MapArguments {
    /// The mapping file; `builtin:mappings/NAME.yaml` is one inside the program
    #[arg(long, short, value_name = "FILE")]
    mapping: PathBuf,
    /// A client's request, as JSON; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// A provider's whole answer
    #[arg(long, value_name = "FILE", conflicts_with_all = ["error", "stream"])]
    response: Option<PathBuf>,
    /// A provider's error
    #[arg(long, value_name = "FILE", conflicts_with = "stream")]
    error: Option<PathBuf>,
    /// A provider's stream: server-sent events
    #[arg(long, value_name = "FILE")]
    stream: Option<PathBuf>,
    /// The provider's status [default: 200, of an error 400]
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..=599))]
    status: Option<u16>,
    /// The provider of the rules that is asked
    #[arg(long, short, value_name = "NAME")]
    provider: Option<String>,
    /// The rules [default: ./rules/rules.yaml, else ./rules.yaml, else the built-in rules]
    #[arg(long, short, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Show every step
    #[arg(long)]
    steps: bool,
}

/// What the provider sends.
enum Sent {
    /// Nothing is wanted but the request.
    Nothing,
    Whole(Bytes),
    Error(Bytes),
    Stream(Bytes),
}

/// Tries the mapping, and prints what came of it.
pub(super) fn map(arguments: &MapArguments) -> Exit {
    let style = Style::stdout();
    let mut page = Page::new(style, arguments.steps);
    let exit = run(arguments, &mut page).unwrap_or_else(|problem| problem.tell());
    say_as_is!("{}", page.text());
    exit
}

fn run(arguments: &MapArguments, page: &mut Page) -> Result<Exit, Problem> {
    let request = arguments.request.as_deref().map(object).transpose()?;
    let sent = match (&arguments.response, &arguments.error, &arguments.stream) {
        (Some(path), ..) => Sent::Whole(file_or_stdin(path)?),
        (_, Some(path), _) => Sent::Error(file_or_stdin(path)?),
        (.., Some(path)) => Sent::Stream(file_or_stdin(path)?),
        _ => Sent::Nothing,
    };
    let rules = arguments.rules.clone().unwrap_or_else(usual);
    let world = World::build(&arguments.mapping, &rules, arguments.provider.as_deref())?;
    let streams = match &sent {
        Sent::Nothing => None,
        Sent::Stream(_) => Some(true),
        Sent::Whole(_) | Sent::Error(_) => Some(false),
    };
    let given = request.is_some();
    let asked = match world.ask(request, streams)? {
        Ok(asked) => asked,
        Err(answer) => return Ok(refused(page, answer, given)),
    };
    page.begin(&world, &asked);
    let status = arguments.status;
    Ok(match sent {
        Sent::Nothing => {
            page.request(&asked);
            Exit::Well
        }
        Sent::Whole(body) => whole(page, asked, status.unwrap_or(200), &body),
        Sent::Error(body) => whole(page, asked, status.unwrap_or(400), &body),
        Sent::Stream(bytes) => stream(page, asked, status.unwrap_or(200), &bytes),
    })
}

/// A request that the mapping does not put into the provider's words; `given`: the user's own.
fn refused(page: &mut Page, answer: Answer, given: bool) -> Exit {
    complain!("rulegate map: the mapping refuses the request");
    if !given {
        complain!("rulegate map: it was an empty one; name the request that went before with --request FILE");
    }
    page.answer(answer);
    Exit::Wrong
}

/// An answer or an error that comes in one piece.
fn whole(page: &mut Page, asked: Asked, status: u16, body: &Bytes) -> Exit {
    let Asked { mut plan, mut health, attempt, .. } = asked;
    let mut exchange = attempt.exchange;
    exchange.head(status, &content_type("application/json"));
    let mut progress = exchange.feed(body);
    if matches!(progress, Progress::More) {
        progress = exchange.eof();
    }
    let outcome = match progress {
        Progress::Done(outcome) => outcome,
        Progress::Commit => Outcome::Streaming(Box::new(exchange)),
        Progress::More => return Exit::Wrong,
    };
    let mut exit = Exit::Well;
    if let Outcome::Failed(failure) = &outcome
        && status < 400
    {
        complain!("rulegate map: this is no answer: {}", told(failure));
        exit = Exit::Wrong;
    }
    plan.observe(outcome, &mut health, world::NOW);
    if let Step::Answer(answer) = plan.next(&mut health, world::NOW) {
        page.answer(answer);
    }
    exit
}

/// A stream, event by event.
fn stream(page: &mut Page, asked: Asked, status: u16, bytes: &Bytes) -> Exit {
    let Asked { mut plan, mut health, attempt, .. } = asked;
    let mut exchange = Box::new(attempt.exchange);
    exchange.head(status, &content_type("text/event-stream"));
    // Until the commit the output is held back; so much of it has been shown.
    let (mut committed, mut shown) = (false, 0);
    for piece in show::frames(bytes).into_iter().map(Some).chain([None]) {
        page.input(piece);
        let progress = match piece {
            Some(piece) => exchange.feed(piece),
            None => exchange.eof(),
        };
        match progress {
            Progress::Commit => {
                plan.observe(Outcome::Streaming(exchange), &mut health, world::NOW);
                exchange = match plan.next(&mut health, world::NOW) {
                    Step::Answer(Answer { body: AnswerBody::Stream(exchange), .. }) => exchange,
                    _ => return Exit::Wrong,
                };
                committed = true;
                page.output(exchange.take_output().get(shown..).unwrap_or_default());
                page.note("the answer begins here; until now, another provider could still be asked");
            }
            Progress::Done(outcome) => {
                if let Outcome::Failed(failure) = &outcome {
                    complain!("rulegate map: the stream failed before any content: {}", told(failure));
                }
                plan.observe(outcome, &mut health, world::NOW);
                if let Step::Answer(answer) = plan.next(&mut health, world::NOW) {
                    page.answer(answer);
                }
                return Exit::Wrong;
            }
            Progress::More if committed => page.output(&exchange.take_output()),
            // Without the steps, only what a client would see.
            Progress::More if !page.steps() => {}
            Progress::More => {
                let held = exchange.held();
                page.output(held.get(shown..).unwrap_or_default());
                shown = held.len();
            }
        }
        page.state(exchange.state());
        if exchange.finished() {
            break;
        }
    }
    match exchange.failure() {
        None => Exit::Well,
        Some(failure) => {
            complain!("rulegate map: the stream failed: {}", told(failure));
            Exit::Wrong
        }
    }
}

/// A failure in full. (Its own words are for logs, which leave out what a provider said.)
fn told(failure: &Failure) -> String {
    format!("{}: {}", failure.kind.name(), failure.message)
}

fn content_type(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))])
}

/// The bytes of an input file, or of the standard input.
fn file_or_stdin(path: &Path) -> Result<Bytes, Problem> {
    input::read(path).map_err(|error| Problem::Unusable(format!("{}: {error}", path.display())))
}

/// An input file that must be JSON.
fn object(path: &Path) -> Result<Doc, Problem> {
    Doc::parse(file_or_stdin(path)?).map_err(|error| {
        let (line, column) = (error.line, error.column);
        Problem::Unusable(format!("{}:{line}:{column}: {}", path.display(), error.message))
    })
}
