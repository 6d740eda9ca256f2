//! Headers made from templates.

use crate::language::Template;
use crate::language::scope::Env;
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
