//! From what was read to matchers: `gobwas/glob`'s ways to make few of many, which decide what a glob means.

use std::rc::Rc;

use super::{
    super::Failure,
    common::factored,
    glue::{glued, minimized},
    matcher::{Delimiters, Matcher, Run, Tree},
    pattern::{Id, Node, Syntax},
    work::{MAX_DEPTH, Work},
};

/// A glob that texts can be matched with.
pub(super) struct Glob {
    matcher: Matcher,
}

impl Glob {
    pub(super) fn new(pattern: &str, delimiters: &[char]) -> Result<Self, Failure> {
        let mut work = Work::new();
        work.take(pattern.len())?;
        let (syntax, root) = Syntax::read(pattern).map_err(Failure::Operand)?;
        let mut compiler = Compiler { syntax, delimiters: Rc::from(delimiters), trees: 0, work };
        Ok(Self { matcher: compiler.compile(root, MAX_DEPTH)? })
    }

    pub(super) fn matches(&self, text: &str) -> Result<bool, Failure> {
        let mut run = Run::new(text);
        self.matcher.matches(run.all(), &mut run)
    }
}

struct Compiler {
    syntax: Syntax,
    delimiters: Delimiters,
    /// How many there are.
    trees: usize,
    work: Work,
}

impl Compiler {
    fn compile(&mut self, id: Id, depth: usize) -> Result<Matcher, Failure> {
        let depth = below(depth)?;
        self.work.take(1)?;
        let matcher = match self.syntax.node(id).clone() {
            Node::Nothing => Matcher::Nothing,
            Node::Text(text) => Matcher::text(text),
            Node::Any => Matcher::Any(Rc::clone(&self.delimiters)),
            Node::Super => Matcher::Super,
            Node::Single => Matcher::Single(Rc::clone(&self.delimiters)),
            Node::List { not, characters } => Matcher::List { not, characters: Rc::from(characters) },
            Node::Range { not, low, high } => Matcher::Range { not, low, high },
            Node::AnyOf(alternatives) => {
                return match factored(&mut self.syntax, &alternatives, &mut self.work)? {
                    Some(pattern) => self.compile(pattern, depth),
                    None => Ok(Matcher::any_of(self.each(&alternatives, depth)?)),
                };
            }
            Node::Pattern(parts) if parts.is_empty() => Matcher::Nothing,
            Node::Pattern(parts) => {
                let parts = self.each(&parts, depth)?;
                let parts = minimized(parts, &mut self.work)?;
                self.row(parts, depth)?
            }
        };
        Ok(simplified(matcher))
    }

    fn each(&mut self, ids: &[Id], depth: usize) -> Result<Vec<Matcher>, Failure> {
        ids.iter().map(|id| Ok(simplified(self.compile(*id, depth)?))).collect()
    }

    /// One matcher of some that follow each other: what is longest, if that is known, with the others at its sides.
    fn row(&mut self, mut parts: Vec<Matcher>, depth: usize) -> Result<Matcher, Failure> {
        let depth = below(depth)?;
        self.work.take(parts.len())?;
        if parts.len() > 1 {
            parts = match glued(parts) {
                Ok(one) => return Ok(one),
                Err(parts) => parts,
            };
        }
        // The last of those that are equally long.
        let longest = parts.iter().enumerate().filter_map(|(at, part)| Some((part.length()?, at))).max();
        let (value, left, right) = if let Some((_, at)) = longest {
            let right = parts.split_off(at + 1);
            (parts.pop(), parts, right)
        } else {
            let right = parts.split_off(1.min(parts.len()));
            (parts.pop(), Vec::new(), right)
        };
        let Some(value) = value else { return Ok(Matcher::Nothing) };
        if left.is_empty() && right.is_empty() {
            return Ok(value);
        }
        let mut side = |parts: Vec<Matcher>| {
            if parts.is_empty() { Ok(None) } else { self.row(parts, depth).map(Some) }
        };
        let (left, right) = (side(left)?, side(right)?);
        self.trees += 1;
        Ok(Matcher::Tree(Box::new(Tree::new(self.trees, value, left, right))))
    }
}

fn below(depth: usize) -> Result<usize, Failure> {
    depth.checked_sub(1).ok_or_else(|| Failure::Spent(format!("the glob nests more than {MAX_DEPTH} levels deep")))
}

/// A matcher that takes less to say the same; or what is held to be the same.
fn simplified(matcher: Matcher) -> Matcher {
    match matcher {
        Matcher::Any(delimiters) if delimiters.is_empty() => Matcher::Super,
        Matcher::AnyOf(mut alternatives, length) => match alternatives.pop() {
            Some(only) if alternatives.is_empty() => only,
            last => {
                alternatives.extend(last);
                Matcher::AnyOf(alternatives, length)
            }
        },
        Matcher::List { not: false, characters } if characters.len() == 1 => Matcher::text(characters.iter().collect()),
        Matcher::Tree(tree) => with_simple_sides(*tree),
        other => other,
    }
}

fn with_simple_sides(tree: Tree) -> Matcher {
    let Tree { number, value, left, right, lengths } = tree;
    let (left, right) = (left.map(simplified), right.map(simplified));
    match (left, value, right) {
        (None, text @ Matcher::Text(..), None) => text,
        (Some(Matcher::Super), Matcher::Text(needle, _), Some(Matcher::Super)) => {
            Matcher::Contains { not: false, needle }
        }
        (Some(Matcher::Super), Matcher::Text(suffix, _), None) => Matcher::Suffix(suffix),
        (None, Matcher::Text(prefix, _), Some(Matcher::Super)) => Matcher::Prefix(prefix),
        (None, Matcher::Text(prefix, _), Some(Matcher::Suffix(suffix)))
        | (Some(Matcher::Prefix(prefix)), Matcher::Text(suffix, _), None) => Matcher::PrefixSuffix(prefix, suffix),
        (Some(Matcher::Any(delimiters)), Matcher::Text(suffix, _), None) => Matcher::SuffixAny(suffix, delimiters),
        (None, Matcher::Text(prefix, _), Some(Matcher::Any(delimiters))) => Matcher::PrefixAny(prefix, delimiters),
        (left, value, right) => Matcher::Tree(Box::new(Tree { number, value, left, right, lengths })),
    }
}
