//! Who may ask: client keys, the admin key, and what neither a web page nor a proxy's client may do.
//!
//! Three dangers are told apart. A *stranger on the network* is kept out by keys: a router that listens beyond
//! loopback has client keys or says `access: open`, and its admin paths need the admin key. A *web page in the user's
//! own browser* reaches loopback without any key; it is known by its `Origin`, and by a `Host` that is a name somebody
//! else's DNS pointed here. A *stranger behind a proxy* on this machine looks like this machine; the request is known
//! by the marks that proxies leave, and needs a key.
//!
//! | rules say | who may ask |
//! | --- | --- |
//! | nothing | programs on this machine, by a local name, unforwarded; pages whose origin is named |
//! | `open` | everybody but pages whose origin is not named |
//! | `keys` | whoever shows one: it proves more than an origin, a host or an address, and no page has it by itself |

mod caller;
mod pages;

use http::HeaderMap;
use http::Request;
use http::header::{AUTHORIZATION, HeaderName};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use subtle::{Choice, ConstantTimeEq};

use crate::config::model::{ClientKey, Host, Key};
use crate::engine::Engine;
use caller::{AskedFor, Page, Surroundings};
pub use caller::{Caller, Peer};

/// The other header, beside `authorization`, in which clients send keys.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The header for the admin key, for callers whose client key already fills the other two.
const ADMIN_KEY: HeaderName = HeaderName::from_static("x-admin-key");
/// What a key begins with in the rules when it is given by its digest.
const DIGEST_PREFIX: &str = "sha256:";

