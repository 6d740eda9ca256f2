//! A document without some of its values: text and tape are cut, and nothing is read again.

use std::ops::Range;
use std::sync::Arc;

use super::parse::Node;
use super::{Doc, Inner, Json, JsonKind};

/// What is left out of a document.
#[derive(Debug, Default)]
pub struct Cuts {
    /// In order, and apart from one another.
    runs: Vec<Run>,
    /// The containers that lose something, in the order of the tape, and how many values each loses.
    losses: Vec<(u32, u32)>,
}

/// Neighbours that go, with one comma.
#[derive(Debug)]
struct Run {
    text: Range<u32>,
    /// Their entries on the tape, keys included.
    tape: Range<u32>,
    /// How many bytes and entries go up to the end of this run.
    total: (u32, u32),
}

impl Doc {
    /// What goes if these values go, which are of this document. The root stays, whatever is said.
    pub fn cuts(&self, gone: &[Json<'_>]) -> Cuts {
        let mut gone: Vec<u32> = gone.iter().map(|json| json.index()).filter(|index| *index > 0).collect();
        gone.sort_unstable();
        let mut cuts = Cuts::default();
        if !gone.is_empty() {
            cuts.find(self, 0, &gone);
        }
        cuts
    }

    /// The document's text without what is cut, every other byte as it was.
    pub fn text_without(&self, cuts: &Cuts) -> String {
        let text = self.text();
        let mut out = String::with_capacity(text.len() - cuts.before(u32::MAX).0 as usize);
        let mut at = 0;
        for run in &cuts.runs {
            out.push_str(text.get(at..run.text.start as usize).unwrap_or_default());
            at = run.text.end as usize;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    }

    /// The document without what is cut. The traces of that stay: they say no more than what may be there.
    pub fn without(&self, cuts: &Cuts) -> Doc {
        let (text, nodes) = (self.text_without(cuts).into(), cuts.tape(self.nodes()));
        Doc { inner: Arc::new(Inner { text, nodes: nodes.into(), traces: *self.traces() }) }
    }
}

impl Cuts {
    /// Looks at the container at tape index `at` for `gone`: indexes inside of it, sorted. Depth is bounded by the
    /// parser, so the recursion is too.
    fn find(&mut self, doc: &Doc, at: u32, mut gone: &[u32]) {
        let container = doc.tape(at);
        let key = u32::from(container.kind == JsonKind::Object);
        let place = self.losses.len();
        self.losses.push((at, 0));
        let mut lost = 0;
        let mut run: Option<(u32, u32)> = None;
        // Where the last child that stays ends, and the last of all.
        let (mut kept_end, mut last_end) = (None, container.start);
        let mut first = at + 1;
        while first < container.next && (run.is_some() || !gone.is_empty()) {
            let (start, child, index) = (doc.tape(first).start, doc.tape(first + key), first + key);
            let inside;
            (inside, gone) = gone.split_at(gone.iter().take_while(|it| **it < child.next).count());
            if inside.first() == Some(&index) {
                lost += 1;
                run.get_or_insert((start, first));
            } else {
                if let Some((from, entry)) = run.take() {
                    self.push(from..start, entry..first);
                }
                if !inside.is_empty() {
                    self.find(doc, index, inside);
                }
                kept_end = Some(child.end);
            }
            (last_end, first) = (child.end, child.next);
        }
        if let Some((from, entry)) = run {
            self.push(kept_end.unwrap_or(from)..last_end, entry..first);
        }
        if let Some(loss) = self.losses.get_mut(place) {
            loss.1 = lost;
        }
    }

    fn push(&mut self, text: Range<u32>, tape: Range<u32>) {
        let (bytes, entries) = self.runs.last().map_or((0, 0), |run| run.total);
        let total = (bytes + text.len() as u32, entries + tape.len() as u32);
        self.runs.push(Run { text, tape, total });
    }

    /// How many bytes and entries go before that byte of the text.
    fn before(&self, at: u32) -> (u32, u32) {
        let runs = self.runs.partition_point(|run| run.text.start < at);
        self.runs.get(..runs).and_then(<[Run]>::last).map_or((0, 0), |run| run.total)
    }

    /// The tape of the document that is left.
    fn tape(&self, nodes: &[Node]) -> Vec<Node> {
        let mut out = Vec::with_capacity(nodes.len() - self.before(u32::MAX).1 as usize);
        let mut losses = self.losses.iter().copied().peekable();
        let mut from = 0;
        let mut total = (0, 0);
        let behind = Run { text: u32::MAX..u32::MAX, tape: nodes.len() as u32..u32::MAX, total };
        for run in self.runs.iter().chain([&behind]) {
            let kept = nodes.get(from as usize..run.tape.start as usize).unwrap_or_default();
            out.extend((from..).zip(kept).map(|(at, node)| {
                let mut node = Node { start: node.start - total.0, ..*node };
                // Mostly nothing is cut inside of a value, so its end moves by as much as its start.
                let mut inside = total;
                if node.end > run.text.start {
                    inside = self.before(node.end);
                    node.len -= losses.next_if(|loss| loss.0 == at).map_or(0, |loss| loss.1);
                }
                (node.end, node.next) = (node.end - inside.0, node.next - inside.1);
                node
            }));
            (from, total) = (run.tape.end, run.total);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Doc, Json, JsonKind};
    use proptest::prelude::*;

    /// Leaves out those values, the others keep their bytes.
    fn left(text: &str, gone: impl Fn(Json<'_>) -> bool) -> Doc {
        let doc = Doc::parse(text.to_owned()).unwrap();
        let all = doc.root().containers().flat_map(|container| container.children());
        let gone: Vec<Json<'_>> = all.filter(|value| gone(*value)).collect();
        doc.without(&doc.cuts(&gone))
    }

    #[test]
    fn what_is_left_keeps_its_bytes() {
        for (text, without, expected) in [
            ("[1, 2 ,3 , 4]", "2 3", "[1, 4]"),
            ("[1, 2 ,3 , 4 ]", "3 4", "[1, 2 ]"),
            ("[ 1, 2 ]", "1 2", "[  ]"),
            (r#"{ "a" : 1, "b":{"c" :2,"d": 3 }, "é": 4 }"#, "1 3 4", r#"{ "b":{"c" :2 } }"#),
            (r#"[[1,2],{"a":[1]},5]"#, "1", r#"[[2],{"a":[]},5]"#),
            (r#"{"a":[1,2]}"#, "[1,2] 2", "{}"),
            ("1", "1", "1"),
        ] {
            let gone = |value: Json<'_>| without.split(' ').any(|it| it == value.raw());
            assert_eq!(left(text, gone).text(), expected, "{text} without {without}");
        }
    }

    fn document() -> impl Strategy<Value = String> {
        let leaf = prop_oneof!["[0-9]", Just("\"a\\u00e9é\"".to_owned()), Just(" null ".to_owned())];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6)
                    .prop_map(|items| format!("[ {}]", items.join(" ,"))),
                proptest::collection::vec(("[abé]{1,3}", inner), 0..6).prop_map(|entries| {
                    let entries: Vec<_> =
                        entries.iter().map(|(key, value)| format!(" \"{key}\" :{value}")).collect();
                    format!("{{{} }}", entries.join(","))
                }),
            ]
        })
    }

    /// The values that stay, without white space.
    fn written(value: Json<'_>, stays: &dyn Fn(Json<'_>) -> bool) -> String {
        let items = value.items().filter(|item| stays(*item)).map(|item| written(item, stays));
        let entries = value.entries_raw().filter(|entry| stays(entry.1));
        let entries = entries.map(|(key, of)| format!("{}:{}", key.raw(), written(of, stays)));
        match value.kind() {
            JsonKind::Array => format!("[{}]", items.collect::<Vec<_>>().join(",")),
            JsonKind::Object => format!("{{{}}}", entries.collect::<Vec<_>>().join(",")),
            _ => value.raw().to_owned(),
        }
    }

    proptest! {
        #[test]
        fn a_tape_that_was_cut_is_that_of_the_text(text in document(), picked in proptest::collection::vec(any::<bool>(), 100)) {
            let cut = left(&text, |value| picked.get(value.index() as usize) == Some(&true));
            let read = Doc::parse(cut.text().to_owned()).unwrap();
            prop_assert_eq!(format!("{:?}", cut.nodes()), format!("{:?}", read.nodes()));
            let doc = Doc::parse(text).unwrap();
            let stays = |value: Json<'_>| picked.get(value.index() as usize) != Some(&true);
            prop_assert_eq!(written(cut.root(), &|_| true), written(doc.root(), &stays));
        }
    }
}
