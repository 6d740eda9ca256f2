//! Limit notices that come as answers: status 200, and for content one sentence that says "not now".

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, Input};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// An answer with more characters than this is no notice.
pub const LONGEST: usize = 300;

/// That, for people.
pub const TOO_LONG: &str = "the answer has more than 300 characters";

/// Nor is a whole answer with more bytes than this, whatever stands around its words.
pub const LARGEST: usize = 64 * 1024;

/// The patterns of all rules that look at the words of an answer. Each has to match where the words begin, so that
/// mostly the first letter tells that an answer is none of these, and no stream is held back for long.
pub struct Notices {
    automaton: DFA,
    /// What has been found out of the automaton, for whoever reads next.
    caches: Caches,
}

type Caches = Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>>;

impl Notices {
    /// These patterns; `None` if there are none.
    pub fn new(patterns: &[&str]) -> Option<Notices> {
        let config = DFA::config().unicode_word_boundary(true);
        let automaton = DFA::builder().configure(config).build_many(patterns).ok();
        automaton.filter(|_| !patterns.is_empty()).map(|automaton| {
            let made = automaton.clone();
            Notices { automaton, caches: Pool::new(Box::new(move || made.create_cache())) }
        })
    }

    /// Whether words that begin like this may be a notice.
    pub fn may_begin(&self, words: &str) -> bool {
        let cache = &mut *self.caches.get();
        let input = Input::new(words).anchored(Anchored::Yes);
        let Ok(mut state) = self.automaton.start_state_forward(cache, &input) else {
            return true;
        };
        for byte in words.bytes() {
            match self.automaton.next_state(cache, state, byte) {
                Ok(next) if next.is_dead() => return false,
                // A pattern has matched; whether the answer is short enough is to be seen.
                Ok(next) if next.is_match() || next.is_quit() => return true,
                Ok(next) => state = next,
                Err(_) => return true,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Notices;

    #[test]
    fn mostly_the_first_letter_tells() {
        let notices =
            Notices::new(&["^(?:(?i)you.ve hit your limit)", r"^(?:\d+-hour limit reached\b)"]).unwrap();
        let table = [
            ("", true),
            ("Y", true),
            ("YOU’ve hit", true),
            ("You've hit your limit · resets 8pm", true),
            ("5", true),
            ("5-hour limit reached, and more", true),
            ("H", false),
            ("You are", false),
            ("The text: You've hit your limit", false),
        ];
        for (words, may) in table {
            assert_eq!(notices.may_begin(words), may, "{words}");
        }
        assert!(Notices::new(&[]).is_none());
    }
}
