//! What stands above the rules: the package and the imports.

use super::super::ast::{Import, Name, Package, RefPartKind, Span, Term, TermKind};
use super::{Keywords, Kind, Parse, Parser, SyntaxError, fault};

impl Parser<'_> {
    pub(super) fn package(&mut self) -> Parse<Package> {
        let start = self.span();
        self.at += 1;
        let path = self.path()?;
        Ok(Package { span: self.span_from(start), path_span: path.0, path: path.1 })
    }

    pub(super) fn import(&mut self) -> Parse<Import> {
        let start = self.span();
        self.at += 1;
        // The future keywords are names here, so that they can be imported once more.
        let keywords = std::mem::take(&mut self.keywords);
        let path = self.path();
        self.keywords = keywords;
        let (path_span, path) = path?;
        let root = path.first().map(|name| name.text.as_str()).unwrap_or_default();
        if !matches!(root, "data" | "input" | "future" | "rego") {
            return Err(SyntaxError {
                span: path_span,
                cause: format!("an import begins with `data`, `input`, `future` or `rego`, not with `{root}`"),
                help: None,
            });
        }
        let mut alias = None;
        if self.accept(Kind::As) {
            let name = (self.kind() == Kind::Ident).then(|| self.term()).transpose()?;
            match name {
                Some(Term { kind: TermKind::Var(text), span }) => alias = Some(Name { span, text }),
                _ => return Err(self.unexpected("a name after `as`")),
            }
        }
        let import = Import { span: self.span_from(start), path, alias };
        match import.path.first().map(|name| name.text.as_str()) {
            Some("future") => self.future(&import, path_span)?,
            Some("rego") => self.rego(&import, path_span)?,
            _ => {}
        }
        let names_keyword = import.alias.is_none()
            && root_of(&import) != "future"
            && import.path.last().is_some_and(|name| is_reserved(&name.text, self.v1));
        if names_keyword {
            return Err(SyntaxError {
                span: path_span,
                cause: "an import's last name is a keyword".to_owned(),
                help: Some("name it with `as`".to_owned()),
            });
        }
        Ok(import)
    }

    /// Names with dots, or strings in brackets, between them.
    fn path(&mut self) -> Parse<(Span, Vec<Name>)> {
        if !self.kind().is_word() {
            return Err(self.unexpected("a name"));
        }
        self.name = Some(self.at);
        let term = self.term()?;
        let span = term.span;
        let refused = |span| fault(span, "a path has names and strings only");
        match term.kind {
            TermKind::Var(text) => Ok((span, vec![Name { span, text }])),
            TermKind::Ref(reference) => {
                let TermKind::Var(first) = reference.head.kind else { return Err(refused(span)) };
                let mut path = vec![Name { span: reference.head.span, text: first }];
                for part in reference.parts {
                    path.push(match part.kind {
                        RefPartKind::Dot(text) => Name { span: after_dot(part.span), text },
                        RefPartKind::Bracket(Term { span, kind: TermKind::String { value: text, .. } }) => {
                            Name { span, text }
                        }
                        RefPartKind::Bracket(_) => return Err(refused(part.span)),
                    });
                }
                Ok((span, path))
            }
            _ => Err(refused(span)),
        }
    }

    /// `import future.keywords`, of all or of one.
    fn future(&mut self, import: &Import, span: Span) -> Parse<()> {
        let mut path = import.path.iter().skip(1).map(|name| name.text.as_str());
        if path.next() != Some("keywords") {
            return Err(fault(span, "the only import from `future` is `future.keywords`"));
        }
        if import.alias.is_some() {
            return Err(fault(span, "an import from `future` has no alias"));
        }
        let keywords = &mut self.keywords;
        match (path.next(), path.next()) {
            (Some("in"), None) => keywords.in_ = true,
            (Some("every"), None) => (keywords.every, keywords.in_) = (true, true),
            (Some("contains"), None) => keywords.contains = true,
            (Some("if"), None) => keywords.if_ = true,
            (Some("and"), None) => keywords.and = true,
            (Some("or"), None) => keywords.or = true,
            (Some("not"), None) => keywords.not_body = true,
            (Some(_), None) => {
                let cause = "this is no keyword; there are `and`, `contains`, `every`, `if`, `in`, `not` and `or`";
                return Err(fault(span, cause));
            }
            // OPA looks no further: what is below a keyword imports all.
            (None, _) | (Some(_), Some(_)) => *keywords = Keywords::all(),
        }
        Ok(())
    }

    /// `import rego.v1`.
    fn rego(&mut self, import: &Import, span: Span) -> Parse<()> {
        if !super::checks::is_v1_import(import) {
            return Err(fault(span, "the only import from `rego` is `rego.v1`"));
        }
        if self.v1 {
            return Ok(());
        }
        if import.alias.is_some() {
            return Err(fault(span, "`import rego.v1` has no alias"));
        }
        let Keywords { and, or, not_body, .. } = self.keywords;
        self.keywords = Keywords { and, or, not_body, ..Keywords::all() };
        Ok(())
    }
}

impl Keywords {
    fn all() -> Self {
        Self { in_: true, every: true, contains: true, if_: true, and: true, or: true, not_body: true }
    }
}

fn root_of(import: &Import) -> &str {
    import.path.first().map(|name| name.text.as_str()).unwrap_or_default()
}

/// The place of a name whose part has a dot.
pub(super) fn after_dot(part: Span) -> Span {
    Span { start: part.start + 1, end: part.end }
}

/// Whether the language has this word for itself.
pub(super) fn is_reserved(word: &str, v1: bool) -> bool {
    let always = matches!(
        word,
        "as" | "default" | "else" | "false" | "import" | "not" | "null" | "package" | "some" | "true" | "with"
    );
    always || (v1 && matches!(word, "contains" | "every" | "if" | "in"))
}
