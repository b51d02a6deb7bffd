//! A glob as it is read: the syntax of `gobwas/glob`, with what that takes for the end of a pattern.

use std::{collections::HashMap, iter::Peekable, str::Chars};

/// A node's place in its [`Syntax`]. Nodes that are equal have one place.
pub(super) type Id = usize;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    /// What is left of an alternative all of which is common to all.
    Nothing,
    Text(String),
    /// `*`
    Any,
    /// `**`
    Super,
    /// `?`
    Single,
    /// `[ab]`, `[!ab]`
    List {
        not: bool,
        characters: Vec<char>,
    },
    /// `[a-c]`, `[!a-c]`
    Range {
        not: bool,
        low: char,
        high: char,
    },
    /// One after the other.
    Pattern(Vec<Id>),
    /// `{…,…}`: patterns, or nothing.
    AnyOf(Vec<Id>),
}

/// The nodes of a glob.
#[derive(Default)]
pub(super) struct Syntax {
    nodes: Vec<Node>,
    known: HashMap<Node, Id>,
}

impl Syntax {
    /// Reads a glob, and gives the pattern that all of it is.
    pub(super) fn read(glob: &str) -> Result<(Self, Id), String> {
        let mut syntax = Self::default();
        let root = Reader { rest: glob.chars().peekable() }.pattern(&mut syntax)?;
        Ok((syntax, root))
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        self.nodes.get(id).unwrap_or(&Node::Nothing)
    }

    /// The place of `node`, which may be new.
    pub(super) fn add(&mut self, node: Node) -> Id {
        let next = self.nodes.len();
        *self.known.entry(node).or_insert_with_key(|node| {
            self.nodes.push(node.clone());
            next
        })
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
}

/// What is open: the alternatives that are complete, and the pattern before them.
struct Braces {
    before: Vec<Id>,
    alternatives: Vec<Id>,
}

impl Braces {
    fn close(mut self, last: Vec<Id>, syntax: &mut Syntax) -> Vec<Id> {
        self.alternatives.push(syntax.add(Node::Pattern(last)));
        self.before.push(syntax.add(Node::AnyOf(self.alternatives)));
        self.before
    }
}

impl Reader<'_> {
    fn pattern(mut self, syntax: &mut Syntax) -> Result<Id, String> {
        let (mut open, mut pattern) = (Vec::<Braces>::new(), Vec::new());
        while let Some(character) = self.peek()? {
            let is_end = |character| match character {
                '?' | '*' | '[' | '{' => true,
                '}' | ',' => !open.is_empty(),
                _ => false,
            };
            if !is_end(character) {
                let text = self.text(is_end)?;
                if !text.is_empty() {
                    pattern.push(syntax.add(Node::Text(text)));
                }
                continue;
            }
            self.rest.next();
            match (character, open.last_mut()) {
                ('{', _) => open.push(Braces { before: std::mem::take(&mut pattern), alternatives: Vec::new() }),
                (',', Some(braces)) => {
                    braces.alternatives.push(syntax.add(Node::Pattern(std::mem::take(&mut pattern))));
                }
                ('}', Some(_)) => {
                    if let Some(braces) = open.pop() {
                        pattern = braces.close(pattern, syntax);
                    }
                }
                ('[', _) => pattern.push(syntax.add(self.class()?)),
                ('?', _) => pattern.push(syntax.add(Node::Single)),
                _ if self.rest.next_if_eq(&'*').is_some() => pattern.push(syntax.add(Node::Super)),
                _ => pattern.push(syntax.add(Node::Any)),
            }
        }
        // A brace that is never closed is closed by the end.
        while let Some(braces) = open.pop() {
            pattern = braces.close(pattern, syntax);
        }
        Ok(syntax.add(Node::Pattern(pattern)))
    }

    /// The next character; there is none at the end, nor at a NUL, which is where a pattern ends, too.
    fn peek(&mut self) -> Result<Option<char>, String> {
        match self.rest.peek() {
            Some(&char::REPLACEMENT_CHARACTER) => Err("could not read rune".to_owned()),
            character => Ok(character.copied().filter(|character| *character != '\0')),
        }
    }

    /// Text up to where `is_end` says, in which `\` makes the next character an ordinary one. A NUL ends it and is gone,
    /// so that a pattern goes on behind a NUL inside of text.
    fn text(&mut self, is_end: impl Fn(char) -> bool) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let mut next = self.peek()?;
            if next.is_some_and(&is_end) {
                return Ok(text);
            }
            self.rest.next();
            if next == Some('\\') {
                next = self.peek()?;
                self.rest.next();
            }
            match next {
                Some(character) => text.push(character),
                None => return Ok(text),
            }
        }
    }

    /// The rest of a class: a range, or a list in which only `\` and `]` are special.
    fn class(&mut self) -> Result<Node, String> {
        let mut first = self.in_class()?;
        let not = first == '!';
        if not {
            self.rest.next();
            first = self.in_class()?;
        }
        let mut ahead = self.rest.clone();
        ahead.next();
        if ahead.next() == Some('-') {
            self.rest = ahead;
            let high = self.in_class()?;
            self.rest.next();
            self.close()?;
            if high < first {
                return Err(format!("hi character '{high}' should be greater than lo '{first}'"));
            }
            return Ok(Node::Range { not, low: first, high });
        }
        let characters: Vec<char> =
            self.text(|character| character == ']').map_err(|_| unexpected_end())?.chars().collect();
        self.close()?;
        if characters.is_empty() {
            return Err("could not parse range".to_owned());
        }
        Ok(Node::List { not, characters })
    }

    fn in_class(&mut self) -> Result<char, String> {
        self.peek().ok().flatten().ok_or_else(unexpected_end)
    }

    fn close(&mut self) -> Result<(), String> {
        match self.in_class()? {
            ']' => {
                self.rest.next();
                Ok(())
            }
            _ => Err("expected close range character".to_owned()),
        }
    }
}

fn unexpected_end() -> String {
    "unexpected end of input".to_owned()
}
