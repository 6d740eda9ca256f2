//! The address of a proxy, with the login that it may hold.

use std::fmt;

use super::Secret;

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyScheme {
    /// `http://`: CONNECT for what is encrypted, absolute addresses for what is not.
    Http,
    /// `https://`: the same over TLS.
    Https,
    /// `socks5://`: names are looked up on this machine.
    Socks5,
    /// `socks5h://`: names are looked up by the proxy.
    Socks5h,
}

impl ProxyScheme {
    const ALL: [(&'static str, ProxyScheme, u16); 4] = [
        ("http", ProxyScheme::Http, 80),
        ("https", ProxyScheme::Https, 443),
        ("socks5", ProxyScheme::Socks5, 1080),
        ("socks5h", ProxyScheme::Socks5h, 1080),
    ];
}

/// Where a proxy is. Its `Display` shows no login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAddress {
    /// How it is spoken to.
    pub scheme: ProxyScheme,
    /// Its host, in brackets if that is an IPv6 address, and its port.
    pub host: String,
    /// `name:password`, as the proxy is told it.
    pub login: Option<Secret>,
}

impl ProxyAddress {
    /// Reads `SCHEME://[NAME[:PASSWORD]@]HOST[:PORT]`; a character that has a meaning there stands as `%` and two
    /// hexadecimal digits in a name or a password.
    ///
    /// # Errors
    ///
    /// Says what is wrong, without any part of the text: it may hold a password.
    pub fn parse(text: &str) -> Result<ProxyAddress, &'static str> {
        let (scheme, rest) =
            text.split_once("://").ok_or("it begins with no http://, https:// or socks5://")?;
        let known = ProxyScheme::ALL.iter().find(|(name, ..)| scheme.eq_ignore_ascii_case(name));
        let (_, scheme, port) = *known.ok_or("a proxy is spoken to by http, https, socks5 or socks5h")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(
                "there is more than a host and a port; in a password write %2F for `/`, %3F for `?`, %23 for `#`",
            );
        }
        let (login, host) = rest.rsplit_once('@').map_or((None, rest), |(login, host)| (Some(login), host));
        let login = login.map(plain_login).transpose()?;
        Ok(ProxyAddress { scheme, host: with_port(host, port)?, login: login.map(Secret::new) })
    }

    /// What tells this address from others, with no secret in it.
    pub fn label(&self) -> String {
        let login = self.login.as_ref().map(|login| login.label(&self.host)).unwrap_or_default();
        format!("{self} {login}")
    }
}

impl fmt::Display for ProxyAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ProxyScheme::ALL.iter().find(|(_, scheme, _)| *scheme == self.scheme);
        write!(out, "{}://{}", name.map_or("http", |(name, ..)| name), self.host)
    }
}

/// A host with a port, the usual one if it names none.
fn with_port(host: &str, usual: u16) -> Result<String, &'static str> {
    const NO_HOST: &str = "it names no host";
    let authority: http::uri::Authority = host.parse().map_err(|_| NO_HOST)?;
    if authority.host().is_empty() {
        return Err(NO_HOST);
    }
    match authority.port_u16() {
        Some(0) => Err("no port is 0"),
        Some(port) => Ok(format!("{}:{port}", authority.host())),
        None if authority.as_str().len() > authority.host().len() => {
            Err("its port is no number from 1 to 65535")
        }
        None => Ok(format!("{}:{usual}", authority.host())),
    }
}

/// A name and a password with their `%` sequences undone. Without a colon there is a name only.
fn plain_login(text: &str) -> Result<String, &'static str> {
    const NO_LOGIN: &str = "its name and password cannot be read";
    let (name, password) = text.split_once(':').unwrap_or((text, ""));
    let plain =
        |part: &str| percent_encoding::percent_decode_str(part).decode_utf8().map(|it| it.into_owned());
    let (name, password) = (plain(name).map_err(|_| NO_LOGIN)?, plain(password).map_err(|_| NO_LOGIN)?);
    if name.contains(':') {
        return Err("a proxy takes no `:` in a name");
    }
    if name.len() > 255 || password.len() > 255 {
        return Err("its name or password is longer than 255 bytes");
    }
    Ok(format!("{name}:{password}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_their_login() {
        let table = [
            ("http://proxy.lan:3128", "http://proxy.lan:3128", None),
            ("HTTPS://proxy.lan/", "https://proxy.lan:443", None),
            ("socks5://[::1]", "socks5://[::1]:1080", None),
            ("socks5h://me:p%40ss%3A@10.0.0.1:9", "socks5h://10.0.0.1:9", Some("me:p@ss:")),
            ("http://me@proxy.lan:80", "http://proxy.lan:80", Some("me:")),
        ];
        for (text, shown, login) in table {
            let address = ProxyAddress::parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.login.as_ref().map(Secret::expose), login, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_quoted() {
        let wrong = [
            "proxy.lan:3128",
            "ftp://hidden@h",
            "http://",
            "http://hidden:x@",
            "http://h:99999",
            "http://h:0",
            "http://me:hid/den@h",
            "http://a%3Ab:hidden@h",
            "http://me:%FF@h",
            "env ",
            "http://h p",
        ];
        for text in wrong {
            let said = ProxyAddress::parse(text).unwrap_err();
            assert!(!said.contains("hidden"), "{text}: {said}");
        }
    }

    #[test]
    fn labels_tell_logins_apart() {
        let label = |text: &str| ProxyAddress::parse(text).unwrap().label();
        assert_eq!(label("http://a:b@h"), label("http://a:b@h:80"));
        assert_ne!(label("http://a:b@h"), label("http://a:c@h"));
        assert_ne!(label("http://a:b@h"), label("http://h"));
    }
}
