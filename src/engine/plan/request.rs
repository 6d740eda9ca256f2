//! The request to a provider: the body in its words, the URL, the headers, the key.

use super::resume::no_request;
use super::{OutRequest, Plan};
use crate::engine::exchange::Job;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::headers;
use crate::engine::mapping::{self, Kept, Mapping};
use crate::engine::names::{OUTGOING, ROUTING, View};
use crate::engine::protocol::Protocol;
use crate::engine::provider::{KeySource, Provider};
use crate::engine::route::Way;
use crate::language::scope::Env;
use crate::language::{Fail, Template, splice};
use crate::text::json::{Doc, write_str};
use crate::text::units::{Secret, path_text, with_query};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use std::sync::{Arc, OnceLock};

/// The other header in which clients send a key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Room for the headers of a request: with fewer, most would grow twice.
const USUAL_HEADERS: usize = 16;
/// The key of every provider in a rehearsal: no secret.
const REHEARSED_KEY: &str = "test-key";

/// A way's mapping, and what its templates see of this request.
type Mapped<'m, 'a> = (&'m Mapping, Env<'a>);

impl Plan {
    /// Did the caller send a credential?
    pub(super) fn has_credential(&self) -> bool {
        let headers = &self.incoming.headers;
        headers.contains_key(AUTHORIZATION) || headers.contains_key(API_KEY)
    }

    /// Puts the request in the words of a way's provider. `repaired`: the body to send instead of a new one.
    pub(super) fn prepare(
        &self,
        way: usize,
        repaired: Option<Bytes>,
    ) -> Result<(OutRequest, Job), Box<Failure>> {
        let nothing = || Box::new(Failure::new(FailureKind::Mapping, "the route has no such provider"));
        let route = self.route().ok_or_else(nothing)?;
        let place = way;
        let way = route.ways.get(way).ok_or_else(nothing)?;
        let provider = self.engine.providers.get(way.provider).ok_or_else(nothing)?;
        let client = route.protocol.clone().ok_or_else(nothing)?;
        let provider_doc = way.document(provider, &self.model);
        let forced = if provider.force_stream && self.form.is_none() { self.forced(&client) } else { None };
        let resumed = self.resumption.as_ref().map(|from| from.request(&provider_doc).ok_or_else(no_request));
        let resumed = resumed.transpose()?;
        let doc = resumed.as_ref().or(forced.as_ref()).unwrap_or(&self.doc);
        let streams = self.streaming || forced.is_some();
        let view = View {
            doc: Some(doc),
            request: Some(doc),
            provider: Some(&provider_doc),
            header: Some(&self.incoming.headers),
            model: Some(&self.model),
            now: Some(self.incoming.now),
            id: Some(&self.incoming.id),
            path: self.holes.as_ref(),
            ..View::default()
        };
        let (mut mapped, kept) = match way.mapping.as_deref() {
            Some(mapping) => {
                let (env, kept) = mapping.prepare(&view);
                (Some((mapping, env)), kept)
            }
            None => (None, Kept::new()),
        };
        let body = match repaired {
            Some(body) => body,
            None => {
                let made = self.body(provider, &client, doc, &view, mapped.as_mut());
                made.map_err(|fail| Box::new(refused(&fail)))?
            }
        };
        let dropped = mapped.as_ref().map(|(mapping, env)| mapping.dropped(env)).unwrap_or_default();
        let mut headers = self.headers(provider, way, streams, &view, mapped.as_mut());
        self.put_mended(place, &mut headers);
        let keys = sent_keys(&headers);
        let key = provider.key(way.key).and_then(|key| self.key(&key.source));
        let request = OutRequest {
            method: way.protocol.method.clone(),
            url: self.url(provider, way, &View { key, ..view.clone() }),
            headers,
            body: body.clone(),
            timeouts: provider.timeouts,
            proxy_login: proxy_login(provider),
        };
        let job = Job {
            client,
            provider: way.protocol.clone(),
            mapping: way.mapping.clone(),
            kept,
            streaming: self.streaming,
            // A probe asks for little, and is to find out soon.
            whole: !streams && self.probe.is_none(),
            request: resumed.unwrap_or_else(|| self.doc.clone()),
            upstream: body,
            provider_doc,
            model: self.model.clone(),
            notices: self.rules(place).and_then(|rules| rules.notices.clone()),
            dropped,
            id: self.incoming.id.clone(),
            now: self.incoming.now,
            limits: self.engine.limits,
            gate: self.gate(route),
            resumes: route.resumes,
            known: self.engine.redactor.clone(),
            keys,
            upstream_doc: OnceLock::new(),
        };
        Ok((request, job))
    }

