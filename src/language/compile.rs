//! The compiler's state: which names are in sight, and where mistakes go.

mod names;

use std::collections::BTreeSet;

use super::directives;
use super::scope::{Origin, Scope, Slot};
use super::template::{Binding, Piece, Template};
use super::value::Val;
use crate::text::diagnostic::{Diagnostics, Reported, Span};
use crate::text::json;
use crate::text::yaml::{Key, Kind, Node};

/// Stands for a local that no path can name.
pub(super) const UNNAMED: &str = "-";
/// Fragments may use fragments, but not without end.
const MAX_FRAGMENT_DEPTH: usize = 24;

/// A local name, what it stands for, and whose values it has.
pub(super) struct Local {
    pub name: String,
    pub binding: Binding,
    pub origin: Origin,
}

/// Compiles YAML nodes of one scope. All mistakes are reported, none stops it.
pub struct Compiler<'c> {
    pub(super) scope: &'c Scope,
    pub(super) diags: &'c mut Diagnostics,
    /// Local names, innermost last; only those from `visible` on are in sight (a fragment sees its own).
    locals: Vec<Local>,
    visible: usize,
    /// The most locals there have been at once.
    peak: usize,
    /// The slots that something looks at.
    used: BTreeSet<Slot>,
    /// How many directives have compiled that can fail.
    pub(super) fallible: usize,
    fragments: Vec<String>,
    /// In streams nothing may fail half-way, so directives that can are refused.
    pub(super) infallible: bool,
}

