//! A query that a client wrote, put to a snapshot: it passes the gate that policies pass, beside the policies that are
//! there, and is answered by an evaluator that is thrown away.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use regorus::Value as Rego;

use super::asked::MAX_RESULT;
use crate::{
    bundle::Module,
    decision::{AdHoc, Diagnostic, Query, Value, Verdict, code},
    policy::{
        adhoc, brackets,
        budget::{self, Budget, Spent},
        builtins,
        compile::Options,
        contract,
        engine::{Engine, Failure},
        fault::{Fault, Faults},
        gate, lint, lowering, meter,
        meter::Stop,
        rego::edit::Edited,
        rejection,
        text::{Text, Texts},
        value,
    },
};

/// The longest query, in bytes.
const MAX_TEXT: usize = 64 << 10;

/// A query, put to an evaluator.
pub(super) struct Put<'a> {
    pub(super) query: &'a AdHoc,
    pub(super) options: Options,
    pub(super) texts: &'a Texts,
    pub(super) budget: Budget,
}

impl Put<'_> {
    /// The answer, or what is wrong with the text. Whatever panics is a deny.
    pub(super) fn to(self, engine: &mut Engine) -> Result<Verdict, Vec<Diagnostic>> {
        catch_unwind(AssertUnwindSafe(|| self.answer(engine))).unwrap_or_else(|_| {
            Ok(Verdict::deny_for(code::INTERNAL_ERROR, "the query panicked; the log names the place", None))
        })
    }

    fn answer(mut self, engine: &mut Engine) -> Result<Verdict, Vec<Diagnostic>> {
        let told = |faults: Vec<Fault>| faults.into_iter().map(diagnostic).collect::<Vec<_>>();
        let lowered = self.read(engine).map_err(told)?;
        let again = adhoc::again(&self.query.text, self.texts, &engine.data(), self.options);
        let again = again.map_err(|Faults(faults)| told(faults))?;
        if let Some((other, _)) = &again {
            *engine = other.fork();
        }
        let texts = again.as_ref().map_or(self.texts, |(_, texts)| texts);
        let AdHoc { input, strict, .. } = self.query;
        let _whole = builtins::Query::begin();
        // What hosts policies may ask is no offer to clients.
        builtins::ask_no_more();
        engine.ask(&Query { input: input.clone(), strict: *strict, ..Query::default() }, usize::MAX);
        let results = match self.budget.run(|limit| {
            engine.query(&lowered.text, limit).map_err(|failure| match failure {
                Failure::Budget if engine.stop().is_none() => budget::Failure::Time,
                other => budget::Failure::Other(other),
            })
        }) {
            Ok(results) => results,
            Err(budget::Failure::Time) => return Ok(spent("the query took longer than it may")),
            Err(budget::Failure::Other(failure)) => return Ok(failed(texts, engine, failure)),
        };
        let held = results.result.into_iter().filter(|result| adhoc::holds(result, &self.query.text));
        let bindings = Rego::from(held.map(|result| result.bindings).collect::<Vec<_>>());
        if let Err(too_much) = meter::weigh(&bindings, MAX_RESULT) {
            let too_much = if too_much == Spent::Stack { too_much } else { Spent::ResultSize };
            return Ok(too_much.deny("the answer of the query is too large", None));
        }
        Ok(match value::to_value(&bindings) {
            Some(Value::Array(items)) if items.is_empty() => contract::no_decision("the query has no answer"),
            Some(bindings) => Verdict { value: Some(Box::new(bindings)), ..Verdict::default() },
            None => Spent::Stack.deny("the answer of the query nests too deep", None),
        })
    }

    /// The text as regorus reads it, checked as the body of a rule of a policy would be.
    fn read(&self, engine: &Engine) -> Result<Edited, Vec<Fault>> {
        let Self { query: AdHoc { text, .. }, options, texts, .. } = self;
        let one = |fault: Fault| vec![fault.at(adhoc::FILE, text, 1, 1, 1)];
        if text.len() > MAX_TEXT {
            return Err(vec![Fault::new("rego_parse_error", format!("the query is longer than {MAX_TEXT} bytes"))]);
        }
        let module = Module { path: adhoc::FILE.to_owned(), text: text.clone(), ..Module::default() };
        let lowered = lowering::lower_query(text, texts, &engine.data())
            .map_err(|errors| errors.into_iter().map(|error| lowering::fault(&module, error)).collect::<Vec<_>>())?;
        if brackets::too_deep(&lowered.text).is_some() {
            return Err(one(Fault::new("rego_nesting_error", "brackets nest too deep")));
        }
        let (head, mut faults) = (adhoc::head(options.rego_v0), Vec::new());
        let as_rule = Module { text: format!("{head}{text}\n}}"), ..module };
        let read = lowering::lower(&[&as_rule], None, *options, &mut faults);
        // The other files' trees, for what the query refers to; their texts say nothing more.
        let mut all = read.texts;
        for (path, other) in texts.iter().filter(|(path, _)| &***path != adhoc::FILE) {
            let tree = Text { module: other.module.clone(), ..Text::plain("", other.rego_v0) };
            all.insert(path, tree);
        }
        faults.extend(lint::check(&all, &|_| true, options.capabilities, &[]).0);
        let own = |faults: Vec<Fault>| -> Vec<Fault> {
            let of_query = |fault: &Fault| fault.position.as_ref().is_some_and(|place| &*place.file == adhoc::FILE);
            // A query may ask for all of `data`; that the rule that it is read as is in there, too, is no recursion.
            let kept = faults.into_iter().filter(|fault| of_query(fault) && fault.code != "rego_recursion_error");
            kept.map(|fault| adhoc::moved(fault, text)).collect()
        };
        let found = own(faults);
        if !found.is_empty() {
            return Err(found);
        }
        let mut trial = engine.trial();
        for (name, source) in all.sources(adhoc::FILE) {
            all.add(&mut trial, name, source).map_err(|error| {
                one(Fault::new("rego_parse_error", rejection::fault_of(&error, "rego_parse_error", &all).cause))
            })?;
        }
        let refused = gate::check(trial.get_modules(), &|file| all.lowered(file).to_owned());
        let found = own(refused.into_iter().map(|fault| all.relocated(fault)).collect());
        if !found.is_empty() {
            return Err(found);
        }
        if adhoc::loses_results(options.rego_v0, &lowered.text) {
            return Err(one(adhoc::lossy()));
        }
        Ok(lowered)
    }
}

fn failed(texts: &Texts, engine: &Engine, failure: Failure) -> Verdict {
    match (failure, engine.stop()) {
        (_, Some(Stop::Spent(spent, cause))) => spent.deny(cause.clone(), None),
        (Failure::Budget, _) => spent("the query took longer than it may"),
        (Failure::Error(error), _) => {
            let fault = texts.relocated(rejection::fault_of(&error, code::EVALUATION_ERROR, texts));
            let own = |file: &str| texts.get(file).is_some();
            let position = fault.position.filter(|place| own(&place.file));
            Verdict::deny_for(code::EVALUATION_ERROR, fault.cause, position)
        }
    }
}

fn spent(cause: &str) -> Verdict {
    Spent::WallClock.deny(cause, None)
}

fn diagnostic(fault: Fault) -> Diagnostic {
    let help = fault.help.map(|help| format!("; {help}")).unwrap_or_default();
    let position = fault.position.map(|place| crate::decision::SourcePosition { file: Arc::from(""), ..place });
    Diagnostic { code: fault.code.into(), message: format!("{}{help}", fault.cause), position }
}
