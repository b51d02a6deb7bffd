//! An author's text, with reports in it: the same rules, which tell what they do.
//!
//! Only insertions, all of them on the lines that are there. Operands are wrapped where they stand, so that the engine
//! evaluates them in its own order, once, with the author's meaning.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    insert::{Insertion, apply},
    paths::{path_of, rules_of, title},
    program::{ARGUMENTS, BodyInfo, Condition, Definition, File, Kind, Program, Shape},
    record::{BodyId, ConditionId, ENTER, HELD, NEAR, PREFIX},
    redact::Redaction,
    scope::{Names, Scope, Uses, package},
};
use crate::{
    decision::EntryPoint,
    policy::{
        rego::ast::{Body, Else, Expr, ExprKind, Head, Module, Rule, Span, Term, TermKind},
        text::Texts,
    },
};

/// The most operands of one condition that are reported.
pub(super) const MAX_OPERANDS: usize = 10;

/// The most local variables that are reported with a condition.
const MAX_LOCALS: usize = 8;

/// Reads and instruments all files: what to speak of, and the texts to evaluate. A file that can't be read by us stays
/// as it is, and is not spoken of.
pub(super) fn instrument(texts: &Texts, redaction: &Redaction) -> (Program, Vec<String>) {
    let modules: Vec<Option<&Module>> =
        texts.iter().map(|(_, text)| text.module.as_deref().filter(|_| !text.written.contains(PREFIX))).collect();
    let files = texts.iter().map(|(path, text)| (path, &text.written));
    let functions = modules.iter().flatten().flat_map(|module| {
        let of_rule = |rule: &Rule| {
            let path = package(module).into_iter().chain(path_of(&rule.head.reference)).collect();
            Some((path, rule.head.arguments.as_ref()?.len()))
        };
        module.rules.iter().filter_map(of_rule).collect::<Vec<(Vec<String>, usize)>>()
    });
    let arities: BTreeMap<Vec<String>, usize> = functions.collect();
    let mut program = Program::default();
    let mut written = Vec::new();
    for (module, (path, text)) in modules.iter().zip(files) {
        program.files.push(File { path: Arc::clone(path), text: Arc::from(&**text) });
        let Some(module) = module else {
            written.push(text.to_string());
            continue;
        };
        let names = Names::new(module, rules_of(&modules, &package(module)));
        let file = program.files.len() - 1;
        let mut writer = Writer {
            program: &mut program,
            arities: &arities,
            names: &names,
            redaction,
            module,
            file,
            insertions: Vec::new(),
            secret: Vec::new(),
        };
        writer.module();
        let insertions = std::mem::take(&mut writer.insertions);
        written.push(apply(text, insertions));
    }
    program.spread_secrets();
    (program, written)
}

/// Instruments one file.
pub(super) struct Writer<'a> {
    pub(super) program: &'a mut Program,
    pub(super) names: &'a Names,
    pub(super) arities: &'a BTreeMap<Vec<String>, usize>,
    pub(super) redaction: &'a Redaction,
    module: &'a Module,
    file: usize,
    pub(super) insertions: Vec<Insertion>,
    /// What the rule puts under hidden names.
    pub(super) secret: Vec<&'a Term>,
}

/// A body and the value that it gives.
struct Defined<'r> {
    definition: usize,
    body: Option<&'r Body>,
    value: Option<&'r Term>,
    /// Where a value goes that nobody wrote, if one may.
    after: Option<u32>,
    /// Whether it is an `else`.
    otherwise: bool,
}

/// A condition being written.
pub(super) struct Writing<'s> {
    pub(super) number: ConditionId,
    pub(super) locals: String,
    /// Whether the next operand is the one that says that the condition is met.
    pub(super) first: bool,
    /// Whether operands are asked before the condition, and apart from it (`rego/lower/hoist.rs`).
    pub(super) apart: bool,
    pub(super) scope: &'s Scope,
}

impl<'a> Writer<'a> {
    fn module(&mut self) {
        let module = self.module;
        for (number, rule) in module.rules.iter().enumerate() {
            let chained = rule.chained || module.rules.get(number + 1).is_some_and(|next| next.chained);
            self.rule(rule, chained);
        }
    }

