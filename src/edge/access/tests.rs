//! Keys, names and origins, each with who may come in.

use http::Uri;

use super::*;
use crate::config::model::Origin;

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
        around: Surroundings::default(),
    }
}

/// The same, with web pages of these origins let in, and asked for by these names.
fn around(access: Access, origins: &[&str], hosts: &[&str]) -> Access {
    let around = Surroundings {
        origins: origins.iter().map(|text| Origin::parse(text).unwrap()).collect(),
        hosts: hosts.iter().map(|text| Host::parse(text).unwrap()).collect(),
        proxies: Vec::new(),
    };
    Access { around, ..access }
}

fn open(bound: &str) -> Access {
    Access { who: Who::Everybody, ..access(bound, None, None) }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(n, v)| (HeaderName::from_static(n), http::HeaderValue::from_static(v))).collect()
}

/// A request from this machine.
fn request(uri: &'static str, pairs: &[(&'static str, &'static str)]) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_static(uri);
    *request.headers_mut() = headers(pairs);
    request.extensions_mut().insert(Peer(SocketAddr::from(([127, 0, 0, 1], 9))));
    request
}

fn admin(access: &Access, pairs: &[(&'static str, &'static str)]) -> Result<(), Denied> {
    let request = request("/v1/switch-provider", pairs);
    access.admin(&access.caller(&request), request.headers())
}

/// What a client with these headers is told that asks this machine by its own name, unless they say another.
fn client(access: &Access, given: &mut HeaderMap) -> Result<(), Denied> {
    let mut request = request("/v1/messages", &[]);
    *request.headers_mut() = given.clone();
    request.headers_mut().entry("host").or_insert(http::HeaderValue::from_static("localhost"));
    access.client(&access.caller(&request), given)
}

fn ask(access: &Access, pairs: &[(&'static str, &'static str)]) -> Result<(), Denied> {
    client(access, &mut headers(pairs))
}

#[test]
fn keys_are_taken_in_either_header_as_text_or_digest_and_go_no_further() {
    let digest = format!("{DIGEST_PREFIX}{}", hex(&KeyDigest::of("opensesame").unwrap().0));
    assert_eq!(digest, DIGEST);
    for written in ["opensesame", DIGEST] {
        let access = access(LOCAL, Some(&["other", written]), None);
        for pair in [("x-api-key", "opensesame"), ("authorization", "bearer  opensesame")] {
            let mut given = headers(&[pair, ("accept", "*/*")]);
            assert_eq!(client(&access, &mut given), Ok(()), "{written} {pair:?}");
            assert_eq!(given, headers(&[("accept", "*/*")]));
        }
        for pair in [("x-api-key", "opensesam"), ("authorization", "opensesame"), ("x-api-key", DIGEST)] {
            assert_eq!(ask(&access, &[pair]), Err(WRONG_KEY), "{pair:?}");
        }
    }
}

#[test]
fn a_credential_for_a_provider_beside_the_routers_key_stays() {
    let access = access(LOCAL, Some(&["mine"]), None);
    let mut given = headers(&[("x-api-key", "mine"), ("authorization", "Bearer theirs")]);
    assert_eq!(client(&access, &mut given), Ok(()));
    assert_eq!(given, headers(&[("authorization", "Bearer theirs")]));
}

#[test]
fn keys_that_are_not_set_let_nobody_in() {
    for bound in [LOCAL, WIDE] {
        let access = access(bound, Some(&["", "sha256:12"]), Some(""));
        assert!(access.objection().is_some());
        assert_eq!(ask(&access, &[("x-api-key", "")]), Err(WRONG_KEY));
        assert_eq!(ask(&access, &[]), Err(WRONG_KEY));
    }
    let access = access(WIDE, Some(&["k"]), Some(""));
    assert_eq!(admin(&access, &[("host", "localhost"), ("x-api-key", "")]), Err(NO_ADMIN_KEY));
}

