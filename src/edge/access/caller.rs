//! Who asks, as far as a request's head tells: from which address, for which host, through a proxy, from a web page.
//!
//! Nothing of it is proof that a caller may come in; it is proof that one is *not* a program on this machine.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, HeaderName, HeaderValue, ORIGIN, USER_AGENT};
use http::{HeaderMap, Request};

use crate::config::model::{Host, Network, Origin};

/// How browsers say where a request comes from; no page can forge it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
/// Hops of a request that are looked at, the nearest first.
const MOST_HOPS: usize = 32;

/// The other end of the connection that a request came by; the server puts it into the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What the head of a request tells about its caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The client's address: what trusted proxies say, else the other end of the connection.
    pub address: Option<IpAddr>,
    /// Whether the connection comes from this machine.
    pub(super) is_local: bool,
    /// Whether a proxy says that it passed the request on.
    pub(super) forwarded: bool,
    pub(super) host: AskedFor,
    pub(super) page: Page,
    /// Whether it is a browser's, and at this host browsers do not say what kind of page sent a request that only
    /// reads, such as that for an image.
    pub(super) is_unsure: bool,
}

/// The host that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskedFor {
    /// This machine, or one of the names in the rules.
    Ours,
    /// Another address, to which nobody's name server can point a name.
    Address,
    /// Any other name, or no proper one.
    Foreign,
    /// Several are named, or one twice: what stands between client and router might see another one.
    Several,
    /// No host is named.
    Nothing,
}

/// Whether a web page sent the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Nothing says so.
    No,
    /// A page of the router's own address.
    Own,
    /// A page whose origin is named in the rules.
    Named(HeaderValue),
    /// Any other page.
    Foreign,
}

/// What the rules say of hosts, pages and proxies.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// Hosts that mean this router, besides those of loopback.
    pub hosts: Vec<Host>,
    /// Pages that may use it.
    pub origins: Vec<Origin>,
    /// Proxies in front of it.
    pub proxies: Vec<Network>,
}

impl Surroundings {
    pub fn caller<B>(&self, request: &Request<B>) -> Caller {
        let headers = request.headers();
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_canonical());
        let (host, at) = self.asked_for(request.uri().authority().map(|it| it.as_str()), headers);
        Caller {
            address: peer.map(|peer| self.client_address(peer, headers)),
            is_local: peer.is_some_and(|peer| peer.is_loopback()),
            forwarded: is_forwarded(headers),
            host,
            page: self.page(headers, at.as_ref()),
            is_unsure: is_browser(headers)
                && !headers.contains_key(ORIGIN)
                && !headers.contains_key(FETCH_SITE)
                && !at.is_some_and(|(host, _)| host.is_trustworthy()),
        }
    }

    /// HTTP/2 has the host in the address, HTTP/1 in a header. It may stand in both, and must be the same.
    fn asked_for(
        &self,
        authority: Option<&str>,
        headers: &HeaderMap,
    ) -> (AskedFor, Option<(Host, Option<u16>)>) {
        let mut written = headers.get_all(HOST).into_iter().map(|host| host.to_str().unwrap_or_default());
        let (header, second) = (written.next(), written.next());
        let host = match (authority.map(Host::with_port), header.map(Host::with_port)) {
            _ if second.is_some() => return (AskedFor::Several, None),
            (Some(in_address), Some(in_header)) if in_address != in_header => {
                return (AskedFor::Several, None);
            }
            (Some(host), _) | (None, Some(host)) => host,
            (None, None) => return (AskedFor::Nothing, None),
        };
        let Some(at) = host else { return (AskedFor::Foreign, None) };
        let kind = match &at.0 {
            host if host.is_this_machine() || self.hosts.contains(host) => AskedFor::Ours,
            Host::Address(_) => AskedFor::Address,
            Host::Name(_) => AskedFor::Foreign,
        };
        (kind, Some(at))
    }

    /// `Origin` and `Sec-Fetch-Site` tell of a page. `Referer` does not: programs send it, too, and every browser
    /// that leaves out the first two where they matter is too old to be met.
    fn page(&self, headers: &HeaderMap, at: Option<&(Host, Option<u16>)>) -> Page {
        let is_elsewhere = |site: &HeaderValue| !matches!(site.as_bytes(), b"same-origin" | b"none");
        let elsewhere = headers.get_all(FETCH_SITE).iter().any(is_elsewhere);
        let mut origins = headers.get_all(ORIGIN).iter();
        let (origin, second) = (origins.next(), origins.next());
        let Some(origin) = origin else { return if elsewhere { Page::Foreign } else { Page::No } };
        let Some(text) = origin.to_str().ok().filter(|_| second.is_none()) else { return Page::Foreign };
        if self.origins.iter().any(|named| named.covers(text)) {
            return Page::Named(origin.clone());
        }
        let is_own =
            at.is_some_and(|(host, port)| Origin::parse(text).is_some_and(|it| it.is_at(host, *port)));
        if is_own && !elsewhere { Page::Own } else { Page::Foreign }
    }

    /// The nearest address on a request's way that is no trusted proxy's. What a client wrote into the header itself
    /// stands before what the proxies added, so it is never reached.
    fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let is_trusted = |address: IpAddr| self.proxies.iter().any(|proxy| proxy.contains(address));
        let mut nearest = peer;
        let mut hops = hops(headers).take(MOST_HOPS);
        while is_trusted(nearest) {
            match hops.next().flatten() {
                Some(address) => nearest = address.to_canonical(),
                None => break,
            }
        }
        nearest
    }
}

