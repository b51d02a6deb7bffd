//! What is called: functions that there are not, arguments that they do not take, built-ins that are not allowed.

use std::collections::BTreeMap;

use super::{
    World, features,
    finding::Finding,
    names::{Callee, Source},
    suggest,
    types::{self, Type},
};
use crate::policy::{
    builtins,
    rego::{
        ast::{Expr, ExprKind, Operator, Ref, Span, Term, TermKind, With},
        visit::{self, Node, Scopes},
    },
};

/// The functions of the set, by their paths, and how many arguments they take.
pub(super) fn functions(sources: &[Source<'_>]) -> BTreeMap<Vec<String>, usize> {
    let mut functions = BTreeMap::new();
    for source in sources {
        for rule in &source.module.rules {
            // Without arguments it is a rule like any other.
            let arguments = rule.head.arguments.as_ref().filter(|arguments| !arguments.is_empty());
            if let (Some(arguments), Some(path)) = (arguments, source.head(rule)) {
                functions.entry(path).or_insert(arguments.len());
            }
        }
    }
    functions
}

/// Every such fault, and comparisons that can't hold.
pub(super) fn check<'a>(world: &World<'_, 'a>, found: &mut Vec<Finding<'a>>) {
    for source in world.sources {
        let mut check = Check { world, source, found, whole: None };
        for rule in &source.module.rules {
            visit::rule(rule, &mut |node, scopes| check.node(node, scopes));
        }
    }
}

struct Check<'c, 's, 'a> {
    world: &'c World<'s, 'a>,
    source: &'c Source<'a>,
    found: &'c mut Vec<Finding<'a>>,
    /// The term that is a whole condition: a call there may have one argument more, which is its result.
    whole: Option<Span>,
}

impl<'a> Check<'_, '_, 'a> {
    fn fault(&mut self, code: &'static str, span: Span, cause: impl Into<String>, help: impl Into<String>) {
        self.found.push(Finding::fault(code, self.source, span, cause, help));
    }

    fn node(&mut self, node: Node<'a>, scopes: &Scopes<'a>) {
        match node {
            Node::Expr(expression) => self.condition(expression, scopes),
            Node::Call { function, arguments, span } => self.call(function, arguments, span, scopes),
            Node::Term(term) => self.term(term, scopes),
            Node::Name(..) | Node::Ref(_) | Node::Target(_) | Node::Body(_) => {}
        }
    }

    fn condition(&mut self, expression: &'a Expr, scopes: &Scopes<'a>) {
        self.whole = match &expression.kind {
            ExprKind::Term(term) => Some(term.span),
            _ => None,
        };
        if let ExprKind::SomeIn { collection, .. } = &expression.kind {
            let iterable =
                Type::OneOf(vec![Type::Array(Box::new(Type::Any)), Type::Object, Type::Set(Box::new(Type::Any))]);
            let given = self.of(collection, scopes);
            if !given.meets(&iterable) {
                let cause = format!("`some … in` goes over a collection, and this is {}", given.name());
                self.fault("rego_type_error", collection.span, cause, "name an array, a set or an object");
            }
        }
        for with in &expression.with {
            self.replacement(with, scopes);
        }
    }

    fn of(&self, term: &Term, scopes: &Scopes<'_>) -> Type {
        Type::of(term, &|call| match &call.kind {
            TermKind::Call { function, .. } => match self.source.callee(function, scopes) {
                Callee::BuiltIn(name) => Some(name),
                Callee::Path(_) | Callee::Unknown => None,
            },
            _ => None,
        })
    }

