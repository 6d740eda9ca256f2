//! Headers made from templates, and headers that are lists.

use crate::language::Template;
use crate::language::scope::Env;
use crate::text::units::Glob;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Writes headers whose templates give something; a value that stands there is replaced. A value that no
/// header can hold is left out.
pub fn write(headers: &[(HeaderName, Template)], env: &mut Env<'_>, to: &mut HeaderMap) {
    for (name, template) in headers {
        if let Some(value) = value(template, env) {
            to.insert(name.clone(), value);
        }
    }
}

/// One header's value, if the template gives one.
pub fn value(template: &Template, env: &mut Env<'_>) -> Option<HeaderValue> {
    let value = template.value(env).ok()?;
    let text = value.to_text()?;
    HeaderValue::from_str(&text).ok()
}

/// What is put into a header that is a list with commas, and what is taken out of it.
pub struct ListEdit {
    /// The header.
    pub name: HeaderName,
    /// Put at the end unless it is there.
    pub add: Vec<String>,
    /// Taken out.
    pub drop: Vec<Glob>,
    /// If given, all else is taken out.
    pub keep: Option<Vec<Glob>>,
}

impl ListEdit {
    /// Edits the header, which may stand there several times and then stands there once; not at all if nothing
    /// is left in it. Each item stays where it first stood.
    pub fn apply(&self, headers: &mut HeaderMap) {
        let fits = |globs: &[Glob], item: &str| globs.iter().any(|glob| glob.matches(item));
        edit_list(headers, &self.name, &self.add, |item| {
            self.keep.as_ref().is_none_or(|keep| fits(keep, item)) && !fits(&self.drop, item)
        });
    }
}

/// Edits a header that is a list with commas: what `stays` holds for is left, and `add` put at the end.
pub fn edit_list(headers: &mut HeaderMap, name: &HeaderName, add: &[String], stays: impl Fn(&str) -> bool) {
    let mut items: Vec<&str> = Vec::new();
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let sent = values.flat_map(|value| value.split(',')).map(str::trim).filter(|item| !item.is_empty());
    for item in sent.filter(|item| stays(item)).chain(add.iter().map(String::as_str)) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    match HeaderValue::from_str(&items.join(",")) {
        Ok(value) if !items.is_empty() => drop(headers.insert(name.clone(), value)),
        _ => drop(headers.remove(name)),
    }
}

/// The entries that a text names: with commas between them, with or without quotes around them.
pub fn entries(text: &str) -> impl Iterator<Item = &str> {
    let quotes: &[char] = &['`', '"', '\''];
    text.split(',').map(move |entry| entry.trim().trim_matches(quotes)).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(sent: &[&'static str], add: &[&str], drop: &[&str], keep: Option<&[&str]>) -> Option<String> {
        let name = HeaderName::from_static("x-list");
        let globs = |names: &[&str]| names.iter().map(|name| Glob::parse(name).unwrap()).collect();
        let add = add.iter().map(|item| (*item).to_owned()).collect();
        let edit = ListEdit { name: name.clone(), add, drop: globs(drop), keep: keep.map(globs) };
        let mut headers = HeaderMap::new();
        for value in sent {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        edit.apply(&mut headers);
        assert!(headers.get_all(&name).iter().count() <= 1);
        headers.get(&name).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_the_client_sent_stays_and_what_is_wanted_is_added() {
        assert_eq!(edited(&["a, b", "c"], &["d", "a"], &[], None).as_deref(), Some("a,b,c,d"));
        assert_eq!(edited(&[], &["d"], &[], None).as_deref(), Some("d"));
        assert_eq!(edited(&["a,,a "], &[], &[], None).as_deref(), Some("a"));
    }

    #[test]
    fn what_is_not_wanted_is_taken_out() {
        assert_eq!(edited(&["a-1,b,a-2"], &[], &["a-*"], None).as_deref(), Some("b"));
        assert_eq!(edited(&["a-1,b"], &["c"], &[], Some(&["a-*"])).as_deref(), Some("a-1,c"));
        assert_eq!(edited(&["a"], &[], &[], Some(&[])), None);
    }
}
