//! `${NAME}`, `${NAME:-default}` and `${NAME:?message}` in the text of a scalar.

/// Begins a key whose variables, which follow, are not set: a value that looks like a variable is a value all the same.
pub const UNSET: char = '\0';

/// A piece of a text with variables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece<'t> {
    /// As it stands.
    Text(&'t str),
    /// `$${`, which is how to write `${` itself.
    Escaped,
    /// A variable.
    Variable(Variable<'t>),
}

/// A variable as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variable<'t> {
    /// Its name: letters, digits and `_`.
    pub name: &'t str,
    /// What to do when it is not set.
    pub unset: Unset<'t>,
}

/// What to do when a variable is not set, or empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unset<'t> {
    /// `${NAME}`: nothing is said.
    Nothing,
    /// `${NAME:-default}`.
    Default(&'t str),
    /// `${NAME:?message}`.
    Message(&'t str),
}

/// Takes a text apart. `${` before anything that cannot begin a name is text like any other: regexes and
/// templates have their own use for it. An error says what is wrong, and at which byte of the text.
pub fn pieces(text: &str) -> Result<Vec<Piece<'_>>, (usize, &'static str)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(found) = rest.get(from..).and_then(|part| part.find("${")).map(|at| at + from) {
        let after = rest.get(found + 2..).unwrap_or("");
        if !after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            from = found + 2;
            continue;
        }
        from = 0;
        let escaped = rest.get(..found).is_some_and(|before| before.ends_with('$'));
        let before = rest.get(..found - usize::from(escaped)).unwrap_or("");
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        if escaped {
            pieces.push(Piece::Escaped);
            rest = after;
            continue;
        }
        let at = text.len() - rest.len() + found;
        let end = after.find('}').ok_or((at, "`${` without `}`"))?;
        let inner = after.get(..end).unwrap_or("");
        pieces.push(Piece::Variable(
            variable(inner)
                .ok_or((at, "a variable is written `${NAME}`, `${NAME:-default}` or `${NAME:?message}`"))?,
        ));
        rest = after.get(end + 1..).unwrap_or("");
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

fn variable(inner: &str) -> Option<Variable<'_>> {
    let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    let unset = if rest.is_empty() {
        Unset::Nothing
    } else if let Some(default) = rest.strip_prefix(":-") {
        Unset::Default(default)
    } else {
        Unset::Message(rest.strip_prefix(":?")?)
    };
    Some(Variable { name, unset })
}

/// The variable that somebody probably meant who wrote it as other programs have it: `$NAME`, `os.environ/NAME`,
/// `{{NAME}}`, `%NAME%` and the like. Only names in capitals: a key that stands in the file is not to be shown.
pub fn foreign(text: &str) -> Option<&str> {
    const AROUND: [(&str, &str); 6] =
        [("${{", "}}"), ("{{", "}}"), ("{", "}"), ("<", ">"), ("%", "%"), ("$(", ")")];
    const BEFORE: [&str; 8] =
        ["$env:", "$", "os.environ/", "process.env.", "secrets.", "env:", "env/", "env."];
    let text = text.trim();
    let inner = AROUND.iter().find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close));
    let inner = inner.unwrap_or(text).trim();
    let name = BEFORE.iter().find_map(|prefix| inner.strip_prefix(prefix));
    let name = name.filter(|name| is_capital(name)).or_else(|| looked_up(inner)).unwrap_or(inner);
    (is_capital(name) && name.len() < text.len()).then_some(name)
}

/// The name in what a programming language looks variables up with: `os.environ["NAME"]`, `getenv('NAME')`, `$ENV{NAME}`.
fn looked_up(text: &str) -> Option<&str> {
    let (by, name) =
        text.trim_end_matches([')', ']', '}', '"', '\'']).rsplit_once(['(', '[', '{', '"', '\''])?;
    by.to_ascii_lowercase().contains("env").then_some(name)
}