impl<'c> Compiler<'c> {
    /// A compiler for templates that see the names of `scope`.
    pub fn new(scope: &'c Scope, diags: &'c mut Diagnostics) -> Compiler<'c> {
        Compiler {
            scope,
            diags,
            locals: Vec::new(),
            visible: 0,
            peak: 0,
            used: BTreeSet::new(),
            fallible: 0,
            fragments: Vec::new(),
            infallible: false,
        }
    }

    /// Reports a mistake.
    pub fn error(&mut self, code: &'static str, at: Span, message: impl Into<String>) -> Reported<'_> {
        self.diags.error(code, at, message)
    }

    /// Runs `inner` with `names` in sight, each in a slot of its own; gives the slots too.
    pub(super) fn with_locals<T>(
        &mut self,
        names: &[&str],
        inner: impl FnOnce(&mut Self, &[Slot]) -> T,
    ) -> T {
        let kept = self.locals.len();
        let first = self.scope.len() + kept;
        let slots: Vec<Slot> = (first..first + names.len()).collect();
        self.locals.extend(names.iter().zip(&slots).map(|(name, slot)| local(name, *slot)));
        self.peak = self.peak.max(self.locals.len());
        let result = inner(self, &slots);
        self.locals.truncate(kept);
        result
    }

    /// Adds one local that stays in sight until [`Compiler::drop_locals`].
    pub(super) fn push_local(&mut self, name: &str) -> Slot {
        let slot = self.scope.len() + self.locals.len();
        self.locals.push(local(name, slot));
        self.peak = self.peak.max(self.locals.len());
        self.used.remove(&slot);
        slot
    }

    /// Lets the local that was added last stand for something else.
    pub(super) fn rebind_local(&mut self, binding: Binding) {
        if let Some(last) = self.locals.last_mut() {
            last.binding = binding;
        }
    }

    /// Whether anything that compiled since the slot's local was added looks at it.
    pub(super) fn is_used(&self, slot: Slot) -> bool {
        self.used.contains(&slot)
    }

    /// Whether a branch has to be compiled. One that is never taken has to be where its mistakes are not known yet.
    pub(super) fn needs(&self, may_be_taken: bool) -> bool {
        may_be_taken || !self.scope.has_values()
    }

    /// Keeps what compiles from here on out of the slots used so far, because it runs in their midst: a stream's
    /// block templates while a handler still needs its names.
    pub(super) fn reserve_locals(&mut self) {
        let used = self.peak.max(self.locals.len());
        self.locals.resize_with(used, || local(UNNAMED, 0));
    }

    /// How many locals there are now, for [`Compiler::drop_locals`].
    pub(super) fn mark_locals(&self) -> usize {
        self.locals.len()
    }

    /// Forgets the locals added since `mark`.
    pub(super) fn drop_locals(&mut self, mark: usize) {
        self.locals.truncate(mark);
    }

    /// A local name's spelling: letters, digits and `_`, without the `$`.
    pub(super) fn name<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match node.as_str() {
            Some(text) if is_name(text) => Some(text),
            _ => {
                self.error(
                    "bad-name",
                    node.span,
                    format!("{what} must be a name: letters, digits and `_`, no `$`"),
                );
                None
            }
        }
    }

    /// Compiles a template.
    pub fn template(&mut self, node: &Node) -> Option<Template> {
        match &node.kind {
            Kind::Null => Some(Template::constant(b"null".to_vec())),
            Kind::Bool(value) => Some(Template::constant(value.to_string().into_bytes())),
            Kind::Number(text) => Some(Template::constant(text.clone().into_bytes())),
            Kind::String(text) => self.text(text, node.span),
            Kind::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.template(item)).collect();
                Some(Template::list(items.into_iter().collect::<Option<_>>()?))
            }
            Kind::Map(entries) => match entries.iter().find(|(key, _)| is_word(&key.text)) {
                Some((key, _)) => directives::compile(self, key, entries, node),
                None => self.object(entries),
            },
        }
    }

    fn object(&mut self, entries: &[(Key, Node)]) -> Option<Template> {
        let members: Vec<_> = entries
            .iter()
            .map(|(key, value)| {
                let mut name = Vec::new();
                // `$$x` is the plain key `$x`.
                json::write_str(&mut name, key.text.strip_prefix('$').unwrap_or(&key.text));
                name.push(b':');
                self.template(value).map(|value| (name.into_boxed_slice(), value))
            })
            .collect();
        Some(Template::object(members.into_iter().collect::<Option<_>>()?))
    }

    /// A string: a hole, a text with holes, or just text.
    pub(super) fn text(&mut self, text: &str, span: Span) -> Option<Template> {
        if let Some(plain) = text.strip_prefix("$$") {
            return Some(Template::string(&format!("${plain}")));
        }
        if text.starts_with('$') {
            return self.source(text, span).map(Template::hole);
        }
        if !text.contains("{$") {
            return Some(Template::string(text));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut sound = true;
        while let Some(start) = rest.find("{$") {
            let (plain, hole) = rest.split_at(start);
            if !plain.is_empty() {
                pieces.push(Piece::Plain(plain.to_owned()));
            }
            let Some(end) = hole_end(hole) else {
                self.error("open-hole", span, "a `{$` without its `}`").label(hole);
                return None;
            };
            match self.source(&hole[1..end], span) {
                Some(source) => pieces.push(Piece::Hole(source)),
                None => sound = false,
            }
            rest = &hole[end + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Plain(rest.to_owned()));
        }
        sound.then(|| Template::text(pieces))
    }

    /// Compiles the fragment `name` in place: its parameters stand for what is given, the caller's locals are out of
    /// sight. `None` where it has been reported.
    pub(super) fn fragment(&mut self, name: &Node, parameters: Vec<Local>) -> Option<Template> {
        let Some(text) = name.as_str() else {
            self.error("bad-use", name.span, "`$use` takes the name of a fragment");
            return None;
        };
        let scope = self.scope;
        let Some(body) = scope.fragment(text) else {
            self.error("unknown-fragment", name.span, format!("there is no fragment `{text}`"))
                .did_you_mean(text, scope.fragment_names());
            return None;
        };
        if self.fragments.iter().any(|open| open == text) {
            let chain = format!("{} -> {text}", self.fragments.join(" -> "));
            self.error("use-cycle", name.span, format!("the fragment `{text}` uses itself"))
                .help(format!("{chain}; a template must end, so fragments cannot recur"));
            return None;
        }
        if self.fragments.len() >= MAX_FRAGMENT_DEPTH {
            self.error("use-depth", name.span, format!("fragments nest more than {MAX_FRAGMENT_DEPTH} deep"));
            return None;
        }
        scope.used(text);
        for parameter in &parameters {
            scope.gave(text, &parameter.name);
        }
        // The parameters are locals already, for the caller; the body sees them under their own names only.
        let visible = std::mem::replace(&mut self.visible, self.locals.len());
        let mark = self.locals.len();
        self.locals.extend(parameters);
        self.peak = self.peak.max(self.locals.len());
        self.fragments.push(text.to_owned());
        let compiled = self.template(body);
        self.fragments.pop();
        self.locals.truncate(mark);
        self.visible = visible;
        compiled
    }

    /// Looks for mistakes in a fragment that nothing uses. Whatever it names may be a parameter.
    pub fn unused_fragment(&mut self, name: &str, body: &Node) {
        let mut found = Diagnostics::new();
        let mut apart = Compiler::new(self.scope, &mut found);
        apart.fragments.push(name.to_owned());
        apart.template(body);
        for one in found.into_vec() {
            if one.code != "unknown-name" {
                self.diags.push(one);
            }
        }
    }

    /// A constant written in the rules, as a value.
    pub(super) fn constant(&mut self, node: &Node) -> Val<'static> {
        if let Kind::String(text) = &node.kind {
            return Val::Str(text.clone().into());
        }
        let mut out = Vec::new();
        node.to_json_bytes(&mut out);
        super::value::parse_produced(out)
    }
}

fn local(name: &str, slot: Slot) -> Local {
    Local { name: name.to_owned(), binding: Binding::Slot(slot), origin: Origin::Ours }
}

/// Whether a key is a directive's word: `$` and a letter. (`$.x` is a path, `$$x` a plain key.)
pub(super) fn is_word(key: &str) -> bool {
    key.strip_prefix('$').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_name_char)
}

/// The offset of the `}` that ends a hole, past brackets and quoted names.
fn hole_end(hole: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0;
    for (at, c) in hole.char_indices().skip(1) {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if depth > 0 => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => depth -= 1,
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}
