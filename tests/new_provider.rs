//! A provider with its own protocol and its own error text, added by YAML alone: the files of the tutorial.

use serde_json::json;

use crate::support::rules::{ask, ask_stream, message, told};
use crate::support::{Folder, Reply, Router, Settings, Upstream, lay_out, tutorial};

async fn router(acme: &Upstream, spare: &Upstream) -> Router {
    let folder = Folder::new();
    tutorial().blocks().iter().for_each(|block| lay_out(block, &folder));
    let urls = [("ACME_URL", acme.url()), ("SPARE_URL", spare.url())];
    let keys = [("ACME_KEY", "acme-key"), ("SPARE_KEY", "spare-key")];
    let settings = Settings::rules(folder.read("rules.yaml"));
    let settings = urls.into_iter().fold(settings, |settings, (name, url)| settings.env(name, url));
    let settings = keys.into_iter().fold(settings, |settings, (name, key)| settings.env(name, key));
    Router::inside(folder, settings).await
}

#[tokio::test]
async fn it_is_asked_and_answers_in_its_own_words() {
    let acme =
        Upstream::always(Reply::json(200, json!({ "words": "Beep beep!", "heard": 4, "spoken": 2 }))).await;
    let spare = Upstream::start().await;
    let router = router(&acme, &spare).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), router.log());
    let body = answer.json();
    assert_eq!(
        (&body["content"][0]["text"], &body["usage"]["output_tokens"]),
        (&json!("Beep beep!"), &json!(2))
    );
    let request = acme.only();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("PUT", "/talk"));
    assert_eq!(request.header("x-acme-pass"), Some("pass acme-key"));
    assert_eq!(request.header("x-acme-edition"), Some("7"));
    let expected =
        json!({ "engine": "roadrunner-2", "most": 64, "said": [{ "by": "coyote", "words": "Hello?" }] });
    assert_eq!(request.json(), expected);
}

#[tokio::test]
async fn it_streams() {
    let acme = Upstream::always(Reply::events([
        r#"{"w":"Beep "}"#,
        r#"{"w":"beep!"}"#,
        r#"{"over":{"heard":4,"spoken":2}}"#,
    ]))
    .await;
    let spare = Upstream::start().await;
    let router = router(&acme, &spare).await;
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    assert_eq!(
        told(&answer.events()),
        ("Beep beep!".to_owned(), true),
        "{}\n{}",
        answer.text(),
        router.log()
    );
}

#[tokio::test]
async fn its_own_error_text_moves_the_request_on() {
    let acme =
        Upstream::always(Reply::json(200, json!({ "oops": "OUT OF DYNAMITE, next delivery at 4102444800" })))
            .await;
    let spare = Upstream::always(message("from the spare one")).await;
    let router = router(&acme, &spare).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!(answer.json()["content"][0]["text"], "from the spare one", "{}", router.log());
    let health = router.client().get("/v1/health").await.json();
    assert_eq!(health["details"]["acme"]["rule"], "out-of-dynamite", "{health}");
}

#[tokio::test]
async fn its_errors_reach_the_client_in_the_clients_protocol() {
    let acme = Upstream::always(Reply::json(400, json!({ "oops": "no such bird", "sort": "bird" }))).await;
    let spare = Upstream::start().await;
    let router = router(&acme, &spare).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    let expected =
        json!({ "type": "error", "error": { "type": "api_error", "message": "acme says: no such bird" } });
    assert_eq!((answer.status, answer.json(), spare.count()), (400, expected, 0));
}
