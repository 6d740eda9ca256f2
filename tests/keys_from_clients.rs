//! Keys that the rules know and that a client sends where none belongs: the router shows them nowhere.

use serde_json::json;

use crate::support::rules::{BASE, ask, message};
use crate::support::{Client, Folder, Reply, Router, Settings, Upstream};

const PROVIDERS: &str = "sk-prov-Zk9qLw7Rt2XbV5mN8cPd4s";
const CLIENTS: &str = "team-a_x7QpLm29TzRw";
const ADMINS: &str = "admin-only-words-here";
/// Known by its digest alone.
const DIGESTED: &str = "team-b-8sJd72kfLqPz01";

/// Two providers, of which the first is out of sorts with each model by itself.
fn rules(first: &str, second: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest: String = Sha256::digest(DIGESTED).iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        r#"{BASE}  - {{ path: /v1/messages/count_tokens, protocol: anthropic.count_tokens, refuse: {{ status: 403, message: "not {{$model}} {{$request.metadata}}" }} }}
access: {{ keys: [ "{CLIENTS}", "sha256:{digest}" ] }}
admin_key: {ADMINS}
decisions: {{ prompts: true }}
providers:
  first: {{ speaks: anthropic.messages, url: "{first}", key: {PROVIDERS} }}
  lm-studio: {{ speaks: anthropic.messages, url: "{second}", key: lm-studio }}
failover:
  - {{ name: limited, when: {{ status: 429 }}, do: next, cool_down: {{ for: 1h, scope: provider_and_model }} }}
"#
    )
}

/// How a key may be written: as it is, as in an address, and in capitals.
fn written(key: &str) -> [String; 3] {
    let encoded: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
    [key.to_owned(), encoded, key.to_uppercase()]
}

/// Sends this word everywhere where a client can send one.
async fn send_everywhere(client: &Client, word: &str) {
    let plain = |word: &str| word.chars().all(|sign| sign.is_ascii_alphanumeric() || "-_".contains(sign));
    let mut body = ask();
    body["model"] = json!(word);
    body["metadata"] = json!({ word: word });
    body[word] = json!({ word: [word] });
    for path in ["/v1/messages", "/v1/messages/count_tokens", "/v1/nothing-here"] {
        client.post(path, &body).await;
        client.post(&format!("{path}?key={word}&{word}"), &body).await;
        client.post(&format!("{path}/{word}"), &body).await;
        client.post(path, word).await;
    }
    for header in [
        "content-encoding",
        "content-type",
        "anthropic-version",
        "accept",
        "user-agent",
        "origin",
        "x-request-id",
    ] {
        client.with(header, word).post("/v1/messages", &body).await;
    }
    if plain(word) {
        client.send(word, "/v1/messages", b"").await;
        client.with(word, word).post("/v1/messages", &body).await;
    }
    for path in [
        format!("/-/{word}"),
        format!("/-/decisions/{word}"),
        format!("/-/providers/{word}/clear"),
        format!("/-/decisions?{word}=1"),
    ] {
        client.get(&path).await;
        client.post(&path, json!({ word: word })).await;
    }
    client.post("/v1/switch-provider", json!({ "provider": word, "for": word })).await;
}

#[tokio::test]
async fn a_known_key_that_a_client_sends_is_shown_nowhere() {
    let limit = json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "no more" } });
    let (first, second) =
        (Upstream::always(Reply::json(429, limit)).await, Upstream::always(message("well")).await);
    let settings = Settings::rules(rules(&first.url(), &second.url())).env("RULEGATE_LOG", "trace");
    let router = Router::with(settings).await;
    let known = router.client().with("x-api-key", CLIENTS).with("x-admin-key", ADMINS);
    let mut said = Vec::new();
    for key in [PROVIDERS, CLIENTS, ADMINS, DIGESTED] {
        for word in written(key) {
            // A digest tells nothing of other ways to write a key.
            if key != DIGESTED || word == key {
                send_everywhere(&known, &word).await;
                send_everywhere(&router.client(), &word).await;
                said.push(word);
            }
        }
    }
    // Those that were asked by it have saved what is known.
    let switched = known.post("/v1/switch-provider", json!({ "provider": "lm-studio" })).await.json();
    assert_eq!(switched["saved"], true, "{switched}");
    let mut shown = vec![("the log", router.log())];
    for page in ["/v1/health", "/-/decisions?last=1000", "/-/rules", "/-/metrics", "/-/config"] {
        shown.push((page, known.get(page).await.text()));
    }
    shown.push(("the state", router.folder.read("rules.state.json")));
    let folder = Folder::new();
    let explained = crate::support::program(folder.path())
        .args(["explain", "--list", "--url", &router.url()])
        .env("RULEGATE_KEY", CLIENTS)
        .env("RULEGATE_ADMIN_KEY", ADMINS)
        .output()
        .unwrap();
    shown.push(("explain", String::from_utf8_lossy(&explained.stdout).into_owned()));
    for (place, text) in &shown {
        for word in &said {
            let at = text.find(word.as_str());
            assert!(at.is_none(), "{place}: {word} in {:?}", at.map(|at| &text[at.saturating_sub(200)..at]));
        }
        assert!(
            text.contains("[key]") || ["/-/rules", "/-/config", "explain"].contains(place),
            "{place}: {text}"
        );
    }
    // A key that is a word of the rules stays readable, and so does each page.
    let health: serde_json::Value = serde_json::from_str(&shown[1].1).unwrap();
    assert_eq!(health["current_provider"], "lm-studio", "{health}");
    let decisions: serde_json::Value = serde_json::from_str(&shown[2].1).unwrap();
    assert!(decisions["decisions"].as_array().unwrap().len() > 20);
}
