//! From tokens to the tree, by OPA 1.20's grammar: what it accepts is accepted, what it refuses is refused.
//!
//! Every text gives a module or faults: nesting is bounded, and so is the number of faults. Where OPA tries one reading
//! and then another, what was decided at a place is remembered, so that nested tries don't multiply.

mod checks;
mod collections;
mod conditions;
mod head;
mod literals;
mod logical;
mod rules;
mod terms;

use std::collections::HashSet;

use super::ast::{Body, Import, Module, Name, Package, Rule, Span};
pub(super) use checks::is_variable_index;

use super::lexer::{Kind, Token, lex};

/// Why a text, or a part of it, can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) span: Span,
    pub(crate) cause: String,
    pub(crate) help: Option<String>,
}

/// How many parts a reference has at most: what looks at each of its beginnings takes time with the square of it.
const MAX_PARTS: usize = 100;

/// How many conditions a body has at most. regorus puts them in order in a time that grows with the square of them.
const MAX_CONDITIONS: usize = 500;

/// How deep terms and bodies nest, and how high a tree of them is at most.
const MAX_DEPTH: u32 = 400;

/// How many faults one text gives at most; each costs up to one more reading of it.
pub(super) const MAX_FAULTS: usize = 50;

type Parse<T> = Result<T, SyntaxError>;

/// Reads a module, as Rego v1 if `v1`, else as v0, whose `import rego.v1` makes it v1. All faults, where a statement
/// below a faulty one can be told by its first column.
pub(crate) fn parse(text: &str, v1: bool) -> Result<Module, Vec<SyntaxError>> {
    let mut module = parse_bare(text, v1)?;
    super::metadata::attach(&mut module, text)?;
    Ok(module)
}

/// Reads a module without its annotations, which may be faulty.
pub(crate) fn parse_bare(text: &str, v1: bool) -> Result<Module, Vec<SyntaxError>> {
    let mut parser = Parser::new(text, v1)?;
    let mut statements = Statements::default();
    while parser.kind() != Kind::End {
        let start = parser.at;
        if let Err(fault) = parser.statement(&mut statements) {
            parser.fault(fault);
            parser.next_statement(start);
            if parser.faults.len() >= MAX_FAULTS {
                break;
            }
        }
    }
    let Statements { package, imports, rules } = statements;
    let v1 = v1 || imports.iter().any(checks::is_v1_import);
    if v1 {
        parser.faults.extend(rules.iter().flat_map(checks::v1));
    }
    if package.is_none() && parser.faults.is_empty() {
        parser.faults.push(SyntaxError {
            span: Span::default(),
            cause: "the module has no package".to_owned(),
            help: Some("begin it with `package` and a name".to_owned()),
        });
    }
    match package {
        Some(package) if parser.faults.is_empty() => {
            Ok(Module { package, imports, rules, comments: parser.comments, annotations: Vec::new(), v1 })
        }
        _ => Err(parser.into_faults()),
    }
}

/// Reads a query: conditions, to the end of the text, as Rego v1.
pub(crate) fn parse_query(text: &str) -> Result<Body, Vec<SyntaxError>> {
    let mut parser = Parser::new(text, true)?;
    match parser.query() {
        Ok(body) if parser.faults.is_empty() => Ok(body),
        Ok(_) => Err(parser.into_faults()),
        Err(fault) => {
            parser.fault(fault);
            Err(parser.into_faults())
        }
    }
}

/// The statements read so far.
#[derive(Default)]
struct Statements {
    package: Option<Package>,
    imports: Vec<Import>,
    rules: Vec<Rule>,
}

/// Which words that may be keywords are.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is imported by itself")]
struct Keywords {
    in_: bool,
    every: bool,
    contains: bool,
    if_: bool,
    and: bool,
    or: bool,
    /// Whether `not` takes a body; it is a keyword always.
    not_body: bool,
}

