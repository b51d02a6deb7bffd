//! Bodies and their conditions.

use super::{
    super::{
        SyntaxError,
        ast::{Body, Expr, ExprKind, Logical, Name, Operator, RefPart, RefPartKind, Span, Term, TermKind, With},
        edit::Edit,
    },
    COLLECTION, HOLDS, Lowering, SHAPED_ITEMS, names,
};

impl<'a> Lowering<'a> {
    /// A body with names of its own.
    pub(super) fn body(&mut self, body: &'a Body) {
        self.scopes.push(names::declared(body));
        self.expressions(body, []);
        self.scopes.pop();
    }

    /// Conditions, each with what must be asked before it, and what their head asks, which is asked with them. Whether
    /// there are more now than before.
    pub(super) fn expressions(&mut self, body: &'a Body, head: impl IntoIterator<Item = &'a Term>) -> bool {
        self.in_body(body, head, |lowering| lowering.conditions(body))
    }

    fn conditions(&mut self, body: &'a Body) -> bool {
        let is_query = self.query.is_some_and(|query| std::ptr::eq(query, body));
        let mut more = self.declare_first(body);
        let copies = std::mem::take(&mut self.copies);
        let first = body.expressions.iter().find(|expression| !matches!(expression.kind, ExprKind::Some(_)));
        if let (false, Some(first)) = (copies.is_empty(), first) {
            self.insert(first.span.start, copies);
        }
        let (mut last, mut late): (Option<Span>, bool) = (None, false);
        // What a condition declares those before it do not know.
        let own = self.scopes.len().saturating_sub(1);
        let declared = self.scopes.last_mut().map(std::mem::take).unwrap_or_default();
        self.declared.insert(own, declared.into_iter().collect());
        // Where the loops begin that stand right before a condition, in the text and among the edits.
        let mut loops: Option<(u32, usize)> = None;
        for expression in &body.expressions {
            if let (true, Some(last)) = (self.flat, last) {
                self.replace(last.between(expression.span), "; ");
            } else if let Some(last) = last
                && self.opens_with_bracket(expression.span)
                && !self.text.get(last.between(expression.span).range()).is_some_and(|between| between.contains(';'))
            {
                // regorus would call or index what stands at the end of the line before.
                self.insert(last.end, ";");
            }
            if let Some(scope) = self.scopes.last_mut() {
                names::declared_by(expression, scope);
            }
            let is_some = matches!(expression.kind, ExprKind::Some(_));
            late |= !is_some;
            if late && is_some {
                self.replace(expression.span, "true");
                last = Some(expression.span);
                continue;
            }
            let outer = std::mem::take(&mut self.edits);
            self.begins(expression);
            let (looked_up, asked) = self.separate(expression);
            self.is_given(expression);
            let own = std::mem::replace(&mut self.edits, outer);
            let (start, place) = loops.unwrap_or((expression.span.start, self.edits.len()));
            loops = matches!(expression.kind, ExprKind::SomeIn { .. }).then_some((start, place));
            if !looked_up.is_empty() {
                // Once, and not for each item of a loop.
                self.edits.insert(place, Edit::insert(start, format!("{}; ", looked_up.join("; "))));
                more = true;
            }
            let fails_alone = is_query && fails_alone(expression);
            if fails_alone {
                self.insert(expression.span.start, format!("{HOLDS}([1 | "));
            }
            if !asked.is_empty() {
                self.insert(expression.span.start, format!("{}; ", asked.join("; ")));
                more = true;
            }
            self.edits.extend(own);
            if fails_alone {
                self.insert(expression.span.end, "])");
            }
            last = Some(expression.span);
        }
        self.declared.remove(&own);
        more
    }

    fn opens_with_bracket(&self, at: Span) -> bool {
        self.text.get(at.range()).is_some_and(|text| text.starts_with(['(', '[', '{']))
    }

    /// Lowers a condition, and tells what must be looked up and what must be asked before it.
    pub(super) fn separate(&mut self, expression: &'a Expr) -> (Vec<String>, Vec<String>) {
        let around = std::mem::take(&mut self.looked_up);
        let asked = self.apart(|lowering| lowering.expression(expression));
        (std::mem::replace(&mut self.looked_up, around), asked)
    }

    /// What `work` wants asked before the condition that it lowers.
    pub(super) fn apart(&mut self, work: impl FnOnce(&mut Self)) -> Vec<String> {
        let outer = std::mem::take(&mut self.before);
        work(self);
        std::mem::replace(&mut self.before, outer)
    }