    fn body(
        &self,
        provider: &Provider,
        client: &Arc<Protocol>,
        doc: &Doc,
        view: &View<'_>,
        mapped: Option<&mut Mapped<'_, '_>>,
    ) -> Result<Bytes, Fail> {
        let request = mapped.and_then(|(mapping, env)| Some((mapping.request.as_ref()?, env)));
        let made = match request {
            Some((template, env)) => Some(Bytes::from(mapping::body(template, env)?)),
            None => {
                let model = provider.model(&self.model, client);
                let is_cut = !client.model_suffixes.is_empty() && !names(doc, client, &self.model);
                (model != self.model || is_cut).then(|| self.renamed(doc, client, &model)).flatten()
            }
        };
        // Of a form, `doc` is no more than what paths see.
        if self.form.is_some() {
            return Ok(made.unwrap_or_else(|| self.incoming.body.clone()));
        }
        self.patched(provider, doc, made, view)
    }

    /// The client's body with another model in it, every other byte as it was.
    fn renamed(&self, doc: &Doc, protocol: &Protocol, model: &str) -> Option<Bytes> {
        let path = protocol.model.as_ref()?;
        let Some(form) = &self.form else {
            let mut name = Vec::new();
            write_str(&mut name, model);
            return splice(doc, path, &name).map(Bytes::from);
        };
        let named = path.walk(doc.root())?;
        let (field, _) = doc.root().entries().find(|(_, value)| value.index() == named.index())?;
        form.with(&self.incoming.body, &field, model).map(Bytes::from)
    }

    /// What was made of the client's body, or else that body as it came, with the provider's own patch applied.
    fn patched(
        &self,
        provider: &Provider,
        doc: &Doc,
        made: Option<Bytes>,
        view: &View<'_>,
    ) -> Result<Bytes, Fail> {
        let Some(patch) = &provider.patch else {
            return Ok(made.unwrap_or_else(|| doc.bytes()));
        };
        let doc = match made {
            None => doc.clone(),
            Some(body) => match Doc::parse(body.clone()) {
                Ok(doc) => doc,
                Err(_) => return Ok(body),
            },
        };
        let view = View { doc: Some(&doc), ..view.clone() };
        patch.apply(&doc, &mut view.env(ROUTING, ROUTING.len()))
    }

    /// The client's body, as if it asked for a stream, where it does not.
    fn forced(&self, client: &Protocol) -> Option<Doc> {
        let patch = client.ask_stream.as_ref().filter(|_| !self.streaming)?;
        let view = View { doc: Some(&self.doc), ..View::default() };
        Doc::parse(patch.apply(&self.doc, &mut view.env(ROUTING, ROUTING.len())).ok()?).ok()
    }

