//! What providers say of their limits, in which shapes, and what it means.

use serde_json::{Value, json};

pub const SECOND: i64 = 1000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// How long a provider is left alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pause {
    /// Seconds, or none before it has happened more than once.
    Short,
    /// About an hour: money, or a window of some hours.
    Hour,
    /// Until the next day, more or less.
    UntilNextDay,
    /// A week's or a month's limit.
    Days,
}

impl Pause {
    /// Whether a pause, in milliseconds, is of this size.
    pub fn fits(self, pause: Option<i64>) -> bool {
        let pause = pause.unwrap_or(0);
        match self {
            Pause::Short => pause <= 2 * MINUTE,
            Pause::Hour => (30 * MINUTE..=6 * HOUR).contains(&pause),
            Pause::UntilNextDay => (HOUR..=DAY).contains(&pause),
            Pause::Days => (12 * HOUR..=31 * DAY).contains(&pause),
        }
    }
}

/// What providers say, and what it means.
pub const SAID: [(&str, Pause); 35] = [
    ("usage limit reached", Pause::Hour),
    ("Usage limit exceeded", Pause::Hour),
    ("You've reached your usage limit", Pause::Hour),
    ("You have hit your 5-hour limit.", Pause::Hour),
    ("quota exceeded", Pause::Hour),
    ("Quota exhausted for this account", Pause::Hour),
    ("You exceeded your current quota, please check your plan and billing details.", Pause::Hour),
    ("insufficient balance", Pause::Hour),
    ("Insufficient credits. Add more at https://example.com/credits", Pause::Hour),
    ("Your credit balance is too low to access the API", Pause::Hour),
    ("insufficient_quota", Pause::Hour),
    ("用量已达上限", Pause::Hour),
    ("额度不足", Pause::Hour),
    ("账户余额不足，请充值", Pause::Hour),
    ("Daily limit reached", Pause::UntilNextDay),
    ("You have reached your daily request limit.", Pause::UntilNextDay),
    ("Daily quota exceeded", Pause::UntilNextDay),
    ("You have used all of today's free usage.", Pause::UntilNextDay),
    ("今日额度已用完", Pause::UntilNextDay),
    ("Monthly limit reached", Pause::Days),
    ("Weekly/Monthly Limit Exhausted.", Pause::Days),
    ("You have reached your monthly spend limit.", Pause::Days),
    ("Weekly usage limit exceeded", Pause::Days),
    ("本月额度已用尽", Pause::Days),
    ("Rate limit exceeded", Pause::Short),
    ("Rate limit reached for requests", Pause::Short),
    ("You are being rate limited.", Pause::Short),
    ("Too many requests", Pause::Short),
    ("Too many concurrent requests for this key", Pause::Short),
    ("请求频率过高", Pause::Short),
    ("您的账户已达到速率限制，请您控制请求频率", Pause::Short),
    ("Our servers are currently overloaded. Please try again later.", Pause::Short),
    ("The model is at capacity right now", Pause::Short),
    ("We are experiencing high demand for this model.", Pause::Short),
    ("服务器繁忙，请稍后再试", Pause::Short),
];

/// The shapes in which it is said.
pub fn shapes(said: &str) -> Vec<String> {
    let nested = json!({ "error": { "message": said, "type": "upstream_error" } }).to_string();
    let all: [Value; 9] = [
        json!({ "error": { "message": said, "type": null, "param": null, "code": null } }),
        json!({ "type": "error", "error": { "type": "invalid_request_error", "message": said }, "request_id": "req_1" }),
        json!({ "error": { "message": said, "type": "rate_limit_error" } }),
        json!({ "error": { "message": nested, "type": "invalid_request_error" } }),
        json!({ "error": said }),
        json!({ "code": "1", "message": said }),
        json!({ "detail": said }),
        json!({ "errors": [{ "message": said }] }),
        json!([{ "error": { "message": said, "status": "X" } }]),
    ];
    let page =
        format!("<!DOCTYPE html><html><head><title>{said}</title></head><body><p>{said}</p></body></html>");
    all.iter().map(Value::to_string).chain([said.to_owned(), page]).collect()
}