fn is_capital(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// What to write instead of a variable that is not written as here, which a text begins with: `${env.NAME}`,
/// `${NAME-default}`, `${NAME:default}`.
pub fn meant(text: &str) -> Option<String> {
    const BEFORE: [&str; 6] = ["env.", "env:", "ENV.", "ENV:", "secrets.", "process.env."];
    let inner = text.strip_prefix("${")?.split('}').next()?.trim();
    let inner = BEFORE.iter().find_map(|prefix| inner.strip_prefix(prefix)).unwrap_or(inner);
    let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    if name.is_empty() {
        return None;
    }
    let says = rest.trim_start_matches(':').strip_prefix('?').map(|message| format!(":?{message}"));
    let default = rest.trim_start_matches([':', '-', '=', '+', ',', '|', ' ']);
    let default = if default.is_empty() { String::new() } else { format!(":-{default}") };
    Some(format!("${{{name}{}}}", says.unwrap_or(default)))
}

/// Whether a value is what an example has in the place of a key, or of a part of an address, of one's own: `YOUR_API_KEY`,
/// `<your key>`, `sk-xxxx`.
pub fn is_placeholder(text: &str) -> bool {
    /// Words that stand in no real key, and those that stand in no address.
    const IN_KEYS: [&str; 9] =
        ["your", "yourkey", "replace", "changeme", "change", "insert", "placeholder", "here", "redacted"];
    const IN_ADDRESSES: [&str; 5] = ["your", "yourhost", "yourdomain", "placeholder", "changeme"];
    let text = text.trim().to_ascii_lowercase();
    let (words, rest): (&[&str], &str) = match text.split_once("://") {
        Some((_, rest)) => (&IN_ADDRESSES, rest),
        None => (&IN_KEYS, &text),
    };
    let is_filler = |part: &str| part.len() > 2 && part.chars().all(|c| c == 'x');
    let bare = rest.trim_start_matches("sk-");
    rest.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| words.contains(&part) || is_filler(part))
        || (rest.starts_with('<') && rest.ends_with('>'))
        || (bare.len() > 1 && bare.chars().all(|c| matches!(c, '.' | '*' | '…')))
        || ["你的", "您的", "密钥", "填写"].iter().any(|word| rest.contains(word))
}

/// The same of a part of a text, as in `https://$HOST/v1`.
pub fn foreign_within(text: &str) -> Option<&str> {
    let parts = text.split_once("://").map_or(text, |(_, rest)| rest).split('/');
    parts.into_iter().find_map(|part| foreign(part).or_else(|| part.split([':', '@']).find_map(foreign)))
}

/// Whether a key is rather the bare name of a variable: `API_KEY`, `$api_key`.
pub fn is_bare(text: &str) -> bool {
    let text = text.trim();
    let ends = ["KEY", "TOKEN", "SECRET"].iter().any(|end| text.ends_with(end));
    let is_name =
        |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.contains('_');
    let is_dollar = text.strip_prefix('$').is_some_and(is_name);
    is_dollar || (ends && is_name(text) && !text.contains(|c: char| c.is_ascii_lowercase()))
}

