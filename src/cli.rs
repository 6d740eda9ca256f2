//! The command line: what `rulegate`, `rulegate check` and their sisters take and answer.

#[macro_use]
mod out;

mod ask;
mod by_hand;
mod check;
mod demo;
mod examine;
mod explain;
mod health;
mod help;
mod init;
mod input;
mod log;
mod map;
mod run;
mod status;
mod style;
mod test;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand, ValueEnum};

use ask::{Place, RouterArguments};
use by_hand::ClearArguments;
use help::{
    CHECK_EXAMPLES, CLEAR_EXAMPLES, DEMO_EXAMPLES, EXAMPLES, HEALTH_EXAMPLES, INIT_EXAMPLES, RELOAD_EXAMPLES,
    RUN_EXAMPLES, SCHEMA_EXAMPLES, SWITCH_EXAMPLES, TEST_EXAMPLES,
};

/// A proxy in front of LLM providers that is told by YAML what to do.
#[derive(Parser, Debug)]
#[command(name = "rulegate", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the router (what `rulegate` alone does)
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArguments),
    /// Say all that is wrong with rules, without running them
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArguments),
    /// Run the tests that stand in rules and mappings, with simulated providers
    #[command(after_help = TEST_EXAMPLES)]
    Test(TestArguments),
    /// Show what a mapping makes of a request, an answer, an error or a stream
    #[command(after_help = map::EXAMPLES)]
    Map(map::MapArguments),
    /// Say which failover rule fires on an answer and why, in which order rules are asked, or how an answer came about
    #[command(after_help = explain::EXAMPLES)]
    Explain(Box<explain::ExplainArguments>),
    /// Show failover at work: three simulated providers and the router in front of them
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArguments),
    /// Write the built-in rules to a folder, to edit them
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArguments),
    /// Print the JSON Schema of the rules or of another file, for editors
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema(SchemaArguments),
    /// Show who answers, who is cooling down until when and why, and which rules fired
    #[command(after_help = status::EXAMPLES)]
    Status(status::StatusArguments),
    /// Make a provider the first choice of a running router, or give the choice back to its rules
    #[command(after_help = SWITCH_EXAMPLES)]
    Switch(SwitchArguments),
    /// Let a running router use a provider again that is cooling down
    #[command(after_help = CLEAR_EXAMPLES)]
    Clear(ClearArguments),
    /// Have a running router read its rules now, and say what it makes of them
    #[command(after_help = RELOAD_EXAMPLES)]
    Reload(ReloadArguments),
    /// Ask a running router whether it is well (for a container's health check)
    #[command(after_help = HEALTH_EXAMPLES)]
    Health(HealthArguments),
}

#[derive(Args, Debug)]
struct RunArguments {
    /// The rules file; followed while the router runs
    #[arg(long, short, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Listen here, port 0 takes a free one [default: $RULEGATE_LISTEN, else what the rules say]
    #[arg(long, short, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The file that lets what is known of providers survive a restart, or `off` [default: what the rules say, else
    /// beside them]
    #[arg(long, value_name = "FILE")]
    state: Option<String>,
    #[command(flatten)]
    log: log::LogArguments,
}

#[derive(Args, Debug)]
struct SwitchArguments {
    /// The provider, or `auto` [default: say which there are]
    name: Option<String>,
    /// For how long: 30m, 2h, 1d [default: until it is switched again]
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
    #[command(flatten)]
    router: RouterArguments,
    /// The router's answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct ReloadArguments {
    #[command(flatten)]
    router: RouterArguments,
    /// The router's answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct CheckArguments {
    /// Rules files; `-` is the standard input [default: ./rules/rules.yaml, else ./rules.yaml, else the built-in rules]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Warnings count as errors
    #[arg(long)]
    deny_warnings: bool,
    /// All findings as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct TestArguments {
    /// Rules files; `-` is the standard input [default: ./rules/rules.yaml, else ./rules.yaml, else the built-in rules]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only the tests whose name contains this
    #[arg(long, short, value_name = "TEXT")]
    filter: Option<String>,
    /// Only say which tests there are
    #[arg(long)]
    list: bool,
    /// What came of them as JSON
    #[arg(long, conflicts_with = "list")]
    json: bool,
}

#[derive(Args, Debug)]
struct DemoArguments {
    /// Listen here [default: $RULEGATE_LISTEN, else 127.0.0.1:8000, or a free port when that one is taken]
    #[arg(long, short, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    log: log::LogArguments,
}

#[derive(Args, Debug)]
struct InitArguments {
    /// The folder to write to
    #[arg(value_name = "DIR", default_value = "rules")]
    folder: PathBuf,
    /// Also the protocols, mappings and the catalogue, which otherwise stay inside the program and follow its upgrades
    #[arg(long)]
    all: bool,
}

