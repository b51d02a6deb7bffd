//! An author's text, with reports in it: the same rules, which tell what they do.
//!
//! Only insertions, all of them on the lines that are there. Operands are wrapped where they stand, so that the engine
//! evaluates them in its own order, once, with the author's meaning.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    program::{BodyInfo, Condition, Definition, File, Kind, Operand, Program, Shape},
    record::{BodyId, ConditionId, ENTER, HELD, MET, NEAR, PREFIX, SEEN},
    scope::{Names, Scope, Uses, package},
};
use crate::{
    decision::EntryPoint,
    policy::{
        builtins,
        rego::{
            self,
            ast::{Body, Else, Expr, ExprKind, Head, Module, Operator, Ref, RefPartKind, Rule, Span, Term, TermKind},
        },
    },
};

/// The most operands of one condition that are reported.
pub(super) const MAX_OPERANDS: usize = 10;

/// The most local variables that are reported with a condition.
const MAX_LOCALS: usize = 8;

/// Reads and instruments all files: what to speak of, and the texts to evaluate. A file that can't be read by us stays
/// as it is, and is not spoken of.
pub(super) fn instrument(files: &[(Arc<str>, Arc<str>)], v1: bool) -> (Program, Vec<String>) {
    let modules: Vec<Option<Module>> = files
        .iter()
        .map(|(_, text)| if text.contains(PREFIX) { None } else { rego::parser::parse(text, v1).ok() })
        .collect();
    let functions = modules.iter().flatten().flat_map(|module| {
        let of_rule = |rule: &Rule| {
            let path = package(module).into_iter().chain(path_of(&rule.head.reference)).collect();
            Some((path, rule.head.arguments.as_ref()?.len()))
        };
        module.rules.iter().filter_map(of_rule).collect::<Vec<(Vec<String>, usize)>>()
    });
    let arities: BTreeMap<Vec<String>, usize> = functions.collect();
    let mut program = Program::default();
    let mut texts = Vec::new();
    for (module, (path, text)) in modules.iter().zip(files) {
        program.files.push(File { path: Arc::clone(path), text: Arc::clone(text) });
        let Some(module) = module else {
            texts.push(text.to_string());
            continue;
        };
        let names = Names::new(module, rules_of(&modules, &package(module)));
        let file = program.files.len() - 1;
        let mut writer =
            Writer { program: &mut program, arities: &arities, names: &names, module, file, insertions: Vec::new() };
        writer.module();
        let insertions = std::mem::take(&mut writer.insertions);
        texts.push(apply(text, insertions));
    }
    (program, texts)
}

/// The first names of all rules of a package.
fn rules_of(modules: &[Option<Module>], name: &[String]) -> BTreeSet<String> {
    let of_package = modules.iter().flatten().filter(|module| package(module) == name);
    let rules = of_package.flat_map(|module| &module.rules);
    rules.filter_map(|rule| path_of(&rule.head.reference).into_iter().next()).collect()
}

/// The constant names of a head's reference.
fn path_of(reference: &Ref) -> Vec<String> {
    let TermKind::Var(first) = &reference.head.kind else { return Vec::new() };
    let constant = |kind: &RefPartKind| match kind {
        RefPartKind::Dot(name) => Some(name.clone()),
        RefPartKind::Bracket(Term { kind: TermKind::String { value, .. }, .. }) => Some(value.clone()),
        RefPartKind::Bracket(_) => None,
    };
    std::iter::once(first.clone()).chain(reference.parts.iter().map_while(|part| constant(&part.kind))).collect()
}

