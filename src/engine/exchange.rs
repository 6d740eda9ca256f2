//! One attempt's answer, read as it arrives and turned into the client's protocol. No I/O: bytes in, bytes out.

use super::failure::{Failure, Phase};
use super::plan::Outcome;
use bytes::Bytes;
use http::HeaderMap;

/// What the edge does after giving the exchange something.
#[derive(Debug)]
pub enum Progress {
    /// Feed more.
    More,
    /// The answer can begin: observe `Outcome::Streaming` with this exchange. Go on feeding only once the plan
    /// has answered with it.
    Commit,
    /// The attempt is over: observe this.
    Done(Outcome),
}

/// The reader and translator of one answer.
#[derive(Debug, Default)]
pub struct Exchange {
    phase: Phase,
}

impl Exchange {
    /// The response's head has arrived.
    pub fn head(&mut self, status: u16, headers: &HeaderMap) -> Progress {
        let _ = (status, headers);
        Progress::More
    }

    /// Bytes of the body have arrived. After the commit: always [`Progress::More`]; see [`Exchange::take_output`].
    pub fn feed(&mut self, bytes: &[u8]) -> Progress {
        let _ = bytes;
        Progress::More
    }

    /// The body has ended in good order.
    pub fn eof(&mut self) -> Progress {
        Progress::More
    }

    /// The attempt broke: no connection, a reset, a timer that ran out.
    pub fn broke(&mut self, failure: Failure) -> Progress {
        Progress::Done(Outcome::Failed(failure))
    }

    /// What is ready for the client. Empty if nothing is.
    pub fn take_output(&mut self) -> Bytes {
        Bytes::new()
    }

    /// After the commit: is the client's answer complete? (Take the output first.) What the provider may still
    /// send is of no use then.
    pub fn finished(&self) -> bool {
        true
    }

    /// After the commit: what broke the stream, if something did.
    pub fn failure(&self) -> Option<&Failure> {
        None
    }

    /// How far the answer has come: which timer runs.
    pub fn phase(&self) -> Phase {
        self.phase
    }
}
