//! Compiles answers in words of the rules' own.

use super::Build;
use crate::config::model;
use crate::engine::actions::Refusal;
use crate::engine::build::compile;
use crate::language::scope::Scope;
use http::StatusCode;

impl Build<'_> {
    /// An error in words of the rules' own, over the names of `scope`.
    pub(super) fn refusal(&mut self, from: &model::Refusal, scope: &Scope) -> Option<Refusal> {
        let retry_after = from.retry_after.as_ref().map(|time| time.value.as_secs());
        Some(Refusal {
            status: StatusCode::from_u16(from.status.value).ok()?,
            message: compile::template(&from.message, scope, self.diags)?,
            kind: from.kind.as_ref().map(|kind| kind.value.clone()),
            retry_after: retry_after.and_then(|seconds| i64::try_from(seconds).ok()),
        })
    }

    /// The same among the engine's refusals: its place.
    pub(super) fn kept_refusal(&mut self, from: &model::Refusal, scope: &Scope) -> Option<usize> {
        let refusal = self.refusal(from, scope)?;
        self.refusals.push(refusal);
        Some(self.refusals.len() - 1)
    }
}