#[test]
fn without_keys_only_loopback_or_the_word_open_will_do() {
    for bound in [LOCAL, "[::1]:80", "localhost:80", "[::ffff:127.0.0.1]:80"] {
        assert_eq!(access(bound, None, None).objection(), None, "{bound}");
        assert_eq!(ask(&access(bound, None, None), &[]), Ok(()));
    }
    for bound in [WIDE, "[::]:80", "localhost.example:80", "example:80"] {
        assert!(access(bound, None, None).objection().is_some(), "{bound}");
        assert_eq!(ask(&access(bound, None, None), &[]), Err(NO_CLIENT_KEYS));
    }
    assert_eq!(open(WIDE).objection(), None);
    assert_eq!(ask(&open(WIDE), &[]), Ok(()));
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
fn the_host_may_stand_in_the_address_and_must_be_the_same_everywhere() {
    let access = access(LOCAL, None, None);
    let ask = |uri, pairs: &[_]| {
        let request = request(uri, pairs);
        access.admin(&access.caller(&request), request.headers())
    };
    assert_eq!(ask("http://localhost:8000/-/reload", &[]), Ok(()));
    assert_eq!(ask("http://localhost:8000/-/reload", &[("host", "localhost:8000")]), Ok(()));
    assert_eq!(ask("http://evil.example/-/reload", &[]), Err(FOREIGN_HOST));
    assert_eq!(ask("http://evil.example/-/reload", &[("host", "localhost")]), Err(SEVERAL_HOSTS));
    assert_eq!(ask("http://localhost/-/reload", &[("host", "evil.example")]), Err(SEVERAL_HOSTS));
    for second in ["evil.example", "localhost", ""] {
        let mut two = request("/-/reload", &[("host", "localhost")]);
        two.headers_mut().append("host", http::HeaderValue::from_static(second));
        assert_eq!(access.admin(&access.caller(&two), two.headers()), Err(SEVERAL_HOSTS));
        let keys = super::tests::access(LOCAL, Some(&["k"]), None);
        two.headers_mut().append("x-api-key", http::HeaderValue::from_static("k"));
        let caller = keys.caller(&two);
        assert_eq!(keys.client(&caller, &mut two.headers().clone()), Err(SEVERAL_HOSTS));
        assert_eq!(keys.health(&caller, two.headers()), Err(SEVERAL_HOSTS));
    }
}

#[test]
fn without_keys_only_programs_on_this_machine_may_ask() {
    let access = around(access(LOCAL, None, None), &[], &["router.lan", "10.0.0.7"]);
    for host in ["localhost", "127.0.0.1:8000", "[::1]", "LOCALHOST.:8000", "router.lan:80", "10.0.0.7"] {
        assert_eq!(ask(&access, &[("host", host)]), Ok(()), "{host}");
    }
    for host in ["evil.example", "10.0.0.8", "router.lan.evil.example", "", "localhost@evil.example"] {
        assert_eq!(ask(&access, &[("host", host)]), Err(FOREIGN_HOST), "{host}");
    }
    for (name, value) in [
        ("forwarded", "for=1.2.3.4"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-anything", ""),
        ("x-real-ip", "127.0.0.1"),
        ("cf-connecting-ip", "1.2.3.4"),
        ("cf-ray", "1"),
        ("true-client-ip", "1.2.3.4"),
        ("x-client-ip", "1.2.3.4"),
        ("via", "1.1 proxy"),
        ("x_forwarded_for", "127.0.0.1"),
        ("x-forwarded_for", "127.0.0.1"),
        ("x.forwarded.proto", "https"),
        ("x_real_ip", "1.2.3.4"),
        ("cf_connecting_ip", "1.2.3.4"),
    ] {
        assert_eq!(ask(&access, &[(name, value)]), Err(FORWARDED), "{name}");
        assert_eq!(admin(&access, &[("host", "localhost"), (name, value)]), Err(FORWARDED_ADMIN), "{name}");
    }
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:3000"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(ask(&access, &[(name, value)]), Err(WEB_PAGE), "{name}: {value}");
    }
    // A Referer alone is no page's, a click in the address bar nobody else's; some runtimes send the mode alone.
    for pair in [("referer", "https://some.example/"), ("sec-fetch-site", "none"), ("sec-fetch-mode", "cors")]
    {
        assert_eq!(ask(&access, &[pair]), Ok(()), "{pair:?}");
    }
}

#[test]
fn where_browsers_do_not_tell_of_pages_they_are_not_let_in() {
    let access = around(access(LOCAL, None, None), &[], &["router.lan"]);
    let browser = ("user-agent", "Mozilla/5.0 (X11) Chrome/1");
    for host in ["0.0.0.0:8000", "[::ffff:127.0.0.1]", "router.lan", "host.docker.internal"] {
        assert_eq!(ask(&access, &[("host", host), browser]), Err(UNSURE_PAGE), "{host}");
        assert_eq!(ask(&access, &[("host", host), ("user-agent", "curl/8")]), Ok(()), "{host}");
        assert_eq!(ask(&access, &[("host", host), browser, ("sec-fetch-site", "none")]), Ok(()), "{host}");
    }
    for host in ["localhost", "127.0.0.1:8000", "[::1]"] {
        assert_eq!(ask(&access, &[("host", host), browser]), Ok(()), "{host}");
    }
}

#[test]
fn pages_whose_origin_is_named_may_ask_and_administer_with_the_key() {
    let named = ["https://chat.example", "http://localhost:*"];
    let page = |origin| [("host", "localhost:8000"), ("origin", origin), ("sec-fetch-site", "cross-site")];
    let keyless = around(access(LOCAL, None, None), &named, &[]);
    for origin in ["https://chat.example", "http://localhost:5173"] {
        assert_eq!(ask(&keyless, &page(origin)), Ok(()), "{origin}");
        assert_eq!(admin(&keyless, &page(origin)), Err(PAGE_WITHOUT_KEY), "{origin}");
    }
    for origin in ["http://chat.example", "https://chat.example.evil.example", "null"] {
        assert_eq!(ask(&keyless, &page(origin)), Err(WEB_PAGE), "{origin}");
    }
    let mut rebound = page("https://chat.example");
    rebound[0] = ("host", "evil.example");
    assert_eq!(ask(&keyless, &rebound), Err(FOREIGN_HOST));
    let with_admin = around(access(LOCAL, None, Some("root")), &named, &[]);
    let [host, origin, site] = page("https://chat.example");
    assert_eq!(admin(&with_admin, &[host, origin, site, ("x-admin-key", "root")]), Ok(()));
    assert_eq!(admin(&with_admin, &[host, origin, site]), Err(WRONG_ADMIN_KEY));
}

#[test]
fn an_open_router_is_open_to_programs_and_to_pages_of_its_own() {
    let open = around(open(WIDE), &["https://chat.example"], &["router.lan"]);
    for pairs in [
        &[("host", "any.example")][..],
        &[("host", "any.example"), ("x-forwarded-for", "1.2.3.4")],
        &[("host", "10.0.0.7:8000"), ("origin", "http://10.0.0.7:8000")],
        &[("host", "router.lan"), ("origin", "http://router.lan")],
        &[("host", "any.example"), ("origin", "https://chat.example")],
    ] {
        assert_eq!(ask(&open, pairs), Ok(()), "{pairs:?}");
    }
    assert_eq!(ask(&open, &[("host", "10.0.0.7"), ("origin", "https://evil.example")]), Err(WEB_PAGE));
    assert_eq!(ask(&open, &[("host", "10.0.0.7"), ("sec-fetch-site", "cross-site")]), Err(WEB_PAGE));
    let rebound = [("host", "evil.example:8000"), ("origin", "http://evil.example:8000")];
    assert_eq!(ask(&open, &rebound), Err(FOREIGN_HOST));
}

#[test]
fn a_key_proves_more_than_an_origin_a_host_or_an_address() {
    let keys = access(WIDE, Some(&["k"]), None);
    let from = [("host", "any.example"), ("origin", "app://notes"), ("x-forwarded-for", "1.2.3.4")];
    assert_eq!(ask(&keys, &from), Err(WRONG_KEY));
    let [host, origin, forwarded] = from;
    assert_eq!(ask(&keys, &[host, origin, forwarded, ("x-api-key", "k")]), Ok(()));
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
fn strangers_learn_from_health_only_whether_all_is_well() {
    let health = |access: &Access, pairs: &[(&'static str, &'static str)], peer: [u8; 4]| {
        let mut request = request("/v1/health", pairs);
        request.extensions_mut().insert(Peer(SocketAddr::from((peer, 9))));
        access.health(&access.caller(&request), request.headers())
    };
    const HERE: [u8; 4] = [127, 0, 0, 1];
    const THERE: [u8; 4] = [10, 0, 0, 9];
    let wide = access(WIDE, Some(&["k"]), Some("root"));
    assert_eq!(health(&wide, &[("host", "router.lan")], THERE), Ok(false));
    assert_eq!(health(&wide, &[("host", "localhost")], THERE), Ok(false));
    assert_eq!(health(&wide, &[], THERE), Ok(false));
    assert_eq!(health(&wide, &[("host", "localhost"), ("via", "1.1 a")], HERE), Ok(false));
    for key in [("x-api-key", "k"), ("authorization", "Bearer k"), ("x-admin-key", "root")] {
        assert_eq!(health(&wide, &[("host", "router.lan"), key], THERE), Ok(true), "{key:?}");
    }
    for access in [&wide, &open(WIDE), &access(LOCAL, None, None)] {
        assert_eq!(health(access, &[("host", "127.0.0.1:8000")], HERE), Ok(true));
        let page = [("host", "localhost"), ("origin", "https://evil.example")];
        assert_eq!(health(access, &page, HERE), Err(WEB_PAGE));
    }
    assert_eq!(health(&open(WIDE), &[("host", "localhost")], THERE), Ok(false));
    let local = access(LOCAL, None, None);
    assert_eq!(health(&local, &[("host", "evil.example")], HERE), Err(FOREIGN_HOST));
    assert_eq!(health(&local, &[("host", "evil.example"), ("x-real-ip", "1.2.3.4")], HERE), Ok(false));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn what_is_published_for_this_machine_alone_counts_as_loopback() {
    let access = |published: &str| {
        let engine = crate::engine::testing::engine(&format!("published: {published}\n"));
        Access::of(&engine, Some(WIDE.parse().unwrap()))
    };
    let ours = access("127.0.0.1");
    assert_eq!(ours.objection(), None);
    // Through the container's network: the other end is not this machine's loopback.
    let mut asked = request("/v1/messages", &[("host", "127.0.0.1:8000")]);
    asked.extensions_mut().insert(Peer("172.17.0.1:9".parse().unwrap()));
    let caller = ours.caller(&asked);
    assert_eq!(ours.client(&caller, &mut HeaderMap::new()), Ok(()));
    assert_eq!(
        (ours.admin(&caller, &HeaderMap::new()), ours.health(&caller, &HeaderMap::new())),
        (Ok(()), Ok(true))
    );
    assert_eq!(client(&ours, &mut headers(&[("host", "evil.example")])), Err(FOREIGN_HOST));
    assert_eq!(client(&ours, &mut headers(&[("origin", "https://evil.example")])), Err(WEB_PAGE));
    for published in ["none", "0.0.0.0", "192.0.2.1"] {
        assert!(access(published).objection().is_some(), "{published}");
    }
}
