//! Whether operations are valid for a schema: gqlparser's rules, which are those in §5 of GraphQL's specification.
//!
//! The first broken rule ends it. All of it takes from one count of steps, as what fragments spread, and what fields
//! are compared with, can grow exponentially with the text.

mod fragments;
mod overlap;
mod values;

use std::collections::{HashMap, HashSet};

use super::{
    Fault, Steps,
    ast::{
        Argument, ArgumentDefinition, Definition, Directive, Field, FieldDefinition, Fragment, Inline, Operation,
        QueryDocument, Selection, Spread, Type,
    },
    schema::Schema,
};

/// Checks a document.
pub(super) fn validate(schema: &Schema, document: &QueryDocument, steps: &mut Steps) -> Result<(), Fault> {
    let mut fragments = HashMap::new();
    for fragment in &document.fragments {
        if fragments.insert(fragment.name.as_str(), fragment).is_some() {
            return invalid(format!("there is more than one fragment `{}`", fragment.name));
        }
    }
    let typename = FieldDefinition {
        name: "__typename".to_owned(),
        of: Some(Type { named_type: "String".to_owned(), ..Type::default() }),
        ..FieldDefinition::default()
    };
    let mut validator = Validator {
        schema,
        fragments,
        typename: &typename,
        steps,
        operation: None,
        used: HashSet::new(),
        spread: HashSet::new(),
        resolved: HashMap::new(),
        overlap: overlap::Compared::default(),
    };
    validator.document(document)
}

fn invalid<T>(cause: String) -> Result<T, Fault> {
    Err(Fault::Invalid(cause))
}

/// What a field of the query is in the schema: its parent, and its definition there.
type Resolved<'a> = (Option<&'a Definition>, Option<&'a FieldDefinition>);

struct Validator<'a, 's> {
    schema: &'a Schema,
    fragments: HashMap<&'a str, &'a Fragment>,
    typename: &'a FieldDefinition,
    steps: &'s mut Steps,
    /// The operation that is being checked.
    operation: Option<&'a Operation>,
    /// Its variables that were met.
    used: HashSet<&'a str>,
    /// The fragments that were walked for it.
    spread: HashSet<&'a str>,
    /// By the fields' addresses.
    resolved: HashMap<*const Field, Resolved<'a>>,
    overlap: overlap::Compared<'a>,
}