/// The names of the variables in a text; none if it has none, or is not well written.
pub fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for piece in pieces(text).unwrap_or_default() {
        if let Piece::Variable(variable) = piece
            && !names.iter().any(|name| name == variable.name)
        {
            names.push(variable.name.to_string());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart() {
        let variable = |name, unset| Piece::Variable(Variable { name, unset });
        assert_eq!(
            pieces("a${B}c${D:-e f}${G:?say so}$${H} $x {$y}").unwrap(),
            [
                Piece::Text("a"),
                variable("B", Unset::Nothing),
                Piece::Text("c"),
                variable("D", Unset::Default("e f")),
                variable("G", Unset::Message("say so")),
                Piece::Escaped,
                Piece::Text("H} $x {$y}"),
            ]
        );
        assert_eq!(pieces("").unwrap(), []);
        assert_eq!(pieces("plain").unwrap(), [Piece::Text("plain")]);
    }

    #[test]
    fn what_is_not_well_written_is_located() {
        assert_eq!(pieces("ab${C").unwrap_err().0, 2);
        assert_eq!(pieces("${A}${B:+x}").unwrap_err().0, 4);
        assert_eq!(pieces("$${A").unwrap(), [Piece::Escaped, Piece::Text("A")]);
    }

    #[test]
    fn what_cannot_be_a_variable_is_text() {
        for text in ["a${2}b", "${}", "${$.path}", "x$", "x${"] {
            assert_eq!(pieces(text).unwrap(), [Piece::Text(text)]);
        }
    }

    #[test]
    fn what_others_write_for_a_variable_is_known() {
        let written = [
            "$A_KEY",
            "os.environ/A_KEY",
            "{{A_KEY}}",
            "{{ env.A_KEY }}",
            "{env:A_KEY}",
            "%A_KEY%",
            "<A_KEY>",
            "$env:A_KEY",
            "${{ secrets.A_KEY }}",
            "os.environ[\"A_KEY\"]",
            "os.environ.get('A_KEY')",
            "os.getenv(\"A_KEY\")",
            "process.env.A_KEY",
            "process.env['A_KEY']",
            "$ENV{A_KEY}",
            "$(A_KEY)",
        ];
        for text in written {
            assert_eq!(foreign(text), Some("A_KEY"), "{text}");
        }
        for text in ["A_KEY", "sk-1", "$a_key", "{}", "$", "${A_KEY}", "http://a.test"] {
            assert_eq!(foreign(text), None, "{text}");
        }
    }

    #[test]
    fn what_others_write_inside_braces_is_known() {
        let table = [
            ("${env.A_KEY}", Some("${A_KEY}")),
            ("${env:A_KEY}", Some("${A_KEY}")),
            ("${A-b c}", Some("${A:-b c}")),
            ("${A:=b}", Some("${A:-b}")),
            ("${A:b}/v1", Some("${A:-b}")),
            ("${A?set it}", Some("${A:?set it}")),
            ("${A:+b}", Some("${A:-b}")),
            ("${.a}", None),
        ];
        for (text, expected) in table {
            assert_eq!(meant(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn placeholders_are_known() {
        for text in [
            "YOUR_API_KEY",
            "your-api-key",
            "<your key>",
            "<API key>",
            "sk-xxxxxxxx",
            "sk-...",
            "sk-your-key-here",
            "xxx",
            "***",
            "changeme",
            "INSERT_KEY_HERE",
            "你的密钥",
            "https://your-resource.example.com",
            "https://YOUR_HOST/v1",
            "https://xxx.example.com/v1",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "sk-1234",
            "ollama",
            "lm-studio",
            "dummy",
            "none",
            "",
            "first-key",
            "sk-proj-Xxx1yourselfHere",
            "https://api.example.com/v1",
            "https://here.example.com/replace",
            "http://127.0.0.1:1",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn bare_names_are_known() {
        assert_eq!(foreign_within("https://$HOST/v1"), Some("HOST"));
        assert_eq!(foreign_within("https://{{HOST}}:1/v1"), Some("HOST"));
        assert_eq!(foreign_within("https://$env:HOST/v1"), Some("HOST"));
        assert_eq!(foreign_within("https://os.environ[\"HOST\"]/v1"), Some("HOST"));
        assert_eq!(foreign_within("%HOST%/v1"), Some("HOST"));
        assert_eq!(foreign_within("https://host.test/v1"), None);
        assert!(is_bare("A_KEY") && is_bare("$a_key"));
        for text in ["KEY", "sk-a_KEY", "ollama", "none", "a_key", "$", "A-KEY"] {
            assert!(!is_bare(text), "{text}");
        }
    }

    #[test]
    fn names_are_listed_once() {
        assert_eq!(names("${A}-${B}-${A}"), ["A", "B"]);
        assert!(names("$${A}").is_empty());
    }
}