    fn url(&self, provider: &Provider, way: &Way, view: &View<'_>) -> String {
        let mut env = view.env(OUTGOING, OUTGOING.len());
        let own = provider.paths.iter().find(|(protocol, _)| *protocol == way.protocol.name);
        let path = own.map(|(_, path)| path).or(way.protocol.path.as_ref());
        let path = path.and_then(|path| path.value(&mut env).ok());
        let path = path.as_ref().and_then(|path| path.to_text()).unwrap_or_default();
        // A model's name may have anything in it.
        let mut url = join(&provider.url, &path_text(&path));
        // Another protocol's parameters mean nothing to the provider.
        let is_forwarded = way.mapping.is_none() && way.protocol.forward_query;
        if let Some(query) = self.incoming.query.as_ref().filter(|it| is_forwarded && !it.is_empty()) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(query);
        }
        if provider.query.is_empty() {
            return url;
        }
        let mut value = |template: &Template| Some(template.value(&mut env).ok()?.to_text()?.into_owned());
        let set: Vec<_> = provider.query.iter().map(|(name, it)| (name.as_str(), value(it))).collect();
        with_query(&url, &set)
    }

    /// The key of a way, as it is sent.
    fn key<'s>(&self, source: &'s KeySource) -> Option<&'s str> {
        match source {
            KeySource::Value(_) | KeySource::Unset(_) if self.rehearsal => Some(REHEARSED_KEY),
            KeySource::Value(secret) => Some(secret.expose()),
            _ => None,
        }
    }

    fn headers(
        &self,
        provider: &Provider,
        way: &Way,
        streams: bool,
        view: &View<'_>,
        mapped: Option<&mut Mapped<'_, '_>>,
    ) -> HeaderMap {
        let incoming = &self.incoming.headers;
        let mut made = HeaderMap::with_capacity(USUAL_HEADERS);
        if way.mapping.is_none() {
            way.protocol.forward.copy(incoming, &mut made);
            let dropped: Vec<HeaderName> =
                made.keys().filter(|name| provider.drop_headers.contains(name)).cloned().collect();
            for name in dropped {
                made.remove(name);
            }
        }
        made.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if streams { "text/event-stream" } else { "application/json" };
        made.entry(ACCEPT).or_insert(HeaderValue::from_static(accept));
        // What arrives is read, so it should come as it is.
        made.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let source = provider.key(way.key).map_or(&KeySource::None, |key| &key.source);
        let key = self.key(source);
        let view = View { key, ..view.clone() };
        let mut env = view.env(OUTGOING, OUTGOING.len());
        headers::write(&way.protocol.headers, &mut env, &mut made);
        if let Some((mapping, env)) = mapped {
            headers::write(&mapping.headers, env, &mut made);
        }
        headers::write(&provider.headers, &mut env, &mut made);
        provider.header_lists.iter().for_each(|list| list.apply(&mut made));
        match source {
            KeySource::Client => {
                for name in [AUTHORIZATION, API_KEY] {
                    if let Some(value) = incoming.get(&name) {
                        made.insert(name, secret(value.clone()));
                    }
                }
            }
            KeySource::Value(_) | KeySource::Unset(_) if key.is_some() => {
                let auth = provider.auth.as_ref().or(way.protocol.auth.as_ref());
                if let Some((auth, value)) =
                    auth.and_then(|it| Some((it, headers::value(&it.value, &mut env)?)))
                {
                    made.insert(auth.header.clone(), secret(value));
                }
            }
            _ => {}
        }
        made
    }
}

/// What the proxy on the way to a provider is told of who comes.
fn proxy_login(provider: &Provider) -> Option<HeaderValue> {
    let login = provider.link.proxy.as_ref()?.login.as_ref()?;
    HeaderValue::from_str(login.expose()).ok().map(secret)
}

fn secret(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// The credentials in a request: of `Bearer KEY` the last word is the key.
fn sent_keys(headers: &HeaderMap) -> Vec<Secret> {
    let sent = headers.values().filter(|value| value.is_sensitive()).filter_map(|value| value.to_str().ok());
    sent.filter_map(|value| value.split_whitespace().next_back()).map(Secret::new).collect()
}

/// A request that the mapping refuses.
fn refused(fail: &Fail) -> Failure {
    Failure {
        status: Some(fail.status),
        error_type: fail.kind.clone(),
        details: fail.details.clone(),
        ..Failure::new(FailureKind::Mapping, fail.message.clone())
    }
}

/// Whether the client's body names this model, letter by letter, or none at all.
fn names(doc: &Doc, protocol: &Protocol, model: &str) -> bool {
    let value = protocol.model.as_ref().and_then(|path| path.walk(doc.root()));
    value.and_then(|value| value.str()).is_none_or(|name| name == model)
}

/// A provider's URL and a protocol's path. Where the URL ends in what the path begins with (people write
/// `https://host/v1` as well as `https://host`) it stands there once.
fn join(url: &str, path: &str) -> String {
    let url = url.trim_end_matches('/');
    let after_host = url.find("://").and_then(|at| url.get(at + 3..)?.find('/').map(|slash| at + 3 + slash));
    let own_path = after_host.and_then(|at| url.get(at..)).unwrap_or_default();
    let shared = own_path
        .match_indices('/')
        .filter_map(|(at, _)| own_path.get(at..))
        .find(|tail| path.strip_prefix(*tail).is_some_and(|rest| rest.starts_with('/')));
    let path = shared.and_then(|tail| path.strip_prefix(tail)).unwrap_or(path);
    format!("{url}{path}")
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn what_url_and_path_share_stands_once() {
        let table = [
            ("http://host:1", "/v1/messages", "http://host:1/v1/messages"),
            ("http://host/", "/v1/messages", "http://host/v1/messages"),
            ("http://host/v1", "/v1/messages", "http://host/v1/messages"),
            ("http://host/api/v1/", "/v1/chat", "http://host/api/v1/chat"),
            ("http://host/api", "/chat", "http://host/api/chat"),
            ("http://host/v1", "/v10/chat", "http://host/v1/v10/chat"),
        ];
        for (url, path, joined) in table {
            assert_eq!(join(url, path), joined);
        }
    }
}
