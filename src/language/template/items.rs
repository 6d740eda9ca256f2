//! The items of a list, or the members of an object, as they are written.

use super::Fail;

/// Writes a list's items with their commas.
pub struct Items<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
}

impl<'o> Items<'o> {
    pub(in crate::language) fn new(out: &'o mut Vec<u8>) -> Items<'o> {
        let start = out.len();
        Items { out, start }
    }

    /// Whether nothing has been written so far.
    pub(in crate::language) fn is_empty(&self) -> bool {
        self.out.len() == self.start
    }

    /// Adds one item; `write` says whether it gave anything.
    pub(in crate::language) fn item(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<bool, Fail>,
    ) -> Result<bool, Fail> {
        let mark = self.out.len();
        if mark > self.start {
            self.out.push(b',');
        }
        let gave = write(self.out)?;
        if !gave {
            self.out.truncate(mark);
        }
        Ok(gave)
    }
}