    /// `some x` after other conditions goes to the front: regorus takes it for a second definition when it comes by again.
    fn declare_first(&mut self, body: &'a Body) -> bool {
        let late = body.expressions.iter().skip_while(|expression| matches!(expression.kind, ExprKind::Some(_)));
        let late: Vec<String> = late
            .filter_map(|expression| match &expression.kind {
                ExprKind::Some(names) => Some(names),
                _ => None,
            })
            .flatten()
            .map(|name| self.other_name(&name.text).unwrap_or_else(|| name.text.clone()))
            .collect();
        if let (false, Some(first)) = (late.is_empty(), body.expressions.first()) {
            self.insert(first.span.start, format!("some {}; ", late.join(", ")));
        }
        !late.is_empty()
    }

    pub(super) fn expression(&mut self, expression: &'a Expr) {
        let withs = self.withs(&expression.with);
        let with = withs.concat();
        let mut repeated = None;
        let outer = std::mem::replace(&mut self.with, with.clone());
        let is_plain_one = !expression.negated && expression.with.is_empty();
        let looks_up = is_plain_one && matches!(expression.kind, ExprKind::Term(_) | ExprKind::SomeIn { .. });
        let around = std::mem::replace(&mut self.looks_up, looks_up);
        self.iterates_over(&expression.kind);
        self.in_order(expression, &with);
        match &expression.kind {
            ExprKind::Some(names) => names.iter().for_each(|name| self.local(&name.text, name.span)),
            ExprKind::SomeIn { key, value, collection } => {
                let shapes = self.some_shapes(key.as_ref(), value);
                let mut names = Vec::new();
                names::variables(value, &mut names);
                match key {
                    // regorus would let the second hide the first.
                    Some(Term { kind: TermKind::Var(name), span }) if name != "_" && names.contains(&name.as_str()) => {
                        let variable = self.variable();
                        self.replace(*span, variable.clone());
                        let same = self.other_name(name).unwrap_or_else(|| name.clone());
                        repeated = Some(format!("; {variable} == {same}"));
                    }
                    Some(key) => {
                        self.constant_key(key, collection);
                        self.pattern(key);
                    }
                    None => {}
                }
                self.pattern(value);
                match shapes {
                    // A loop: over what is no collection it finds nothing, as in OPA, and it takes less time than
                    // regorus' `some … in`, which copies all variables for each item.
                    None if key.is_none()
                        && expression.with.is_empty()
                        && is_name(value)
                        && is_reference(collection) =>
                    {
                        self.replace(expression.span.before(value.span), "");
                        self.replace(value.span.between(collection.span), " := ");
                        self.term(collection);
                        self.insert(collection.span.end, "[_]");
                    }
                    None => self.collection(collection),
                    Some((key, value)) => {
                        self.insert(collection.span.start, format!("{SHAPED_ITEMS}("));
                        self.term(collection);
                        self.insert(collection.span.end, format!(", {key}, {value})"));
                    }
                }
            }
            ExprKind::Every { key, value, domain, body } => {
                let names: Vec<_> = key.iter().chain([value]).filter(|name| name.text != "_").collect();
                let given: Vec<String> = names.iter().map(|name| self.given(name)).collect();
                self.domain(domain, names.iter().map(|name| name.text.as_str()), body);
                self.scopes.push(names.iter().map(|name| name.text.as_str()).collect());
                let own = |name: &&Name| self.other_name(&name.text).unwrap_or_else(|| name.text.clone());
                let own: Vec<String> = names.iter().map(own).collect();
                let copies: Vec<String> =
                    own.iter().zip(given).map(|(own, given)| format!("{own} := {given}; ")).collect();
                self.copies = copies.concat();
                self.seeing(names.iter().map(|name| name.text.as_str()), |lowering| lowering.body(body));
                self.scopes.pop();
            }
            ExprKind::Not(body) => self.negation(expression, body),
            ExprKind::Logical { operator, left, right } => self.logical(expression, *operator, left, right),
            ExprKind::Term(term) if expression.negated => self.negated(term, &with),
            ExprKind::Term(Term { kind: TermKind::Infix { operator: Operator::Unify, left, right, .. }, span })
                if self.split(*span, left, right) => {}
            ExprKind::Term(Term { kind: TermKind::Call { function, arguments }, .. })
                if self.output_later(function, arguments) => {}
            // As a condition, false and undefined are the same, and regorus' own `in` takes half of the time.
            ExprKind::Term(Term { kind: TermKind::Infix { operator: Operator::In, left, right, .. }, .. })
                if is_plain(left) && is_plain(right) =>
            {
                self.term(left);
                self.term(right);
            }
            ExprKind::Term(term) => self.term(term),
        }
        self.with = outer;
        self.looks_up = around;
        for (one, text) in expression.with.iter().zip(withs) {
            self.replace(one.span, text.trim_start());
        }
        if let Some(repeated) = repeated {
            self.insert(expression.span.end, repeated);
        }
    }