impl<'a> Validator<'a, '_> {
    fn document(&mut self, document: &'a QueryDocument) -> Result<(), Fault> {
        // First, as everything after it follows spreads.
        self.no_cycles(document)?;
        let mut names = HashSet::new();
        let mut used_fragments = HashSet::new();
        for operation in &document.operations {
            if !names.insert(operation.name.as_str()) {
                return invalid(format!("there is more than one operation `{}`", operation.name));
            }
            if operation.name.is_empty() && document.operations.len() > 1 {
                return invalid("an operation without a name must be the only one".to_owned());
            }
            self.spread.clear();
            self.operation(operation)?;
            used_fragments.extend(self.spread.iter().copied());
        }
        for fragment in &document.fragments {
            self.spread.clear();
            let of = self.schema.definition(&fragment.type_condition);
            self.directives(&fragment.directives, "FRAGMENT_DEFINITION")?;
            self.selection_set(of, &fragment.selection_set)?;
            if !used_fragments.contains(fragment.name.as_str()) {
                return invalid(format!("the fragment `{}` is never used", fragment.name));
            }
            self.fragment(fragment)?;
        }
        Ok(())
    }

    fn operation(&mut self, operation: &'a Operation) -> Result<(), Fault> {
        self.operation = Some(operation);
        self.used.clear();
        let mut names = HashSet::new();
        for variable in &operation.variable_definitions {
            let name = variable.of.as_ref().map(Type::name).unwrap_or_default();
            match self.schema.definition(name) {
                Some(of) if of.is_input() => {}
                _ => return invalid(format!("the type of the variable `{}` is no input type", variable.variable)),
            }
            if !names.insert(variable.variable.as_str()) {
                return invalid(format!("there is more than one variable `{}`", variable.variable));
            }
        }
        let root = self.schema.root(&operation.operation);
        let Some(root) = root else {
            return invalid(format!("the schema has no operations of the kind `{}`", operation.operation));
        };
        for variable in &operation.variable_definitions {
            if let Some(value) = &variable.default_value {
                self.value(value, values::Place::of(self.schema, variable.of.as_ref()))?;
            }
            self.directives(&variable.directives, "VARIABLE_DEFINITION")?;
        }
        let place = match operation.operation.as_str() {
            "mutation" => "MUTATION",
            "subscription" => "SUBSCRIPTION",
            _ => "QUERY",
        };
        self.directives(&operation.directives, place)?;
        self.selection_set(Some(root), &operation.selection_set)?;
        let unused = |variable: &&super::ast::VariableDefinition| {
            !variable.used && !self.used.contains(variable.variable.as_str())
        };
        if let Some(unused) = operation.variable_definitions.iter().find(unused) {
            return invalid(format!("the variable `{}` is never used", unused.variable));
        }
        self.overlaps(&operation.selection_set)?;
        if operation.operation == "subscription" {
            self.single_field(operation)?;
        }
        self.operation = None;
        Ok(())
    }

    fn directives(&mut self, directives: &'a [Directive], place: &str) -> Result<(), Fault> {
        let mut seen = HashSet::new();
        for directive in directives {
            let Some(definition) = self.schema.directive(&directive.name) else {
                return invalid(format!("the directive `{}` is not defined", directive.name));
            };
            if !definition.locations.iter().any(|location| location == place) {
                return invalid(format!("the directive `{}` can't be used on {place}", directive.name));
            }
            if !seen.insert(&directive.name) && !definition.is_repeatable {
                return invalid(format!("the directive `{}` is used twice at one place", directive.name));
            }
            self.arguments(&directive.arguments, Some(&definition.arguments))?;
        }
        Ok(())
    }

    /// Checks arguments against their definitions, where these are known.
    fn arguments(&mut self, arguments: &'a [Argument], defined: Option<&'a [ArgumentDefinition]>) -> Result<(), Fault> {
        let mut given = HashMap::new();
        for (number, argument) in arguments.iter().enumerate() {
            self.steps.take(1 + defined.map_or(0, <[_]>::len))?;
            if given.insert(argument.name.as_str(), number).is_some() {
                return invalid(format!("there is more than one argument `{}`", argument.name));
            }
            let definition = defined.and_then(|defined| defined.iter().find(|one| one.name == argument.name));
            if defined.is_some() && definition.is_none() {
                return invalid(format!("there is no argument `{}`", argument.name));
            }
            let Some(value) = &argument.value else {
                return invalid(format!("the argument `{}` has no value", argument.name));
            };
            let place = definition.map_or_else(values::Place::default, |definition| {
                let place = values::Place::of(self.schema, definition.of.as_ref());
                place.with_default(definition.default_value.as_ref())
            });
            self.value(value, place)?;
        }
        for definition in defined.unwrap_or_default() {
            self.steps.take(1)?;
            let required = definition.of.as_ref().is_some_and(|of| of.non_null) && definition.default_value.is_none();
            if required && !given.contains_key(definition.name.as_str()) {
                return invalid(format!("the argument `{}` is required", definition.name));
            }
        }
        Ok(())
    }

    fn selection_set(&mut self, parent: Option<&'a Definition>, selections: &'a [Selection]) -> Result<(), Fault> {
        self.steps.descend()?;
        for selection in selections {
            self.steps.take(1)?;
            match selection {
                Selection::Field(field) => self.field(parent, field)?,
                Selection::Inline(inline) => self.inline(parent, inline)?,
                Selection::Spread(spread) => self.spread(parent, spread)?,
            }
        }
        self.steps.ascend();
        Ok(())
    }

    fn field(&mut self, parent: Option<&'a Definition>, field: &'a Field) -> Result<(), Fault> {
        let definition = if field.name == "__typename" {
            Some(self.typename)
        } else {
            parent.and_then(|parent| self.schema.field(parent, &field.name))
        };
        if let (Some(parent), None) = (parent, definition) {
            return invalid(format!("`{}` has no field `{}`", parent.name, field.name));
        }
        self.resolved.insert(std::ptr::from_ref(field), (parent, definition));
        // Without a parent, gqlparser says nothing about arguments that it does not know.
        let defined = definition.map(|definition| definition.arguments.as_slice());
        self.arguments(&field.arguments, defined.filter(|_| parent.is_some()))?;
        self.directives(&field.directives, "FIELD")?;
        let name = definition.and_then(|definition| definition.of.as_ref()).map(Type::name);
        let of = name.and_then(|name| self.schema.definition(name));
        self.selection_set(of, &field.selection_set)?;
        if let Some(of) = of
            && of.is_leaf() != field.selection_set.is_empty()
        {
            return invalid(format!("the selection of `{}` does not fit its type", field.name));
        }
        if field.name == "__schema" || field.name == "__type" {
            self.introspection(field)?;
        }
        if self.operation.is_some() { self.overlaps(&field.selection_set) } else { Ok(()) }
    }

    fn inline(&mut self, parent: Option<&'a Definition>, inline: &'a Inline) -> Result<(), Fault> {
        let condition = inline.type_condition.as_str();
        let of = if condition.is_empty() { parent } else { self.schema.definition(condition) };
        self.directives(&inline.directives, "INLINE_FRAGMENT")?;
        self.selection_set(of, &inline.selection_set)?;
        if !condition.is_empty() {
            self.condition(condition)?;
            self.can_spread(parent, condition)?;
        }
        self.overlaps(&inline.selection_set)
    }

    fn spread(&mut self, parent: Option<&'a Definition>, spread: &'a Spread) -> Result<(), Fault> {
        let Some(fragment) = self.fragments.get(spread.name.as_str()).copied() else {
            return invalid(format!("the fragment `{}` is not defined", spread.name));
        };
        self.directives(&spread.directives, "FRAGMENT_SPREAD")?;
        let of = self.schema.definition(&fragment.type_condition);
        if self.spread.insert(fragment.name.as_str()) {
            self.directives(&fragment.directives, "FRAGMENT_DEFINITION")?;
            self.selection_set(of, &fragment.selection_set)?;
        }
        self.can_spread(parent, &fragment.type_condition)
    }
}
