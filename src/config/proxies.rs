//! Which proxy leads to a provider: its own, that of the rules, or what the usual variables say.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

use super::model::{Provider, Rules};
use crate::text::diagnostic::Span;
use crate::text::units::ProxyAddress;

/// What stands in the environment's variables about proxies. They may hold passwords, and are shown nowhere.
#[derive(Clone, Default)]
pub struct ProxyVariables {
    /// For addresses of `http`: the variable's name and value.
    http: Option<(String, String)>,
    /// For addresses of `https`.
    https: Option<(String, String)>,
    /// The hosts to which no proxy leads.
    no: Vec<Exception>,
    /// What in the list of these cannot be read.
    wrong: Option<String>,
}

impl fmt::Debug for ProxyVariables {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ProxyVariables")
    }
}

/// Why there is no telling which proxy leads to a provider.
#[derive(Debug, PartialEq, Eq)]
pub struct NoProxyAddress {
    /// Where the setting stands.
    pub span: Span,
    /// The variable that is wrong, if it is one.
    pub variable: Option<String>,
    /// What is wrong with it; no part of its value.
    pub reason: String,
}

impl ProxyVariables {
    /// Reads the variables. As everywhere, small letters come before capital ones, and a program that answers CGI
    /// requests believes no `HTTP_PROXY`, which is then a header that its client sent.
    pub fn read(env: &dyn Fn(&str) -> Option<String>) -> ProxyVariables {
        let one = |name: &str| {
            let value = env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
            value.map(|value| (name.to_owned(), value))
        };
        let is_cgi = env("REQUEST_METHOD").is_some();
        let first = |names: [&str; 4]| names.into_iter().find_map(one);
        let http = if is_cgi { "http_proxy" } else { "HTTP_PROXY" };
        let mut found = ProxyVariables {
            http: first(["http_proxy", http, "all_proxy", "ALL_PROXY"]),
            https: first(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            ..ProxyVariables::default()
        };
        let (name, list) = one("no_proxy").or_else(|| one("NO_PROXY")).unwrap_or_default();
        for part in list.split([',', ' ']).filter(|part| !part.is_empty()) {
            match Exception::parse(part) {
                Some(exception) => found.no.push(exception),
                None => found.wrong = Some(name.clone()),
            }
        }
        found
    }

    fn proxy_to(&self, uri: &Uri) -> Result<Option<ProxyAddress>, (String, String)> {
        if let Some(name) = &self.wrong {
            return Err((
                name.clone(),
                "it is no list of hosts, addresses and networks, with commas".to_owned(),
            ));
        }
        let is_encrypted = uri.scheme_str() == Some("https");
        let variable = if is_encrypted { &self.https } else { &self.http };
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        let Some((name, value)) =
            variable.as_ref().filter(|_| !self.no.iter().any(|it| it.holds(host, port)))
        else {
            return Ok(None);
        };
        // Here, and only here, an address without a scheme is one of `http`.
        let value = if value.contains("://") { value.clone() } else { format!("http://{value}") };
        ProxyAddress::parse(&value).map(Some).map_err(|reason| (name.clone(), reason.to_owned()))
    }
}

/// The proxy on the way to a provider; `None`: there is none.
///
/// # Errors
///
/// When what is set is no proxy's address: to go straight then would show requests to whom they should not be shown.
pub fn to(rules: &Rules, provider: &Provider) -> Result<Option<ProxyAddress>, NoProxyAddress> {
    let Some(proxy) = provider.proxy.as_ref().or(rules.proxy.as_ref()) else { return Ok(None) };
    let wrong = |variable, reason| NoProxyAddress { span: proxy.span, variable, reason };
    match proxy.value.as_str() {
        "none" => Ok(None),
        "env" => {
            let Ok(uri) = provider.url.value.parse::<Uri>() else { return Ok(None) };
            rules.proxy_variables.proxy_to(&uri).map_err(|(name, reason)| wrong(Some(name), reason))
        }
        address => ProxyAddress::parse(address).map(Some).map_err(|reason| wrong(None, reason.to_owned())),
    }
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug)]
struct Exception {
    host: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    All,
    /// This name and what ends in it after a dot; in small letters, without a dot at the beginning.
    Name(String),
    /// Addresses whose first bits are these.
    Network(IpAddr, u8),
}

