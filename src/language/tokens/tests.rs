use super::*;
use crate::text::json::Doc;

/// What the document's texts come to.
fn of(json: &serde_json::Value) -> i64 {
    estimate(Doc::parse(json.to_string().into_bytes()).expect("JSON").root())
}

/// Twenty-two kinds of text, as they stand in requests.
fn kinds() -> Vec<(&'static str, String)> {
    // Numbers that only look like chance, so that a failure comes again.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut letters = |of: &str, count: usize| -> String {
        let of: Vec<char> = of.chars().collect();
        (0..count).map(|_| of[usize::try_from(random() % of.len() as u64).expect("small")]).collect()
    };
    let base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let prose = "The router asks the first provider that can answer, and goes on to the next one as soon as a limit is reached. Nobody in the middle of work should have to notice it. ";
    let mut kinds = vec![
        ("base64 that is no picture", letters(base64, 6000)),
        ("hexadecimal digits", letters("0123456789abcdef", 4000)),
        (
            "digits",
            (0..300).map(|_| format!("{}.{} ", letters("123456789", 4), letters("0123456789", 2))).collect(),
        ),
        (
            "CSV",
            (0..200)
                .map(|i| {
                    format!(
                        "{i},2026-11-{},{}.5,Widget {},sent\n",
                        i % 28 + 1,
                        letters("0123456789", 3),
                        i % 7
                    )
                })
                .collect(),
        ),
    ];
    let repeated = [
        ("English", prose),
        ("Chinese", "今天天气很好，我们去公园散步。路由器把每个请求发给第一个能回答的服务商。"),
        (
            "Chinese in old characters",
            "今天天氣很好，我們去公園散步。當額度用完時，路由器會切換到下一個服務商。",
        ),
        ("Japanese", "今日は天気がいいので、公園を散歩しました。ルーターは最初に答えられる所に送ります。"),
        ("Korean", "오늘은 날씨가 좋아서 공원을 산책했습니다. 라우터는 요청을 첫 번째 공급자에게 보냅니다."),
        ("Russian", "Сегодня хорошая погода, и мы пошли гулять в парк. Запрос уходит первому поставщику. "),
        ("Arabic", "الطقس جميل اليوم وذهبنا للمشي في الحديقة. يرسل الموجه كل طلب إلى أول مزود. "),
        ("Hindi", "आज मौसम बहुत अच्छा है और हम पार्क में टहलने गए। हर अनुरोध पहले प्रदाता को जाता है। "),
        (
            "German",
            "Heute ist das Wetter schön, und wir gingen im Park spazieren. Übergrößenträger müssen warten. ",
        ),
        ("Vietnamese", "Hôm nay thời tiết rất đẹp, chúng tôi đi dạo trong công viên gần nhà. "),
        ("paths", "/usr/lib/python3/dist-packages/foo/bar.py:12\n"),
        ("links", "https://www.example.com/articles/2026/11/how-to-use-proxies?page=7&ref=letter#part-3\n"),
        ("JSON", r#"{"id":17,"name":"user","active":true,"tags":["a","b"],"at":"2026-01-07T10:00:00Z"},"#),
        ("JSON with line breaks", "  {\n    \"id\": 17,\n    \"roles\": [\n      \"admin\"\n    ]\n  },\n"),
        (
            "Rust",
            "        let Some(end) = memchr(b'\\n', rest) else {\n            self.line.extend_from_slice(rest);\n            return Ok(());\n        };\n",
        ),
        (
            "minified JavaScript",
            "!function(e,t){for(let i=0;i<e.length;i++)t+=e[i]*2;return\"object\"==typeof t}(n.x,r.y||0);",
        ),
        (
            "HTML",
            "<div class=\"row\"><a href=\"/about\" title=\"About us\">About us</a><p>We make things.</p></div>\n",
        ),
        ("blanks", "                        "),
        ("marks", "================================"),
        ("names in code", "getUserBalance XMLHttpRequest max_completion_tokens ERROR REFUSED "),
        ("emoji", "👍🎉🚀 great job 😀 ✅ done ❌ failed "),
    ];
    kinds.extend(repeated.map(|(name, text)| (name, text.repeat(6000 / text.len() + 1))));
    kinds.push(("English without blanks", prose.replace(' ', "").repeat(20)));
    kinds
}

#[test]
fn it_is_near_a_real_tokenizer_whatever_the_text() {
    let oracle = tiktoken_rs::o200k_base().expect("a tokenizer");
    let wrong: Vec<String> = kinds()
        .into_iter()
        .filter_map(|(name, text)| {
            let real = oracle.encode_ordinary(&text).len();
            let ours = of(&serde_json::json!({ "messages": [{ "content": text }] }));
            let ratio = ours as f64 / real as f64;
            (!(1.0 / 1.5..=1.5).contains(&ratio)).then(|| format!("{name}: {ours} instead of {real}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_picture_counts_as_one_and_a_document_by_its_size() {
    let data = "iVBOR".repeat(100_000);
    let source = |kind: &str| {
        of(&serde_json::json!({ "source": { "type": "base64", "media_type": kind, "data": data } }))
    };
    let url = of(&serde_json::json!({ "image_url": { "url": format!("data:image/png;base64,{data}") } }));
    assert!((1600..1620).contains(&source("image/png")), "{}", source("image/png"));
    assert!((1600..1620).contains(&url), "{url}");
    assert!((7000..9000).contains(&source("application/pdf")), "{}", source("application/pdf"));
    // What is called a text is one, whatever is in it.
    assert!(source("text/plain") > 100_000);
}

#[test]
fn names_count_where_a_model_reads_them() {
    let schema = |names: usize| {
        let properties: serde_json::Map<_, _> = (0..names)
            .map(|at| (format!("a_long_name_{at}"), serde_json::json!({ "type": "string" })))
            .collect();
        of(
            &serde_json::json!({ "tools": [{ "name": "t", "input_schema": { "type": "object", "properties": properties } }] }),
        )
    };
    assert!(schema(20) > schema(0) + 100, "{} {}", schema(20), schema(0));
}