    /// Refuses a key of a `some … in` that gives no variable a value, over base data that OPA looks it up in by its text.
    fn constant_key(&mut self, key: &'a Term, collection: &'a Term) {
        let mut names = Vec::new();
        names::variables(key, &mut names);
        if names.is_empty() && self.is_looked_up(collection) {
            self.refused.push(SyntaxError {
                span: key.span,
                cause: "a key of `some … in` that is no variable, over base data where a text may be a number"
                    .to_owned(),
                help: Some("look it up: `x := data.xs[1]`".to_owned()),
            });
        }
    }

    /// The domain of an `every`. It is made to need what the body does: regorus, which does not look into that, would ask
    /// it before, and take a variable in brackets there for one that it can give a value.
    fn domain(&mut self, domain: &'a Term, own: impl Iterator<Item = &'a str>, body: &'a Body) {
        let needed = self.needed_from_around(&own.collect(), body);
        if needed.is_empty() {
            return self.term(domain);
        }
        let needed: Vec<String> =
            needed.into_iter().map(|name| self.other_name(name).unwrap_or_else(|| name.to_owned())).collect();
        self.insert(domain.span.start, "[");
        self.term(domain);
        self.insert(domain.span.end, format!(", {}][0]", needed.join(", ")));
    }

    /// Gives a variable of an `every` another name, from which it is copied.
    fn given(&mut self, name: &'a Name) -> String {
        let variable = self.variable();
        self.replace(name.span, variable.clone());
        variable
    }

    /// `not { … }` becomes `[1 | …] == []`.
    fn negation(&mut self, expression: &'a Expr, body: &'a Body) {
        self.replace(expression.span.before(body.span), "");
        self.comprehended(body, "[1 | ");
        self.insert(body.span.end, "] == []");
    }

    /// `a and b` becomes `[1 | a; b] != []`, `a or b` becomes `[[1 | a], [1 | b]] != [[], []]`.
    fn logical(&mut self, expression: &'a Expr, operator: Logical, left: &'a Body, right: &'a Body) {
        let (open, between, close) = match operator {
            Logical::And => ("[1 | ", "; ", "] != []"),
            Logical::Or => ("[[1 | ", "], [1 | ", "]] != [[], []]"),
        };
        self.replace(expression.span.before(left.span), "");
        self.comprehended(left, open);
        self.replace(left.span.between(right.span), between);
        self.comprehended(right, "");
        self.insert(right.span.end, close);
    }

    /// What a body asks, without its braces or parentheses.
    fn comprehended(&mut self, body: &'a Body, open: &str) {
        let (Some(first), Some(last)) = (body.expressions.first(), body.expressions.last()) else { return };
        self.replace(body.span.before(first.span), open);
        self.body(body);
        self.replace(Span { start: last.span.end, end: body.span.end }, "");
    }

    fn collection(&mut self, collection: &'a Term) {
        let is_one = matches!(
            collection.kind,
            TermKind::Array(_)
                | TermKind::Set(_)
                | TermKind::Object(_)
                | TermKind::ArrayComprehension(..)
                | TermKind::SetComprehension(..)
                | TermKind::ObjectComprehension(..)
        );
        if is_one {
            return self.term(collection);
        }
        self.insert(collection.span.start, format!("{COLLECTION}("));
        self.term(collection);
        self.insert(collection.span.end, ")");
    }

