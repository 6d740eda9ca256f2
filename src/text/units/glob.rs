//! Patterns for names: `name-*`, `name-?`, or a regular expression between slashes.

use regex::Regex;

/// A pattern for a name, of a model or of a header.
///
/// `*` stands for any number of characters, `?` for one; a pattern without them is the name itself. A
/// pattern between slashes (`/^o[0-9]/`) is a regular expression that may match anywhere in the name.
/// Case counts.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    Same,
    Prefix,
    Within,
    Any,
    Signs(Vec<char>),
    Regex(Regex),
}

impl Glob {
    /// Reads a pattern; only a regular expression can be wrong.
    pub fn parse(text: &str) -> Result<Glob, String> {
        let how = if let Some(pattern) = between_slashes(text) {
            How::Regex(Regex::new(pattern).map_err(|error| error.to_string())?)
        } else if text == "*" {
            How::Any
        } else if !text.contains(['*', '?']) {
            How::Same
        } else if text.find(['*', '?']) == Some(text.len() - 1) && text.ends_with('*') {
            How::Prefix
        } else if within(text).is_some_and(|part| !part.contains(['*', '?'])) {
            How::Within
        } else {
            How::Signs(text.chars().collect())
        };
        Ok(Glob { text: text.to_owned(), how })
    }

    /// Whether `name` is one of those meant.
    pub fn matches(&self, name: &str) -> bool {
        match &self.how {
            How::Same => name == self.text,
            How::Prefix => self.text.strip_suffix('*').is_some_and(|start| name.starts_with(start)),
            How::Within => within(&self.text).is_some_and(|part| {
                // Names are short: a search that prepares itself first would take longer.
                part.is_empty() || name.as_bytes().windows(part.len()).any(|at| at == part.as_bytes())
            }),
            How::Any => true,
            How::Signs(pattern) => signs_match(pattern, name),
            How::Regex(regex) => regex.is_match(name),
        }
    }

    /// The one name that this pattern means, if it means one.
    pub fn literal(&self) -> Option<&str> {
        matches!(self.how, How::Same).then_some(self.text.as_str())
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Glob) -> bool {
        self.text == other.text
    }
}

/// What stands between the stars of `*part*`.
fn within(text: &str) -> Option<&str> {
    text.strip_prefix('*')?.strip_suffix('*')
}

fn between_slashes(text: &str) -> Option<&str> {
    text.strip_prefix('/')?.strip_suffix('/')
}

/// Matches by going back to the last `*` only, which is enough for patterns without alternatives: the
/// time is the product of both lengths at worst.
fn signs_match(pattern: &[char], name: &str) -> bool {
    let (mut rest, mut sign) = (name.chars(), 0);
    // The sign after the last star, and what is left of the name once the star has taken one character more.
    let mut star: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let before = rest.clone();
        match (pattern.get(sign), rest.next()) {
            (Some('*'), _) => {
                let mut taken = before.clone();
                taken.next();
                star = Some((sign + 1, taken));
                (rest, sign) = (before, sign + 1);
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) if *wanted == '?' || *wanted == found => sign += 1,
            (_, None) => return false,
            (_, Some(_)) => {
                let Some((after, taken)) = &mut star else { return false };
                (rest, sign) = (taken.clone(), *after);
                taken.next();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn stars_and_question_marks() {
        assert!(matches("big-*", "big-5") && matches("big-*", "big-") && !matches("big-*", "xbig-5"));
        assert!(matches("*mid*", "big-mid-4") && !matches("*mid*", "mi"));
        assert!(matches("o?", "o3") && !matches("o?", "o") && !matches("o?", "o33") && matches("o?", "oé"));
        assert!(
            matches("*", "") && matches("a**b", "ab") && matches("a*b*c", "abxbc") && !matches("a*b", "abc")
        );
        assert!(matches("a.b", "a.b") && !matches("a.b", "axb") && !matches("A", "a"));
    }

    #[test]
    fn slashes_make_a_regular_expression() {
        assert!(matches("/^o[0-9]/", "o3-mini") && !matches("/^o[0-9]/", "big-4o"));
        assert!(Glob::parse("/[/").is_err());
        assert_eq!(Glob::parse("o3").unwrap().literal(), Some("o3"));
        assert_eq!(Glob::parse("/o3/").unwrap().literal(), None);
    }

    proptest! {
        /// The regular expression that says the same is the judge.
        #[test]
        fn agrees_with_a_regular_expression(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            let judge = format!("^{}$", pattern.replace('*', ".*").replace('?', "."));
            prop_assert_eq!(matches(&pattern, &name), regex::Regex::new(&judge).unwrap().is_match(&name));
        }
    }
}
