//! Reading regorus' syntax tree: paths of references, and a bounded walk over expressions.

use std::sync::Arc;

use regorus::{
    Value as Rego,
    unstable::{Expr, Literal, LiteralStmt, Module, Query, Rule, RuleAssign, RuleHead, WithModifier},
};

use crate::decision::SourcePosition;

/// How deep expressions may nest. Each level costs evaluation some stack, and a stack that ends ends the process.
pub(super) const MAX_NESTING: usize = 400;

/// A reference by its parts, up to the first that is no constant.
pub(super) struct Path {
    pub(super) parts: Vec<String>,
}

/// The static parts of a reference, from its first name; `None` where the expression is no reference.
pub(super) fn path(expr: &Expr) -> Option<Path> {
    // Upwards from the last part, so that a reference of any length takes no stack.
    let mut reversed = Vec::new();
    let mut at = expr;
    let mut static_from = 0;
    loop {
        match at {
            Expr::Var { value: Rego::String(name), .. } => {
                reversed.push(name.to_string());
                break;
            }
            Expr::RefDot { refr, field: (_, Rego::String(name)), .. } => {
                reversed.push(name.to_string());
                at = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                match index.as_ref() {
                    Expr::String { value: Rego::String(name), .. }
                    | Expr::RawString { value: Rego::String(name), .. } => {
                        reversed.push(name.to_string());
                    }
                    _ => {
                        reversed.push(String::new());
                        static_from = reversed.len();
                    }
                }
                at = refr;
            }
            _ => return None,
        }
    }
    let parts = reversed.into_iter().skip(static_from).rev().collect();
    Some(Path { parts })
}

/// The names of a module's package below `data`.
pub(super) fn package(module: &Module) -> Vec<String> {
    path(&module.package.refr).map(|path| path.parts).unwrap_or_default()
}

/// The reference that a rule defines.
pub(super) fn head_reference(rule: &Rule) -> &Expr {
    match rule {
        Rule::Default { refr, .. } => refr,
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. } => refr,
        },
    }
}

/// Whether a rule is a function.
pub(super) fn is_function(rule: &Rule) -> bool {
    match rule {
        Rule::Default { args, .. } => !args.is_empty(),
        Rule::Spec { head, .. } => matches!(head, RuleHead::Func { .. }),
    }
}

/// How many arguments a function takes.
pub(super) fn arity(rule: &Rule) -> usize {
    match rule {
        Rule::Default { args, .. } | Rule::Spec { head: RuleHead::Func { args, .. }, .. } => args.len(),
        Rule::Spec { .. } => 0,
    }
}

/// The file, and the first and the last line, of a rule.
pub(super) fn extent(rule: &Rule) -> (Arc<str>, u32, u32) {
    let span = rule.span();
    let lines = u32::try_from(span.text().matches('\n').count()).unwrap_or(u32::MAX);
    (span.source.file().as_str().into(), span.line, span.line.saturating_add(lines))
}

/// Where an expression begins.
pub(super) fn position(expr: &Expr) -> SourcePosition {
    let span = expr.span();
    // regorus counts four columns for a tab.
    let before = usize::try_from(span.start).ok().and_then(|start| span.source.contents().get(..start));
    let column = before.map_or(span.col, |before| {
        let row = before.rsplit('\n').next().unwrap_or_default();
        u32::try_from(row.chars().count()).unwrap_or(u32::MAX).saturating_add(1)
    });
    SourcePosition { file: span.source.file().as_str().into(), line: span.line, column }
}

/// Calls `visit` for each expression and each `with` of a rule, outermost first.
///
/// Fails with the place where expressions nest deeper than [`MAX_NESTING`].
pub(super) fn walk<'a, 'v>(rule: &'a Rule, visit: &'v mut Visit<'a, 'v>) -> Result<(), SourcePosition> {
    Walk { visit, depth: 0, deepest: 0, open_only: false }.rule(rule)
}

/// Calls `visit` for each expression and each `with` of one statement of a body, as [`walk`] does.
pub(super) fn walk_statement<'a, 'v>(
    statement: &'a LiteralStmt,
    visit: &'v mut Visit<'a, 'v>,
) -> Result<(), SourcePosition> {
    Walk { visit, depth: 0, deepest: 0, open_only: false }.statement(statement)
}

/// How many expressions of a rule are inside each other, at most; [`MAX_NESTING`] for one that nests deeper.
pub(super) fn levels(rule: &Rule) -> usize {
    let mut visit = |_: Node<'_>| {};
    let mut walk = Walk { visit: &mut visit, depth: 0, deepest: 0, open_only: false };
    walk.rule(rule).map_or(MAX_NESTING, |()| walk.deepest)
}

