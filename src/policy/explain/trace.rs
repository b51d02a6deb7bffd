//! One definition and its conditions as they are shown, with their values.

use super::{
    program::{ARGUMENTS, Condition, DefinitionId, Shape},
    record::{Run, Step},
    redact::Shower,
    story::Story,
    words::{self, Said},
};
use crate::{
    decision::{ConditionTrace, RuleTrace, Seen},
    policy::rego::ast::Span,
};
use regorus::Value as Rego;

/// The most bytes of a value, and of a text of the source.
const MAX_VALUE: usize = 1_024;
const MAX_TEXT: usize = 4_096;

/// How many rules deep a value's sources are followed.
const MAX_DEPTH: usize = 16;

impl Story<'_> {
    /// A definition with the conditions of an attempt. Of a miss, which gives no value, the last did not hold.
    pub(super) fn trace(
        &mut self,
        definition: DefinitionId,
        run: &Run,
        steps: &[Step],
        value: Option<&Rego>,
    ) -> RuleTrace {
        let program = self.program;
        let Some(info) = program.definitions.get(definition) else { return RuleTrace::default() };
        let file = program.files.get(info.file);
        let last = steps.len().saturating_sub(1);
        let mut conditions = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let Some(condition) = program.condition(step.condition) else { continue };
            let held = value.is_some() || number < last;
            // Where it has one, the value says itself what it is.
            if !(held && condition.shape == Shape::Value && steps.len() > 1) {
                conditions.push(self.condition(condition, step, held));
            }
        }
        let shown = value.map(|value| {
            let value = self.value(value, &info.value_sources);
            Seen { expression: info.rule.to_string(), value: Some(value) }
        });
        let sources = [info.argument_source.clone()];
        let arguments = info.arguments.iter().zip(&run.arguments);
        let arguments: Vec<Seen> = arguments
            .map(|(name, value)| Seen { expression: name.clone(), value: Some(self.value(value, &sources)) })
            .collect();
        let count = u32::try_from(conditions.len()).unwrap_or(u32::MAX);
        RuleTrace {
            rule: info.rule.clone(),
            title: info.title.clone(),
            position: file.map(|file| file.position(info.span)),
            arguments,
            value: shown,
            conditions,
            held: count,
            total: count,
            attempts: 1,
            nearness: 1.0,
            needed_by: Vec::new(),
        }
    }

    fn condition(&mut self, condition: &Condition, step: &Step, held: bool) -> ConditionTrace {
        let program = self.program;
        let Some(file) = program.files.get(condition.file) else { return ConditionTrace::default() };
        let (line, width) = file.line(condition.span);
        let text = file.slice(condition.span);
        let shown: Vec<Option<String>> = condition
            .operands
            .iter()
            .enumerate()
            .map(|(number, operand)| {
                let value = step.values.get(number).and_then(Option::as_ref)?;
                Some(self.value(value, &operand.sources))
            })
            .collect();
        let undefined = if held { None } else { self.undefined(condition, step) };
        let mut values = Vec::new();
        for (operand, value) in condition.operands.iter().zip(&shown) {
            // That a call is true or false is what the condition says itself.
            let says_itself = condition.shape == Shape::Truth { call: true } && operand.span == condition.span;
            if !operand.literal && !says_itself && value.is_some() {
                add(&mut values, file.slice(operand.span), value.clone());
            }
        }
        if let Some(span) = undefined {
            add(&mut values, file.slice(span), None);
        }
        for (name, (value, sources)) in condition.locals.iter().zip(step.locals.iter().zip(&condition.local_sources)) {
            let value = self.value(value, sources);
            add(&mut values, name, Some(value));
        }
        if !condition.with {
            self.rule_values(condition, &mut values);
        }
        let message = if held {
            String::new()
        } else {
            let said: Vec<Said<'_>> = condition
                .operands
                .iter()
                .zip(&shown)
                .map(|(operand, value)| Said { text: file.slice(operand.span), value: value.as_deref() })
                .collect();
            // A negated condition that was asked held without its `not`, whatever was undefined in it.
            let undefined = undefined.filter(|_| !condition.negated || step.part.is_some());
            words::sentence(condition, text, &said, undefined.map(|span| file.slice(span)))
        };
        ConditionTrace {
            text: super::redact::shortened(text.to_owned(), MAX_TEXT),
            position: Some(file.position(condition.span)),
            line: super::redact::shortened(line.to_owned(), MAX_TEXT),
            width,
            held,
            message,
            values,
        }
    }

    /// The values of the rules that a condition names.
    fn rule_values(&mut self, condition: &Condition, values: &mut Vec<Seen>) {
        let program = self.program;
        for path in &condition.paths {
            let Some((name, definitions)) = program.rule(path) else { continue };
            let exact = path.len() == name.len() + 1;
            let info = definitions.first().and_then(|number| program.definitions.get(*number));
            let Some(info) = info.filter(|info| exact && !info.function) else { continue };
            let expression = name.last().map(String::as_str).unwrap_or_default();
            let known = |seen: &Seen| seen.expression == expression || seen.expression == info.rule.as_ref();
            if values.iter().any(known) {
                continue;
            }
            if let Some(value) = (self.values)(&info.rule) {
                let value = (value != Rego::Undefined).then(|| self.value(&value, std::slice::from_ref(path)));
                add(values, expression, value);
            }
        }
    }

    /// The expression that had no value, if that is why a condition did not hold: the innermost of the first operand.
    fn undefined(&self, condition: &Condition, step: &Step) -> Option<Span> {
        let missing = |number: usize| step.values.get(number).is_none_or(Option::is_none);
        let asked = step.part.and_then(|part| self.program.condition(part));
        let mut found: Option<Span> = None;
        for (number, operand) in condition.operands.iter().enumerate() {
            if !missing(number) || operand.literal {
                continue;
            }
            // Of what is asked before the condition, only what was being asked.
            if asked.is_some_and(|asked| !within(asked.span, operand.span)) {
                continue;
            }
            if found.is_none_or(|outer| within(operand.span, outer)) {
                found = Some(operand.span);
            }
        }
        found
    }

    /// A value that comes from these paths, as it is shown.
    fn value(&mut self, value: &Rego, sources: &[Vec<String>]) -> String {
        if sources.iter().any(|path| self.hides(path, 0)) {
            return Shower::hidden();
        }
        self.shower.json(value, MAX_VALUE)
    }

    /// Whether what is read at a path is hidden, itself or what the rule there is made of.
    fn hides(&mut self, path: &[String], depth: usize) -> bool {
        if let Some(known) = self.hidden.get(path) {
            return *known;
        }
        if depth > MAX_DEPTH {
            return true;
        }
        let program = self.program;
        self.hidden.insert(path.to_vec(), false);
        if path.first().is_some_and(|root| root == ARGUMENTS) {
            let sources = program.called_with.get(path.get(1..).unwrap_or_default());
            let hidden = sources.is_some_and(|sources| sources.iter().any(|source| self.hides(source, depth + 1)));
            self.hidden.insert(path.to_vec(), hidden);
            return hidden;
        }
        let rule = program.rule(path);
        if self.shower.redaction.hides_path(path, rule.map_or(0, |(name, _)| name.len() + 1)) {
            self.hidden.insert(path.to_vec(), true);
            return true;
        }
        let definitions = rule.map(|(_, definitions)| definitions).unwrap_or_default();
        let hidden = definitions.iter().filter_map(|number| program.definitions.get(*number)).any(|info| {
            // What a rule is true or false for is no secret, but what it hands on is, where it handed on something.
            let held = info.body.is_none_or(|body| self.record.runs(body).iter().any(|run| run.held.is_some()));
            held && info.value_sources.iter().any(|source| self.hides(source, depth + 1))
        });
        self.hidden.insert(path.to_vec(), hidden);
        hidden
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.start >= outer.start && inner.end <= outer.end
}

fn add(values: &mut Vec<Seen>, expression: &str, value: Option<String>) {
    let expression = super::redact::shortened(expression.to_owned(), MAX_TEXT);
    if values.iter().all(|seen| seen.expression != expression) {
        values.push(Seen { expression, value });
    }
}