fn is_browser(headers: &HeaderMap) -> bool {
    headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

/// The addresses that proxies say a request came from, the last one first; `None` for what is none.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let name = if headers.contains_key(&FORWARDED_FOR) { FORWARDED_FOR } else { FORWARDED };
    let standard = name == FORWARDED;
    let values = headers.get_all(name).into_iter().rev();
    let entries = values.flat_map(|value| value.to_str().unwrap_or("?").rsplit(','));
    entries.map(move |entry| {
        let is_for = |pair: &str| {
            let (key, value) = pair.split_once('=')?;
            key.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"').to_owned())
        };
        if standard { address(&entry.split(';').find_map(is_for)?) } else { address(entry.trim()) }
    })
}

/// `1.2.3.4`, `::1` or `[::1]`, each perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

/// Whether some proxy has left its mark. A program on this machine has no reason to.
fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = &*plain(name.as_str());
        name.starts_with("x-forwarded")
            || name.starts_with("x-original-")
            || name.starts_with("cf-")
            || name.starts_with("x-envoy-")
            || matches!(
                name,
                "forwarded"
                    | "forwarded-for"
                    | "via"
                    | "x-real-ip"
                    | "x-client-ip"
                    | "client-ip"
                    | "x-cluster-client-ip"
                    | "true-client-ip"
                    | "cdn-loop"
                    | "fastly-client-ip"
                    | "fly-client-ip"
                    | "x-azure-clientip"
                    | "x-azure-socketip"
                    | "x-appengine-user-ip"
                    | "x-proxyuser-ip"
                    | "proxy-client-ip"
                    | "wl-proxy-client-ip"
                    | "x-remote-addr"
                    | "x-remote-ip"
                    | "x-host"
            )
    })
}

/// A header's name as most servers and gateways read it: to CGI, and to what came after, all signs that are neither
/// letters nor digits are the same.
fn plain(name: &str) -> Cow<'_, str> {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || sign == '-';
    match name.chars().all(is_plain) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(name.chars().map(|sign| if is_plain(sign) { sign } else { '-' }).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address of a client behind these proxies.
    fn client(proxies: &[&str], peer: &str, pairs: &[(&'static str, &str)]) -> String {
        let proxies = proxies.iter().map(|text| Network::parse(text).unwrap()).collect();
        let mut request = Request::new(());
        request.extensions_mut().insert(Peer(SocketAddr::new(peer.parse().unwrap(), 9)));
        for (name, value) in pairs {
            request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
        }
        let around = Surroundings { proxies, ..Surroundings::default() };
        around.caller(&request).address.unwrap().to_string()
    }

    #[test]
    fn the_last_hop_that_is_not_trusted_is_the_client() {
        let xff = "x-forwarded-for";
        let lan = ["loopback", "10.0.0.0/8"];
        for (peer, pairs, wanted) in [
            ("127.0.0.1", &[][..], "127.0.0.1"),
            ("127.0.0.1", &[(xff, "9.9.9.9")], "9.9.9.9"),
            ("::ffff:127.0.0.1", &[(xff, "9.9.9.9")], "9.9.9.9"),
            ("127.0.0.1", &[(xff, "1.1.1.1, 9.9.9.9, 10.1.2.3")], "9.9.9.9"),
            ("127.0.0.1", &[(xff, "1.1.1.1, 9.9.9.9"), (xff, "10.1.2.3")], "9.9.9.9"),
            ("127.0.0.1", &[(xff, "[2001:db8::1]:443 , 10.1.2.3:80")], "2001:db8::1"),
            ("127.0.0.1", &[(xff, "10.9.9.9,10.1.2.3")], "10.9.9.9"),
            ("127.0.0.1", &[(xff, "9.9.9.9, unknown")], "127.0.0.1"),
            ("127.0.0.1", &[(xff, "9.9.9.9, _hidden, 10.1.2.3")], "10.1.2.3"),
            ("127.0.0.1", &[(xff, "")], "127.0.0.1"),
            ("8.8.8.8", &[(xff, "9.9.9.9")], "8.8.8.8"),
            (
                "127.0.0.1",
                &[("forwarded", "for=1.1.1.1, for=\"[2001:db8::7]:4711\";proto=https, For=10.0.0.1")],
                "2001:db8::7",
            ),
            ("127.0.0.1", &[("forwarded", "proto=https;by=10.0.0.1")], "127.0.0.1"),
            ("127.0.0.1", &[("forwarded", "for=1.1.1.1"), (xff, "9.9.9.9")], "9.9.9.9"),
        ] {
            assert_eq!(client(&lan, peer, pairs), wanted, "{peer} {pairs:?}");
        }
        assert_eq!(client(&[], "127.0.0.1", &[(xff, "9.9.9.9")]), "127.0.0.1");
    }

    #[test]
    fn a_chain_without_end_is_not_followed() {
        let long = "127.0.0.1,".repeat(5_000);
        assert_eq!(
            client(&["loopback"], "127.0.0.1", &[("x-forwarded-for", &format!("9.9.9.9,{long}"))]),
            "127.0.0.1"
        );
    }
}