    /// What each `with` says. Of their values OPA asks those first that call something, and so errs where one of them
    /// does, whatever has no value before it.
    fn withs(&mut self, withs: &'a [With]) -> Vec<String> {
        let outer = std::mem::take(&mut self.before);
        self.values_in_order(withs);
        let mut calls = std::mem::take(&mut self.before);
        let (mut texts, mut others) = (Vec::new(), Vec::new());
        for with in withs {
            texts.push(self.with(with));
            let asked = if is_plain(&with.value) { &mut others } else { &mut calls };
            asked.append(&mut self.before);
        }
        self.before = outer;
        self.before.append(&mut calls);
        self.before.append(&mut others);
        texts
    }

    /// ` with target as value`; the value is asked before, as OPA does, so that where it is undefined the condition fails.
    fn with(&mut self, with: &'a With) -> String {
        let target = self.lowered(with.target.span, |lowering| lowering.target(&with.target));
        let value = if let Some(function) = self.function(&with.value) {
            function
        } else {
            let value = self.lowered(with.value.span, |lowering| lowering.with_value(&with.value));
            self.put(with, value)
        };
        format!("{} with {target} as {value}", self.mark(with))
    }

    /// What a `with` puts in the place of something is asked before it: regorus would ask a rule in a comprehension while
    /// it asks that rule, and find nothing.
    fn with_value(&mut self, value: &'a Term) {
        if self.settled.contains_key(&value.span) {
            return self.term(value);
        }
        match &value.kind {
            TermKind::ArrayComprehension(..) | TermKind::SetComprehension(..) | TermKind::ObjectComprehension(..) => {
                self.ask(value, "");
            }
            TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| self.with_value(item)),
            TermKind::Object(members) => self.object(value.span, members, Self::with_value),
            TermKind::Parenthesised(inner) => self.with_value(inner),
            _ => self.hoist(value, ""),
        }
    }

    fn target(&mut self, target: &'a super::Ref) {
        // regorus takes whole references only.
        if !self.mocked(target) && !self.whole(target) {
            self.named(target);
        }
    }

    /// The function, or the function that calls the built-in, that a `with` has for a value.
    fn function(&mut self, value: &'a Term) -> Option<String> {
        let name = match &value.kind {
            TermKind::Ref(reference) => names::dotted(reference)?,
            TermKind::Var(name) => name.clone(),
            _ => return None,
        };
        let first = name.split('.').next().unwrap_or_default();
        let rest = name.strip_prefix(first).unwrap_or_default();
        if self.is_local(first) {
            return None;
        }
        let whole = match self.imports.get(first) {
            Some(target) => format!("{target}{rest}"),
            None if (self.world.defined)(first) => format!("data.{}.{name}", self.package.join(".")),
            None if first == "data" => name.clone(),
            None => {
                let arity = (self.world.built_in)(&name)?;
                let wrapper = names::wrapper_name(&name);
                self.wrappers.insert(name, arity);
                return Some(wrapper);
            }
        };
        (self.world.function)(&whole).is_some().then(|| self.lowered(value.span, |lowering| lowering.term(value)))
    }
}

/// Whether an operand stands for itself wherever it is put: no operator in it binds weaker or stronger than another.
fn is_name(term: &Term) -> bool {
    matches!(&term.kind, TermKind::Var(name) if name != "_")
}

/// Whether a term names something, by names and constants, and calls nothing.
fn is_reference(term: &Term) -> bool {
    let is_part = |part: &RefPart| match &part.kind {
        RefPartKind::Dot(_) => true,
        RefPartKind::Bracket(term) => {
            matches!(&term.kind, TermKind::Number(_) | TermKind::String { .. }) || is_name(term) || is_reference(term)
        }
    };
    match &term.kind {
        TermKind::Var(name) => name != "_",
        TermKind::Ref(reference) => is_name(&reference.head) && reference.parts.iter().all(is_part),
        _ => false,
    }
}

fn is_plain(term: &Term) -> bool {
    match &term.kind {
        TermKind::Null
        | TermKind::Bool(_)
        | TermKind::Number(_)
        | TermKind::String { .. }
        | TermKind::Var(_)
        | TermKind::Ref(_) => true,
        TermKind::Array(items) | TermKind::Set(items) => items.iter().all(is_plain),
        _ => false,
    }
}

/// Whether a condition gives no value: of one that does not hold, regorus gives a query a result all the same.
fn fails_alone(expression: &Expr) -> bool {
    match &expression.kind {
        ExprKind::Term(_) => expression.negated,
        ExprKind::Some(_) | ExprKind::SomeIn { .. } => false,
        ExprKind::Every { .. } | ExprKind::Not(_) | ExprKind::Logical { .. } => true,
    }
}
