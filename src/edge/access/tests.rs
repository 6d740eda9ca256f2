//! Keys, names and origins, each with who may come in.

use super::*;

const LOCAL: &str = "127.0.0.1:8000";
const WIDE: &str = "0.0.0.0:8000";
/// The digest of `opensesame`.
const DIGEST: &str = "sha256:d9fb92e3bbe65be1f1aad4a82eef4567f7a1ebe2cd110c8049b9698be7a70c88";

/// `keys`: `None` where the rules say nothing, `Some(&[])` for keys that are not set.
fn access(bound: &str, keys: Option<&[&str]>, admin: Option<&str>) -> Access {
    Access {
        who: if keys.is_some() { Who::Keys } else { Who::Unsaid },
        keys: keys.unwrap_or_default().iter().filter_map(|key| KeyDigest::parse(key)).collect(),
        admin: admin.and_then(KeyDigest::parse),
        loopback: listen_address(bound).is_some_and(is_loopback),
    }
}

fn open(bound: &str) -> Access {
    Access { who: Who::Everybody, ..access(bound, None, None) }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(n, v)| (HeaderName::from_static(n), http::HeaderValue::from_static(v))).collect()
}

fn admin(access: &Access, pairs: &[(&'static str, &'static str)]) -> Result<(), Denied> {
    access.admin(&Uri::from_static("/v1/switch-provider"), &headers(pairs))
}

#[test]
fn keys_are_taken_in_either_header_as_text_or_digest_and_go_no_further() {
    let digest = format!("{DIGEST_PREFIX}{}", hex(&KeyDigest::of("opensesame").unwrap().0));
    assert_eq!(digest, DIGEST);
    for written in ["opensesame", DIGEST] {
        let access = access(LOCAL, Some(&["other", written]), None);
        for pair in [("x-api-key", "opensesame"), ("authorization", "bearer  opensesame")] {
            let mut given = headers(&[pair, ("accept", "*/*")]);
            assert_eq!(access.client(&mut given), Ok(()), "{written} {pair:?}");
            assert_eq!(given, headers(&[("accept", "*/*")]));
        }
        for pair in [("x-api-key", "opensesam"), ("authorization", "opensesame"), ("x-api-key", DIGEST)] {
            assert_eq!(access.client(&mut headers(&[pair])), Err(WRONG_KEY), "{pair:?}");
        }
    }
}

#[test]
fn a_credential_for_a_provider_beside_the_routers_key_stays() {
    let access = access(LOCAL, Some(&["mine"]), None);
    let mut given = headers(&[("x-api-key", "mine"), ("authorization", "Bearer theirs")]);
    assert_eq!(access.client(&mut given), Ok(()));
    assert_eq!(given, headers(&[("authorization", "Bearer theirs")]));
}

#[test]
fn keys_that_are_not_set_let_nobody_in() {
    for bound in [LOCAL, WIDE] {
        let access = access(bound, Some(&["", "sha256:12"]), Some(""));
        assert!(access.objection().is_some());
        assert_eq!(access.client(&mut headers(&[("x-api-key", "")])), Err(WRONG_KEY));
        assert_eq!(access.client(&mut HeaderMap::new()), Err(WRONG_KEY));
    }
    let access = access(WIDE, Some(&["k"]), Some(""));
    assert_eq!(admin(&access, &[("host", "localhost"), ("x-api-key", "")]), Err(NO_ADMIN_KEY));
}

#[test]
fn without_keys_only_loopback_or_the_word_open_will_do() {
    for bound in [LOCAL, "[::1]:80", "localhost:80", "[::ffff:127.0.0.1]:80"] {
        assert_eq!(access(bound, None, None).objection(), None, "{bound}");
        assert_eq!(access(bound, None, None).client(&mut HeaderMap::new()), Ok(()));
    }
    for bound in [WIDE, "[::]:80", "localhost.example:80", "example:80"] {
        assert!(access(bound, None, None).objection().is_some(), "{bound}");
        assert_eq!(access(bound, None, None).client(&mut HeaderMap::new()), Err(NO_CLIENT_KEYS));
    }
    assert_eq!(open(WIDE).objection(), None);
    assert_eq!(open(WIDE).client(&mut HeaderMap::new()), Ok(()));
    assert_eq!(access(WIDE, Some(&["k"]), None).objection(), None);
}

#[test]
fn admin_paths_on_loopback_want_a_local_name_and_no_foreign_page() {
    let access = access(LOCAL, None, None);
    for host in ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "me.localhost:8000", "127.9.9.9"]
    {
        assert_eq!(admin(&access, &[("host", host)]), Ok(()), "{host}");
    }
    for host in
        ["evil.example", "localhost.evil.example:8000", "10.0.0.1", "127.0.0.1.evil.example", "", "[::2]"]
    {
        assert_eq!(admin(&access, &[("host", host)]), Err(FOREIGN_HOST), "{host}");
    }
    assert_eq!(admin(&access, &[]), Err(FOREIGN_HOST));
    let page = |origin| admin(&access, &[("host", "localhost:8000"), ("origin", origin)]);
    assert_eq!(page("http://localhost:8000"), Ok(()));
    for origin in ["http://evil.example", "null", "http://localhost:3000", "http://localhost", ""] {
        assert_eq!(page(origin), Err(WEB_PAGE), "{origin}");
    }
    for site in ["cross-site", "same-site"] {
        assert_eq!(admin(&access, &[("host", "localhost"), ("sec-fetch-site", site)]), Err(WEB_PAGE));
    }
    assert_eq!(admin(&access, &[("host", "localhost"), ("sec-fetch-site", "none")]), Ok(()));
}

#[test]
fn http2_has_the_host_in_its_address() {
    let access = access(LOCAL, None, None);
    let ask = |uri| access.admin(&Uri::from_static(uri), &HeaderMap::new());
    assert_eq!(ask("http://localhost:8000/-/reload"), Ok(()));
    assert_eq!(ask("http://evil.example/-/reload"), Err(FOREIGN_HOST));
}

#[test]
fn beyond_loopback_admin_paths_want_the_admin_key() {
    let none = access(WIDE, Some(&["k"]), None);
    assert_eq!(admin(&none, &[("host", "localhost"), ("x-api-key", "k")]), Err(NO_ADMIN_KEY));
    let access = access(WIDE, Some(&["k"]), Some("root"));
    assert_eq!(admin(&access, &[("host", "router.lan"), ("x-api-key", "k")]), Err(WRONG_ADMIN_KEY));
    for name in ["x-api-key", "x-admin-key"] {
        assert_eq!(admin(&access, &[("host", "router.lan"), (name, "root")]), Ok(()));
    }
    let page = [("host", "router.lan"), ("x-admin-key", "root"), ("origin", "http://evil.example")];
    assert_eq!(admin(&access, &page), Err(WEB_PAGE));
}

#[test]
fn details_of_health_are_for_those_who_may_ask() {
    let uri = Uri::from_static("/v1/health");
    let wide = access(WIDE, Some(&["k"]), Some("root"));
    assert!(!wide.details(&uri, &headers(&[("host", "router.lan")])));
    assert!(wide.details(&uri, &headers(&[("host", "router.lan"), ("x-api-key", "k")])));
    assert!(wide.details(&uri, &headers(&[("host", "router.lan"), ("x-admin-key", "root")])));
    assert!(access(LOCAL, None, None).details(&uri, &headers(&[("host", "localhost")])));
    assert!(!open(WIDE).details(&uri, &headers(&[("host", "localhost")])));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
