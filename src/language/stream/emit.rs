//! What leaves a stream program: events, framed.

use super::machine::StreamMachine;
use super::program::{Emit, StreamProgram};
use crate::language::scope::Env;
use crate::language::template::Fail;

/// What stands before an event's data.
pub(super) const DATA: &[u8] = b"data: ";

/// Room for what one event of input usually makes, in bytes.
const USUAL_OUTPUT: usize = 256;

impl StreamMachine {
    /// Writes one event; a template that gives nothing makes none.
    pub(super) fn emit(
        &mut self,
        program: &StreamProgram,
        emit: &Emit,
        env: &mut Env<'_>,
    ) -> Result<(), Fail> {
        let out = &mut self.out;
        if out.capacity() == 0 {
            out.reserve(USUAL_OUTPUT);
        }
        let mark = out.len();
        if program.framing.folds {
            if mark > 0 {
                out.push(b',');
            }
            if !emit.data.write(env, out)? {
                out.truncate(mark);
            }
            return Ok(());
        }
        match (&emit.head, &program.framing.event) {
            (Some(head), _) => out.extend_from_slice(head),
            (None, Some(member)) => {
                // The name is only known from the data.
                let data = emit.data.value(env)?;
                if let Some(name) = data.json().and_then(|node| node.get(member)).and_then(|name| name.str())
                {
                    out.extend_from_slice(&name_line(&name));
                }
                out.extend_from_slice(DATA);
            }
            (None, None) => out.extend_from_slice(DATA),
        }
        let start = out.len();
        if !emit.data.write(env, out)? {
            out.truncate(mark);
            return Ok(());
        }
        // JSON strings hold no bare line ends, so any that are left stand between tokens of input kept as it came.
        let mut at = start;
        while let Some(found) = out.get(at..).and_then(|rest| memchr::memchr2(b'\r', b'\n', rest)) {
            at += found;
            if let Some(byte) = out.get_mut(at) {
                *byte = b' ';
            }
        }
        out.extend_from_slice(b"\n\n");
        Ok(())
    }
}

/// The line that names an event.
pub(super) fn name_line(name: &str) -> Vec<u8> {
    format!("event: {}\n", name.replace(['\r', '\n'], "")).into_bytes()
}
