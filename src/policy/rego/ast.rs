//! The syntax tree of a module, with byte spans into the author's text.
//!
//! It is concrete enough that any part can be replaced in the text by its span, and says everything that OPA's own
//! tree says.
#![allow(dead_code, reason = "not all that the tree says is asked for yet")]

use std::ops::Range;

/// Bytes of the module's text, `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// As a range for slicing.
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// What is between the start of this and the start of `other`, which is in it.
    pub(crate) fn before(self, other: Self) -> Self {
        Self { start: self.start, end: other.start }
    }

    /// What is between the end of this and the start of `other`, which is after it.
    pub(crate) fn between(self, other: Self) -> Self {
        Self { start: self.end, end: other.start }
    }

    /// From the start of this to the end of `other`.
    pub(crate) fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// A name as written, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) span: Span,
    pub(crate) text: String,
}

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// The package's path as written: `package a.b["c"]` has the parts `a`, `b`, `c`.
    pub(crate) package: Package,
    pub(crate) imports: Vec<Import>,
    /// In the order of the text; a `default` is a rule of its own, and so is each further body `{…} {…}` of a v0 rule.
    pub(crate) rules: Vec<Rule>,
    /// Every comment, `#` included, without its line's end.
    pub(crate) comments: Vec<Name>,
    /// Blocks of `# METADATA`, in the order of the text.
    pub(crate) annotations: Vec<super::metadata::Annotation>,
    /// Whether it is read as Rego v1: by the options, or for `import rego.v1`.
    pub(crate) v1: bool,
}

/// `package a.b`.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// From `package` to the end of the path.
    pub(crate) span: Span,
    /// The place of the path alone.
    pub(crate) path_span: Span,
    /// Its names, without `data`.
    pub(crate) path: Vec<Name>,
}

/// `import data.a.b as c`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// The whole statement.
    pub(crate) span: Span,
    /// The names of the path, `data`, `input`, `rego` or `future` first.
    pub(crate) path: Vec<Name>,
    pub(crate) alias: Option<Name>,
}

impl Import {
    /// The name by which the module knows it: the alias, or the last of the path.
    pub(crate) fn name(&self) -> Option<&str> {
        self.alias.as_ref().or(self.path.last()).map(|name| name.text.as_str())
    }
}

/// One definition: `head if { … } else := … { … }`.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// From the first character of the head (or `default`) to the end of the last `else`.
    ///
    /// A further body `{…}` of a v0 rule has its own span, and the head of the first as it was written there.
    pub(crate) span: Span,
    pub(crate) default: bool,
    /// Whether it is a further body `{…}`.
    pub(crate) chained: bool,
    pub(crate) head: Head,
    /// `None` where it has no body: a fact.
    pub(crate) body: Option<Body>,
    pub(crate) otherwise: Vec<Else>,
}

/// What a rule defines.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) span: Span,
    /// `p`, `p.q`, `p[x]`, `p.q[x].r`; without arguments, key and value.
    pub(crate) reference: Ref,
    /// `Some` for a function, also one without arguments.
    pub(crate) arguments: Option<Vec<Term>>,
    pub(crate) key: Option<Term>,
    /// Whether `key` was written with `contains`; `p[x]` in v0 has a key without, and then it is no part of `reference`.
    pub(crate) contains: bool,
    /// What is after `:=` or `=`.
    pub(crate) value: Option<Term>,
    /// Whether the value was written with `:=`.
    pub(crate) assigned: bool,
    /// Whether `if` is before the body.
    pub(crate) if_: bool,
}

/// `else := value if { … }`.
#[derive(Clone, Debug)]
pub(crate) struct Else {
    /// From `else` to the end of its body.
    pub(crate) span: Span,
    pub(crate) value: Option<Term>,
    /// Whether the value was written with `:=`.
    pub(crate) assigned: bool,
    /// Whether `if` is before the body.
    pub(crate) if_: bool,
    pub(crate) body: Option<Body>,
}

/// What must hold: in braces, or one expression after `if`.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// With its braces, where it has them.
    pub(crate) span: Span,
    pub(crate) braces: bool,
    pub(crate) expressions: Vec<Expr>,
}

/// One condition of a body.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    /// With `not` and `with`.
    pub(crate) span: Span,
    pub(crate) negated: bool,
    pub(crate) kind: ExprKind,
    pub(crate) with: Vec<With>,
}

/// `with target as value`.
#[derive(Clone, Debug)]
pub(crate) struct With {
    /// From `with` to the end of the value.
    pub(crate) span: Span,
    pub(crate) target: Ref,
    pub(crate) value: Term,
}