    fn rule(&mut self, rule: &'a Rule, chained: bool) {
        self.secrets(rule, chained);
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
        let source: Vec<String> = std::iter::once(ARGUMENTS.to_owned()).chain(names.iter().cloned()).collect();
        scope.come_from(&source);
        let title = title(self.module, rule);
        let define = |program: &mut Program, file: usize, span: Span, head: &Head| {
            program.definitions.push(Definition {
                rule: EntryPoint::from_parts(names.clone()).as_str().into(),
                path: std::iter::once("data".to_owned()).chain(names.iter().cloned()).collect(),
                file,
                span,
                title: title.clone(),
                kind,
                function: head.arguments.is_some(),
                arguments: arguments.clone(),
                argument_source: source.clone(),
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
        let after = wraps.then_some(head.span.end);
        let defined = Defined { definition, body: rule.body.as_ref(), value, after, otherwise: false };
        self.define(&defined, &scope, &arguments);
        for otherwise in &rule.otherwise {
            let Else { span, value, body, .. } = otherwise;
            let at = Span { start: span.start, end: span.start + 4 };
            let definition = define(self.program, self.file, at, head);
            let (body, value) = (body.as_ref(), value.as_ref());
            let defined = Defined { definition, body, value, after: Some(at.end), otherwise: true };
            self.define(&defined, &scope, &arguments);
        }
    }

    /// Instruments one body and the value that it gives.
    fn define(&mut self, defined: &Defined<'_>, scope: &Scope, arguments: &[String]) {
        let Defined { definition, body, value, after, otherwise } = *defined;
        let value_uses = value.map(|term| scope.uses(term, self.names)).unwrap_or_default();
        if let Some(term) = value {
            self.secret_sources(term.span, None, scope, &value_uses);
        }
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
                    let mut writing = Self::writing(condition, &inner, &inner.uses(term, self.names));
                    self.operand(&mut writing, term);
                }
                self.close(term.span.end, format!("{behind})"));
            }
            (None, Some(at)) => self.close(at, format!(" := {HELD}({number}, true)")),
            (_, None) => {}
        }
        let uses = value.map(|term| inner.uses(term, self.names)).unwrap_or_default();
        if let Some(term) = value {
            self.secret_sources(term.span, None, &inner, &uses);
        }
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
        let apart = if let ExprKind::Every { body, .. } = &expression.kind { Some(body.span) } else { None };
        self.secret_sources(expression.span, apart, scope, &uses);
        let condition = self.condition(body, expression.span, Shape::Other, &uses, scope);
        let mut writing = Self::writing(condition, scope, &uses);
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
                ExprKind::Term(term) if expression.negated => self.negated(&mut writing, term),
                ExprKind::Term(term) => self.term(&mut writing, term),
                ExprKind::Some(_) | ExprKind::Not(_) | ExprKind::Logical { .. } => Shape::Other,
            }
        };
        self.replacements(&mut writing, expression);
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

    pub(super) fn condition(
        &mut self,
        body: BodyId,
        span: Span,
        shape: Shape,
        uses: &Uses,
        scope: &Scope,
    ) -> ConditionId {
        let locals: Vec<String> = uses.locals.iter().take(MAX_LOCALS).cloned().collect();
        for path in &uses.paths {
            if let Some((_, function)) = path.split_first().filter(|(root, _)| *root == "data") {
                let sources = uses.sources.iter().filter(|source| *source != path).cloned();
                self.program.called_with.entry(function.to_vec()).or_default().extend(sources);
            }
        }
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

    fn writing<'s>(number: ConditionId, scope: &'s Scope, uses: &Uses) -> Writing<'s> {
        let locals: Vec<&str> = uses.locals.iter().take(MAX_LOCALS).map(String::as_str).collect();
        Writing { number, locals: format!("[{}]", locals.join(", ")), first: true, apart: false, scope }
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
        let (at, text) = if body.braces {
            (body.span.start + 1, format!(" {begin}"))
        } else {
            (body.span.start, format!("{{ {begin}"))
        };
        self.insertions.push(Insertion { at, closes: false, rank: 0, text });
    }

    fn close_body(&mut self, body: &Body) {
        if !body.braces {
            self.insertions.push(Insertion { at: body.span.end, closes: true, rank: 2, text: " }".to_owned() });
        }
    }
}

/// What keeps the commas of `k, v in xs` from being those of a call.
pub(super) fn group(term: &Term) -> (&'static str, &'static str) {
    match &term.kind {
        TermKind::MemberWithKey { .. } | TermKind::Infix { .. } => ("(", ")"),
        _ => ("", ""),
    }
}

/// Whether a term says itself what its value is.
pub(super) fn is_literal(term: &Term) -> bool {
    match &term.kind {
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => true,
        TermKind::Array(items) | TermKind::Set(items) => items.iter().all(is_literal),
        TermKind::Object(members) => members.iter().all(|(key, value)| is_literal(key) && is_literal(value)),
        TermKind::Parenthesised(inner) => is_literal(inner),
        _ => false,
    }
}
