//! How long a whole answer may take, on real sockets and in time that stands still: longer than a stream may be silent,
//! since most providers send nothing before all of it is made.

use std::time::Duration;

use serde_json::json;

use crate::support::rules::{FAILOVER, ask, ask_stream, completion, completion_stream, message};
use crate::support::{Answer, Gate, Reply, Serving, Time, Upstream};

const MINUTE: Duration = Duration::from_secs(60);

/// Two providers, of which the first is like this; a minute of silence is too long for a stream.
fn rules(first: &str, second: &str) -> String {
    format!(
        r#"include: [ "builtin:protocols/*.yaml", "builtin:mappings/*.yaml" ]
timeouts: {{ first_byte: 1m, idle: 1m }}
routes: [ {{ path: /v1/messages, protocol: anthropic.messages }} ]
providers:
  first: {{ {first} }}
  second: {{ speaks: openai.chat, url: "{second}", key: second-key }}
{FAILOVER}"#
    )
}

/// A request to a router whose first provider answers so, and what comes of it after so many minutes.
struct Scene {
    time: Time,
    router: Serving,
    first: Upstream,
    second: Upstream,
}

impl Scene {
    async fn set(provider: &str, reply: Reply) -> Scene {
        let time = Time::hold();
        let first = Upstream::always(reply).await;
        let second = Upstream::always(completion("from second")).await;
        let provider = format!("{provider}, url: \"{}\", key: first-key", first.url());
        let router = Serving::start(&rules(&provider, &second.url())).await;
        Scene { time, router, first, second }
    }

    /// The answer, and who gave it. `then` happens when the minutes have passed.
    async fn answer(
        &self,
        request: serde_json::Value,
        minutes: u32,
        then: impl FnOnce(),
    ) -> (Answer, String) {
        let client = self.router.client();
        // Not `post`: its patience is of the same time.
        let mut wire = client.connect().await;
        wire.write(&client.request("POST", "/v1/messages", request.to_string().as_bytes())).await;
        self.first.request(1).await;
        for _ in 0..minutes {
            self.time.pass(MINUTE).await;
        }
        then();
        let answer = wire.answer(false).await.finish().await;
        let by = answer.header("x-rulegate-provider").unwrap_or_default().to_owned();
        (answer, by)
    }

    /// What the last decision says of the first attempt.
    async fn first_attempt(&self) -> serde_json::Value {
        let page = self.router.client().get("/-/decisions?last=1").await.json();
        page["decisions"][0]["attempts"][0].clone()
    }
}

const NATIVE: &str = "speaks: anthropic.messages";
const MAPPED: &str = "speaks: openai.chat";

/// A reply whose body comes in pieces.
fn pieces() -> Reply {
    Reply::stream().header("content-type", "application/json")
}

fn body(provider: &str) -> serde_json::Value {
    let text = "worth waiting for";
    match provider {
        NATIVE => {
            json!({ "id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "content": [{ "type": "text", "text": text }], "usage": { "input_tokens": 1, "output_tokens": 1 } })
        }
        _ => json!({ "id": "c", "choices": [{ "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": text } }] }),
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_may_take_longer_than_a_stream_may_be_silent() {
    for provider in [NATIVE, MAPPED] {
        let gate = Gate::new();
        let body = body(provider).to_string();
        for (what, reply) in [
            ("nothing before the answer is made", Reply::json(200, &body).after(&gate)),
            ("the head at once", pieces().stall(&gate).body(body.as_bytes())),
            ("white space while it is made", pieces().body(" \n").stall(&gate).body(body.as_bytes())),
            (
                "half of it, and then silence",
                pieces().body(&body.as_bytes()[..9]).stall(&gate).body(&body.as_bytes()[9..]),
            ),
        ] {
            let scene = Scene::set(provider, reply).await;
            let (answer, by) = scene.answer(ask(), 9, || gate.open()).await;
            assert_eq!((answer.status, by.as_str()), (200, "first"), "{what}: {}", answer.text());
            assert_eq!(answer.json()["content"][0]["text"], "worth waiting for", "{what}");
            assert_eq!((scene.first.count(), scene.second.count()), (1, 0), "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_does_not_come_in_its_time_is_the_next_providers() {
    for provider in [NATIVE, MAPPED] {
        let never = Gate::new();
        for reply in [
            message("late").after(&never),
            pieces().stall(&never),
            (0..20).fold(pieces(), |reply, _| reply.body(" \n").pause(MINUTE)),
        ] {
            let scene = Scene::set(provider, reply).await;
            let (answer, by) = scene.answer(ask(), 11, || ()).await;
            assert_eq!((answer.status, by.as_str()), (200, "second"), "{}", answer.text());
            scene.first.only().hung_up().await;
            let attempt = scene.first_attempt().await;
            assert_eq!(
                (&attempt["outcome"], &attempt["rule"]),
                (&json!("whole_timeout"), &json!("silent")),
                "{attempt}"
            );
            assert!(attempt["what"].as_str().unwrap().contains("did not come in time (600 s)"), "{attempt}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn streams_and_errors_have_no_longer_time() {
    let never = Gate::new();
    let forced = "speaks: anthropic.messages, force_stream: true";
    for (what, provider, request, reply) in [
        ("a stream", NATIVE, ask_stream(), Reply::stream().stall(&never)),
        ("a stream that is made whole", forced, ask(), Reply::stream().stall(&never)),
        ("an error without its body", NATIVE, ask(), Reply::status(500).declared_length(10).stall(&never)),
    ] {
        let scene = Scene::set(provider, reply).await;
        if what == "a stream" {
            scene.second.afterwards(completion_stream(&["from second"]));
        }
        let (answer, by) = scene.answer(request, 2, || ()).await;
        assert_eq!((answer.status, by.as_str()), (200, "second"), "{what}: {}", answer.text());
        assert!(answer.text().contains("from second"), "{what}: {}", answer.text());
    }
}
