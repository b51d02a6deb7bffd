//! Tokens to syntax trees: what both kinds of documents share. `query` and `sdl` have the rest.

mod query;
mod sdl;

use std::borrow::Cow;

use super::{
    Fault,
    ast::{
        Argument, ChildValue, Comment, Comments, Directive, Kind as ValueKind, QueryDocument, SchemaDocument, Type,
        Value,
    },
    lexer::{Kind, Lexer, Token},
};

/// How deep selections, values and types nest at most.
pub(super) const MAX_DEPTH: usize = 200;
/// How long a document of operations is at most.
const MAX_QUERY: usize = 1 << 20;
/// How long a schema is at most.
const MAX_SCHEMA: usize = 4 << 20;

/// The operations and fragments of a text.
pub(super) fn query(text: &str) -> Result<QueryDocument, Fault> {
    Parser::new(text, MAX_QUERY)?.query_document()
}

/// The definitions of a text.
pub(super) fn schema(text: &str) -> Result<SchemaDocument, Fault> {
    Parser::new(text, MAX_SCHEMA)?.schema_document()
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    next: Token<'a>,
    /// What stands before `next`.
    comments: Option<Comments>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, most: usize) -> Result<Self, Fault> {
        if text.len() > most {
            return Err(Fault::Bound(format!("the GraphQL text has more than {most} bytes")));
        }
        let next = Token { kind: Kind::End, text: Cow::Borrowed(""), line: 1 };
        let mut parser = Self { lexer: Lexer::new(text), next, comments: None, depth: 0 };
        parser.take()?;
        Ok(parser)
    }

    /// Gives the next token and reads on.
    fn take(&mut self) -> Result<Token<'a>, Fault> {
        let mut list = Vec::new();
        let next = loop {
            let token = self.lexer.token().map_err(Fault::Invalid)?;
            if token.kind != Kind::Comment {
                break token;
            }
            list.push(Comment { value: token.text.into_owned() });
        };
        self.comments = (!list.is_empty()).then_some(Comments { list });
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn is(&self, kind: Kind) -> bool {
        self.next.kind == kind
    }

    fn is_name(&self, name: &str) -> bool {
        self.is(Kind::Name) && self.next.text == name
    }

    fn unexpected<T>(&self) -> Result<T, Fault> {
        let (kind, text, line) = (self.next.kind, &self.next.text, self.next.line);
        let text: String = text.chars().take(40).collect();
        Err(Fault::Invalid(format!("an unexpected {kind:?} `{text}` in line {line}")))
    }

    fn expect(&mut self, kind: Kind) -> Result<Token<'a>, Fault> {
        if self.is(kind) { self.take() } else { self.unexpected() }
    }

    fn keyword(&mut self, word: &str) -> Result<(), Fault> {
        if self.is_name(word) { self.take().map(drop) } else { self.unexpected() }
    }

    fn skip(&mut self, kind: Kind) -> Result<bool, Fault> {
        if self.is(kind) { self.take().map(|_| true) } else { Ok(false) }
    }

    fn name(&mut self) -> Result<String, Fault> {
        self.expect(Kind::Name).map(|token| token.text.into_owned())
    }

    /// One level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::Bound(format!("the GraphQL text nests more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// What is between `start`, if that is next, and `end`, and the comments before `end`.
    fn all<T>(
        &mut self,
        start: Kind,
        end: Kind,
        mut parse: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<(Vec<T>, Option<Comments>), Fault> {
        let mut items = Vec::new();
        if !self.skip(start)? {
            return Ok((items, None));
        }
        while !self.is(end) {
            items.push(self.nested(&mut parse)?);
        }
        let comments = self.comments.take();
        self.take()?;
        Ok((items, comments))
    }

    /// As [`Self::all`]; where `start` is, there must be an item.
    fn some<T>(
        &mut self,
        start: Kind,
        end: Kind,
        parse: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<(Vec<T>, Option<Comments>), Fault> {
        let begins = self.is(start);
        let (items, comments) = self.all(start, end, parse)?;
        if begins && items.is_empty() {
            return Err(Fault::Invalid(format!("nothing between brackets before line {}", self.next.line)));
        }
        Ok((items, comments))
    }

    fn type_reference(&mut self) -> Result<Type, Fault> {
        let mut of = Type::default();
        if self.skip(Kind::BracketL)? {
            of.elem = Some(Box::new(self.nested(Self::type_reference)?));
            self.expect(Kind::BracketR)?;
        } else {
            of.named_type = self.name()?;
        }
        of.non_null = self.skip(Kind::Bang)?;
        Ok(of)
    }

    fn directives(&mut self, constant: bool) -> Result<Vec<Directive>, Fault> {
        let mut directives = Vec::new();
        while self.skip(Kind::At)? {
            let name = self.name()?;
            directives.push(Directive { name, arguments: self.arguments(constant)?, location: String::new() });
        }
        Ok(directives)
    }

    fn arguments(&mut self, constant: bool) -> Result<Vec<Argument>, Fault> {
        let argument = |parser: &mut Self| {
            let comment = parser.comments.take();
            let name = parser.name()?;
            parser.expect(Kind::Colon)?;
            Ok(Argument { name, value: Some(parser.value(constant)?), comment })
        };
        self.some(Kind::ParenL, Kind::ParenR, argument).map(|(arguments, _)| arguments)
    }

    fn value(&mut self, constant: bool) -> Result<Value, Fault> {
        let kind = match self.next.kind {
            Kind::BracketL => {
                let comment = self.comments.take();
                let element = |parser: &mut Self| {
                    Ok(ChildValue { value: Some(parser.value(constant)?), ..ChildValue::default() })
                };
                let (children, _) = self.all(Kind::BracketL, Kind::BracketR, element)?;
                return Ok(Value { kind: ValueKind::List, children, comment, ..Value::default() });
            }
            Kind::BraceL => {
                let comment = self.comments.take();
                let member = |parser: &mut Self| {
                    let comment = parser.comments.take();
                    let name = parser.name()?;
                    parser.expect(Kind::Colon)?;
                    Ok(ChildValue { name, value: Some(parser.value(constant)?), comment })
                };
                let (children, _) = self.all(Kind::BraceL, Kind::BraceR, member)?;
                return Ok(Value { kind: ValueKind::Object, children, comment, ..Value::default() });
            }
            Kind::Dollar if !constant => {
                self.take()?;
                return Ok(Value { kind: ValueKind::Variable, raw: self.name()?, ..Value::default() });
            }
            Kind::Int => ValueKind::Int,
            Kind::Float => ValueKind::Float,
            Kind::String => ValueKind::String,
            Kind::Block => ValueKind::Block,
            Kind::Name => match self.next.text.as_ref() {
                "true" | "false" => ValueKind::Boolean,
                "null" => ValueKind::Null,
                _ => ValueKind::Enum,
            },
            _ => return self.unexpected(),
        };
        // gqlparser loses the comments before what is neither a list nor an object.
        Ok(Value { kind, raw: self.take()?.text.into_owned(), ..Value::default() })
    }
}