#[derive(Args, Debug)]
struct SchemaArguments {
    /// Of which file
    #[arg(value_enum, default_value_t = SchemaOf::Rules)]
    of: SchemaOf,
}

/// The files that have a schema.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum SchemaOf {
    /// rules.yaml, and what it includes of rules
    Rules,
    /// A file in catalog/
    Catalog,
    /// A file in mappings/
    Mapping,
    /// A file in protocols/
    Protocol,
}

impl SchemaOf {
    fn name(self) -> &'static str {
        match self {
            SchemaOf::Rules => "rules",
            SchemaOf::Catalog => "catalog",
            SchemaOf::Mapping => "mapping",
            SchemaOf::Protocol => "protocol",
        }
    }
}

#[derive(Args, Debug)]
struct HealthArguments {
    /// Also fail if no provider could answer now
    #[arg(long)]
    ready: bool,
    /// The same as --url
    #[arg(value_name = "ADDR", hide = true, conflicts_with = "url")]
    address: Option<Place>,
    #[command(flatten)]
    router: RouterArguments,
    /// The router's answer as JSON, which it is without this, too
    #[arg(long)]
    json: bool,
}

/// How much the log says.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// Requests that no provider answered
    Error,
    /// Also switches of provider
    Warn,
    /// Also normal work, recoveries and reloads
    Info,
    /// Also each attempt and what each rule said of it
    Debug,
    /// Everything
    Trace,
}

/// How a command ended, as the exit code tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// All is well.
    Well,
    /// The rules or their tests are wrong, or the router failed.
    Wrong,
    /// The command line is wrong, or a file cannot be read.
    Unusable,
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => {
            let printed = told.print();
            if !told.use_stderr() && out::is_read(printed) {
                out::finish();
            }
            return ExitCode::from(if told.use_stderr() { Outcome::Unusable.code() } else { 0 });
        }
    };
    let outcome = match arguments.command.unwrap_or(Command::Run(arguments.run)) {
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Map(arguments) => map::map(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Demo(arguments) => demo::demo(&arguments),
        Command::Init(arguments) => init::init(&arguments),
        Command::Schema(arguments) => init::schema(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Switch(arguments) => by_hand::switch(&arguments),
        Command::Clear(arguments) => by_hand::clear(&arguments),
        Command::Reload(arguments) => by_hand::reload(&arguments),
        Command::Health(arguments) => health::health(&arguments),
    };
    out::finish();
    ExitCode::from(outcome.code())
}

impl Outcome {
    fn code(self) -> u8 {
        match self {
            Outcome::Well => 0,
            Outcome::Wrong => 1,
            Outcome::Unusable => 2,
        }
    }
}

/// Now, in milliseconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Whether the program would take these arguments (the program's own name not among them): the documents are
/// tested with it.
pub fn accepts<'a>(arguments: impl Iterator<Item = &'a str>) -> bool {
    match Arguments::try_parse_from(std::iter::once("rulegate").chain(arguments)) {
        Ok(_) => true,
        Err(error) => !error.use_stderr(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(line: &str) -> bool {
        accepts(line.split_whitespace())
    }

    #[test]
    fn run_is_what_happens_without_a_command() {
        assert!(accepted(""));
        assert!(accepted("--rules a.yaml --listen 127.0.0.1:0 --log debug"));
        assert!(accepted("run --rules a.yaml"));
        assert!(!accepted("--rules"));
        assert!(!accepted("--log loud"));
    }

    #[test]
    fn each_command_takes_what_its_help_says() {
        for line in
            ["check a.yaml b.yaml", "test", "test a.yaml", "demo", "init", "init here", "health", "--help"]
        {
            assert!(accepted(line), "{line}");
        }
        assert!(!accepted("chekc a.yaml"));
        assert!(!accepted("run a.yaml"));
    }

    #[test]
    fn the_examples_in_the_help_are_taken() {
        let texts = [
            EXAMPLES,
            RUN_EXAMPLES,
            CHECK_EXAMPLES,
            TEST_EXAMPLES,
            map::EXAMPLES,
            explain::EXAMPLES,
            DEMO_EXAMPLES,
            INIT_EXAMPLES,
            SCHEMA_EXAMPLES,
            status::EXAMPLES,
            SWITCH_EXAMPLES,
            CLEAR_EXAMPLES,
            RELOAD_EXAMPLES,
            HEALTH_EXAMPLES,
        ];
        for line in
            texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix("  rulegate"))
        {
            let command = line.split("   ").next().unwrap_or_default();
            assert!(accepted(command), "{command}");
        }
    }
}