/// A reading that was tried at a place and didn't fit.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Tried {
    Comprehension,
    Operand,
    Group { operand: bool },
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    comments: Vec<Name>,
    faults: Vec<SyntaxError>,
    at: usize,
    /// A keyword's place where it is a name, because a part of a reference follows.
    name: Option<usize>,
    keywords: Keywords,
    /// Whether it is v1 by the options.
    v1: bool,
    depth: u32,
    /// The height of the tree that was read last.
    height: u32,
    failed: HashSet<(usize, Tried)>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, v1: bool) -> Result<Self, Vec<SyntaxError>> {
        if u32::try_from(text.len()).is_err() {
            let cause = "the text is longer than 4 GiB".to_owned();
            return Err(vec![SyntaxError { span: Span::default(), cause, help: None }]);
        }
        let lexed = lex(text);
        let keywords = Keywords { in_: v1, every: v1, contains: v1, if_: v1, ..Keywords::default() };
        Ok(Self {
            text,
            tokens: lexed.tokens,
            comments: lexed.comments,
            faults: lexed.faults,
            at: 0,
            name: None,
            keywords,
            v1,
            depth: 0,
            height: 0,
            failed: HashSet::new(),
        })
    }

    /// Keeps a fault; of a token that is none, the lexer has said what is wrong.
    fn fault(&mut self, fault: SyntaxError) {
        if self.faults.iter().all(|known| known.span.start != fault.span.start) {
            self.faults.push(fault);
        }
    }

    fn into_faults(mut self) -> Vec<SyntaxError> {
        self.faults.sort_by_key(|fault| fault.span);
        self.faults.truncate(MAX_FAULTS);
        self.faults
    }

    /// Goes to the first token below `start` that stands in the first column and may begin a statement.
    fn next_statement(&mut self, start: usize) {
        self.depth = 0;
        self.name = None;
        self.at = start + 1;
        while let kind = self.raw(0).kind
            && kind != Kind::End
            && !(kind.is_word() && kind != Kind::Else && self.is_in_first_column())
        {
            self.at += 1;
        }
    }

    fn is_in_first_column(&self) -> bool {
        let before = self.text.get(..self.raw(0).span.start as usize).unwrap_or_default();
        before.is_empty() || before.ends_with('\n')
    }

    /// Goes back to where another reading begins.
    fn rewind(&mut self, at: usize) {
        self.at = at;
        self.name = None;
    }

    /// The token `ahead`, or the last.
    fn raw(&self, ahead: usize) -> Token {
        let end = Token { kind: Kind::End, span: Span::default(), space: false, newline: false };
        self.tokens.get(self.at + ahead).or(self.tokens.last()).copied().unwrap_or(end)
    }

    /// The kind of the next token, by the keywords there are.
    fn kind(&self) -> Kind {
        if self.name == Some(self.at) { Kind::Ident } else { self.kind_of(self.raw(0)) }
    }

    /// The kind of the token after the next.
    fn second(&self) -> Kind {
        self.kind_of(self.raw(1))
    }

    fn kind_of(&self, token: Token) -> Kind {
        let is_keyword = match token.kind {
            Kind::In => self.keywords.in_,
            Kind::Every => self.keywords.every,
            Kind::Contains => self.keywords.contains,
            Kind::If => self.keywords.if_,
            Kind::LogicalAnd => self.keywords.and,
            Kind::LogicalOr => self.keywords.or,
            _ => true,
        };
        if is_keyword { token.kind } else { Kind::Ident }
    }

    /// Whether the next token is directly followed by what continues a reference: `.` or `[`.
    fn is_reference_ahead(&self) -> bool {
        let next = self.raw(1);
        matches!(next.kind, Kind::Dot | Kind::LeftBracket) && !next.space
    }

    /// Takes a keyword that begins a reference for a name.
    fn keyword_as_name(&mut self) -> bool {
        let keyword = self.kind();
        let is_name = keyword.is_word() && keyword != Kind::Ident && self.is_reference_ahead();
        if is_name {
            self.name = Some(self.at);
        }
        is_name
    }

    fn span(&self) -> Span {
        self.raw(0).span
    }

    /// From `start` to the end of the token before the next.
    fn span_from(&self, start: Span) -> Span {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        start.to(last.map_or(start, |token| token.span))
    }

    fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The next token as a name.
    fn take_name(&mut self) -> Name {
        let span = self.span();
        self.at += 1;
        Name { span, text: self.slice(span).to_owned() }
    }

    /// Passes the next token if it is of this kind.
    fn accept(&mut self, kind: Kind) -> bool {
        let is = self.kind() == kind;
        if is {
            self.at += 1;
        }
        is
    }

    fn expect(&mut self, kind: Kind, wanted: &str) -> Parse<()> {
        if self.accept(kind) { Ok(()) } else { Err(self.unexpected(wanted)) }
    }

    /// A fault at the next token, where `wanted` should be.
    fn unexpected(&self, wanted: &str) -> SyntaxError {
        let token = self.raw(0);
        let found = match token.kind {
            Kind::End => "the end of the text".to_owned(),
            Kind::TemplatePart | Kind::TemplateEnd => "the text of a template".to_owned(),
            Kind::String | Kind::RawString => "a string".to_owned(),
            kind if kind.is_word() && self.kind() != Kind::Ident => format!("the keyword `{}`", self.slice(token.span)),
            _ => format!("`{}`", self.slice(token.span).chars().take(40).collect::<String>()),
        };
        SyntaxError { span: token.span, cause: format!("expected {wanted}, found {found}"), help: None }
    }

    /// Reads something that nests, one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.depth >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Sets the height of what was just read, above parts as high as `below`.
    fn above(&mut self, below: u32) -> Parse<()> {
        self.height = below + 1;
        if self.height > MAX_DEPTH { Err(self.too_deep()) } else { Ok(()) }
    }

    /// Refuses what has more parts than `most`, the last of which was just read.
    fn bounded(&self, count: usize, most: usize, what: &str, parts: &str) -> Parse<()> {
        if count <= most {
            return Ok(());
        }
        let help = Some("take it apart with rules of their own, or move it to `data.json`".to_owned());
        Err(SyntaxError { span: self.span(), cause: format!("{what} with more than {most} {parts}"), help })
    }

    fn too_deep(&self) -> SyntaxError {
        let cause = format!("this nests deeper than {MAX_DEPTH} levels");
        SyntaxError { span: self.span(), cause, help: None }
    }
}

/// A fault at `span`.
fn fault(span: Span, cause: impl Into<String>) -> SyntaxError {
    SyntaxError { span, cause: cause.into(), help: None }
}

/// The fault of two tries that came further.
fn furthest(one: SyntaxError, other: SyntaxError) -> SyntaxError {
    if one.span.start > other.span.start { one } else { other }
}
