//! How a template gives up.

/// Why a template gave up: only `$need`, `$fail` and `$parse` without `$else` can.
///
/// It is hardly ever seen, and every result has room for it: so it is no larger than a pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Fail(Box<Reason>);

/// What is to be said of a failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The HTTP status that suits it.
    pub status: u16,
    /// The error's type in the words of the client's protocol, if the rules name one.
    pub kind: Option<String>,
    /// What a person reads.
    pub message: String,
    /// More for programs, as JSON text.
    pub details: Option<Vec<u8>>,
}

impl Fail {
    /// A failure with a status and a message alone.
    pub fn new(status: u16, message: impl Into<String>) -> Fail {
        Fail::from(Reason { status, kind: None, message: message.into(), details: None })
    }
}

impl From<Reason> for Fail {
    fn from(reason: Reason) -> Fail {
        Fail(Box::new(reason))
    }
}

impl std::ops::Deref for Fail {
    type Target = Reason;

    fn deref(&self) -> &Reason {
        &self.0
    }
}
