//! Slips of a keyboard or an editor: signs that look like YAML's own and are others, and colons without their space.

use crate::text::diagnostic::{Diagnostic, FileId, Span};

/// Signs that are taken for YAML's own, what they are called, and what to write.
const SIGNS: &[(char, &str, &str)] = &[
    ('：', "a full-width colon", "`:` and a space after it"),
    ('，', "a full-width comma", "`,`"),
    ('＃', "a full-width number sign", "`#`"),
    ('｛', "a full-width bracket", "`{`"),
    ('｝', "a full-width bracket", "`}`"),
    ('［', "a full-width bracket", "`[`"),
    ('］', "a full-width bracket", "`]`"),
    ('“', "a typographic quote", "`\"` on both sides"),
    ('”', "a typographic quote", "`\"` on both sides"),
    ('‘', "a typographic quote", "`'` on both sides"),
    ('’', "a typographic quote", "`'` on both sides"),
    ('＂', "a full-width quote", "`\"` on both sides"),
    ('–', "a long dash", "`-` and a space after it"),
    ('—', "a long dash", "`-` and a space after it"),
    ('－', "a full-width dash", "`-` and a space after it"),
    ('\u{a0}', "a no-break space", "an ordinary space"),
    ('\u{202f}', "a narrow no-break space", "an ordinary space"),
    ('\u{3000}', "an ideographic space", "ordinary spaces"),
    ('\u{200b}', "a space without width", "nothing in its place"),
    ('\u{feff}', "a byte order mark", "nothing in its place"),
];

/// The slip that a syntax error at byte `at` comes from: on its line, or on the one before.
pub(super) fn near(file: FileId, text: &str, at: usize, in_flow: bool) -> Option<Diagnostic> {
    let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at))?;
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next().unwrap_or("");
    let above = above(text, start);
    let sign = |(start, line)| in_line(line, in_flow).map(|(at, sign)| other_sign(file, start + at, sign));
    if let Some(found) = above.and_then(sign).or_else(|| sign((start, line))) {
        return Some(found);
    }
    let column = first_word(line).0;
    let glued = |(start, line)| {
        let (at, name) = glued(line).filter(|(at, _)| *at == column)?;
        Some(missing_space(Span::new(file, start + at, start + line.trim_end().len()), name))
    };
    if let Some(found) = above.and_then(glued).or_else(|| glued((start, line))) {
        return Some(found);
    }
    if text.get(at..)?.starts_with(':') && text.get(at + 1..)?.starts_with(['[', '{']) {
        let name = text.get(start..at)?.rsplit([' ', ',', '{', '[']).next()?;
        return Some(missing_space(Span::new(file, at - name.len(), at + 2), name));
    }
    let bare = line.trim_start();
    let is_glued = ["-{", "-["].iter().any(|start| bare.starts_with(start));
    is_glued.then(|| missing_dash_space(file, start + line.len() - bare.len()))
}

/// The slip in an unquoted word that YAML took for a text, or for a key.
pub(super) fn in_word(
    word: &str,
    source: &str,
    span: Span,
    is_key: bool,
    in_flow: bool,
) -> Option<Diagnostic> {
    // A word of several lines is not what stands in the text, byte for byte: line breaks are folded.
    if word != source {
        return if is_key { None } else { glued_lines(source, span) };
    }
    if word.is_ascii() {
        return None;
    }
    let (first, last) = (word.chars().next()?, word.chars().next_back()?);
    let end = word.len() - last.len_utf8();
    let found = if is_odd_space(first) || (!is_key && is_opening(first)) {
        Some((0, first))
    } else if is_odd_space(last) {
        Some((end, last))
    } else if is_key {
        None
    } else if let Some(at) = word.find(" ＃") {
        Some((at + 1, '＃'))
    } else {
        let commas = word.match_indices('，').map(|(at, _)| at);
        in_flow.then(|| commas.into_iter().find(|at| parts_words(word, *at)))?.map(|at| (at, '，'))
    };
    let (at, sign) = found?;
    let found = other_sign(span.file, span.start as usize + at, sign);
    Some(if is_key { found } else { found.help("if the text is meant so, put it in quotes") })
}

/// `name:value` without a space: what the key would be called.
pub(super) fn glued_name(text: &str) -> Option<&str> {
    let (name, rest) = text.split_once([':', '：'])?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$'))
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'));
    (is_name && !rest.is_empty() && !rest.starts_with([' ', '/', '\t'])).then_some(name)
}

/// A key whose colon has no space after it. What stands there may be a key to a provider, and is not repeated.
pub(super) fn missing_space(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("yaml-syntax", "a colon needs a space after it")
        .at(span)
        .label("YAML reads this as one word")
        .help(format!("write `{name}: ...`"))
}

