//! How an answer came about can be asked for afterwards: `/-/decisions`, `/-/rules`, `/-/metrics`.

use serde_json::{Value, json};

use crate::support::rules::{FAILOVER, ask, ask_stream, message, message_stream};
use crate::support::{Gate, Reply, Serving, Upstream, within};

const SECRETS: [&str; 5] =
    ["canary-key-one", "canary-key-two", "canary-client-key", "canary-prompt", "canary-header"];

struct Scene {
    first: Upstream,
    second: Upstream,
    router: Serving,
}

fn rules(first: &str, second: &str, more: &str) -> String {
    format!(
        r#"include: [ "builtin:protocols/anthropic.messages.yaml" ]
providers:
  first: {{ speaks: anthropic.messages, url: "{first}", key: canary-key-one }}
  second: {{ speaks: anthropic.messages, url: "{second}", key: canary-key-two }}
  keyless: {{ speaks: anthropic.messages, url: "https://three.example", key: "${{NOT_SET_ANYWHERE}}" }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
{FAILOVER}
{more}"#
    )
}

impl Scene {
    async fn set(more: &str) -> Scene {
        let first = Upstream::always(message("from first")).await;
        let second = Upstream::always(message("from second")).await;
        let router = Serving::start(&rules(&first.url(), &second.url(), more)).await;
        Scene { first, second, router }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.router.client().get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// The newest decision, once it says how its stream ended, if that is wanted.
    async fn latest(&self, wants_end: bool) -> Value {
        within("the decision is complete", async {
            loop {
                let mut page = self.get("/-/decisions?last=1").await;
                let latest = page["decisions"][0].take();
                if latest.is_object() && (!wants_end || latest["stream"].is_object()) {
                    return latest;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

#[tokio::test]
async fn a_failover_is_told_step_by_step_under_the_answers_own_id() {
    let scene = Scene::set("").await;
    scene
        .first
        .then(Reply::json(429, json!({ "error": { "message": "slow down" } })).header("retry-after", 60));
    let answer = scene.router.client().post("/v1/messages", ask()).await;
    let id = answer.header("x-rulegate-request").unwrap();
    let told = scene.get(&format!("/-/decisions/{id}")).await;
    assert_eq!((&told["id"], &told["request"]), (&json!(id), &json!("POST /v1/messages")));
    assert_eq!(
        (&told["model"], &told["streaming"], &told["failed"]),
        (&json!("big-model"), &json!(false), &json!(true))
    );
    assert_eq!(told["rules_version"].as_str(), answer.header("x-rulegate-rules-version"));
    assert_eq!(told["candidates"][0], json!({ "provider": "first", "eligible": true, "why_not": [] }));
    assert_eq!(told["candidates"][2]["provider"], "keyless");
    assert!(told["candidates"][2]["why_not"][0]["reason"].as_str().unwrap().contains("NOT_SET_ANYWHERE"));
    let [first, second] = told["attempts"].as_array().unwrap().as_slice() else { panic!("{told:#}") };
    assert_eq!(
        (&first["provider"], &first["outcome"], &first["status"]),
        (&json!("first"), &json!("status"), &json!(429))
    );
    assert_eq!((&first["rule"], &first["action"]), (&json!("limited"), &json!("next")));
    let said: Vec<_> =
        first["rules"].as_array().unwrap().iter().map(|it| (&it["rule"], &it["fired"])).collect();
    assert_eq!(said.last(), Some(&(&json!("limited"), &json!(true))));
    assert_eq!(said[0], (&json!("usage-limit"), &json!(false)));
    assert_eq!(first["cool_downs"][0]["provider"], "first");
    assert_eq!(
        (&second["provider"], &second["outcome"], &second["rules"]),
        (&json!("second"), &json!("answered"), &json!([]))
    );
    assert_eq!(
        (&told["answer"]["status"], &told["answer"]["provider"], &told["answer"]["rule"]),
        (&json!(200), &json!("second"), &json!("limited"))
    );
    let missing = scene.router.client().get("/-/decisions/no-such-id").await;
    assert_eq!(missing.status, 404);
    scene.router.client().post("/v1/messages", ask()).await;
    let later = scene.latest(false).await;
    let why = &later["candidates"][0]["why_not"][0];
    assert!(why["reason"].as_str().unwrap().contains("limited") && why["until"].is_string(), "{later:#}");
}

/// Every key of a page is in the document about it.
fn documented(page: &Value, document: &str) {
    match page {
        Value::Object(fields) => {
            for (name, value) in fields {
                assert!(document.contains(&format!("`{name}`")), "docs/decisions.md does not name {name}");
                documented(value, document);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| documented(item, document)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_names_every_key() {
    let scene = Scene::set("").await;
    scene.first.then(Reply::json(500, "{}")).then(message_stream("whole", 6));
    scene.router.client().post("/v1/messages", ask()).await;
    scene.router.client().post("/v1/messages", ask_stream()).await;
    let document = include_str!("../docs/decisions.md");
    let mut page = scene.get("/-/decisions").await;
    page["decisions"].as_array().unwrap().iter().for_each(|record| documented(record, document));
    page = scene.get("/-/rules").await;
    for rule in page["rules"].as_array_mut().unwrap() {
        rule["providers"] = Value::Null;
        documented(rule, document);
    }
}

#[tokio::test]
async fn what_no_provider_was_asked_says_why() {
    let scene = Scene::set("").await;
    let client = scene.router.client();
    let long = format!("/v1/{}", "x".repeat(3000));
    assert_eq!(client.post(&long, ask()).await.status, 404);
    assert_eq!(client.get("/v1/messages").await.status, 405);
    assert_eq!(client.post("/v1/messages", "{").await.status, 400);
    assert_eq!(client.post("/v1/messages", "").await.status, 400);
    let page = scene.get("/-/decisions").await;
    let why: Vec<_> =
        page["decisions"].as_array().unwrap().iter().map(|it| it["refused"].as_str().unwrap_or("")).collect();
    let parts = ["no body", "no JSON", "GET is not a method of /v1/messages", "there is no /v1/xxx"];
    assert_eq!(why.len(), parts.len(), "{page:#}");
    for (why, part) in why.iter().zip(parts) {
        assert!(why.contains(part) && why.len() < 400, "{part}: {why}");
    }
}

#[tokio::test]
async fn the_newest_come_first_and_can_be_filtered() {
    let scene = Scene::set("").await;
    let client = scene.router.client();
    scene.first.then(Reply::json(418, "{}"));
    client.post("/v1/messages", ask()).await;
    client.post("/v1/messages", ask()).await;
    client.post("/v1/nothing", ask()).await;
    let shown = |page: Value| {
        let all = page["decisions"].as_array().unwrap().clone();
        all.iter().map(|it| it["answer"]["status"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(shown(scene.get("/-/decisions").await), [404, 200, 418]);
    assert_eq!(shown(scene.get("/-/decisions?last=2").await), [404, 200]);
    assert_eq!(shown(scene.get("/-/decisions?rule=mistake").await), [418]);
    assert_eq!(shown(scene.get("/-/decisions?provider=first").await), [200, 418]);
    assert_eq!(shown(scene.get("/-/decisions?provider=second").await), [] as [u64; 0]);
    assert_eq!(shown(scene.get("/-/decisions?failed=false").await), [200]);
    assert_eq!(shown(scene.get("/-/decisions?failed=true&provider=fir%73t").await), [418]);
    for bad in ["last=many", "failed=perhaps", "rul=x"] {
        let answer = client.get(&format!("/-/decisions?{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text());
    }
    assert_eq!(client.post("/-/decisions", "").await.status, 405);
}

#[tokio::test]
async fn how_a_stream_ended_is_told_afterwards() {
    let scene = Scene::set("").await;
    let client = scene.router.client();
    let gate = Gate::new();
    scene
        .first
        .then(message_stream("whole", 6))
        .then(message_stream("partly", 3).cut())
        .then(message_stream("partly", 3).stall(&gate));
    client.post("/v1/messages", ask_stream()).await;
    let whole = scene.latest(true).await;
    assert_eq!(
        (&whole["stream"]["ended"], &whole["failed"]),
        (&json!("complete"), &json!(false)),
        "{whole:#}"
    );
    client.post("/v1/messages", ask_stream()).await;
    let broken = scene.latest(true).await;
    assert_eq!((&broken["stream"]["ended"], &broken["failed"]), (&json!("broken"), &json!(true)));
    assert_eq!(broken["attempts"][0]["action"], "too_late", "{broken:#}");
    client.post("/v1/switch-provider", json!({ "provider": "first" })).await;
    let mut stream = client.stream("/v1/messages", ask_stream()).await;
    stream.until("partly").await;
    let running = scene.latest(false).await;
    assert_eq!((&running["stream"], &running["answer"]["status"]), (&Value::Null, &json!(200)));
    drop(stream);
    assert_eq!(scene.latest(true).await["stream"]["ended"], "client_left");
    let metrics = scene.router.client().get("/-/metrics").await.text();
    for end in ["complete", "broken", "client_left"] {
        let line = format!("rulegate_streams_total{{provider=\"first\",end=\"{end}\"}} 1\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_its_answer_is_nobodys_failure() {
    let scene = Scene::set("").await;
    let gate = Gate::new();
    scene.first.then(message("late").after(&gate));
    let client = scene.router.client();
    let asking = tokio::spawn(async move { client.post("/v1/messages", ask()).await });
    gate.reached().await;
    asking.abort();
    let left = scene.latest(false).await;
    assert!(left["client_left_after_ms"].is_number() && left["answer"].is_null(), "{left:#}");
    assert_eq!((&left["attempts"][0]["outcome"], &left["failed"]), (&json!("client_left"), &json!(false)));
}

#[tokio::test]
async fn no_secret_and_no_prompt_is_in_any_of_it() {
    look_for_secrets("decisions: { errors: false }\n", &SECRETS).await;
    // Where providers' words are kept, they may quote the prompt; keys they show even then not.
    let keys: Vec<&str> = SECRETS.into_iter().filter(|secret| secret.contains("key")).collect();
    assert!(keys.len() > 1);
    look_for_secrets("", &keys).await;
}

async fn look_for_secrets(decisions: &str, secrets: &[&str]) {
    let scene = Scene::set(&format!("access: {{ keys: [ canary-client-key ] }}\n{decisions}")).await;
    let client =
        scene.router.client().with("x-api-key", "canary-client-key").with("anthropic-beta", "canary-header");
    let mut question = ask();
    question["messages"][0]["content"] = json!("canary-prompt");
    question["system"] = json!("canary-prompt");
    let said = "canary-key-one canary-prompt is wrong: canary-header";
    let error = json!({ "type": "error", "error": { "type": "canary-prompt", "message": said } });
    scene
        .first
        .then(Reply::json(400, &error).header("request-id", "canary-header"))
        .then(Reply::json(429, &error))
        .then(message("fine"));
    scene.second.then(Reply::json(500, &error));
    for _ in 0..2 {
        client.post("/v1/messages?canary-prompt=canary-key-one", &question).await;
    }
    let mut stream = question.clone();
    stream["stream"] = json!(true);
    client.post("/v1/switch-provider", json!({ "provider": "first" })).await;
    scene.first.then(message_stream("canary-prompt", 3).event("error", &error));
    client.post("/v1/messages", &stream).await;
    for path in ["/-/decisions", "/-/rules", "/-/metrics"] {
        let text = client.get(path).await.text();
        assert!(text.contains("first"), "{path}: {text}");
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} in {path}: {text}");
        }
    }
}

#[tokio::test]
async fn a_prompt_is_kept_only_where_the_rules_say_so() {
    let scene = Scene::set("decisions: { prompts: true }\n").await;
    scene.router.client().post("/v1/messages", ask()).await;
    assert!(scene.latest(false).await["prompt"].as_str().unwrap().contains("Hello?"));
    let scene = Scene::set("decisions: { keep: 0 }\n").await;
    scene.router.client().post("/v1/messages", ask()).await;
    assert_eq!(scene.get("/-/decisions").await, json!({ "decisions": [] }));
}

#[tokio::test]
async fn only_who_may_administer_may_look() {
    let scene = Scene::set("admin_key: root-key\n").await;
    let client = scene.router.client();
    let admin = client.with("x-admin-key", "root-key");
    for path in ["/-/decisions", "/-/decisions/x", "/-/rules", "/-/metrics"] {
        assert_eq!(client.get(path).await.status, 401, "{path}");
        assert_ne!(admin.get(path).await.status, 401, "{path}");
        assert_eq!(admin.with("origin", "https://evil.example").get(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn what_each_rule_did_is_counted_across_reloads() {
    let scene = Scene::set("").await;
    let client = scene.router.client();
    let bad = || Reply::json(500, "{}");
    let again = json!({ "provider": "first" });
    scene.first.then(bad());
    client.post("/v1/messages", ask()).await;
    client.post("/v1/switch-provider", &again).await;
    scene.first.then(bad());
    scene.second.then(bad());
    client.post("/v1/messages", ask()).await;
    let of = |page: &Value, name: &str| {
        page["rules"].as_array().unwrap().iter().find(|it| it["rule"] == name).cloned().unwrap_or_default()
    };
    let check = |page: &Value, in_force: bool| {
        let broken = of(page, "broken");
        assert_eq!((&broken["fired"], &broken["in_force"]), (&json!(3), &json!(in_force)), "{page:#}");
        assert_eq!(broken["providers"], json!({ "first": 2, "second": 1 }));
        assert_eq!(
            broken["after"],
            json!({
                "answered": 1, "failed": 2, "again": 0, "returned": 0, "otherwise": 0, "left": 0, "probe": 0
            })
        );
        assert!(broken["last"].is_string());
    };
    let page = scene.get("/-/rules").await;
    check(&page, true);
    assert_eq!(page["rules"][0]["rule"], "usage-limit", "in the order in which they are asked");
    assert_eq!((&page["rules"][0]["fired"], &page["rules"][0]["last"]), (&json!(0), &Value::Null));
    let metrics = client.get("/-/metrics").await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let metrics = metrics.text();
    for line in [
        "rulegate_requests_total{route=\"/v1/messages\",provider=\"second\",status=\"200\"} 1",
        "rulegate_requests_total{route=\"/v1/messages\",provider=\"first\",status=\"500\"} 1",
        "rulegate_attempts_total{provider=\"first\",outcome=\"status\",status=\"500\"} 2",
        "rulegate_attempts_total{provider=\"second\",outcome=\"answered\",status=\"200\"} 1",
        "rulegate_failovers_total{rule=\"broken\",from=\"first\",to=\"second\"} 2",
        "rulegate_cool_downs_total{rule=\"broken\",provider=\"first\"} 2",
        "rulegate_rule_fired_total{rule=\"broken\",provider=\"first\"} 2",
        "rulegate_exhausted_total{route=\"/v1/messages\"} 1",
        "rulegate_provider_usable{provider=\"first\"} 0",
        "rulegate_provider_usable{provider=\"keyless\"} 0",
        "rulegate_last_reload_ok 1",
        "rulegate_requests_running 0",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
    let text = scene.router.folder.read("rules.yaml");
    scene.router.folder.write("rules.yaml", &text.replace("name: broken", "name: renamed"));
    scene.router.running.reload().await.unwrap();
    let page = scene.get("/-/rules").await;
    check(&page, false);
    assert_eq!(of(&page, "renamed")["fired"], 0);
    scene.router.folder.write("rules.yaml", "providers: {");
    scene.router.running.reload().await.unwrap();
    assert!(client.get("/-/metrics").await.text().contains("rulegate_last_reload_ok 0\n"));
}

/// What any scraper has to be able to read: comments in pairs before their samples, and samples of one shape.
#[tokio::test]
async fn the_metrics_are_in_the_text_format() {
    let scene = Scene::set("").await;
    scene.router.client().post("/v1/messages", ask()).await;
    let text = scene.router.client().get("/-/metrics").await.text();
    let sample = regex::Regex::new(
        r#"^([a-z_]+)(\{[a-z_]+="([^"\\]|\\.)*"(,[a-z_]+="([^"\\]|\\.)*")*\})? \d+(\.\d+)?$"#,
    )
    .unwrap();
    let mut family = String::new();
    let mut seen = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap().to_owned();
            assert!(!seen.contains(&family), "{family} twice");
            seen.push(family.clone());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert_eq!(rest.split(' ').next(), Some(family.as_str()));
        } else {
            let name = sample.captures(line).unwrap_or_else(|| panic!("{line}"))[1].to_owned();
            assert_eq!(name, family, "{line}");
        }
    }
    assert!(text.ends_with('\n') && seen.len() > 10);
}
