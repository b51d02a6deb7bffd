//! Tokens to the tree of a template, by the rules of Go's `text/template/parse`.

mod pipe;

use std::collections::HashMap;

use super::{
    Fault,
    lexer::{self, Token},
    value::Value,
};

/// How deep blocks and parentheses nest at most.
const MAX_DEPTH: usize = 150;

/// A part of a template.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Pipe, Vec<Node>, Vec<Node>),
    With(Pipe, Vec<Node>, Vec<Node>),
    Range(Pipe, Vec<Node>, Vec<Node>),
    Template(String, Option<Pipe>),
    Break,
    Continue,
}

/// Commands, each getting the value of the one before it.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) variables: Vec<String>,
    pub(super) assigns: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

/// A part of a command.
#[derive(Debug)]
pub(super) enum Operand {
    Dot,
    Nil,
    Literal(Value),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(&'static str),
    Pipe(Pipe),
    /// Fields of what is no field or variable.
    Chain(Box<Operand>, Vec<String>),
}

/// The templates of a text by their names; the text itself is [`MAIN`].
pub(super) type Templates = HashMap<String, Vec<Node>>;

/// The name that OPA gives a template.
pub(super) const MAIN: &str = "template";

/// How a list of nodes ended.
enum Stop {
    End,
    Else,
    ElseIf,
    ElseWith,
}

struct Parser {
    tokens: std::vec::IntoIter<Token>,
    next: Option<Token>,
    templates: Templates,
    /// The names of the variables that are in scope.
    variables: Vec<String>,
    ranges: usize,
    depth: usize,
}

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Templates, Fault> {
    let mut tokens = lexer::tokens(text)?.into_iter();
    let next = tokens.next();
    let variables = vec!["$".to_owned()];
    let mut parser = Parser { tokens, next, templates: HashMap::new(), variables, ranges: 0, depth: 0 };
    let mut nodes = Vec::new();
    while let Some(token) = parser.take() {
        match token {
            Token::Text(text) => nodes.push(Node::Text(text)),
            Token::Left => {
                parser.space();
                if parser.is_word("define") {
                    parser.take();
                    parser.define()?;
                } else if let Ok(node) = parser.action()? {
                    nodes.push(node);
                } else {
                    return failed("unexpected {{end}} or {{else}}");
                }
            }
            _ => return failed("unexpected token"),
        }
    }
    parser.add(MAIN.to_owned(), nodes)?;
    Ok(parser.templates)
}

fn failed<T>(cause: &str) -> Result<T, Fault> {
    Err(Fault::Failed(cause.to_owned()))
}

/// Whether there is nothing but space.
fn is_empty(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

impl Parser {
    fn take(&mut self) -> Option<Token> {
        std::mem::replace(&mut self.next, self.tokens.next())
    }

    fn space(&mut self) {
        while self.next == Some(Token::Space) {
            self.take();
        }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(&self.next, Some(Token::Word(next)) if next == word)
    }

    fn right(&mut self) -> Result<(), Fault> {
        self.space();
        match self.take() {
            Some(Token::Right) => Ok(()),
            _ => failed("unexpected token, expected }}"),
        }
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::Bound(format!("the template nests more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn add(&mut self, name: String, nodes: Vec<Node>) -> Result<(), Fault> {
        match self.templates.get(&name) {
            Some(known) if !is_empty(known) => {
                if is_empty(&nodes) {
                    Ok(())
                } else {
                    failed("multiple definition of template")
                }
            }
            _ => {
                self.templates.insert(name, nodes);
                Ok(())
            }
        }
    }

    fn name(&mut self) -> Result<String, Fault> {
        self.space();
        match self.take() {
            Some(Token::Quoted(name)) => Ok(String::from_utf8_lossy(&name).into_owned()),
            _ => failed("unexpected token, expected a name"),
        }
    }

    /// What has a scope of its own: variables and ranges outside of it are not seen.
    fn separate(&mut self) -> Result<Vec<Node>, Fault> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, end) = self.nested(Self::list)?;
        (self.variables, self.ranges) = (variables, ranges);
        match end {
            Stop::End => Ok(nodes),
            _ => failed("unexpected {{else}}"),
        }
    }

    fn define(&mut self) -> Result<(), Fault> {
        let name = self.name()?;
        self.right()?;
        let nodes = self.separate()?;
        self.add(name, nodes)
    }

    /// Nodes until an `end` or an `else`.
    fn list(&mut self) -> Result<(Vec<Node>, Stop), Fault> {
        let mut nodes = Vec::new();
        loop {
            match self.take() {
                Some(Token::Text(text)) => nodes.push(Node::Text(text)),
                Some(Token::Left) => match self.action()? {
                    Ok(node) => nodes.push(node),
                    Err(end) => return Ok((nodes, end)),
                },
                _ => return failed("unexpected EOF"),
            }
        }
    }

    /// What follows `{{`: a node, or the end of a list.
    fn action(&mut self) -> Result<Result<Node, Stop>, Fault> {
        self.space();
        let word = match &self.next {
            Some(Token::Word(word)) => word.clone(),
            _ => String::new(),
        };
        let known =
            ["block", "break", "continue", "else", "end", "if", "range", "template", "with"].contains(&word.as_str());
        if !known {
            return Ok(Ok(Node::Action(self.pipe("command", &Token::Right)?)));
        }
        self.take();
        match word.as_str() {
            "end" => {
                self.right()?;
                return Ok(Err(Stop::End));
            }
            "else" => {
                self.space();
                if self.is_word("if") {
                    return Ok(Err(Stop::ElseIf));
                }
                if self.is_word("with") {
                    return Ok(Err(Stop::ElseWith));
                }
                self.right()?;
                return Ok(Err(Stop::Else));
            }
            _ => {}
        }
        let node = match word.as_str() {
            "break" | "continue" => {
                self.right()?;
                if self.ranges == 0 {
                    return failed("{{break}} or {{continue}} outside {{range}}");
                }
                if word == "break" { Node::Break } else { Node::Continue }
            }
            "block" => {
                let name = self.name()?;
                let pipe = self.pipe("block clause", &Token::Right)?;
                let nodes = self.separate()?;
                self.add(name.clone(), nodes)?;
                Node::Template(name, Some(pipe))
            }
            "template" => {
                let name = self.name()?;
                self.space();
                if self.next == Some(Token::Right) {
                    self.take();
                    Node::Template(name, None)
                } else {
                    Node::Template(name, Some(self.pipe("template clause", &Token::Right)?))
                }
            }
            word => self.control(word)?,
        };
        Ok(Ok(node))
    }

    fn control(&mut self, word: &str) -> Result<Node, Fault> {
        let scope = self.variables.len();
        let node = self.nested(|parser| {
            let pipe = parser.pipe(word, &Token::Right)?;
            parser.ranges += usize::from(word == "range");
            let (nodes, end) = parser.list()?;
            parser.ranges -= usize::from(word == "range");
            let otherwise = match end {
                Stop::End => Vec::new(),
                Stop::ElseIf if word == "if" => {
                    parser.take();
                    vec![parser.control("if")?]
                }
                Stop::ElseWith if word == "with" => {
                    parser.take();
                    vec![parser.control("with")?]
                }
                Stop::Else => {
                    let (nodes, end) = parser.list()?;
                    if !matches!(end, Stop::End) {
                        return failed("expected end; found {{else}}");
                    }
                    nodes
                }
                _ => return failed("unexpected word after else"),
            };
            Ok(match word {
                "if" => Node::If(pipe, nodes, otherwise),
                "with" => Node::With(pipe, nodes, otherwise),
                _ => Node::Range(pipe, nodes, otherwise),
            })
        })?;
        self.variables.truncate(scope);
        Ok(node)
    }
}
