//! Who may ask: client keys, the admin key, and what a web page may not do.
//!
//! Two dangers are told apart. A *stranger on the network* is kept out by keys: a router that listens
//! beyond loopback has client keys or says `access: open`, and its admin paths need the admin key. A *web
//! page in the user's own browser* reaches loopback without any key; it is known by its `Origin`, and by a
//! `Host` that is a name somebody else's DNS pointed here.

use http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use http::{HeaderMap, Uri};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use subtle::{Choice, ConstantTimeEq};

use crate::config::model::{self as config, ClientKey, Key, Spanned};
use crate::engine::Engine;

/// The other header, beside `authorization`, in which clients send keys.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The header for the admin key, for callers whose client key already fills the other two.
const ADMIN_KEY: HeaderName = HeaderName::from_static("x-admin-key");
/// How browsers say where a request comes from; no page can forge it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What a key begins with in the rules when it is given by its digest.
const DIGEST_PREFIX: &str = "sha256:";

/// A refusal: what the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// 401 or 403.
    pub status: u16,
    /// Why, and what to do about it.
    pub message: &'static str,
}

/// A key as it is kept: its SHA-256, so that comparing never depends on how much of a guess was right.
#[derive(Clone)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// Of a key. An empty key is none: it would let everybody in who sends an empty header.
    fn of(key: &str) -> Option<Self> {
        (!key.is_empty()).then(|| Self(Sha256::digest(key.as_bytes()).into()))
    }

    /// From `sha256:` and 64 hex digits, or from the key itself.
    fn parse(written: &str) -> Option<Self> {
        match written.strip_prefix(DIGEST_PREFIX) {
            Some(digits) => from_hex(digits.trim()).map(Self),
            None => Self::of(written),
        }
    }

    fn same(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

/// The rules of access, compiled.
#[derive(Clone)]
pub struct Access {
    who: Who,
    keys: Vec<KeyDigest>,
    admin: Option<KeyDigest>,
    loopback: bool,
}

/// What the rules say about clients.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Nothing: whoever is on this machine, if the router cannot be reached from elsewhere.
    Unsaid,
    /// `open`.
    Everybody,
    /// Those with a key, even if none of the keys could be had.
    Keys,
}

impl Access {
    /// What `engine`'s rules say, for a router that listens at `bound` (`None`: where the rules say; what
    /// is not an address there counts as beyond loopback).
    pub fn of(engine: &Engine, bound: Option<SocketAddr>) -> Self {
        let address = bound.map(|bound| bound.ip()).or_else(|| listen_address(&engine.listen));
        let (who, keys) = match &engine.access {
            None => (Who::Unsaid, &[][..]),
            Some(config::Access::Open) => (Who::Everybody, &[][..]),
            // All of them are left out in so many words: as if there were no `access` at all.
            Some(config::Access::Keys(keys)) if !keys.is_empty() && keys.iter().all(is_left_out) => {
                (Who::Unsaid, &[][..])
            }
            Some(config::Access::Keys(keys)) => (Who::Keys, &keys[..]),
        };
        let keys = keys.iter().filter_map(|key| match &key.value {
            ClientKey::Digest(digest) => Some(KeyDigest(*digest)),
            ClientKey::Value(key) => KeyDigest::of(key.expose()),
            // Nobody knows it, so it lets nobody in; the loader has said that it is not set.
            ClientKey::Unset(_) | ClientKey::None => None,
        });
        let admin = match &engine.admin_key {
            Some(Key::Value(key)) => KeyDigest::parse(key.expose()),
            _ => None,
        };
        Self { who, keys: keys.collect(), admin, loopback: address.is_some_and(is_loopback) }
    }