/// The kinds of conditions.
#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    /// `some x, y`.
    Some(Vec<Name>),
    /// `some k, v in collection`.
    SomeIn { key: Option<Term>, value: Term, collection: Term },
    /// `every k, v in domain { … }`.
    Every { key: Option<Name>, value: Name, domain: Term, body: Body },
    /// `not { … }`, and `not (a or b)`; only with `import future.keywords.not`. A plain `not a` is [`Expr::negated`].
    Not(Body),
    /// `a and b`, `{ … } or c`; only with `import future.keywords.and` or `.or`. An operand in braces is a body with
    /// braces, any other a body with one expression; one in parentheses has a span with them.
    Logical { operator: Logical, left: Body, right: Body },
    /// Anything else: a call, a comparison, an assignment, a reference, a literal.
    Term(Term),
}

/// A term, with its place.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) span: Span,
    pub(crate) kind: TermKind,
}

/// The kinds of terms.
#[derive(Clone, Debug)]
pub(crate) enum TermKind {
    Null,
    Bool(bool),
    /// As written, with its sign where the sign is part of it, and without space after the sign.
    Number(String),
    /// The value, escapes resolved; `raw` for one in backticks.
    String {
        value: String,
        raw: bool,
    },
    /// `$"a {x} b"`, also in backticks.
    Template {
        parts: Vec<TemplatePart>,
        raw: bool,
    },
    /// A variable that stands alone; `_` is one. `input` and `data` alone are a [`TermKind::Ref`] without parts.
    Var(String),
    Ref(Ref),
    Array(Vec<Term>),
    /// `set()` is an empty one.
    Set(Vec<Term>),
    Object(Vec<(Term, Term)>),
    ArrayComprehension(Box<Term>, Body),
    SetComprehension(Box<Term>, Body),
    ObjectComprehension(Box<(Term, Term)>, Body),
    /// `f(x)`, `net.cidr_contains(a, b)`.
    Call {
        function: Ref,
        arguments: Vec<Term>,
    },
    /// `a + b`, `a == b`, `a := b`, `a in b`.
    Infix {
        operator: Operator,
        operator_span: Span,
        left: Box<Term>,
        right: Box<Term>,
    },
    /// `k, v in collection`.
    MemberWithKey {
        key: Box<Term>,
        value: Box<Term>,
        collection: Box<Term>,
    },
    /// `-a` of a variable, reference or call: `0 - a`. The sign of a number is part of the number.
    Minus(Box<Term>),
    /// `(a)`; the span has the parentheses.
    Parenthesised(Box<Term>),
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub(crate) enum TemplatePart {
    /// Text, escapes resolved.
    Text(String),
    /// What is in the braces; the span of the body is without them.
    Expr(Box<Expr>),
}

/// A name, or any term, followed by parts.
#[derive(Clone, Debug)]
pub(crate) struct Ref {
    pub(crate) span: Span,
    /// A [`TermKind::Var`], or what is indexed: `[1, 2][i]`, `f(x).y`.
    pub(crate) head: Box<Term>,
    pub(crate) parts: Vec<RefPart>,
}

/// `.name` or `[term]`.
#[derive(Clone, Debug)]
pub(crate) struct RefPart {
    /// With the dot or the brackets.
    pub(crate) span: Span,
    pub(crate) kind: RefPartKind,
}

/// The kinds of parts.
#[derive(Clone, Debug)]
pub(crate) enum RefPartKind {
    Dot(String),
    Bracket(Term),
}

/// Operators between conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Logical {
    /// `and`
    And,
    /// `or`
    Or,
}

/// Operators between terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    /// `:=`
    Assign,
    /// `=`
    Unify,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `&`
    And,
    /// `|`
    Or,
    /// `in`
    In,
}

impl Operator {
    /// The one that stands for a built-in that can be called by name.
    pub(in crate::policy) fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Unify,
            Self::Equal,
            Self::NotEqual,
            Self::Less,
            Self::LessOrEqual,
            Self::Greater,
            Self::GreaterOrEqual,
            Self::Plus,
            Self::Minus,
            Self::Multiply,
            Self::Divide,
            Self::Remainder,
            Self::And,
            Self::Or,
        ];
        all.into_iter().find(|operator| operator.builtin() == Some(name))
    }

    /// The built-in that it stands for, as OPA names it; `None` where it stands for none that can be called.
    pub(in crate::policy) fn builtin(self) -> Option<&'static str> {
        Some(match self {
            Self::Assign => return None,
            Self::Unify => "eq",
            Self::Equal => "equal",
            Self::NotEqual => "neq",
            Self::Less => "lt",
            Self::LessOrEqual => "lte",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "gte",
            Self::Plus => "plus",
            Self::Minus => "minus",
            Self::Multiply => "mul",
            Self::Divide => "div",
            Self::Remainder => "rem",
            Self::And => "and",
            Self::Or => "or",
            Self::In => "internal.member_2",
        })
    }
}