fn missing_dash_space(file: FileId, at: usize) -> Diagnostic {
    Diagnostic::error("yaml-syntax", "a dash needs a space after it")
        .at(Span::new(file, at, at + 2))
        .label("YAML reads this as one word")
        .help("write `- ` before each item of a list")
}

pub(super) fn other_sign(file: FileId, at: usize, sign: char) -> Diagnostic {
    let (_, name, instead) = SIGNS.iter().find(|(known, ..)| *known == sign).copied().unwrap_or((
        sign,
        "a sign of another script",
        "YAML's own sign",
    ));
    let diagnostic = Diagnostic::error("yaml-other-sign", format!("{name}, which means nothing to YAML"))
        .at(Span::new(file, at, at + sign.len_utf8()))
        .label(format!("U+{:04X}", u32::from(sign)));
    diagnostic.help(format!("write {instead}"))
}

/// The line before the one that begins at `start` which is neither empty nor a comment, and where it begins.
fn above(text: &str, start: usize) -> Option<(usize, &str)> {
    let mut end = start.checked_sub(1)?;
    loop {
        let before = text.get(..end)?;
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.get(start..)?;
        if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            return Some((start, line));
        }
        end = start.checked_sub(1)?;
    }
}

/// Where the first word of a line begins, behind the dashes of a list, and the rest of the line from there.
fn first_word(line: &str) -> (usize, &str) {
    let mut rest = line.trim_start_matches(' ');
    while let Some(item) = rest.strip_prefix("- ") {
        rest = item.trim_start_matches(' ');
    }
    (line.len() - rest.len(), rest)
}

/// A key that is glued to its value, and where it begins.
fn glued(line: &str) -> Option<(usize, &str)> {
    let (at, rest) = first_word(line);
    glued_name(rest.trim_end()).map(|name| (at, name))
}

/// Several lines that YAML reads as one text, since no colon in them has its space.
fn glued_lines(source: &str, span: Span) -> Option<Diagnostic> {
    let mut lines = source.lines();
    let first = lines.next()?.trim_end();
    let name = glued_name(first)?;
    let is_all = lines.all(|line| line.trim().is_empty() || glued_name(line.trim()).is_some());
    let start = span.start as usize;
    if let Some(at) = first.find('：').filter(|at| is_all && *at == name.len()) {
        return Some(other_sign(span.file, start + at, '：'));
    }
    is_all.then(|| missing_space(Span::new(span.file, start, start + first.len()), name))
}

/// The first sign of a line that stands where YAML's own should, and its place.
fn in_line(line: &str, in_flow: bool) -> Option<(usize, char)> {
    let mut depth = usize::from(in_flow);
    // Where the key or value begins that the walk is in; whether only spaces have followed since.
    let (mut begins, mut is_fresh, mut quote) = (0, true, None);
    for (at, sign) in line.char_indices() {
        let before = line.get(begins..at).unwrap_or("").trim();
        let after = line.get(at + sign.len_utf8()..).unwrap_or("");
        if let Some(open) = quote {
            quote = Some(open).filter(|open| *open != sign);
            continue;
        }
        let is_at_end = after.trim().is_empty();
        let is_slip = match sign {
            '：' => is_name(before),
            '，' => depth > 0 && parts_words(line, at),
            '＃' => is_fresh || line.get(..at).is_some_and(|before| before.ends_with(' ')),
            '–' | '—' | '－' => is_fresh && line.get(..at)?.trim().is_empty(),
            '｝' | '］' => depth > 0 && is_at_end,
            _ if is_odd_space(sign) => is_fresh || is_at_end,
            _ => is_fresh && is_opening(sign),
        };
        if is_slip {
            return Some((at, sign));
        }
        match sign {
            '#' if line.get(..at).is_some_and(|before| before.is_empty() || before.ends_with(' ')) => break,
            '"' | '\'' if is_fresh => quote = Some(sign),
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let parts = match sign {
            '{' | '[' => true,
            ',' => depth > 0,
            ':' => after.chars().next().is_none_or(char::is_whitespace),
            '-' => is_fresh && after.starts_with(' '),
            _ => false,
        };
        if parts {
            begins = at + sign.len_utf8();
        }
        is_fresh = parts || (is_fresh && sign.is_whitespace());
    }
    None
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '"'))
}

/// Whether the comma at `at` parts words as YAML's own does: those of other scripts part words of other scripts.
fn parts_words(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|before| before.trim_end().chars().next_back());
    let after = text.get(at + '，'.len_utf8()..).and_then(|after| after.trim_start().chars().next());
    before.is_some_and(|sign| sign.is_ascii()) && after.is_some_and(|sign| sign.is_ascii())
}

fn is_odd_space(sign: char) -> bool {
    matches!(sign, '\u{200b}' | '\u{feff}') || (!sign.is_ascii() && sign.is_whitespace())
}

fn is_opening(sign: char) -> bool {
    matches!(sign, '“' | '”' | '‘' | '＂' | '｛' | '［')
}