/// Calls `visit` for an expression and what is in it, but not for what comprehensions in it ask: their variables are
/// their own.
pub(super) fn walk_open<'a, 'v>(expr: &'a Expr, visit: &'v mut Visit<'a, 'v>) -> Result<(), SourcePosition> {
    Walk { visit, depth: 0, deepest: 0, open_only: true }.expr(expr)
}

/// What [`walk`] calls.
pub(super) type Visit<'a, 'v> = dyn FnMut(Node<'a>) + 'v;

/// What [`walk`] finds.
pub(super) enum Node<'a> {
    Expr(&'a Expr),
    With(&'a WithModifier),
    Statement(&'a LiteralStmt),
}

struct Walk<'a, 'v> {
    visit: &'v mut Visit<'a, 'v>,
    depth: usize,
    deepest: usize,
    open_only: bool,
}

impl<'a> Walk<'a, '_> {
    fn rule(&mut self, rule: &'a Rule) -> Result<(), SourcePosition> {
        match rule {
            Rule::Default { args, value, .. } => {
                args.iter().try_for_each(|arg| self.expr(arg))?;
                self.expr(value)
            }
            Rule::Spec { head, bodies, .. } => {
                match head {
                    RuleHead::Compr { refr, assign, .. } => {
                        self.indices(refr)?;
                        self.assign(assign.as_ref())?;
                    }
                    RuleHead::Set { refr, key, .. } => {
                        self.indices(refr)?;
                        key.iter().try_for_each(|key| self.expr(key))?;
                    }
                    RuleHead::Func { args, assign, .. } => {
                        args.iter().try_for_each(|arg| self.expr(arg))?;
                        self.assign(assign.as_ref())?;
                    }
                }
                bodies.iter().try_for_each(|body| {
                    self.assign(body.assign.as_ref())?;
                    self.query(&body.query)
                })
            }
        }
    }

    fn assign(&mut self, assign: Option<&'a RuleAssign>) -> Result<(), SourcePosition> {
        assign.map_or(Ok(()), |assign| self.expr(&assign.value))
    }

    fn query(&mut self, query: &'a Query) -> Result<(), SourcePosition> {
        query.stmts.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &'a LiteralStmt) -> Result<(), SourcePosition> {
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                key.iter().chain([value, collection]).try_for_each(|expr| self.expr(expr))?;
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expr(expr)?,
            Literal::Every { domain, query, .. } => {
                self.expr(domain)?;
                self.query(query)?;
            }
        }
        (self.visit)(Node::Statement(statement));
        for with in &statement.with_mods {
            (self.visit)(Node::With(with));
            self.expr(&with.r#as)?;
        }
        Ok(())
    }

    /// The expressions inside a head's brackets; its names are definitions, not uses.
    fn indices(&mut self, mut refr: &'a Expr) -> Result<(), SourcePosition> {
        loop {
            match refr {
                Expr::RefBrack { refr: inner, index, .. } => {
                    self.expr(index)?;
                    refr = inner;
                }
                Expr::RefDot { refr: inner, .. } => refr = inner,
                _ => return Ok(()),
            }
        }
    }

    fn expr(&mut self, expr: &'a Expr) -> Result<(), SourcePosition> {
        if self.depth >= MAX_NESTING {
            return Err(position(expr));
        }
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        (self.visit)(Node::Expr(expr));
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Var { .. } => {}
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                items.iter().try_for_each(|item| self.expr(item))?;
            }
            Expr::Object { fields, .. } => {
                fields.iter().flat_map(|(_, key, value)| [key, value]).try_for_each(|item| self.expr(item))?;
            }
            Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } if self.open_only => {}
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expr(term)?;
                self.query(query)?;
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.expr(key)?;
                self.expr(value)?;
                self.query(query)?;
            }
            Expr::Call { params, .. } => params.iter().try_for_each(|param| self.expr(param))?,
            Expr::UnaryExpr { expr, .. } => self.expr(expr)?,
            Expr::RefDot { refr, .. } => self.expr(refr)?,
            Expr::RefBrack { refr, index, .. } => {
                self.expr(refr)?;
                self.expr(index)?;
            }
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.expr(lhs)?;
                self.expr(rhs)?;
            }
            Expr::Membership { key, value, collection, .. } => {
                key.iter().chain([value, collection]).try_for_each(|item| self.expr(item))?;
            }
        }
        self.depth -= 1;
        Ok(())
    }
}
