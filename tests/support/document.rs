//! Documents of the project that tests read: their fenced blocks, and the parts that tests keep current.

use std::ops::Range;
use std::path::PathBuf;

use super::Folder;

/// A document.
pub struct Document {
    path: PathBuf,
    /// Its text.
    pub text: String,
}

/// A fenced block.
pub struct Block {
    /// The words after the opening fence.
    pub info: Vec<String>,
    /// What stands between the fences.
    pub text: String,
    /// Where that stands in the document.
    pub range: Range<usize>,
    /// The line of the opening fence, from 1.
    pub line: usize,
}

impl Block {
    /// The first word after the fence: the language.
    pub fn language(&self) -> &str {
        self.info.first().map_or("", String::as_str)
    }

    /// The second word after the fence.
    pub fn kind(&self) -> &str {
        self.info.get(1).map_or("", String::as_str)
    }
}

impl Document {
    /// A document of the project, by its name below the project's folder.
    pub fn open(name: &str) -> Document {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
        Document { text: std::fs::read_to_string(&path).unwrap(), path }
    }

    /// All fenced blocks.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut at = 0;
        for (number, line) in self.text.split_inclusive('\n').enumerate() {
            let after = at + line.len();
            match (line.strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => {
                    let mut block = open.take().unwrap();
                    block.range.end = at;
                    block.text = self.text[block.range.clone()].to_owned();
                    blocks.push(block);
                }
                (Some(info), None) => {
                    let info = info.split_whitespace().map(str::to_owned).collect();
                    open = Some(Block { info, text: String::new(), range: after..after, line: number + 1 });
                }
                (None, _) => {}
            }
            at = after;
        }
        assert!(open.is_none(), "a fence is not closed");
        blocks
    }

    /// Where the part that is made by a test stands: between `<!-- begin NAME -->` and `<!-- end -->`.
    pub fn part(&self, name: &str) -> Range<usize> {
        let begin = format!("<!-- begin {name} -->\n");
        let start = self.text.find(&begin).unwrap_or_else(|| panic!("no `{begin}`")) + begin.len();
        let end = self.text[start..].find("<!-- end -->").unwrap() + start;
        start..end
    }

    /// Holds places of the document against what should stand there. With `UPDATE_EXPECT` it is written there.
    pub fn expect(&self, mut parts: Vec<(Range<usize>, String)>) {
        parts.sort_by_key(|(range, _)| range.start);
        let mut wanted = self.text.clone();
        for (range, text) in parts.into_iter().rev() {
            wanted.replace_range(range, &text);
        }
        if wanted == self.text {
            return;
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&self.path, wanted).unwrap();
            return;
        }
        let (number, (has, wants)) =
            self.text.lines().zip(wanted.lines()).enumerate().find(|(_, (a, b))| a != b).unwrap();
        panic!(
            "{}:{} is not current (UPDATE_EXPECT=1 writes it)\n  has   {has}\n  wants {wants}",
            self.path.display(),
            number + 1
        );
    }
}

/// The tutorial's document.
pub fn tutorial() -> Document {
    Document::open("docs/tutorial-new-protocol.md")
}

/// Puts a block into the folder if it is one of a file: of YAML at the end of what is there, else in its place.
pub fn lay_out(block: &Block, folder: &Folder) {
    match (block.language(), block.kind()) {
        (_, "") => {}
        ("yaml", name) => {
            let before = std::fs::read_to_string(folder.file(name)).unwrap_or_default();
            let between = if before.is_empty() { "" } else { "\n" };
            folder.write(name, &format!("{before}{between}{}", block.text));
        }
        ("json" | "text", name) => drop(folder.write(name, &block.text)),
        _ => {}
    }
}
