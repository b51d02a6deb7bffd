//! `graphql.*`: GraphQL's documents as syntax trees, and whether they are valid.
//!
//! The trees are those of OPA, which are the JSON of gqlparser's (a library for Go), comments included, and a tree may be
//! passed where a text may. What is valid is what gqlparser finds so; no crate gives these trees, or takes them.

mod ast;
mod decode;
mod lexer;
mod parser;
mod schema;
#[cfg(test)]
mod tests;
mod validate;

use std::{cell::RefCell, rc::Rc};

use regorus::Value as Rego;
use serde::Serialize;

use super::{Failure, Function};
use ast::{QueryDocument, SchemaDocument};
use schema::Schema;

pub(super) const ALL: &[Function] = &[
    Function { name: "graphql.is_valid", arity: 2, call: is_valid },
    Function { name: "graphql.parse", arity: 2, call: parse },
    Function { name: "graphql.parse_and_verify", arity: 2, call: parse_and_verify },
    Function { name: "graphql.parse_query", arity: 1, call: parse_query },
    Function { name: "graphql.parse_schema", arity: 1, call: parse_schema },
    Function { name: "graphql.schema_is_valid", arity: 1, call: schema_is_valid },
];

/// How much work a call makes at most.
const MAX_STEPS: usize = 3_000_000;
/// How deep a check goes at most, through fields, fragments and values.
const MAX_CHECK_DEPTH: usize = 400;
/// How many schemas a thread keeps: policies have few, and ask about each again and again.
const KEPT_SCHEMAS: usize = 4;

/// The longest text of a schema that is kept: a schema takes many times its text.
const KEPT_TEXT: usize = 512 << 10;

/// Why there is no result.
#[derive(Debug)]
enum Fault {
    /// The argument is neither a text nor an object.
    Type,
    /// The document is not valid.
    Invalid(String),
    /// It is too large to say.
    Bound(String),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Type => Self::Type("operand must be one of {object, string}".to_owned()),
            Fault::Invalid(cause) => Self::Operand(cause),
            Fault::Bound(cause) => Self::Spent(cause),
        }
    }
}

/// What is left of the work that a call may make.
struct Steps {
    left: usize,
    depth: usize,
}

impl Steps {
    fn new() -> Self {
        Self { left: MAX_STEPS, depth: 0 }
    }

    fn take(&mut self, steps: usize) -> Result<(), Fault> {
        let left = self.left.checked_sub(steps);
        self.left = left.ok_or_else(|| Fault::Bound("checking the GraphQL document takes too much work".to_owned()))?;
        Ok(())
    }

    fn descend(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_CHECK_DEPTH {
            return Err(Fault::Bound(format!("the GraphQL document nests more than {MAX_CHECK_DEPTH} deep")));
        }
        Ok(())
    }

    fn ascend(&mut self) {
        self.depth -= 1;
    }
}

/// A schema with its syntax tree.
struct Known {
    source: Rego,
    schema: Schema,
    tree: Rego,
}

thread_local! {
    static SCHEMAS: RefCell<Vec<Rc<Known>>> = const { RefCell::new(Vec::new()) };
}

fn argument(arguments: &[Rego], at: usize) -> &Rego {
    arguments.get(at).unwrap_or(&Rego::Undefined)
}

fn query_of(argument: &Rego) -> Result<QueryDocument, Fault> {
    match argument {
        Rego::String(text) => parser::query(text),
        Rego::Object(_) => decode::document(argument),
        _ => Err(Fault::Type),
    }
}

fn schema_of(argument: &Rego) -> Result<SchemaDocument, Fault> {
    match argument {
        Rego::String(text) => parser::schema(text),
        Rego::Object(_) => decode::document(argument),
        _ => Err(Fault::Type),
    }
}

/// A checked schema; that of an earlier call, if it had the same source.
fn known(source: &Rego) -> Result<Rc<Known>, Fault> {
    let kept = SCHEMAS.with_borrow(|kept| kept.iter().find(|known| known.source == *source).cloned());
    if let Some(known) = kept {
        return Ok(known);
    }
    let document = schema_of(source)?;
    let tree = tree(&document)?;
    let known = Rc::new(Known { source: source.clone(), schema: Schema::new(document, &mut Steps::new())?, tree });
    if matches!(source, Rego::String(text) if text.len() <= KEPT_TEXT) {
        SCHEMAS.with_borrow_mut(|kept| {
            kept.truncate(KEPT_SCHEMAS - 1);
            kept.insert(0, Rc::clone(&known));
        });
    }
    Ok(known)
}

fn tree(document: &impl Serialize) -> Result<Rego, Fault> {
    let json = serde_json::to_value(document).map_err(|error| Fault::Invalid(error.to_string()))?;
    Ok(Rego::from(json))
}

/// The trees of a query and of a schema for which it is valid.
fn verified(arguments: &[Rego]) -> Result<(Rego, Rego), Fault> {
    let query = query_of(argument(arguments, 0))?;
    let known = known(argument(arguments, 1))?;
    validate::validate(&known.schema, &query, &mut Steps::new())?;
    Ok((tree(&query)?, known.tree.clone()))
}

/// Whether nothing is wrong.
fn holds<T>(result: Result<T, Fault>) -> Result<Rego, Failure> {
    match result {
        Err(fault @ Fault::Bound(_)) => Err(fault.into()),
        result => Ok(Rego::Bool(result.is_ok())),
    }
}

fn is_valid(arguments: &[Rego]) -> Result<Rego, Failure> {
    let check = || {
        let query = query_of(argument(arguments, 0))?;
        let known = known(argument(arguments, 1))?;
        validate::validate(&known.schema, &query, &mut Steps::new())
    };
    holds(check())
}

fn parse(arguments: &[Rego]) -> Result<Rego, Failure> {
    let (query, schema) = verified(arguments)?;
    Ok(Rego::from(vec![query, schema]))
}

fn parse_and_verify(arguments: &[Rego]) -> Result<Rego, Failure> {
    match verified(arguments) {
        Ok((query, schema)) => Ok(Rego::from(vec![Rego::Bool(true), query, schema])),
        Err(fault @ Fault::Bound(_)) => Err(fault.into()),
        Err(_) => Ok(Rego::from(vec![Rego::Bool(false), Rego::new_object(), Rego::new_object()])),
    }
}

fn parse_query(arguments: &[Rego]) -> Result<Rego, Failure> {
    match argument(arguments, 0) {
        Rego::String(text) => Ok(tree(&parser::query(text)?)?),
        _ => Err(Failure::Type("operand 1 must be string".to_owned())),
    }
}

fn parse_schema(arguments: &[Rego]) -> Result<Rego, Failure> {
    match argument(arguments, 0) {
        Rego::String(text) => Ok(tree(&parser::schema(text)?)?),
        _ => Err(Failure::Type("operand 1 must be string".to_owned())),
    }
}

fn schema_is_valid(arguments: &[Rego]) -> Result<Rego, Failure> {
    holds(known(argument(arguments, 0)))
}