    /// Why this router may not listen where it does, if so.
    pub fn objection(&self) -> Option<&'static str> {
        match self.who {
            Who::Unsaid if !self.loopback => Some(
                "the router would listen beyond this machine and let everybody in: \
                 set `access: { keys: [...] }`, or `access: open` if that is what you want",
            ),
            Who::Keys if self.keys.is_empty() => {
                Some("`access` asks for keys but none of them is set, so nobody could come in")
            }
            _ => None,
        }
    }

    /// May this client use the providers? On success, the headers that held the router's own key are taken
    /// out, so that it goes to no provider.
    pub fn client(&self, headers: &mut HeaderMap) -> Result<(), Denied> {
        match self.who {
            Who::Everybody => return Ok(()),
            Who::Unsaid => return if self.loopback { Ok(()) } else { Err(NO_CLIENT_KEYS) },
            Who::Keys => {}
        }
        let api_key = self.known(headers.get(&API_KEY).and_then(|v| v.to_str().ok()));
        let bearer = self.known(bearer(headers));
        if api_key {
            headers.remove(&API_KEY);
        }
        if bearer {
            headers.remove(AUTHORIZATION);
        }
        if api_key || bearer { Ok(()) } else { Err(WRONG_KEY) }
    }

    /// May this caller switch providers, reload, and read the configuration?
    pub fn admin(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        refuse_web_pages(uri, headers)?;
        match &self.admin {
            Some(key) if !shows(headers, key) => Err(WRONG_ADMIN_KEY),
            // The key proves more than a name does.
            Some(_) => Ok(()),
            None if !self.loopback => Err(NO_ADMIN_KEY),
            None if is_local_name(authority(uri, headers)) => Ok(()),
            None => Err(FOREIGN_HOST),
        }
    }

    /// May this caller see more of the health page than who is well?
    pub fn details(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let client = self.who == Who::Keys && self.client(&mut headers.clone()).is_ok();
        client || self.admin(uri, headers).is_ok()
    }

    /// Who may come in, for `/-/config`.
    pub fn in_words(&self) -> String {
        let clients = match self.who {
            Who::Unsaid => "whoever is on this machine".to_owned(),
            Who::Everybody => "open to everybody".to_owned(),
            Who::Keys => format!("clients with one of {} keys", self.keys.len()),
        };
        let admin = if self.admin.is_some() { "an admin key is set" } else { "no admin key is set" };
        format!("{clients}; {admin}")
    }

    /// Every key is compared, whatever an earlier one said.
    fn known(&self, presented: Option<&str>) -> bool {
        let Some(presented) = presented.and_then(KeyDigest::of) else { return false };
        self.keys.iter().fold(Choice::from(0), |found, key| found | key.same(&presented)).into()
    }
}

const NO_CLIENT_KEYS: Denied = Denied {
    status: 403,
    message: "this router is reachable from other machines but has no client keys; set `access: { keys: [...] }` in its rules",
};
const WRONG_KEY: Denied = Denied {
    status: 401,
    message: "this router wants one of its client keys, as `x-api-key` or `authorization: Bearer`",
};
const WRONG_ADMIN_KEY: Denied = Denied {
    status: 401,
    message: "this path wants the admin key, as `x-admin-key`, `x-api-key` or `authorization: Bearer`",
};
const NO_ADMIN_KEY: Denied = Denied {
    status: 403,
    message: "this router is reachable from other machines; to use this path set `access: { admin_key: ... }` in its rules",
};
const FOREIGN_HOST: Denied = Denied {
    status: 403,
    message: "the host of this request is not this machine; ask for localhost or 127.0.0.1",
};
const WEB_PAGE: Denied =
    Denied { status: 403, message: "a web page from another site may not use this path" };

fn shows(headers: &HeaderMap, key: &KeyDigest) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let presented = [text(&ADMIN_KEY), text(&API_KEY), bearer(headers)];
    let compared = presented.into_iter().flatten().filter_map(KeyDigest::of).map(|given| key.same(&given));
    compared.fold(Choice::from(0), |found, same| found | same).into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn refuse_web_pages(uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
    if let Some(site) = headers.get(FETCH_SITE)
        && !matches!(site.as_bytes(), b"same-origin" | b"none")
    {
        return Err(WEB_PAGE);
    }
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let same =
        origin.is_some_and(|(_, host)| authority(uri, headers).is_some_and(|a| a.eq_ignore_ascii_case(host)));
    if same { Ok(()) } else { Err(WEB_PAGE) }
}

/// The host that was asked for: HTTP/2 has it in the address, HTTP/1 in a header.
fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST)?.to_str().ok(),
    }
}

/// `localhost`, a name under it, or a loopback address: what no foreign DNS entry can be.
fn is_local_name(authority: Option<&str>) -> bool {
    let Some(authority) = authority else { return false };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = bare.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

fn is_left_out(key: &Spanned<ClientKey>) -> bool {
    matches!(key.value, ClientKey::None)
}

/// The address of `host:port`. A name other than `localhost` is not resolved: it may mean anything tomorrow.
fn listen_address(listen: &str) -> Option<IpAddr> {
    if let Ok(address) = listen.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    (host == "localhost").then_some(IpAddr::from([127, 0, 0, 1]))
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn from_hex(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
