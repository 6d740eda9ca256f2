//! The router's own paths: health, switching by hand, the configuration, and who may use them.

use serde_json::{Value, json};

use crate::support::{Reply, Serving, Upstream};

const REQUEST: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
const MESSAGE: &str =
    r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"x"}]}"#;

fn rules(first: &str, second: &str) -> String {
    format!(
        "include: [ \"builtin:protocols/anthropic.messages.yaml\" ]
providers:
  first: {{ speaks: anthropic.messages, url: {first}, key: first-key }}
  second: {{ speaks: anthropic.messages, url: {second}, key: second-key }}
  third: {{ speaks: anthropic.messages, url: https://three.example, key: \"${{NOT_SET_ANYWHERE}}\" }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
failover:
  - {{ name: busy, when: {{ status: [429, 5xx] }}, do: next, cool_down: 1h }}
"
    )
}

struct Scene {
    first: Upstream,
    second: Upstream,
    router: Serving,
}

impl Scene {
    async fn set(more: &str) -> Scene {
        let first = Upstream::always(Reply::json(
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#,
        ))
        .await;
        let second = Upstream::always(Reply::json(200, MESSAGE)).await;
        let router = Serving::start(&(rules(&first.url(), &second.url()) + more)).await;
        Scene { first, second, router }
    }

    async fn health(&self) -> Value {
        self.router.client().get("/v1/health").await.json()
    }

    async fn ask(&self) -> Option<String> {
        let answer = self.router.client().post("/v1/messages", REQUEST).await;
        answer.header("x-rulegate-provider").map(str::to_owned)
    }

    async fn switch(&self, body: impl ToString) -> (u16, Value) {
        let answer = self.router.client().post("/v1/switch-provider", body).await;
        (answer.status, answer.json())
    }
}

#[tokio::test]
async fn health_tells_who_is_well_and_why_not() {
    let scene = Scene::set("").await;
    let before = scene.health().await;
    assert_eq!(before["current_provider"], "first");
    assert_eq!(before["providers"]["first"], "unknown");
    assert_eq!(scene.ask().await.as_deref(), Some("second"));
    let after = scene.health().await;
    assert_eq!(after["providers"]["first"], "cooling");
    assert_eq!(after["providers"]["second"], "available");
    assert_eq!(after["current_provider"], "second");
    assert_eq!(after["details"]["first"]["rule"], "busy");
    assert!(after["details"]["first"]["until"].as_str() > after["details"]["first"]["since"].as_str());
}

#[tokio::test]
async fn a_switch_by_hand_counts_at_once_and_auto_gives_the_choice_back() {
    let scene = Scene::set("").await;
    assert_eq!(scene.ask().await.as_deref(), Some("second"));
    scene.first.afterwards(Reply::json(200, MESSAGE));
    let (status, page) = scene.switch(json!({ "provider": "first" })).await;
    assert_eq!((status, page["current_provider"].as_str()), (200, Some("first")), "cooling or not");
    assert_eq!(scene.ask().await.as_deref(), Some("first"));
    assert_eq!(scene.switch(json!({ "provider": "second" })).await.0, 200);
    assert_eq!(scene.ask().await.as_deref(), Some("second"));
    assert_eq!(scene.health().await["current_provider"], "second");
    assert_eq!(scene.switch(json!({ "provider": "auto" })).await.0, 200);
    assert_eq!(scene.ask().await.as_deref(), Some("first"));
    scene.switch(json!({ "provider": "first" })).await;
    scene.first.afterwards(Reply::json(529, "{}"));
    assert_eq!(scene.ask().await.as_deref(), Some("second"), "the others stay behind it");
}

#[tokio::test]
async fn a_switch_that_makes_no_sense_says_what_would() {
    let scene = Scene::set("").await;
    let (status, page) = scene.switch(json!({ "provider": "frist" })).await;
    assert_eq!((status, page["providers"].clone()), (404, json!(["first", "second", "third", "auto"])));
    assert!(page["error"]["message"].as_str().unwrap().contains("first, second, third, auto"));
    for body in ["", "{", "[]", "{}", r#"{"provider":7}"#, r#"{"provider":""}"#] {
        assert_eq!(scene.switch(body).await.0, 400, "{body}");
    }
    let (status, page) = scene.switch(json!({ "provider": "third" })).await;
    assert_eq!(status, 409);
    assert!(page["error"]["message"].as_str().unwrap().contains("NOT_SET_ANYWHERE"), "{page}");
    assert_eq!(scene.router.client().get("/v1/switch-provider").await.status, 405);
}

#[tokio::test]
async fn a_web_page_may_not_touch_a_local_router() {
    let scene = Scene::set("").await;
    let client = scene.router.client();
    let body = json!({ "provider": "second" });
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "evil.example:8000"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let page = client.with(name, value);
        for (method, path) in
            [("POST", "/v1/switch-provider"), ("POST", "/-/reload"), ("GET", "/-/config"), ("GET", "/-/x")]
        {
            let answer = page.send(method, path, body.to_string().as_bytes()).await;
            assert_eq!(answer.status, 403, "{name}: {value} {path}");
        }
    }
    assert_eq!(scene.health().await["current_provider"], "first");
    assert_eq!(scene.second.count(), 0);
}

#[tokio::test]
async fn an_admin_key_that_is_set_is_wanted() {
    let scene = Scene::set("admin_key: root-key\n").await;
    let body = json!({ "provider": "second" });
    assert_eq!(scene.switch(&body).await.0, 401);
    let admin = scene.router.client().with("x-api-key", "root-key");
    assert_eq!(admin.post("/v1/switch-provider", &body).await.status, 200);
    assert_eq!(admin.get("/-/config").await.status, 200);
    assert_eq!(scene.router.client().get("/v1/health").await.status, 200);
}

#[tokio::test]
async fn the_configuration_is_shown_without_its_secrets() {
    let scene = Scene::set("access: { keys: [ client-key ] }\nadmin_key: root-key\n").await;
    let admin = scene.router.client().with("x-admin-key", "root-key");
    let answer = admin.get("/-/config").await;
    let page = answer.json();
    assert_eq!(page["providers"][0]["name"], "first");
    assert_eq!(page["providers"][2]["key"]["unset"], json!(["NOT_SET_ANYWHERE"]));
    assert_eq!(page["last_reload"]["ok"], true);
    for secret in ["first-key", "second-key", "client-key", "root-key"] {
        assert!(!answer.text().contains(secret), "{secret} in {page:#}");
    }
    assert_eq!(admin.get("/-/nothing").await.status, 404);
}

#[tokio::test]
async fn beyond_loopback_nobody_is_let_in_by_accident() {
    let upstream = Upstream::start().await;
    let text = rules(&upstream.url(), &upstream.url());
    let wide = |text: String| async move {
        Serving::with(&text, |options| options.listen = Some("0.0.0.0:0".to_owned())).await
    };
    let Err(error) = wide(text.clone()).await else { panic!("it listens to everybody") };
    assert!(error.to_string().contains("access"), "{error}");
    let open = wide(text.clone() + "access: open\n").await.unwrap();
    let local = crate::support::Client::new(([127, 0, 0, 1], open.running.local_addr().port()).into());
    assert_eq!(local.post("/v1/switch-provider", json!({ "provider": "second" })).await.status, 403);
    let stranger = local.with("x-forwarded-for", "127.0.0.1");
    assert_eq!(stranger.get("/v1/health").await.json(), json!({ "status": "healthy" }));
    assert!(local.get("/v1/health").await.json()["details"]["first"].is_object(), "this machine sees all");
    let keyed = wide(text + "access: open\nadmin_key: root-key\n").await.unwrap();
    let local = crate::support::Client::new(([127, 0, 0, 1], keyed.running.local_addr().port()).into());
    let admin = local.with("authorization", "Bearer root-key");
    assert_eq!(local.post("/v1/switch-provider", json!({ "provider": "second" })).await.status, 401);
    assert_eq!(admin.post("/v1/switch-provider", json!({ "provider": "second" })).await.status, 200);
}

#[tokio::test]
async fn a_client_key_that_is_left_out_keeps_the_router_on_this_machine() {
    let upstream = Upstream::always(Reply::json(200, MESSAGE)).await;
    let text =
        rules(&upstream.url(), &upstream.url()) + "access: { keys: [ \"${NOT_SET_EITHER:-none}\" ] }\n";
    let local = Serving::start(&text).await;
    assert_eq!(local.client().post("/v1/messages", REQUEST).await.status, 200);
    let wide = Serving::with(&text, |options| options.listen = Some("0.0.0.0:0".to_owned())).await;
    assert!(wide.is_err());
}
