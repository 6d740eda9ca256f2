//! Repairs: the request as it is sent the next time, with what the provider minded changed.

use super::Plan;
use super::verdict::Case;
use crate::engine::Repair;
use crate::engine::headers;
use crate::engine::judge::{Judged, Rule};
use crate::engine::names::{REPAIRING, View};
use crate::language::scope::Env;
use crate::text::json::Doc;
use crate::text::units::Glob;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// What a repair makes of a request.
pub(super) struct Mended {
    pub body: Bytes,
    /// Headers that are another now, or none.
    pub headers: Vec<(HeaderName, Option<HeaderValue>)>,
}

impl Plan {
    /// The latest request with a repair made; `None` if that changes nothing.
    pub(super) fn mend(&self, case: &Case<'_>, rule: &Rule, repair: usize) -> Option<Mended> {
        let current = self.current.as_ref()?;
        let repair = self.engine.repairs.get(repair)?;
        let provider = self.provider_name(case.way);
        let facts = self.facts(case, &provider);
        let captures = self.engine.texts.captures(&rule.when, &Judged::new(&facts, &self.engine.texts));
        let captures = captures.and_then(|groups| Doc::parse(groups.to_string().into_bytes()).ok());
        let doc = Doc::parse(current.body.clone()).ok()?;
        let view = View {
            doc: Some(&doc),
            request: Some(&self.doc),
            header: Some(&self.incoming.headers),
            model: Some(&self.model),
            provider: Some(&current.provider_doc),
            now: Some(self.incoming.now),
            id: Some(&self.incoming.id),
            captures: captures.as_ref(),
            ..View::default()
        };
        let mut env = view.env(REPAIRING, REPAIRING.len());
        let body = match &repair.patch {
            Some(patch) => patch.apply(&doc, &mut env).ok()?,
            None => current.body.clone(),
        };
        let headers = self.mended_headers(case.way, repair, &body, &mut env);
        (body != current.body || !headers.is_empty()).then_some(Mended { body, headers })
    }

    /// The headers that the repair changes.
    fn mended_headers(
        &self,
        way: usize,
        repair: &Repair,
        body: &Bytes,
        env: &mut Env<'_>,
    ) -> Vec<(HeaderName, Option<HeaderValue>)> {
        if repair.headers.is_empty() && repair.lists.is_empty() {
            return Vec::new();
        }
        let Ok((request, _)) = self.prepare(way, Some(body.clone())) else {
            return Vec::new();
        };
        let mut headers = request.headers.clone();
        for (name, template) in &repair.headers {
            match headers::value(template, env) {
                Some(value) => drop(headers.insert(name.clone(), value)),
                None => drop(headers.remove(name)),
            }
        }
        for (name, drop, add) in &repair.lists {
            let texts = |templates: &[crate::language::Template], env: &mut Env<'_>| -> Vec<String> {
                let values = templates.iter().filter_map(|template| template.value(env).ok());
                let texts: Vec<String> = values
                    .flat_map(|value| value.items())
                    .filter_map(|it| Some(it.to_text()?.into_owned()))
                    .collect();
                texts.iter().flat_map(|text| headers::entries(text)).map(str::to_owned).collect()
            };
            let (drop, add) = (texts(drop, env), texts(add, env));
            headers::edit_list(&mut headers, name, &add, |item| {
                let is_meant = |it: &String| Glob::parse(it).map_or(it == item, |glob| glob.matches(item));
                !drop.iter().any(is_meant)
            });
        }
        let touched = repair.headers.iter().map(|(name, _)| name);
        let touched = touched.chain(repair.lists.iter().map(|(name, ..)| name));
        let differs = |name: &&HeaderName| headers.get(*name) != request.headers.get(*name);
        touched.filter(differs).map(|name| (name.clone(), headers.get(name).cloned())).collect()
    }

    /// Puts the headers of a way's request as repairs want them.
    pub(super) fn put_mended(&self, way: usize, headers: &mut HeaderMap) {
        for (_, name, value) in self.edited.iter().filter(|(at, ..)| *at == way) {
            match value {
                Some(value) => drop(headers.insert(name.clone(), value.clone())),
                None => drop(headers.remove(name)),
            }
        }
    }
}
