//! The name that was probably meant.

/// The one of `names` that `word` is probably a slip for.
///
/// A slip is a letter too many, too few, wrong or swapped (the longer the word, the more of them),
/// another case, `-` for `_`, the parts of the name in another order, or only its beginning.
pub fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = Plain::of(word);
    let mut best: Option<(usize, &'a str)> = None;
    for name in names {
        if let Some(cost) = word.cost(&Plain::of(name))
            && best.is_none_or(|(least, _)| cost < least)
        {
            best = Some((cost, name));
        }
    }
    best.map(|(_, name)| name)
}

/// A name without what people get wrong most: case, and which sign parts the words.
struct Plain {
    letters: Vec<char>,
    parts: Vec<String>,
}

/// Longer words are compared no further: the cost grows with the square of the length.
const LONGEST: usize = 64;

impl Plain {
    fn of(name: &str) -> Plain {
        let lower = name.chars().take(LONGEST).collect::<String>().to_lowercase();
        let mut parts: Vec<String> =
            lower.split(['-', '_', ' ', '.']).filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let letters = parts.concat().chars().collect();
        parts.sort_unstable();
        Plain { letters, parts }
    }

    /// How far `name` is from this word, in quarters of a slip; nothing if too far.
    fn cost(&self, name: &Plain) -> Option<usize> {
        let (word, name_length) = (self.letters.len(), name.letters.len());
        if word == 0 || name_length == 0 {
            return None;
        }
        let slips = distance(&self.letters, &name.letters);
        let shorter = word.min(name_length);
        let allowed = match shorter {
            // One wrong letter of two is another word; two swapped ones are a slip.
            1 | 2 => usize::from(word == name_length && same_letters(&self.letters, &name.letters)),
            3..=5 => 1,
            6..=9 => 2,
            _ => 3,
        };
        if slips <= allowed {
            // A wrong first letter is rarer than a wrong later one.
            let first = usize::from(self.letters.first() != name.letters.first());
            return Some(slips * 4 + first);
        }
        if self.parts == name.parts {
            return Some(5);
        }
        let starts = shorter >= 3 && self.letters.iter().zip(&name.letters).all(|(a, b)| a == b);
        starts.then(|| 12 + word.abs_diff(name_length))
    }
}

fn same_letters(a: &[char], b: &[char]) -> bool {
    let sorted = |letters: &[char]| {
        let mut letters = letters.to_vec();
        letters.sort_unstable();
        letters
    };
    sorted(a) == sorted(b)
}

/// Insertions, deletions, replacements and swaps of neighbours between `a` and `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut older: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, &left) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut before = None;
        for (column, &right) in b.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&above, column) + usize::from(left != right))
                .min(at(&above, column + 1) + 1)
                .min(at(&current, column) + 1);
            if previous == Some(right) && before == Some(left) {
                cost = cost.min(at(&older, column.wrapping_sub(1)) + 1);
            }
            current.push(cost);
            before = Some(right);
        }
        previous = Some(left);
        older = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(a.len())
}