/// Puts insertions into a text: at one place, what closes goes before what opens, and else by rank, then as they came.
fn apply(text: &str, mut insertions: Vec<Insertion>) -> String {
    insertions.sort_by_key(|insertion| (insertion.at, !insertion.closes, insertion.rank));
    let mut out = String::with_capacity(text.len() * 2);
    let mut from = 0;
    for insertion in insertions {
        let at = usize::try_from(insertion.at).unwrap_or(usize::MAX).min(text.len());
        out.push_str(text.get(from..at).unwrap_or_default());
        out.push_str(&insertion.text);
        from = at;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

struct Insertion {
    at: u32,
    closes: bool,
    /// Whether it goes with the body (least where it opens, last where it closes), the condition, or an operand.
    rank: u8,
    text: String,
}

struct Writer<'a> {
    program: &'a mut Program,
    names: &'a Names,
    arities: &'a BTreeMap<Vec<String>, usize>,
    module: &'a Module,
    file: usize,
    insertions: Vec<Insertion>,
}

/// A condition being written.
struct Writing<'s> {
    number: ConditionId,
    locals: String,
    /// Whether the next operand is the one that says that the condition is met.
    first: bool,
    scope: &'s Scope,
}

impl Writer<'_> {
    fn module(&mut self) {
        let module = self.module;
        for (number, rule) in module.rules.iter().enumerate() {
            let chained = rule.chained || module.rules.get(number + 1).is_some_and(|next| next.chained);
            self.rule(rule, chained);
        }
    }

    fn rule(&mut self, rule: &Rule, chained: bool) {
        let head = &rule.head;
        let names: Vec<String> = package(self.module).into_iter().chain(path_of(&head.reference)).collect();
        let whole = head.reference.parts.len() + 1 == path_of(&head.reference).len();
        let kind = match () {
            () if rule.default => Kind::Default,
            () if head.key.is_some() || !whole => Kind::Partial,
            () => Kind::Complete,
        };
        let mut scope = Scope::default();
        let mut arguments = Vec::new();
        for argument in head.arguments.iter().flatten() {
            scope.bind_pattern(argument, &Names::default());
            if let TermKind::Var(name) = &argument.kind
                && name != "_"
            {
                arguments.push(name.clone());
            }
        }
        let define = |program: &mut Program, file: usize, span: Span, head: &Head| {
            program.definitions.push(Definition {
                rule: EntryPoint::from_parts(names.clone()).as_str().into(),
                file,
                span,
                title: String::new(),
                kind,
                function: head.arguments.is_some(),
                arguments: arguments.clone(),
                body: None,
                value_paths: Vec::new(),
                value_sources: Vec::new(),
                answer_paths: Vec::new(),
            });
            let number = program.definitions.len() - 1;
            program.rules.entry(names.clone()).or_default().push(number);
            number
        };
        let span = if rule.chained { rule.span } else { head.span };
        let definition = define(self.program, self.file, span, head);
        if rule.default {
            return;
        }
        // A v0 set `p[x]`: the key is in the place of a reference's part, where nothing may stand for it.
        let value = head.value.as_ref().or(head.key.as_ref().filter(|_| head.contains));
        let wraps = !chained && (value.is_some() || head.key.is_none());
        self.define(definition, rule.body.as_ref(), value, &scope, &arguments, wraps.then_some(head.span.end), false);
        for otherwise in &rule.otherwise {
            let Else { span, value, body, .. } = otherwise;
            let at = Span { start: span.start, end: span.start + 4 };
            let definition = define(self.program, self.file, at, head);
            self.define(definition, body.as_ref(), value.as_ref(), &scope, &arguments, Some(at.end), true);
        }
    }

    /// Instruments one body and the value that it gives; `after` is where a value goes that nobody wrote, if one may.
    fn define(
        &mut self,
        definition: usize,
        body: Option<&Body>,
        value: Option<&Term>,
        scope: &Scope,
        arguments: &[String],
        after: Option<u32>,
        otherwise: bool,
    ) {
        let value_uses = value.map(|term| scope.uses(term, self.names)).unwrap_or_default();
        let constant = value.is_none_or(is_literal) || value_uses.walks;
        // What is constant always holds; but an `else` only where nothing before it did.
        if body.is_none() && (constant && !otherwise || after.is_none()) {
            return;
        }
        let number = self.program.bodies.len();
        let total = body.map_or(1, |body| u32::try_from(body.expressions.len()).unwrap_or(u32::MAX));
        self.program.bodies.push(BodyInfo { definition, total });
        let mut inner = scope.clone();
        if let Some(body) = body {
            let begin = format!("{ENTER}({number}, [{}]); ", arguments.join(", "));
            self.open_body(body, &begin);
            self.conditions(number, body, &mut inner);
            if after.is_none() {
                let bound = inner.bound().collect::<Vec<_>>().join(", ");
                let end = if body.braces { body.span.end.saturating_sub(1) } else { body.span.end };
                let text = format!("; {HELD}({number}, [{bound}])");
                self.insertions.push(Insertion { at: end, closes: true, rank: 1, text });
            }
            self.close_body(body);
        }
        match (value, after) {
            (Some(term), Some(_)) => {
                let (before, behind) = group(term);
                self.open(term.span.start, format!("{HELD}({number}, {before}"));
                if !constant && !inner.is_pattern(term, self.names) {
                    let condition =
                        self.condition(number, term.span, Shape::Value, &inner.uses(term, self.names), &inner);
                    let mut writing = self.writing(condition, &inner, &inner.uses(term, self.names));
                    self.operand(&mut writing, term);
                }
                self.close(term.span.end, format!("{behind})"));
            }
            (None, Some(at)) => self.close(at, format!(" := {HELD}({number}, true)")),
            (_, None) => {}
        }
        let uses = value.map(|term| inner.uses(term, self.names)).unwrap_or_default();
        let answers = value.map(|term| self.answers(term, &inner)).unwrap_or_default();
        if let Some(definition) = self.program.definitions.get_mut(definition) {
            definition.body = Some(number);
            definition.value_sources = uses.sources;
            definition.value_paths = uses.paths;
            definition.answer_paths = answers;
        }
    }

    fn conditions(&mut self, body: BodyId, of: &Body, scope: &mut Scope) {
        for expression in &of.expressions {
            if let ExprKind::Some(_) = expression.kind {
                if let Some(info) = self.program.bodies.get_mut(body) {
                    info.total = info.total.saturating_sub(1);
                }
            } else {
                self.expression(body, expression, scope);
            }
            scope.after(expression, self.names);
        }
    }

    fn expression(&mut self, body: BodyId, expression: &Expr, scope: &Scope) {
        let uses = scope.uses_of(expression, self.names);
        let condition = self.condition(body, expression.span, Shape::Other, &uses, scope);
        let mut writing = self.writing(condition, scope, &uses);
        let shape = if uses.walks {
            Shape::Other
        } else {
            match &expression.kind {
                ExprKind::SomeIn { collection, .. } => {
                    self.operand(&mut writing, collection);
                    Shape::Each
                }
                ExprKind::Every { key, value, domain, body: inner } => {
                    self.operand(&mut writing, domain);
                    let definition = self.program.bodies.get(body).map_or(0, |info| info.definition);
                    let number = self.program.bodies.len();
                    let total = u32::try_from(inner.expressions.len()).unwrap_or(u32::MAX);
                    self.program.bodies.push(BodyInfo { definition, total });
                    let mut inside = scope.clone();
                    key.iter().chain([value]).filter(|name| name.text != "_").for_each(|name| inside.bind(&name.text));
                    self.conditions(number, inner, &mut inside);
                    Shape::Every(number)
                }
                ExprKind::Term(term) => self.term(&mut writing, term),
                ExprKind::Some(_) | ExprKind::Not(_) | ExprKind::Logical { .. } => Shape::Other,
            }
        };
        // What goes through an empty collection is not evaluated at all, so its turn is told before.
        if !expression.negated && (writing.first || uses.iterates) {
            let text = format!("{NEAR}({condition}, {}); ", writing.locals);
            self.insertions.push(Insertion { at: expression.span.start, closes: false, rank: 1, text });
        }
        if let Some(condition) = self.program.conditions.get_mut(condition) {
            condition.shape = shape;
            condition.negated = expression.negated;
            condition.with = !expression.with.is_empty();
        }
    }

    fn term(&mut self, writing: &mut Writing<'_>, term: &Term) -> Shape {
        match &term.kind {
            TermKind::Infix { operator: Operator::Assign, right, .. } => {
                self.operand(writing, right);
                Shape::Assign
            }
            TermKind::Infix { operator: Operator::Unify, left, right, .. } => {
                let patterns = [left, right].map(|side| writing.scope.is_pattern(side, self.names));
                match patterns {
                    [false, false] => self.comparison(writing, Operator::Unify, left, right),
                    [true, false] => {
                        self.operand(writing, right);
                        Shape::Assign
                    }
                    [false, true] => {
                        self.operand(writing, left);
                        Shape::Assign
                    }
                    [true, true] => Shape::Other,
                }
            }
            TermKind::Infix { operator, left, right, .. } if is_comparison(*operator) => {
                self.comparison(writing, *operator, left, right)
            }
            TermKind::Call { function, arguments } if self.arity(function, writing.scope) != Some(arguments.len()) => {
                // Its last argument takes its value: it can't be wrapped, nor the call as a whole.
                self.arguments(writing, arguments.split_last().map(|(_, before)| before).unwrap_or_default());
                Shape::Other
            }
            kind => {
                let call = matches!(kind, TermKind::Call { .. });
                self.operand(writing, term);
                Shape::Truth { call }
            }
        }
    }

    fn comparison(&mut self, writing: &mut Writing<'_>, operator: Operator, left: &Term, right: &Term) -> Shape {
        self.operand(writing, left);
        let condition = self.program.conditions.get(writing.number);
        let number = condition.map_or(0, |condition| condition.operands.len());
        self.operand(writing, right);
        Shape::Compare { operator, right: number }
    }

    /// How many arguments a function takes, where that is known.
    fn arity(&self, function: &Ref, scope: &Scope) -> Option<usize> {
        let uses = scope.uses_of_reference(function, self.names);
        if let Some(arity) = uses.paths.first().and_then(|path| self.arities.get(path.get(1..)?)) {
            return Some(*arity);
        }
        builtins::arity(&path_of(function).join(".")).map(usize::from)
    }

    /// Wraps an operand, and the arguments of the calls in it.
    fn operand(&mut self, writing: &mut Writing<'_>, term: &Term) {
        if writing.scope.is_pattern(term, self.names) {
            return;
        }
        let Some(number) = self.note(writing, term) else { return };
        let met = if std::mem::take(&mut writing.first) {
            format!("{MET}({}, {})", writing.number, writing.locals)
        } else {
            writing.number.to_string()
        };
        let (before, after) = group(term);
        self.open(term.span.start, format!("{SEEN}({met}, {number}, {before}"));
        self.inside(writing, term);
        self.close(term.span.end, format!("{after})"));
    }

    fn inside(&mut self, writing: &mut Writing<'_>, term: &Term) {
        match &term.kind {
            TermKind::Call { arguments, .. } => self.arguments(writing, arguments),
            TermKind::Infix { left, right, .. } => {
                for side in [left, right] {
                    match &side.kind {
                        TermKind::Ref(_) | TermKind::Var(_) => self.operand(writing, side),
                        _ => self.inside(writing, side),
                    }
                }
            }
            TermKind::Parenthesised(inner) => self.inside(writing, inner),
            TermKind::Ref(reference) => {
                for part in &reference.parts {
                    if let RefPartKind::Bracket(index @ Term { kind: TermKind::Ref(_), .. }) = &part.kind {
                        self.operand(writing, index);
                    }
                }
            }
            _ => {}
        }
    }

    fn arguments(&mut self, writing: &mut Writing<'_>, arguments: &[Term]) {
        for argument in arguments {
            match &argument.kind {
                TermKind::Ref(_) | TermKind::Var(_) => self.operand(writing, argument),
                TermKind::Call { .. } => self.inside(writing, argument),
                _ => {}
            }
        }
    }

    /// Adds an operand to its condition, if there may be one more.
    fn note(&mut self, writing: &Writing<'_>, term: &Term) -> Option<usize> {
        let uses = writing.scope.uses(term, self.names);
        let condition = self.program.conditions.get_mut(writing.number)?;
        if condition.operands.len() >= MAX_OPERANDS {
            return None;
        }
        condition.operands.push(Operand { span: term.span, literal: is_literal(term), sources: uses.sources });
        Some(condition.operands.len() - 1)
    }

    fn condition(&mut self, body: BodyId, span: Span, shape: Shape, uses: &Uses, scope: &Scope) -> ConditionId {
        let locals: Vec<String> = uses.locals.iter().take(MAX_LOCALS).cloned().collect();
        self.program.conditions.push(Condition {
            body,
            file: self.file,
            span,
            shape,
            negated: false,
            with: false,
            operands: Vec::new(),
            local_sources: locals.iter().map(|name| scope.sources(name)).collect(),
            locals,
            paths: uses.paths.clone(),
        });
        self.program.conditions.len() - 1
    }

    fn writing<'s>(&self, number: ConditionId, scope: &'s Scope, uses: &Uses) -> Writing<'s> {
        let locals: Vec<&str> = uses.locals.iter().take(MAX_LOCALS).map(String::as_str).collect();
        Writing { number, locals: format!("[{}]", locals.join(", ")), first: true, scope }
    }

    /// The paths that a definition's value stands for, as a decision.
    fn answers(&self, value: &Term, scope: &Scope) -> Vec<Vec<String>> {
        match &value.kind {
            TermKind::Var(_) | TermKind::Ref(_) => scope.uses(value, self.names).paths,
            TermKind::Object(members) => members
                .iter()
                .filter(|(key, _)| {
                    matches!(&key.kind, TermKind::String { value, .. }
                        if ["allow", "allowed", "decision"].contains(&value.as_str()))
                })
                .flat_map(|(_, value)| match &value.kind {
                    TermKind::Var(_) | TermKind::Ref(_) => scope.uses(value, self.names).paths,
                    _ => Vec::new(),
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    fn open_body(&mut self, body: &Body, begin: &str) {
        let (at, text) = match body.braces {
            true => (body.span.start + 1, format!(" {begin}")),
            false => (body.span.start, format!("{{ {begin}")),
        };
        self.insertions.push(Insertion { at, closes: false, rank: 0, text });
    }

    fn close_body(&mut self, body: &Body) {
        if !body.braces {
            self.insertions.push(Insertion { at: body.span.end, closes: true, rank: 2, text: " }".to_owned() });
        }
    }

    fn open(&mut self, at: u32, text: String) {
        self.insertions.push(Insertion { at, closes: false, rank: 2, text });
    }

    fn close(&mut self, at: u32, text: String) {
        self.insertions.push(Insertion { at, closes: true, rank: 0, text });
    }
}

fn is_comparison(operator: Operator) -> bool {
    use Operator::{Equal, Greater, GreaterOrEqual, In, Less, LessOrEqual, NotEqual};
    matches!(operator, Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual | In)
}

/// What keeps the commas of `k, v in xs` from being those of a call.
fn group(term: &Term) -> (&'static str, &'static str) {
    match &term.kind {
        TermKind::MemberWithKey { .. } | TermKind::Infix { .. } => ("(", ")"),
        _ => ("", ""),
    }
}

/// Whether a term says itself what its value is.
fn is_literal(term: &Term) -> bool {
    match &term.kind {
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => true,
        TermKind::Array(items) | TermKind::Set(items) => items.iter().all(is_literal),
        TermKind::Object(members) => members.iter().all(|(key, value)| is_literal(key) && is_literal(value)),
        TermKind::Parenthesised(inner) => is_literal(inner),
        _ => false,
    }
}
