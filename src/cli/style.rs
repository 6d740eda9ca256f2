//! Colours, only where a person looks at a terminal.

use std::io::IsTerminal;

/// Whether and how to colour what goes to one of the process's outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    colours: bool,
}

impl Style {
    /// For what is printed to the standard output.
    pub(super) fn stdout() -> Style {
        Style { colours: std::io::stdout().is_terminal() && wanted(|name| std::env::var(name).ok()) }
    }

    /// For what is printed to the standard error.
    pub(super) fn stderr() -> Style {
        Style { colours: std::io::stderr().is_terminal() && wanted(|name| std::env::var(name).ok()) }
    }

    /// No colours.
    #[cfg(test)]
    pub(super) fn none() -> Style {
        Style { colours: false }
    }

    /// Whether there are colours at all.
    pub(super) fn colours(self) -> bool {
        self.colours
    }

    /// What went well.
    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What went wrong.
    pub(super) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// What the eye should find first.
    pub(super) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What may be overlooked.
    pub(super) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// What the environment says: `NO_COLOR` with any content, or a terminal that cannot, means no colours.
fn wanted(env: impl Fn(&str) -> Option<String>) -> bool {
    let refused = env("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && env("TERM").is_none_or(|terminal| terminal != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_can_refuse_colours() {
        let with = |name: &'static str, value: &'static str| {
            wanted(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert!(wanted(|_| None));
        assert!(!with("NO_COLOR", "1"));
        assert!(with("NO_COLOR", ""));
        assert!(!with("TERM", "dumb"));
    }

    #[test]
    fn without_colours_text_stays_as_it_is() {
        let plain = Style { colours: false };
        assert_eq!((plain.good("a"), plain.strong("b")), ("a".to_owned(), "b".to_owned()));
        assert_eq!(Style { colours: true }.good("a"), "\u{1b}[32ma\u{1b}[0m");
    }
}