/// A status, headers, a body and a pause in milliseconds.
pub type Stated = (u16, Vec<(&'static str, &'static str)>, Value, i64);

/// Answers of a provider that state when it is back: a status, headers, a body, and the pause that this means, seen at
/// 2026-09-11 14:45:20 UTC.
pub fn stated() -> Vec<Stated> {
    let says = |message: &str| json!({ "error": { "message": message, "type": "rate_limit_error" } });
    let bare = || says("Rate limit exceeded");
    let capacity = "You have exhausted your capacity on this model. Your quota will reset after 27h41m36s.";
    vec![
        (
            429,
            vec![],
            says("Your limit will reset at 2026-09-12 00:35:41"),
            9 * HOUR + 50 * MINUTE + 21 * SECOND,
        ),
        (
            400,
            vec![],
            says("Weekly/Monthly Limit Exhausted. Your limit will reset at 2026-09-19 03:30:06"),
            7 * DAY + 12 * HOUR + 44 * MINUTE + 46 * SECOND,
        ),
        (
            402,
            vec![],
            says("Free quota used (30 requests / 5h). Resets at 10:00 UTC. Top up for unlimited access."),
            19 * HOUR + 14 * MINUTE + 40 * SECOND,
        ),
        (
            403,
            vec![],
            says("You have used all of today's free usage. Come back in 3h 47m."),
            3 * HOUR + 47 * MINUTE,
        ),
        (
            429,
            vec![],
            says("You have used all of today's requests. Come back in 3h 47m — resets at midnight Pacific."),
            3 * HOUR + 47 * MINUTE,
        ),
        (
            429,
            vec![],
            says("Usage limit reached, try again at Sep 12, 2026, 7:38 AM"),
            16 * HOUR + 52 * MINUTE + 40 * SECOND,
        ),
        (429, vec![], says("Usage limit reached. Try again in about 3 hours"), 3 * HOUR),
        (429, vec![], says("Plan limit reached, available again in 2 weeks"), 14 * DAY),
        (429, vec![], says("Quota exceeded, retry after PT1H30M"), 90 * MINUTE),
        (
            400,
            vec![],
            says("Monthly limit reached. Resets on 2026-10-01."),
            19 * DAY + 9 * HOUR + 14 * MINUTE + 40 * SECOND,
        ),
        (
            400,
            vec![],
            says("Limit reached for tokens per day (TPD): Rate limit reached, try again in 5m2.5s"),
            5 * MINUTE + 2500,
        ),
        (
            429,
            vec![],
            json!({ "error": { "code": 429, "message": capacity, "details": [{ "metadata": { "quotaResetDelay": "99696.5s" } }] } }),
            99_696_500,
        ),
        (
            429,
            vec![],
            json!({ "error": { "code": 429, "message": "x", "details": [{ "retryDelay": "34.4s" }] } }),
            34_400,
        ),
        (
            429,
            vec![],
            json!({ "error": { "type": "usage_limit_reached", "message": "The usage limit has been reached", "resets_at": 1_789_145_120 } }),
            2 * HOUR,
        ),
        (
            429,
            vec![],
            json!({ "error": { "type": "usage_limit_reached", "message": "x", "resets_in_seconds": 7200 } }),
            2 * HOUR,
        ),
        (
            400,
            vec![],
            json!({ "error": { "message": "quota exceeded", "metadata": { "reset_at": "2026-09-11T16:45:20Z" } } }),
            2 * HOUR,
        ),
        (
            429,
            vec![],
            json!({ "error": { "message": "x", "metadata": { "headers": { "X-RateLimit-Reset": "1789145120000" } } } }),
            2 * HOUR,
        ),
        (429, vec![], json!({ "error": { "message": "x", "retry_after_ms": 1500 } }), 1500),
        (429, vec![("retry-after", "60")], bare(), MINUTE),
        (429, vec![("retry-after", "Fri, 11 Sep 2026 15:45:20 GMT")], bare(), HOUR),
        (429, vec![("retry-after-ms", "2500")], bare(), 2500),
        (429, vec![("x-ratelimit-reset", "1789141520")], bare(), HOUR),
        (429, vec![("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "1789141520")], bare(), 30 * SECOND),
        (
            429,
            vec![("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "6m0s")],
            bare(),
            6 * MINUTE,
        ),
        (
            429,
            vec![("x-ratelimit-remaining-requests", "7"), ("x-ratelimit-reset-requests", "6m0s")],
            bare(),
            30 * SECOND,
        ),
        // The drafts of the IETF, old and new.
        (429, vec![("ratelimit-reset", "45")], bare(), 45 * SECOND),
        (429, vec![("ratelimit-remaining", "0"), ("ratelimit-reset", "45")], bare(), 45 * SECOND),
        (429, vec![("ratelimit-remaining", "3"), ("ratelimit-reset", "3600")], bare(), 30 * SECOND),
        (429, vec![("ratelimit", "limit=100, remaining=0, reset=90")], bare(), 90 * SECOND),
        (429, vec![("ratelimit", "limit=100, remaining=10, reset=90")], bare(), 30 * SECOND),
        (429, vec![("ratelimit", "\"default\";r=0;t=90")], bare(), 90 * SECOND),
        (
            400,
            vec![("ratelimit", "\"default\"; r=0; pk=:cHNjCg==:; t=90")],
            says("quota exceeded"),
            90 * SECOND,
        ),
        (429, vec![("ratelimit", "default;t=90;r=0")], bare(), 90 * SECOND),
        (429, vec![("ratelimit", "\"default\";r=5;t=3600")], bare(), 30 * SECOND),
        (429, vec![("ratelimit", "\"default\";r=0")], bare(), 30 * SECOND),
        // Of several limits those count of which nothing remains, and of these the one that lasts longest.
        (429, vec![("ratelimit", "\"minute\";r=0;t=40, \"day\";r=20;t=40000")], bare(), 40 * SECOND),
        (429, vec![("ratelimit", "\"minute\";r=0;t=40, \"day\";r=0;t=40000")], bare(), 40_000 * SECOND),
        (429, vec![("ratelimit", "\"day\";r=0;t=40000, \"minute\";r=0;t=40")], bare(), 40_000 * SECOND),
        (
            429,
            vec![("ratelimit-policy", "\"day\";q=100;w=86400"), ("ratelimit", "\"day\";r=0;t=3600")],
            bare(),
            HOUR,
        ),
        (429, vec![("ratelimit", "\"default\";r=0;t=90"), ("retry-after", "120")], bare(), 2 * MINUTE),
        (
            429,
            vec![
                ("anthropic-ratelimit-requests-remaining", "0"),
                ("anthropic-ratelimit-requests-reset", "2026-09-11T14:46:20Z"),
            ],
            bare(),
            MINUTE,
        ),
        (
            429,
            vec![
                ("anthropic-ratelimit-output-tokens-remaining", "0"),
                ("anthropic-ratelimit-output-tokens-reset", "2026-09-11T14:46:20Z"),
            ],
            bare(),
            MINUTE,
        ),
    ]
}

/// Mistakes of a client, some of which quote or speak of limits.
pub const MISTAKES: [&str; 28] = [
    "prompt is too long: 210000 tokens > 200000 maximum",
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 210000 tokens.",
    "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000",
    "You exceeded the token limit of the context: 210000 tokens",
    "messages.0.content: rate limit exceeded is no content",
    "messages.3.content.0.text: usage limit reached",
    "tools.0.custom.input_schema: JSON schema is invalid",
    "messages[2].content[0]: quota exceeded is not a valid type",
    "Invalid 'tools[0].function.name': 'daily limit reached' does not match pattern",
    "Invalid schema for function \"check_rate_limit\": quota exceeded",
    "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `rate limit exceeded`",
    "The text \"insufficient balance\" cannot be used as a role",
    "Unsupported parameter: rate_limit",
    "Unknown parameter: 'quota_exceeded'",
    "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens",
    "The response was filtered due to the prompt triggering our content management policy. The rate limit was not reached.",
    "Your request was flagged: usage limit reached is no topic for us",
    "Output blocked by content filtering policy",
    "temperature: range: 0..1",
    "image exceeds 5 MB maximum: 7340032 bytes > 5242880 bytes",
    "Request body is too large, the size limit is exceeded",
    "tool_choice is not supported at capacity",
    "thinking.budget_tokens: exceeded the limit",
    "Expected a string with maximum length 64, but got a string of length 90 instead",
    "`tool_use` ids were found without `tool_result` blocks immediately after",
    "all messages must have non-empty content",
    "system: text content blocks cannot set cache_control for more than 4 blocks, limit reached",
    "Invalid value: 'overloaded'. Supported values are: 'system', 'user'",
];

/// Answers that are none, and how long their provider is left alone.
pub const NOTICES: [(&str, Pause); 26] = [
    ("Claude AI usage limit reached|1789145120", Pause::Hour),
    ("Usage limit reached", Pause::Hour),
    ("Usage limit exceeded.", Pause::Hour),
    ("Error: usage limit reached. Please try again later.", Pause::Hour),
    ("⚠️ Usage limit reached. Upgrade your plan to continue.", Pause::Hour),
    ("You've hit your limit · resets 6pm (UTC)", Pause::Hour),
    ("You have reached your usage limit. Please wait.", Pause::Hour),
    ("5-hour limit reached ∙ resets 6pm UTC", Pause::Hour),
    ("Claude usage limit reached. Your limit will reset at 5pm UTC.", Pause::Hour),
    ("Quota exceeded", Pause::Hour),
    ("Insufficient balance", Pause::Hour),
    (
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.",
        Pause::Hour,
    ),
    ("用量已达上限，请稍后再试", Pause::Hour),
    ("额度不足", Pause::Hour),
    ("Daily limit reached", Pause::UntilNextDay),
    ("Daily request quota exceeded. Please come back tomorrow.", Pause::UntilNextDay),
    ("You've reached your daily usage limit.", Pause::UntilNextDay),
    ("今日额度已用完，请明天再试", Pause::UntilNextDay),
    ("Monthly limit reached", Pause::Days),
    ("Weekly limit reached. Resets Monday at 9am", Pause::Days),
    ("You have exceeded your monthly spend limit. Upgrade to go on.", Pause::Days),
    ("Rate limit exceeded", Pause::Short),
    ("Too many requests. Please try again in 20 seconds.", Pause::Short),
    ("请求频率过高，请稍后重试", Pause::Short),
    ("Our servers are currently overloaded. Please try again later.", Pause::Short),
    ("The model is at capacity, please try again later", Pause::Short),
];

/// Answers that speak of limits, and of other things that notices begin with.
pub const ANSWERS: [&str; 20] = [
    "The rate limit exceeded error means that you have sent too many requests.",
    "Rate limit exceeded: this error means that you have sent too much.",
    "Rate limit exceeded is what the server says when you send too much.",
    "Usage limit reached? That depends on your plan.",
    "Usage limit reached\n\n- the first cause\n- the second cause",
    "You have reached your destination.",
    "You've hit your limit switch with the print head; check the endstop.",
    "You have exceeded your limit of patience, said the king, and left.",
    "Your limit is 5.",
    "Daily limits reached an all-time high in fishing, according to the report.",
    "Too many requests have been made in this loop; move the call out of it.",
    "Insufficient balance is checked in line 12 before the transfer.",
    "The model is at capacity when all 12 slots are in use.",
    "Quota exceeded errors are counted by the metric `quota_errors`.",
    "Monthly limit reached = balance >= limit",
    "The server is busy waiting on the lock; use a condition variable instead.",
    "429",
    "Error: the file was not found.",
    "Sorry, I cannot do that.",
    "额度不足的错误表示账户里没有钱了。",
];
