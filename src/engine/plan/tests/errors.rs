//! What clients are told when the router cannot or will not ask a provider, and keys.

use super::*;

const KEYS: &str = r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: "${ONE_KEY}" }
  two: { speaks: alpha.chat, url: "http://two.test", key: "${TWO_KEY}" }
routes:
  - { path: /alpha, protocol: alpha.chat }
  - { path: /alpha/models, method: GET, protocol: alpha.chat, answer: { list: $models, for: $header.user-agent } }
models: [ m1, m2 ]
"#;

const SAID: &str = r#"{"said":"so"}"#;

#[test]
fn without_any_key_the_answer_says_what_to_set() {
    let mut world = World::new(engine(KEYS));
    let seen = world.send(ASK);
    assert_eq!(seen.status, 503);
    assert!(seen.body.contains("ONE_KEY") && seen.body.contains("TWO_KEY"), "{}", seen.body);
    assert_eq!(world.engine.missing_keys().len(), 2);
    let page = world.health.snapshot(&world.engine, world.now);
    assert_eq!(page["providers"]["one"], "down");
    assert_eq!(page["details"]["one"]["reason"], "no key: set ONE_KEY");
}

#[test]
fn the_callers_credential_goes_where_the_rules_say_so_and_nowhere_else() {
    let rules = r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: client }
  two: { speaks: alpha.chat, url: "http://two.test", key: none }
routes: [ { path: /alpha, protocol: alpha.chat } ]
"#;
    let mut world = World::new(engine(rules));
    world.replies("two", [Reply::ok(HELLO), Reply::ok(HELLO)]);
    world.send(ASK);
    assert_eq!(world.asked(), ["two"], "there is nothing to pass on");
    world.headers = vec![("authorization", "Bearer mine")];
    world.replies("one", [Reply::Fails(FailureKind::Reset)]);
    world.send(ASK);
    let headers =
        |at: usize| world.asked[at].1.headers.get("authorization").map(|value| value.to_str().unwrap());
    assert_eq!((headers(0), headers(1)), (Some("Bearer mine"), None));
}