    fn call(&mut self, function: &'a Ref, arguments: &'a [Term], span: Span, scopes: &Scopes<'a>) {
        let is_whole = self.whole == Some(span);
        match self.source.callee(function, scopes) {
            Callee::Unknown => {
                if let TermKind::Var(name) = &function.head.kind
                    && scopes.declares(name)
                {
                    let cause = format!("`{name}` is a variable here, and no function");
                    self.fault("rego_type_error", function.span, cause, "give the variable another name");
                }
            }
            Callee::Path(path) => {
                if let Some(arity) = self.world.functions.get(&path).copied() {
                    self.arity(&path.join("."), arity, arguments.len(), function.span, is_whole);
                } else {
                    let written = format!("data.{}", path.join("."));
                    self.undefined(&written, function.span);
                }
            }
            Callee::BuiltIn(name) => {
                if !is_known(&name) {
                    self.undefined(&name, function.span);
                } else if self.allowed(&name, function.span) && name != "print" {
                    if let Some(arity) = arity(&name) {
                        self.arity(&name, arity, arguments.len(), function.span, is_whole);
                    }
                    let arguments: Vec<&Term> = arguments.iter().collect();
                    self.operands(&name, &arguments, scopes);
                    if let Some((host, span)) = features::host(&name, &arguments)
                        && !self.world.capabilities.allows_host(&host)
                    {
                        let cause = format!("the capabilities in force do not allow the host `{host}`");
                        self.fault(
                            "capabilities_error",
                            span,
                            cause,
                            "add it to the `allow_net` of the capabilities file",
                        );
                    }
                }
            }
        }
    }

    fn undefined(&mut self, name: &str, span: Span) {
        // What is past the bound is not told, and looking for near names takes long.
        let is_told = self.found.len() < super::finding::MAX_TOLD;
        let help = if is_told { suggest::function(name) } else { String::new() };
        self.fault("rego_type_error", span, format!("undefined function `{name}`"), help);
    }

    fn arity(&mut self, name: &str, arity: usize, given: usize, span: Span, is_whole: bool) {
        if given != arity && !(is_whole && given == arity + 1) {
            let cause = format!("`{name}` takes {arity} arguments, and gets {given}");
            self.fault(
                "rego_type_error",
                span,
                cause,
                "a call with the wrong arguments is undefined, and `not` of it true",
            );
        }
    }

    /// Whether the capabilities have a built-in; tells where they do not.
    fn allowed(&mut self, name: &str, span: Span) -> bool {
        // Tests are lowered before they are listed: what operators become stands for these.
        let meant = match name.strip_prefix("__verdict__.") {
            Some("template") => "internal.template_string",
            Some("member") => "internal.member_2",
            Some("member_with_key") => "internal.member_3",
            Some(own) if types::signature(own).is_some() => own,
            _ => name,
        };
        let allowed = meant.starts_with("__verdict__.") || self.world.capabilities.allows(meant);
        if !allowed {
            let cause = format!("the capabilities in force do not have the built-in `{name}`");
            let help = "do without it, or add it to the `builtins` of the capabilities file";
            self.fault("capabilities_error", span, cause, help);
        }
        allowed
    }

