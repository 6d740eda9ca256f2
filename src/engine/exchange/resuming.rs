//! A stream that breaks off where another provider can go on, and one that goes on.

use super::seam::{Cut, Seam};
use super::{Body, Exchange, Job};
use crate::engine::failure::Failure;
use bytes::Bytes;

impl Exchange {
    /// What is ready for the client. Empty if nothing is.
    pub fn take_output(&mut self) -> Bytes {
        if let (true, Body::Translating(machine)) = (self.committed, &mut self.body) {
            machine.take_output(&mut self.output);
        }
        if self.committed && self.seam.is_some() {
            self.follow();
            return std::mem::take(&mut self.ready).into();
        }
        std::mem::take(&mut self.output).into()
    }

    /// An exchange whose stream goes on where another one broke off.
    pub fn resuming(job: Job, seam: Seam) -> Exchange {
        Exchange { seam: Some(Box::new(seam)), ..Exchange::new(job) }
    }

    /// After the commit: what broke the stream where another provider can go on. (Take the output first.) The client
    /// knows nothing of it yet: either somebody goes on, or [`Exchange::give_up`] tells it.
    pub fn cut(&self) -> Option<&Failure> {
        self.cut.as_ref().map(|cut| &cut.failure)
    }

    /// What the client has read, for whoever goes on.
    pub fn seam(&self) -> Option<&Seam> {
        self.seam.as_deref()
    }

    /// Nobody goes on: the client is told.
    pub fn give_up(&mut self) {
        let Some(cut) = self.cut.take() else { return };
        self.output = std::mem::take(&mut self.ready);
        self.output.extend_from_slice(&cut.event);
        self.seam = None;
        self.failure = Some(cut.failure);
        self.finished = true;
    }

    /// Puts a comment in front of all that the client is still to get. Clients skip comments.
    pub fn remark(&mut self, text: &str) {
        let mut ready = format!(": {}\n\n", text.replace(['\r', '\n'], " ")).into_bytes();
        ready.append(&mut self.ready);
        self.ready = ready;
    }

    /// What of the output is ready for the client, having gone through the seam.
    pub(super) fn follow(&mut self) {
        if let Body::Translating(machine) = &mut self.body {
            machine.take_output(&mut self.output);
        }
        let Some(seam) = &mut self.seam else { return };
        let made = std::mem::take(&mut self.output);
        if made.is_empty() || self.cut.is_some() {
            return;
        }
        if let Some(mut cut) = seam.pass(&made, &mut self.ready) {
            cut.failure = cut.failure.in_phase(self.phase);
            self.cut = Some(Box::new(cut));
            self.body = Body::Over;
            // Whatever came after the error is of no use.
            self.failure = None;
            self.finished = false;
        }
    }

    /// The client's stream broke. False if nobody could go on from here.
    pub(super) fn breaks_off(&mut self, failure: &Failure, event: Vec<u8>) -> bool {
        self.follow();
        let Some(seam) = &self.seam else { return false };
        if self.cut.is_none() && seam.may_go_on() {
            self.cut = Some(Box::new(Cut { failure: failure.clone(), event }));
        }
        if self.cut.is_none() {
            // What follows is the router's own, and as it is.
            self.output = std::mem::take(&mut self.ready);
            self.seam = None;
        }
        self.cut.is_some()
    }
}