#[test]
fn unknown_paths_wrong_methods_and_broken_bodies_are_told_in_the_paths_words() {
    let engine = engine(KEYS);
    let world = World::new(engine.clone());
    let ask = |method: &str, path: &str, body: &str| {
        let mut incoming = world.incoming(path, body);
        incoming.method = Method::from_bytes(method.as_bytes()).unwrap();
        Plan::begin(engine.clone(), incoming).unwrap_err()
    };
    let table = [
        ("POST", "/alpha/nowhere", "{}", 404, r#"{"trouble":{"kind":"other","#),
        ("POST", "/elsewhere", "{}", 404, r#"{"error":{"type":"#),
        ("GET", "/alpha", "", 405, r#"{"trouble":{"#),
        ("POST", "/alpha", "{", 400, r#"{"trouble":{"kind":"bad","text":"the request's body is no JSON"#),
        ("POST", "/alpha", " ", 400, r#"{"trouble":{"kind":"bad","text":"the request has no body"#),
        ("POST", "/alpha", "[]", 400, r#"{"trouble":{"kind":"bad","#),
    ];
    for (method, path, body, status, begin) in table {
        let answer = ask(method, path, body);
        let AnswerBody::Whole(text) = answer.body else { panic!("a stream") };
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}");
        assert!(text.starts_with(begin), "{text}");
        assert_eq!(answer.headers.get("allow").is_some(), status == 405);
    }
}

#[test]
fn some_answers_are_made_by_the_rules_alone() {
    let mut world = World::new(engine(KEYS));
    world.headers = vec![("user-agent", "tester")];
    let mut incoming = world.incoming("/alpha/models", "");
    incoming.method = Method::GET;
    let plan = Plan::begin(world.engine.clone(), incoming).unwrap();
    let seen = world.run(plan);
    assert_eq!((seen.status, seen.body.as_str()), (200, r#"{"list":["m1","m2"],"for":"tester"}"#));
}

#[test]
fn a_route_is_chosen_by_the_request_and_may_answer_for_itself_in_the_end() {
    let rules = r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: k }
  two: { speaks: alpha.chat, url: "http://two.test", key: k }
routes:
  - { path: /alpha, protocol: alpha.chat, when: { model: "small-*" }, providers: [ two, one ] }
  - { path: /alpha, protocol: alpha.chat, when: { $.ask: { is: present }, header: { x-kind: odd } }, providers: [ two ], otherwise: { guess: $.ask } }
  - { path: /alpha, protocol: alpha.chat, when: { model: "big-*" } }
"#;
    let mut world = World::new(engine(rules));
    world.replies("one", [Reply::ok(HELLO)]);
    world.replies("two", [Reply::ok(HELLO), Reply::Fails(FailureKind::Dns)]);
    world.send(r#"{"model":"small-1"}"#);
    world.send(ASK);
    assert_eq!(world.asked(), ["two", "one"]);
    world.headers = vec![("x-kind", "odd")];
    assert_eq!(world.send(ASK).body, r#"{"guess":"why?"}"#);
    world.headers.clear();
    assert_eq!(world.send(r#"{"model":"odd","ask":1}"#).status, 404);
}

#[test]
fn errors_are_told_in_the_clients_protocol() {
    let mut world = world(RULES);
    for name in ["one", "two"] {
        world.health.down(name, "test", None, START);
    }
    let table: [(Reply, u16, &str); 5] = [
        (
            Reply::status(400, r#"{"oops":{"kind":"hmm","text":"no"}}"#),
            400,
            r#"{"trouble":{"kind":"hmm","text":"beta says no"}}"#,
        ),
        (
            Reply::status(404, r#"[{"oops":{"kind":"hmm","text":"no"}}]"#),
            404,
            r#"{"trouble":{"kind":"hmm","text":"beta says no"}}"#,
        ),
        (
            Reply::status(
                422,
                r#"{"oops":{"text":"{\"oops\":{\"kind\":\"inner\",\"code\":\"busy\",\"text\":\"deep\"}}"}}"#,
            ),
            529,
            r#"{"trouble":{"kind":"inner","text":"beta says deep"}}"#,
        ),
        (
            Reply::status(413, "<!DOCTYPE html><html><title>413 Too big</title><body>…"),
            413,
            r#"{"trouble":{"kind":"unknown","text":"beta says 413 Too big"}}"#,
        ),
        (
            Reply::status(404, ""),
            404,
            r#"{"trouble":{"kind":"unknown","text":"beta says the provider answered with an error status"}}"#,
        ),
    ];
    for (reply, status, body) in table {
        world.replies("three", [reply]);
        let seen = world.send(ASK);
        assert_eq!((seen.status, seen.body.as_str()), (status, body));
        assert_eq!(seen.header("x-rulegate-rule"), "callers-mistake");
    }
}

#[test]
fn a_switch_makes_a_provider_current_and_usable_at_once() {
    let mut world = world(RULES);
    world.health.cool_down("two", START + 1_000_000, "limit", START);
    let engine = world.engine.clone();
    assert_eq!(world.health.current(&engine, START), Some("one"));
    assert_eq!(world.health.switch(&engine, "two", START), Ok("two".to_owned()));
    world.replies("two", [Reply::ok(HELLO), Reply::Fails(FailureKind::Reset)]);
    world.replies("one", [Reply::ok(HELLO), Reply::ok(HELLO)]);
    world.send(ASK);
    world.send(ASK);
    assert_eq!(world.asked(), ["two", "two", "one"]);
    let unknown = world.health.switch(&engine, "four", START).unwrap_err();
    assert_eq!(unknown.names, ["one", "two", "three", "auto"]);
    assert_eq!(world.health.switch(&engine, "auto", START), Ok("one".to_owned()));
    world.send(ASK);
    assert_eq!(world.asked(), ["one"]);
}

#[test]
fn a_probe_finds_out_whether_a_provider_is_well_again() {
    let rules = r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: k }
  two: { speaks: alpha.chat, url: "http://two.test", key: k }
routes: [ { path: /alpha, protocol: alpha.chat } ]
failover: [ { name: dead, when: { status: 5xx }, do: next, down: until_probed } ]
health: [ { provider: one, every: 30s, when_down_only: true, request: { ask: ping }, recovered_after: 2, recovered_when: { $.answer: { is: something } } } ]
"#;
    let mut world = World::new(engine(rules));
    let engine = world.engine.clone();
    let probe = &engine.probes[0];
    assert!(!probe.is_wanted(&engine, &world.health, START));
    assert_eq!(probe.next_after(START), Some(START + 30_000));
    world.replies("one", [Reply::status(500, "")]).replies("two", [Reply::ok(HELLO)]);
    world.send(ASK);
    assert!(probe.is_wanted(&engine, &world.health, world.now));
    let answers = [Reply::ok(HELLO), Reply::ok(r#"{"answer":""}"#), Reply::Fails(FailureKind::Dns)];
    world.replies("one", answers.into_iter().chain([Reply::ok(HELLO), Reply::ok(HELLO)]));
    for well in [false, false, false, false, true] {
        let plan = Plan::probe(engine.clone(), probe, "probe".to_owned(), world.now, 1).unwrap();
        world.run(plan);
        assert_eq!(world.health.is_usable("one", world.now), well);
    }
    assert!(world.events.iter().any(|event| matches!(event, Event::Recovered { .. })));
}

#[test]
fn what_a_mapping_drops_is_told_and_a_rule_can_make_it_the_next_provider() {
    let others_down = |mut world: World| {
        world.health.down("one", "test", None, START);
        world.health.down("two", "test", None, START);
        world.replies("three", [Reply::ok(SAID), Reply::ok(SAID)]);
        world
    };
    let mut told = others_down(world(RULES));
    let seen = told.send(r#"{"model":"m","ask":"why?","mood":"blue","colour":"blue"}"#);
    assert_eq!((seen.status, seen.header("x-rulegate-dropped")), (200, "mood, colour"));
    assert_eq!(told.send(r#"{"model":"m","ask":"why?"}"#).header("x-rulegate-dropped"), "");

    let rule = "failover:\n  - { name: moody, when: { dropped: moo* }, do: next }\n";
    let mut minds = others_down(world(&RULES.replacen("failover:\n", rule, 1)));
    minds.replies("one", [Reply::ok(HELLO)]);
    let seen = minds.send(r#"{"model":"m","ask":"why?","mood":"blue"}"#);
    assert_eq!(minds.asked(), ["one"], "nobody else is left");
    assert_eq!(seen.rule.as_deref(), Some("moody"), "{}", seen.body);
    assert_eq!(minds.health.standing("three", minds.now), Standing::Unknown, "it is nobody's failure");
    assert_eq!(minds.send(r#"{"model":"m","ask":"why?","colour":"red"}"#).status, 200);
}