/// A refusal: what the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// 400, 401 or 403.
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
    around: Surroundings,
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
    /// is not an address there counts as beyond loopback), and is perhaps published elsewhere.
    pub fn of(engine: &Engine, bound: Option<SocketAddr>) -> Self {
        let listening = bound.map(|bound| bound.ip()).or_else(|| listen_address(&engine.listen));
        let published = engine.published.and_then(|published| published.0);
        let address = published.or(listening);
        let said = engine.access.as_ref();
        let who = match said {
            Some(access) if access.open => Who::Everybody,
            Some(access) if access.keys.is_some() => Who::Keys,
            _ => Who::Unsaid,
        };
        let keys = said.and_then(|access| access.keys.as_deref()).unwrap_or_default();
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
        let mut around = Surroundings::default();
        if let Some(access) = said {
            around.hosts = access.hosts.iter().map(|host| host.value.clone()).collect();
            around.origins = access.origins.iter().map(|origin| origin.value.clone()).collect();
            around.proxies = access.trusted_proxies.iter().map(|proxy| proxy.value).collect();
        }
        around.hosts.extend(bound.map(|bound| Host::Address(bound.ip().to_canonical())));
        around.hosts.extend(published.map(|address| Host::Address(address.to_canonical())));
        around.hosts.extend(Host::with_port(&engine.listen).map(|(host, _)| host));
        Self { who, keys: keys.collect(), admin, loopback: address.is_some_and(is_loopback), around }
    }

    /// Why this router may not listen where it does, if so.
    pub fn objection(&self) -> Option<&'static str> {
        match self.who {
            Who::Unsaid if !self.loopback => Some(
                "the router would listen beyond this machine and let everybody in: \
                 set RULEGATE_KEY where the rules read it, as the shipped ones do, to a key for clients, \
                 or write `access: { keys: [...] }`, or `access: open` if that is what you want",
            ),
            Who::Keys if self.keys.is_empty() => {
                Some("`access` asks for keys but none of them is set, so nobody could come in")
            }
            _ => None,
        }
    }

    /// What a request's head tells about its caller.
    pub fn caller<B>(&self, request: &Request<B>) -> Caller {
        self.around.caller(request)
    }

    /// Whether this client may use the providers. On success, the headers that held the router's own key are taken
    /// out, so that it goes to no provider.
    ///
    /// # Errors
    /// What a client that may not is told.
    pub fn client(&self, caller: &Caller, headers: &mut HeaderMap) -> Result<(), Denied> {
        one_host(caller)?;
        match self.who {
            Who::Everybody => self.not_a_foreign_page(caller),
            Who::Unsaid if !self.loopback => Err(NO_CLIENT_KEYS),
            Who::Unsaid => self.this_machine(caller, FORWARDED),
            Who::Keys => {
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
        }
    }

    /// Whether this caller may switch providers, reload, and read the configuration. A page whose origin is named
    /// may ask the providers; for this it needs the admin key, too.
    ///
    /// # Errors
    /// What a caller that may not is told.
    pub fn admin(&self, caller: &Caller, headers: &HeaderMap) -> Result<(), Denied> {
        one_host(caller)?;
        if caller.page == Page::Foreign {
            return Err(WEB_PAGE);
        }
        match &self.admin {
            Some(key) if !shows(headers, key) => Err(WRONG_ADMIN_KEY),
            // The key proves more than a name does.
            Some(_) => Ok(()),
            None if !self.loopback => Err(NO_ADMIN_KEY),
            None if matches!(caller.page, Page::Named(_)) => Err(PAGE_WITHOUT_KEY),
            None => self.this_machine(caller, FORWARDED_ADMIN),
        }
    }

    /// Whether this caller sees more of the health page than whether all is well: a program on this machine does, and
    /// whoever may ask the providers by a key, or may administer the router.
    ///
    /// # Errors
    /// What a web page is told that may not see anything.
    pub fn health(&self, caller: &Caller, headers: &HeaderMap) -> Result<bool, Denied> {
        one_host(caller)?;
        let by_key = self.who == Who::Keys && self.client(caller, &mut headers.clone()).is_ok();
        let is_known = by_key
            || self.admin(caller, headers).is_ok()
            || (caller.is_local && self.this_machine(caller, FORWARDED).is_ok());
        let is_misled = self.who == Who::Unsaid
            && !caller.forwarded
            && matches!(caller.host, AskedFor::Foreign | AskedFor::Address);
        match caller.page {
            _ if is_known => Ok(true),
            Page::Foreign => Err(WEB_PAGE),
            _ if is_misled => Err(FOREIGN_HOST),
            _ => Ok(false),
        }
    }

    /// Whether a request comes from a program on this machine, or a page that the rules name, for all that can be seen.
    fn this_machine(&self, caller: &Caller, forwarded: Denied) -> Result<(), Denied> {
        match caller {
            Caller { page: Page::Foreign, .. } => Err(WEB_PAGE),
            Caller { forwarded: true, .. } => Err(forwarded),
            Caller { is_unsure: true, host: AskedFor::Ours, .. } => Err(UNSURE_PAGE),
            Caller { host: AskedFor::Ours, .. } => Ok(()),
            _ => Err(FOREIGN_HOST),
        }
    }

    /// An open router does not know all names that it has. Programs need not care; a page of a name that its owner
    /// pointed here is of the router's own origin for the browser, so pages come by known names and addresses only.
    fn not_a_foreign_page(&self, caller: &Caller) -> Result<(), Denied> {
        match (&caller.page, caller.host) {
            (Page::Foreign, _) => Err(WEB_PAGE),
            (Page::Own, AskedFor::Foreign | AskedFor::Nothing) => Err(FOREIGN_HOST),
            _ => Ok(()),
        }
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

/// Whoever it is, a request is for one host (RFC 9112, 3.2).
fn one_host(caller: &Caller) -> Result<(), Denied> {
    if caller.host == AskedFor::Several { Err(SEVERAL_HOSTS) } else { Ok(()) }
}

const SEVERAL_HOSTS: Denied = Denied {
    status: 400,
    message: "this request names its host more than once, or another one in its address than in `host`; one is wanted",
};
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
    message: "this router is reachable from other machines; to use this path set `admin_key: ...` in its rules",
};
const FOREIGN_HOST: Denied = Denied {
    status: 403,
    message: "the host of this request is not this machine; ask for localhost or 127.0.0.1, or name the host in the rules: `access: { hosts: [...] }`",
};
const FORWARDED: Denied = Denied {
    status: 403,
    message: "this request came through a proxy, so it may be anybody's, and this router has no client keys; set `access: { keys: [...] }` in its rules",
};
const FORWARDED_ADMIN: Denied = Denied {
    status: 403,
    message: "this request came through a proxy, so it may be anybody's; to use this path set `admin_key: ...` in the rules and send it as `x-admin-key`",
};
const WEB_PAGE: Denied = Denied {
    status: 403,
    message: "a web page of this origin may not use this router; name its origin in the rules if it should: `access: { origins: [...] }`",
};
const UNSURE_PAGE: Denied = Denied {
    status: 403,
    message: "a browser does not tell at this host which page asks; ask for localhost or 127.0.0.1, or set `access: { keys: [...] }`",
};
const PAGE_WITHOUT_KEY: Denied = Denied {
    status: 403,
    message: "a web page may use this path with the admin key only; set `admin_key: ...` in the rules",
};

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
