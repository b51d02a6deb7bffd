//! `not xs[_] == "a"`: OPA refuses it as unsafe; regorus 0.14.1 reads "some element is not `a`", which is mostly true.

use std::collections::BTreeSet;

use regorus::{
    Value as Rego,
    unstable::{Expr, Literal, Query, Ref, Rule, RuleHead},
};

use crate::{
    decision::SourcePosition,
    policy::{
        fault::Fault,
        syntax::{self, Node},
    },
};

type Names = BTreeSet<String>;

/// Each variable inside a `not` that nothing outside it binds. `globals` are names that are not variables.
pub(super) fn faults(rule: &Rule, globals: &dyn Fn(&str) -> bool) -> Vec<(Fault, SourcePosition)> {
    let mut found = Search { faults: Vec::new(), globals };
    let Rule::Spec { head, bodies, .. } = rule else { return found.faults };
    let mut bound = Names::new();
    let heads: Vec<&Expr> = match head {
        RuleHead::Func { args, assign, .. } => {
            for arg in args {
                bound.extend(names(arg));
            }
            assign.iter().map(|assign| assign.value.as_ref()).collect()
        }
        RuleHead::Compr { assign, .. } => assign.iter().map(|assign| assign.value.as_ref()).collect(),
        RuleHead::Set { key, .. } => key.iter().map(Ref::as_ref).collect(),
    };
    // Without a body, a head's comprehensions see just the arguments.
    let mut after = bound.clone();
    for body in bodies {
        let inside = found.query(&body.query, &bound);
        if let Some(assign) = &body.assign {
            found.comprehensions(&assign.value, &inside);
        }
        after.extend(inside);
    }
    for expr in heads {
        found.comprehensions(expr, &after);
    }
    found.faults
}

struct Search<'a> {
    faults: Vec<(Fault, SourcePosition)>,
    globals: &'a dyn Fn(&str) -> bool,
}

impl Search<'_> {
    /// Searches a query; `outer` is bound outside of it. Gives what is bound inside.
    fn query(&mut self, query: &Query, outer: &Names) -> Names {
        let mut bound = outer.clone();
        for statement in &query.stmts {
            match &statement.literal {
                // A declaration binds nothing; nor does what is negated.
                Literal::SomeVars { .. } | Literal::NotExpr { .. } => {}
                Literal::SomeIn { key, value, collection, .. } => {
                    key.iter().chain([value, collection]).for_each(|expr| bound.extend(names(expr)));
                }
                Literal::Expr { expr, .. } => bound.extend(names(expr)),
                Literal::Every { domain, .. } => bound.extend(names(domain)),
            }
        }
        for statement in &query.stmts {
            match &statement.literal {
                Literal::SomeVars { .. } => {}
                Literal::SomeIn { key, value, collection, .. } => {
                    key.iter().chain([value, collection]).for_each(|expr| self.comprehensions(expr, &bound));
                }
                Literal::Expr { expr, .. } => self.comprehensions(expr, &bound),
                Literal::NotExpr { expr, .. } => {
                    self.negated(expr, &bound);
                    self.comprehensions(expr, &bound);
                }
                Literal::Every { key, value, domain, query, .. } => {
                    self.comprehensions(domain, &bound);
                    let mut inner = bound.clone();
                    inner.extend(key.iter().chain([value]).map(|name| name.text().to_owned()));
                    self.query(query, &inner);
                }
            }
            for with in &statement.with_mods {
                self.comprehensions(&with.r#as, &bound);
            }
        }
        bound
    }

    fn negated(&mut self, expr: &Expr, bound: &Names) {
        let mut unbound: Vec<(&Expr, String)> = Vec::new();
        // What nests too deep is refused by the gate itself.
        let _ = syntax::walk_open(expr, &mut |node| {
            if let Node::Expr(variable @ Expr::Var { value: Rego::String(name), .. }) = node
                && (name.as_ref() == "_" || !(bound.contains(name.as_ref()) || (self.globals)(name)))
            {
                unbound.push((variable, name.to_string()));
            }
        });
        for (variable, name) in unbound {
            let cause = format!("`{name}` is unsafe: nothing outside the `not` binds it");
            let help = "say what is meant: `not \"a\" in xs`, or `every x in xs { x != \"a\" }`";
            self.faults.push((Fault::new("rego_unsafe_var_error", cause).help(help), syntax::position(variable)));
        }
    }

    /// Searches the comprehensions in an expression.
    fn comprehensions(&mut self, expr: &Expr, bound: &Names) {
        let mut inside: Vec<(&Query, Vec<&Expr>)> = Vec::new();
        let _ = syntax::walk_open(expr, &mut |node| match node {
            Node::Expr(Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. }) => {
                inside.push((query, vec![term]));
            }
            Node::Expr(Expr::ObjectCompr { key, value, query, .. }) => inside.push((query, vec![key, value])),
            _ => {}
        });
        for (query, terms) in inside {
            let bound = self.query(query, bound);
            for term in terms {
                self.comprehensions(term, &bound);
            }
        }
    }
}

/// The variables of an expression, but for those of comprehensions in it, which are their own.
fn names(expr: &Expr) -> Names {
    let mut found = Names::new();
    let _ = syntax::walk_open(expr, &mut |node| {
        if let Node::Expr(Expr::Var { value: Rego::String(name), .. }) = node {
            found.insert(name.to_string());
        }
    });
    found
}
