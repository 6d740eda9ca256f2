//! Paths into JSON: `$name` and RFC 9535 segments, parsed by a library, walked by us straight over the tape.

mod filter;
mod fits;
mod lower;
mod needs;
mod never;
mod normal;
mod plain;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::ControlFlow;

use super::json::{Json, JsonKind, Name, Traces};
pub use filter::Filter;

/// A path as compiled. Two paths are equal when they are written alike.
#[derive(Clone, Debug)]
pub struct Path {
    /// What it starts from: empty for `$`, `msg` for `$msg`.
    pub root: String,
    text: String,
    query: Query,
    /// What has to stand in a document in which the path selects anything.
    needs: Traces,
}

/// One step of a path, from a value to values below it.
#[derive(Clone, Debug)]
pub enum Segment {
    /// The member of that name.
    Name(Name),
    /// The item at that position; negative counts from the end.
    Index(i64),
    /// What any of the selectors picks among the children, in the order of the selectors.
    Children(Vec<Selector>),
    /// The same for the value and everything below it, parents first.
    Descendants(Vec<Selector>),
}

/// What a bracket picks among a value's children.
#[derive(Clone, Debug)]
pub enum Selector {
    /// The member of that name.
    Name(Name),
    /// The item at that position; negative counts from the end.
    Index(i64),
    /// All of them.
    Wildcard,
    /// Items from `start` to before `end`, every `step`th, as RFC 9535 section 2.3.4 counts.
    Slice {
        /// First position; by default the end that `step` comes from.
        start: Option<i64>,
        /// The position before which it stops.
        end: Option<i64>,
        /// 1 unless written; negative goes backwards, 0 picks nothing.
        step: i64,
    },
    /// Those for which the filter holds.
    Filter(Filter),
}

/// Why a path cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    /// Byte offset in the path's text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where we can tell.
    pub help: Option<String>,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

impl std::error::Error for PathError {}

/// Compiles a path. After a dot a name is `[A-Za-z_][A-Za-z0-9_-]*` (letters beyond ASCII count as letters):
/// a dash belongs to it, for headers' sake; anything else is written `['so']`.
pub fn parse(text: &str) -> Result<Path, PathError> {
    if let Some((root, segments)) = plain::parse(text) {
        return Ok(Path::new(root, text, segments));
    }
    let normal = normal::normalise(text)?;
    let segments = lower::segments(&normal)?;
    Ok(Path::new(normal.root, text, segments))
}

impl Path {
    fn new(root: String, text: &str, segments: Vec<Segment>) -> Path {
        let needs = needs::of(&segments);
        Path { root, text: text.to_owned(), query: Query::new(false, segments), needs }
    }

    /// Whether it has only names and indexes, and so selects at most one value.
    pub fn is_single(&self) -> bool {
        self.query.single
    }

    /// Whether it is `$` or `$name` alone.
    pub fn is_root_only(&self) -> bool {
        self.query.segments.is_empty()
    }

    /// What has to stand in a document in which it selects anything.
    pub fn needs(&self) -> &Traces {
        &self.needs
    }

    /// The steps after the root.
    pub fn segments(&self) -> &[Segment] {
        &self.query.segments
    }

    /// The value a single path selects. A path that is not single selects nothing here: see [`Path::select`].
    pub fn walk<'a>(&self, from: Json<'a>) -> Option<Json<'a>> {
        if from.may_have(&self.needs) { self.follow(from) } else { None }
    }

    /// The same where it is known that the document has what the path needs.
    #[inline]
    pub fn follow<'a>(&self, from: Json<'a>) -> Option<Json<'a>> {
        let mut at = from;
        for segment in &self.query.segments {
            at = segment.step(at)?;
        }
        Some(at)
    }

    /// Appends all values selected from `from`, in RFC 9535's order; `$` inside filters means `root`.
    pub fn select<'a>(&self, from: Json<'a>, root: Json<'a>, out: &mut Vec<Json<'a>>) {
        self.visit(from, root, |found| {
            out.push(found);
            true
        });
    }

    /// The first value that [`Path::select`] would give, without looking for the others.
    pub fn first<'a>(&self, from: Json<'a>, root: Json<'a>) -> Option<Json<'a>> {
        if from.may_have(&self.needs) { self.query.first(from, root) } else { None }
    }

    /// Calls `f` with each selected value until it says false.
    pub fn visit<'a>(&self, from: Json<'a>, root: Json<'a>, mut f: impl FnMut(Json<'a>) -> bool) {
        if !from.may_have(&self.needs) {
            return;
        }
        let _ = visit(&self.query.segments, from, root, &mut |found| match f(found) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        });
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Path) -> bool {
        self.text == other.text
    }
}

impl Segment {
    #[inline]
    fn step<'a>(&self, at: Json<'a>) -> Option<Json<'a>> {
        match self {
            Segment::Name(name) => at.get_named(name),
            Segment::Index(index) => at.at(*index),
            Segment::Children(_) | Segment::Descendants(_) => None,
        }
    }
}

/// Segments from the current value, or from the root.
#[derive(Clone, Debug)]
struct Query {
    from_root: bool,
    segments: Vec<Segment>,
    single: bool,
}