impl Exception {
    fn parse(text: &str) -> Option<Exception> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (text, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = match host.split_once('/') {
            _ if host == "*" => Hosts::All,
            Some((address, bits)) => {
                let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
                let most = if address.is_ipv4() { 32 } else { 128 };
                (bits <= most).then_some(Hosts::Network(address, bits))?
            }
            None => match host.parse::<IpAddr>() {
                Ok(address) => Hosts::Network(address, if address.is_ipv4() { 32 } else { 128 }),
                Err(_) => {
                    let name = host.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
                    (!name.is_empty()).then_some(Hosts::Name(name))?
                }
            },
        };
        Some(Exception { host, port })
    }

    fn holds(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        match &self.host {
            Hosts::All => true,
            Hosts::Name(name) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                host.strip_suffix(name.as_str()).is_some_and(|front| front.is_empty() || front.ends_with('.'))
            }
            Hosts::Network(network, bits) => {
                host.parse().is_ok_and(|address| same_bits(*network, address, *bits))
            }
        }
    }
}

fn same_bits(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let (one, other, width) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits()), u128::from(other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let away = width - u32::from(bits);
    one.checked_shr(away).unwrap_or(0) == other.checked_shr(away).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)], url: &str) -> Result<Option<String>, String> {
        let env = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let proxy = ProxyVariables::read(&env).proxy_to(&url.parse().unwrap());
        proxy.map(|it| it.map(|it| it.to_string())).map_err(|(name, _)| name)
    }

    #[test]
    fn the_variable_for_the_scheme_counts_and_small_letters_come_first() {
        let variables =
            [("HTTPS_PROXY", "http://a:1"), ("https_proxy", "b:2"), ("ALL_PROXY", "socks5://c:3")];
        assert_eq!(found(&variables, "https://h"), Ok(Some("http://b:2".into())));
        assert_eq!(found(&variables, "http://h"), Ok(Some("socks5://c:3".into())));
        assert_eq!(found(&[("http_proxy", "http://a")], "https://h"), Ok(None));
        assert_eq!(found(&[("HTTP_PROXY", "http://a"), ("REQUEST_METHOD", "GET")], "http://h"), Ok(None));
    }

    #[test]
    fn exceptions_name_hosts_networks_and_ports() {
        let no = "localhost, .lan,example.com:8443 10.0.0.0/8,[::1]:9000,192.168.1.7,fd00::/8";
        let variables = [("all_proxy", "http://proxy:1"), ("NO_PROXY", no)];
        for straight in [
            "http://localhost:1",
            "https://a.lan",
            "https://LAN",
            "https://example.com:8443",
            "http://10.9.8.7",
            "http://[::1]:9000",
            "http://192.168.1.7",
            "https://[fd12::1]",
        ] {
            assert_eq!(found(&variables, straight), Ok(None), "{straight}");
        }
        for through in [
            "https://example.com",
            "http://notlan",
            "http://11.0.0.1",
            "http://[::1]:9001",
            "http://192.168.1.70",
            "https://[fe00::1]",
        ] {
            assert_eq!(found(&variables, through), Ok(Some("http://proxy:1".into())), "{through}");
        }
        assert_eq!(found(&[("all_proxy", "http://p"), ("no_proxy", "*")], "https://h"), Ok(None));
    }

    #[test]
    fn what_cannot_be_used_is_an_error_and_never_straight() {
        assert_eq!(found(&[("https_proxy", "ftp://p")], "https://h"), Err("https_proxy".into()));
        assert_eq!(found(&[("https_proxy", "http://p:x")], "https://h"), Err("https_proxy".into()));
        let bad = [("all_proxy", "http://p"), ("no_proxy", "10.0.0.0/99")];
        assert_eq!(found(&bad, "https://h"), Err("no_proxy".into()));
        // What is for others does not matter.
        assert_eq!(found(&[("https_proxy", "ftp://p")], "http://h"), Ok(None));
    }
}
