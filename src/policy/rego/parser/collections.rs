//! Arrays, sets, objects and comprehensions. `|` after a first term is a comprehension wherever it can be one.

use super::super::ast::{Body, Term, TermKind};
use super::{Kind, Parse, Parser, Tried, furthest};

impl Parser<'_> {
    /// An array or its comprehension, from `[`.
    pub(super) fn array(&mut self) -> Parse<TermKind> {
        const END: Kind = Kind::RightBracket;
        self.at += 1;
        if self.accept(END) {
            self.height = 1;
            return Ok(TermKind::Array(Vec::new()));
        }
        // OPA takes a comma before the first.
        let comma = self.accept(Kind::Comma);
        let head = self.term()?;
        if self.kind() == Kind::Or
            && !comma
            && let Some(body) = self.comprehension(END)?
        {
            return Ok(TermKind::ArrayComprehension(Box::new(head), body));
        }
        let first = self.infix_after(head)?;
        let terms = self.rest_of_list(END, "an operator, `,` or `]`", first)?;
        Ok(TermKind::Array(terms))
    }

    /// A set, an object or a comprehension of these, from `{`.
    pub(super) fn set_or_object(&mut self) -> Parse<TermKind> {
        const END: Kind = Kind::RightBrace;
        self.at += 1;
        if self.accept(END) {
            self.height = 1;
            return Ok(TermKind::Object(Vec::new()));
        }
        let comma = self.accept(Kind::Comma);
        let head = self.term()?;
        if self.kind() == Kind::Or && !comma {
            if let Some(body) = self.comprehension(END)? {
                return Ok(TermKind::SetComprehension(Box::new(head), body));
            }
            let first = self.infix_after(head)?;
            let terms = self.rest_of_list(END, "an operator, `,` or `}`", first)?;
            return Ok(TermKind::Set(terms));
        }
        let first = self.infix_after(head)?;
        if self.kind() == Kind::Colon {
            return self.object(first, !comma);
        }
        let terms = self.rest_of_list(END, "an operator, `,`, `:` or `}`", first)?;
        Ok(TermKind::Set(terms))
    }

    /// An object from the colon after its first key.
    fn object(&mut self, key: Term, may_be_comprehension: bool) -> Parse<TermKind> {
        let height = self.height;
        self.at += 1;
        let value = self.term()?;
        let mut tried = None;
        let (at, value_height) = (self.at, self.height);
        if self.kind() == Kind::Or && may_be_comprehension && !self.failed.contains(&(at, Tried::Comprehension)) {
            self.at += 1;
            match self.comprehended(Kind::RightBrace, height.max(value_height)) {
                Ok(body) => return Ok(TermKind::ObjectComprehension(Box::new((key, value)), body)),
                Err(fault) => tried = Some(fault),
            }
            self.failed.insert((at, Tried::Comprehension));
            self.rewind(at);
            self.height = value_height;
        }
        let object = self.pairs(key, value, height);
        object.map_err(|fault| tried.map_or(fault.clone(), |tried| furthest(tried, fault)))
    }

    /// The rest of an object, after the first term of its first value.
    fn pairs(&mut self, key: Term, value: Term, mut height: u32) -> Parse<TermKind> {
        let value = self.infix_after(value)?;
        height = height.max(self.height);
        let mut pairs = vec![(key, value)];
        loop {
            let comma = self.accept(Kind::Comma);
            if self.accept(Kind::RightBrace) {
                self.above(height)?;
                return Ok(TermKind::Object(pairs));
            }
            if !comma {
                return Err(self.unexpected("an operator, `,` or `}`"));
            }
            let key = self.infix(false)?;
            height = height.max(self.height);
            self.expect(Kind::Colon, "an operator or `:`")?;
            let value = self.infix(false)?;
            height = height.max(self.height);
            pairs.push((key, value));
        }
    }

    /// A comprehension's body after its head, from `|`; `None` if it turns out to be a list whose first has the
    /// operator `|`.
    fn comprehension(&mut self, end: Kind) -> Parse<Option<Body>> {
        let (at, height) = (self.at, self.height);
        if self.failed.contains(&(at, Tried::Comprehension)) {
            return Ok(None);
        }
        self.at += 1;
        match self.comprehended(end, height) {
            Ok(body) => Ok(Some(body)),
            Err(_) if self.kind() == Kind::Comma => {
                self.failed.insert((at, Tried::Comprehension));
                self.rewind(at);
                self.height = height;
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// A comprehension's body and its end, below a head as high as `height`.
    fn comprehended(&mut self, end: Kind, height: u32) -> Parse<Body> {
        let body = self.body(end)?;
        self.at += 1;
        self.above(height.max(self.height))?;
        Ok(body)
    }

    /// The rest of a list after its first, with its end.
    fn rest_of_list(&mut self, end: Kind, wanted: &str, first: Term) -> Parse<Vec<Term>> {
        let height = self.height;
        if self.kind() != end {
            self.expect(Kind::Comma, wanted)?;
        }
        let terms = self.list(end, wanted, vec![first])?;
        self.at += 1;
        self.above(height.max(self.height))?;
        Ok(terms)
    }

    /// Terms with commas between, to `end`, which is not passed. The height is that of the highest.
    pub(super) fn list(&mut self, end: Kind, wanted: &str, mut terms: Vec<Term>) -> Parse<Vec<Term>> {
        let mut height = 0;
        while self.kind() != end {
            terms.push(self.infix(false)?);
            height = height.max(self.height);
            if self.kind() != end {
                self.expect(Kind::Comma, wanted)?;
            }
        }
        self.height = height;
        Ok(terms)
    }
}