impl Query {
    fn new(from_root: bool, segments: Vec<Segment>) -> Query {
        let single = segments.iter().all(|s| matches!(s, Segment::Name(_) | Segment::Index(_)));
        Query { from_root, segments, single }
    }

    fn visit<'a>(&self, at: Json<'a>, root: Json<'a>, found: &mut Found<'_, 'a>) -> ControlFlow<()> {
        visit(&self.segments, if self.from_root { root } else { at }, root, found)
    }

    fn first<'a>(&self, at: Json<'a>, root: Json<'a>) -> Option<Json<'a>> {
        let from = if self.from_root { root } else { at };
        if self.single {
            return self.segments.iter().try_fold(from, |at, segment| segment.step(at));
        }
        first(&self.segments, from, root)
    }
}

/// The first that [`visit`] would find. Most look for one child that a filter picks, which needs no more than a loop.
fn first<'a>(segments: &[Segment], from: Json<'a>, root: Json<'a>) -> Option<Json<'a>> {
    let mut at = from;
    let mut rest = segments;
    while let Some((segment, after)) = rest.split_first() {
        at = match segment {
            Segment::Children(selectors) => match selectors.as_slice() {
                [Selector::Filter(filter)] => {
                    let mut picked = at.children().filter(|child| filter.holds(*child, root));
                    return picked.find_map(|child| first(after, child, root));
                }
                _ => return first_visited(rest, at, root),
            },
            Segment::Descendants(_) => return first_visited(rest, at, root),
            one => one.step(at)?,
        };
        rest = after;
    }
    Some(at)
}

fn first_visited<'a>(segments: &[Segment], from: Json<'a>, root: Json<'a>) -> Option<Json<'a>> {
    let mut first = None;
    let _ = visit(segments, from, root, &mut |found| {
        first = Some(found);
        ControlFlow::Break(())
    });
    first
}

type Found<'f, 'a> = dyn FnMut(Json<'a>) -> ControlFlow<()> + 'f;

/// Depth first, which gives the order of RFC 9535 without lists in between. Recurses once per segment that
/// can select several; their number is bounded when the path is parsed.
fn visit<'a>(
    segments: &[Segment],
    from: Json<'a>,
    root: Json<'a>,
    found: &mut Found<'_, 'a>,
) -> ControlFlow<()> {
    let mut at = from;
    let mut rest = segments;
    while let Some((segment, after)) = rest.split_first() {
        match segment {
            Segment::Name(_) | Segment::Index(_) => match segment.step(at) {
                Some(next) => at = next,
                None => return ControlFlow::Continue(()),
            },
            Segment::Children(selectors) => {
                let [Selector::Filter(filter)] = selectors.as_slice() else {
                    return children(selectors, at, root, &mut |child| visit(after, child, root, found));
                };
                // What most paths that select several values have.
                for child in at.children().filter(|child| filter.holds(*child, root)) {
                    visit(after, child, root, found)?;
                }
                return ControlFlow::Continue(());
            }
            Segment::Descendants(selectors) => {
                for parent in at.containers() {
                    children(selectors, parent, root, &mut |child| visit(after, child, root, found))?;
                }
                return ControlFlow::Continue(());
            }
        }
        rest = after;
    }
    found(at)
}

fn children<'a>(
    selectors: &[Selector],
    at: Json<'a>,
    root: Json<'a>,
    found: &mut Found<'_, 'a>,
) -> ControlFlow<()> {
    for selector in selectors {
        match selector {
            Selector::Name(name) => at.get_named(name).map_or(ControlFlow::Continue(()), &mut *found)?,
            Selector::Index(index) => at.at(*index).map_or(ControlFlow::Continue(()), &mut *found)?,
            Selector::Wildcard => at.children().try_for_each(&mut *found)?,
            Selector::Filter(filter) => {
                at.children().filter(|child| filter.holds(*child, root)).try_for_each(&mut *found)?;
            }
            Selector::Slice { start, end, step } => slice(at, *start, *end, *step, found)?,
        }
    }
    ControlFlow::Continue(())
}

fn slice<'a>(
    at: Json<'a>,
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
    found: &mut Found<'_, 'a>,
) -> ControlFlow<()> {
    if at.kind() != JsonKind::Array || step == 0 {
        return ControlFlow::Continue(());
    }
    let len = at.len() as i64;
    // A position that may be negative, kept within what the direction can reach.
    let bound = |position: Option<i64>, default: i64, low: i64, high: i64| {
        let position = position.map_or(default, |p| if p < 0 { p.saturating_add(len) } else { p });
        position.clamp(low, high)
    };
    let stride = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    if step > 0 {
        let (from, to) = (bound(start, 0, 0, len), bound(end, len, 0, len));
        let wanted = (to - from).max(0) as usize;
        return at.items().skip(from as usize).take(wanted).step_by(stride).try_for_each(found);
    }
    let (from, to) = (bound(start, len - 1, -1, len - 1), bound(end, -1, -1, len - 1));
    let wanted = (from - to).max(0) as usize;
    let items: Vec<_> = at.items().skip((to + 1) as usize).take(wanted).collect();
    items.into_iter().rev().step_by(stride).try_for_each(found)
}
