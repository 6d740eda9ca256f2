use super::*;

const LOCAL: &str = "127.0.0.1:8000";
const WIDE: &str = "0.0.0.0:8000";
/// The digest of `opensesame`.
const DIGEST: &str = "sha256:d9fb92e3bbe65be1f1aad4a82eef4567f7a1ebe2cd110c8049b9698be7a70c88";

fn access(bound: &str, keys: &[&str], admin: Option<&str>, open: bool) -> Access {
    Access::new(keys.iter().copied(), admin, open, bound.parse().unwrap())
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(n, v)| (HeaderName::from_static(n), http::HeaderValue::from_static(v))).collect()
}

fn admin(access: &Access, pairs: &[(&'static str, &'static str)]) -> Result<(), Denied> {
    access.admin(&Uri::from_static("/v1/switch-provider"), &headers(pairs))
}

#[test]
fn keys_are_taken_in_either_header_as_text_or_digest_and_go_no_further() {
    let digest = format!("{DIGEST_PREFIX}{}", hex(&KeyDigest::of("opensesame").0));
    assert_eq!(digest, DIGEST);
    for written in ["opensesame", DIGEST] {
        let access = access(LOCAL, &["other", written], None, false);
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
    let access = access(LOCAL, &["mine"], None, false);
    let mut given = headers(&[("x-api-key", "mine"), ("authorization", "Bearer theirs")]);
    assert_eq!(access.client(&mut given), Ok(()));
    assert_eq!(given, headers(&[("authorization", "Bearer theirs")]));
}

#[test]
fn an_empty_key_lets_nobody_in() {
    let access = access(WIDE, &["", "sha256:12"], Some(""), false);
    assert!(access.objection().is_some());
    assert_eq!(access.client(&mut headers(&[("x-api-key", "")])), Err(NO_CLIENT_KEYS));
    assert_eq!(admin(&access, &[("host", "localhost"), ("x-api-key", "")]), Err(NO_ADMIN_KEY));
}

#[test]
fn without_keys_only_loopback_or_the_word_open_will_do() {
    assert_eq!(access(LOCAL, &[], None, false).objection(), None);
    assert_eq!(access("[::1]:80", &[], None, false).objection(), None);
    assert_eq!(access(WIDE, &[], None, true).objection(), None);
    assert_eq!(access(WIDE, &["k"], None, false).objection(), None);
    assert!(access(WIDE, &[], None, false).objection().is_some());
    assert!(access(WIDE, &[], None, false).client(&mut HeaderMap::new()).is_err());
}

#[test]
fn admin_paths_on_loopback_want_a_local_name_and_no_foreign_page() {
    let access = access(LOCAL, &[], None, false);
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
    let access = access(LOCAL, &[], None, false);
    let ask = |uri| access.admin(&Uri::from_static(uri), &HeaderMap::new());
    assert_eq!(ask("http://localhost:8000/-/reload"), Ok(()));
    assert_eq!(ask("http://evil.example/-/reload"), Err(FOREIGN_HOST));
}

#[test]
fn beyond_loopback_admin_paths_want_the_admin_key() {
    let none = access(WIDE, &["k"], None, false);
    assert_eq!(admin(&none, &[("host", "localhost"), ("x-api-key", "k")]), Err(NO_ADMIN_KEY));
    let access = access(WIDE, &["k"], Some("root"), false);
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
    let wide = access(WIDE, &["k"], Some("root"), false);
    assert!(!wide.details(&uri, &headers(&[("host", "router.lan")])));
    assert!(wide.details(&uri, &headers(&[("host", "router.lan"), ("x-api-key", "k")])));
    assert!(wide.details(&uri, &headers(&[("host", "router.lan"), ("x-admin-key", "root")])));
    assert!(access(LOCAL, &[], None, false).details(&uri, &headers(&[("host", "localhost")])));
    assert!(!access(WIDE, &[], None, true).details(&uri, &headers(&[("host", "localhost")])));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