    /// Operands of types that a built-in never takes. One more than it takes is its result.
    fn operands(&mut self, name: &str, operands: &[&'a Term], scopes: &Scopes<'a>) {
        let Some(signature) = types::signature(name) else { return };
        let wanted = signature.arguments.iter().flatten().chain([&signature.result]);
        for (operand, wanted) in operands.iter().zip(wanted) {
            let given = self.of(operand, scopes);
            if !given.meets(wanted) {
                let cause = format!("`{name}` takes {} here, and gets {}", wanted.name(), given.name());
                self.fault("rego_type_error", operand.span, cause, "it can have no value; give it what it takes");
            }
        }
    }

    fn term(&mut self, term: &'a Term, scopes: &Scopes<'a>) {
        match &term.kind {
            TermKind::Template { .. } => {
                if self.world.capabilities.has_feature("template_strings") {
                    self.allowed("internal.template_string", term.span);
                } else {
                    let cause = "the capabilities in force do not have the feature `template_strings`";
                    self.fault("capabilities_error", term.span, cause, "write it with `sprintf` or `concat`");
                }
            }
            TermKind::Minus(_) => {
                self.allowed("minus", term.span);
            }
            TermKind::MemberWithKey { .. } => {
                self.allowed("internal.member_3", term.span);
            }
            TermKind::Infix { operator, operator_span, left, right } => {
                let Some(name) = operator.builtin() else { return };
                if !self.allowed(name, *operator_span) {
                    return;
                }
                match operator {
                    Operator::Equal | Operator::Unify => self.equal(term.span, left, right, scopes),
                    Operator::NotEqual
                    | Operator::Less
                    | Operator::LessOrEqual
                    | Operator::Greater
                    | Operator::GreaterOrEqual => self.compared(term.span, left, right, scopes),
                    Operator::In => self.member(right, scopes),
                    _ => self.operands(name, &[left, right], scopes),
                }
            }
            _ => {}
        }
    }

    fn equal(&mut self, span: Span, left: &'a Term, right: &'a Term, scopes: &Scopes<'a>) {
        let (one, other) = (self.of(left, scopes), self.of(right, scopes));
        if one.meets(&other) {
            return;
        }
        let cause = match (&one, &other) {
            (Type::Tuple(_), Type::Tuple(_)) => "these arrays are never equal".to_owned(),
            _ => format!("{} is never equal to {}", one.name(), other.name()),
        };
        let is = |kind: fn(&Type) -> bool| kind(&one) || kind(&other);
        let is_array = |kind: &Type| matches!(kind, Type::Array(_) | Type::Tuple(_));
        let is_set = |kind: &Type| matches!(kind, Type::Set(_) | Type::Members(_));
        let help = if is(is_array) && is(is_set) {
            "a set is written `{1, 2}`, an array `[1, 2]`; a set of an array is `{x | some x in array}`"
        } else {
            "compare values of one type; `to_number` and `sprintf` turn one into another"
        };
        self.fault("rego_type_error", span, cause, help);
    }

    fn compared(&mut self, span: Span, left: &'a Term, right: &'a Term, scopes: &Scopes<'a>) {
        let (one, other) = (self.of(left, scopes), self.of(right, scopes));
        if !one.meets(&other) && !matches!((&one, &other), (Type::Tuple(_), Type::Tuple(_))) {
            let cause = format!("{} and {} are compared by their types alone", one.name(), other.name());
            let help = "the result is always the same; compare values of one type";
            self.found.push(Finding::warning("type_mismatch", self.source, span, cause, help));
        }
    }

    fn member(&mut self, collection: &'a Term, scopes: &Scopes<'a>) {
        let given = self.of(collection, scopes);
        if matches!(given, Type::Null | Type::Boolean | Type::Number | Type::String) {
            let cause = format!("nothing is `in` {}", given.name());
            let help = "name a collection; for a part of a string there is `contains(string, part)`";
            self.found.push(Finding::warning("type_mismatch", self.source, collection.span, cause, help));
        }
    }

    /// `with f as g`: both may name built-ins without a call.
    fn replacement(&mut self, with: &'a With, scopes: &Scopes<'a>) {
        if let Callee::BuiltIn(name) = self.source.callee(&with.target, scopes) {
            if is_known(&name) {
                self.allowed(&name, with.target.span);
            } else {
                let cause = format!("`with` replaces a part of `input` or `data`, or a function; `{name}` is none");
                self.fault("rego_type_error", with.target.span, cause, "name what is to be replaced by its whole path");
            }
        }
        let value = bare(&with.value);
        let reference = match &value.kind {
            TermKind::Ref(reference) => reference.clone(),
            TermKind::Var(_) => Ref { span: value.span, head: Box::new(value.clone()), parts: Vec::new() },
            _ => return,
        };
        // What is neither known nor a variable is unsafe, and told as that.
        if let Callee::BuiltIn(name) = self.source.callee(&reference, scopes)
            && is_known(&name)
        {
            self.allowed(&name, with.value.span);
        }
    }
}

/// Without parentheses around it.
pub(super) fn bare(mut term: &Term) -> &Term {
    while let TermKind::Parenthesised(inner) = &term.kind {
        term = inner;
    }
    term
}

/// How many arguments a built-in takes, an operator's by name too.
pub(super) fn arity(name: &str) -> Option<usize> {
    builtins::arity(name).map(usize::from).or_else(|| Operator::named(name).map(|_| 2))
}

fn is_known(name: &str) -> bool {
    // The first three are lowered to what they mean.
    matches!(name, "print" | "rego.metadata.chain" | "rego.metadata.rule") || arity(name).is_some()
}
