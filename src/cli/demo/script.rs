//! The demo's canned answers, read from the data file that is built into the program.

use std::time::Duration;

use super::provider::PAUSE;
use crate::text::diagnostic::Sources;
use crate::text::units;
use crate::text::yaml::{self, Node};

const TEXT: &str = include_str!("../../../demo/providers.yaml");

/// All that the demo plays.
pub(super) struct Script {
    pub(super) providers: Vec<Provider>,
    /// What a person may try: a title and a command.
    pub(super) tries: Vec<(String, String)>,
}

/// One simulated provider.
#[derive(Clone)]
pub(super) struct Provider {
    /// Its name in the shipped rules.
    pub(super) name: String,
    /// The variable of the shipped rules that says where it is.
    pub(super) url: String,
    /// The variable of the shipped rules that holds its key.
    pub(super) key: String,
    /// What it does, for people.
    pub(super) does: String,
    pub(super) reply: Reply,
    pub(super) stream: Option<Stream>,
}

/// A whole answer.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
}

/// A streamed answer: the data of each event.
#[derive(Clone)]
pub(super) struct Stream {
    pub(super) pause: Duration,
    pub(super) events: Vec<String>,
}

impl Script {
    /// Reads the script, with `reset` (seconds since 1970) where it says so. `None` is a mistake in the data file,
    /// which a test excludes.
    pub(super) fn read(reset: i64) -> Option<Script> {
        let text = TEXT.replace("%reset%", &reset.to_string());
        let root = yaml::parse(Sources::default().add("demo/providers.yaml", text.as_str()), &text).ok()?;
        let providers = root.get("providers")?.as_list()?.iter().map(provider).collect::<Option<_>>()?;
        let tries = root
            .get("try")?
            .as_list()?
            .iter()
            .map(|node| Some((text_of(node, "title")?, text_of(node, "command")?)));
        Some(Script { providers, tries: tries.collect::<Option<_>>()? })
    }
}

fn provider(node: &Node) -> Option<Provider> {
    let reply = node.get("reply")?;
    Some(Provider {
        name: text_of(node, "name")?,
        url: text_of(node, "url")?,
        key: text_of(node, "key")?,
        does: text_of(node, "does")?,
        reply: Reply { status: json(reply.get("status")?)?.parse().ok()?, body: json(reply.get("body")?)? },
        stream: match node.get("stream") {
            None => None,
            Some(stream) => Some(Stream {
                pause: stream
                    .get("pause")
                    .and_then(Node::as_str)
                    .and_then(|text| units::duration(text).ok())
                    .unwrap_or(PAUSE),
                events: stream.get("events")?.as_list()?.iter().map(event).collect::<Option<_>>()?,
            }),
        },
    })
}

/// An event's data: a text as it stands, all else as JSON.
fn event(node: &Node) -> Option<String> {
    node.as_str().map(str::to_owned).or_else(|| json(node))
}

fn text_of(node: &Node, key: &str) -> Option<String> {
    node.get(key)?.as_str().map(str::to_owned)
}

fn json(node: &Node) -> Option<String> {
    let mut bytes = Vec::new();
    node.to_json_bytes(&mut bytes);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_file_is_whole() {
        let script = Script::read(1_764_003_600).unwrap();
        assert_eq!(script.providers.len(), 3);
        let first = &script.providers[0];
        assert_eq!(first.reply.status, 429);
        assert!(first.reply.body.contains("usage limit reached|1764003600"), "{}", first.reply.body);
        assert!(script.providers[1].stream.as_ref().is_some_and(|stream| stream.events.len() > 5));
        assert!(
            script.tries.iter().all(|(_, command)| command.starts_with("curl ") && command.contains("%url%"))
        );
    }
}
