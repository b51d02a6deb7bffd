//! The rules on values and variables.

use std::collections::HashSet;

use super::{
    super::ast::{Definition, Kind, Type, Value, VariableDefinition},
    Fault, Schema, Validator, invalid,
};

/// The scalars whose values GraphQL knows; all others take any value.
const SCALARS: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

/// What is expected where a value is.
#[derive(Clone, Copy, Default)]
pub(super) struct Place<'a> {
    of: Option<&'a Type>,
    /// The type that `of` names.
    definition: Option<&'a Definition>,
    /// Whether there is a default, so that a variable may be null.
    has_default: bool,
}

impl<'a> Place<'a> {
    pub(super) fn of(schema: &'a Schema, of: Option<&'a Type>) -> Self {
        let definition = of.and_then(|of| schema.definition(of.name()));
        Self { of, definition, has_default: false }
    }

    pub(super) fn with_default(self, default: Option<&Value>) -> Self {
        Self { has_default: default.is_some_and(|value| value.kind != Kind::Null), ..self }
    }

    fn element(self) -> Self {
        match self.of.and_then(|of| of.elem.as_deref()) {
            Some(elem) => Self { of: Some(elem), definition: self.definition, has_default: false },
            None => Self::default(),
        }
    }
}

impl<'a> Validator<'a, '_> {
    /// Checks a value and what is in it.
    pub(super) fn value(&mut self, value: &'a Value, place: Place<'a>) -> Result<(), Fault> {
        self.steps.descend()?;
        self.steps.take(1)?;
        if value.kind == Kind::Variable {
            self.variable(value, place)?;
        }
        if value.kind == Kind::Object {
            self.members(value, place)?;
        }
        if value.kind == Kind::List {
            for child in &value.children {
                let Some(element) = &child.value else { return invalid("a list has no value".to_owned()) };
                self.value(element, place.element())?;
            }
        }
        self.fits(value, place)?;
        self.steps.ascend();
        Ok(())
    }

    fn defined(&self, name: &str) -> Option<&'a VariableDefinition> {
        self.operation?.variable_definitions.iter().find(|variable| variable.variable == name)
    }

    fn variable(&mut self, value: &'a Value, place: Place<'a>) -> Result<(), Fault> {
        let Some(operation) = self.operation else { return Ok(()) };
        self.steps.take(operation.variable_definitions.len())?;
        let Some(variable) = self.defined(&value.raw) else {
            return invalid(format!("the variable `{}` is not defined", value.raw));
        };
        self.used.insert(&value.raw);
        let (Some(expected), Some(of)) = (place.of, &variable.of) else { return Ok(()) };
        let has_default = variable.default_value.as_ref().is_some_and(|value| value.kind != Kind::Null);
        let non_null = expected.non_null && !has_default && !place.has_default;
        if of.fits(expected, non_null) {
            return Ok(());
        }
        invalid(format!("the variable `{}` has a type that does not fit", value.raw))
    }

    fn members(&mut self, value: &'a Value, place: Place<'a>) -> Result<(), Fault> {
        let mut seen = HashSet::new();
        let one_of = place.definition.is_some_and(is_one_of);
        for child in &value.children {
            if !seen.insert(&child.name) {
                return invalid(format!("there is more than one input field `{}`", child.name));
            }
            let Some(member) = &child.value else { return invalid(format!("`{}` has no value", child.name)) };
            let field = place.definition.and_then(|definition| self.schema.field(definition, &child.name));
            let inner = field.map_or_else(Place::default, |field| {
                Place::of(self.schema, field.of.as_ref()).with_default(field.default_value.as_ref())
            });
            self.value(member, inner)?;
            let nullable = |variable: &VariableDefinition| variable.of.as_ref().is_none_or(|of| !of.non_null);
            if one_of && member.kind == Kind::Variable && self.defined(&member.raw).is_some_and(nullable) {
                return invalid(format!("the variable `{}` could be null, where one value is required", member.raw));
            }
        }
        Ok(())
    }

    fn fits(&mut self, value: &'a Value, place: Place<'a>) -> Result<(), Fault> {
        let (Some(of), Some(definition)) = (place.of, place.definition) else { return Ok(()) };
        if value.kind == Kind::Null && of.non_null {
            return invalid(format!("null can't be of the type `{}!`", definition.name));
        }
        let name = definition.name.as_str();
        if definition.kind == "SCALAR" && !SCALARS.contains(&name) {
            return Ok(());
        }
        let is_enum = definition.kind == "ENUM";
        let fits = self.reads(value)?
            && match value.kind {
                Kind::Null | Kind::Variable => true,
                Kind::List => of.elem.is_some(),
                Kind::Int => ["Int", "Float", "ID"].contains(&name),
                Kind::Float => name == "Float",
                Kind::String | Kind::Block => !is_enum && ["String", "ID"].contains(&name),
                Kind::Enum => {
                    self.steps.take(definition.enum_values.len())?;
                    is_enum && definition.enum_values.iter().any(|known| known.name == value.raw)
                }
                Kind::Boolean => name == "Boolean",
                Kind::Object => self.object_fits(value, definition)?,
            };
        if fits { Ok(()) } else { invalid(format!("a value can't be of the type `{name}`")) }
    }

    fn object_fits(&mut self, value: &Value, definition: &'a Definition) -> Result<bool, Fault> {
        let given: HashSet<&str> = value.children.iter().map(|child| child.name.as_str()).collect();
        self.steps.take(definition.fields.len() + given.len())?;
        let required = definition.fields.iter().all(|field| {
            let required = field.of.as_ref().is_some_and(|of| of.non_null) && field.default_value.is_none();
            !required || given.contains(field.name.as_str())
        });
        let one = match value.children.as_slice() {
            [only] => only.value.as_ref().is_some_and(|value| value.kind != Kind::Null),
            _ => false,
        };
        let known = given.iter().all(|name| self.schema.field(definition, name).is_some());
        Ok(required && known && (one || !is_one_of(definition)))
    }

    /// Whether Go can hold the values in it, with those that its variables have by default.
    fn reads(&mut self, value: &'a Value) -> Result<bool, Fault> {
        self.steps.descend()?;
        self.steps.take(1)?;
        let reads = match value.kind {
            Kind::Int => value.raw.parse::<i64>().is_ok(),
            Kind::Float => value.raw.parse::<f64>().is_ok_and(f64::is_finite),
            Kind::Boolean => {
                let known = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
                known.contains(&value.raw.as_str())
            }
            Kind::List | Kind::Object => {
                for child in value.children.iter().filter_map(|child| child.value.as_ref()) {
                    if !self.reads(child)? {
                        return Ok(false);
                    }
                }
                true
            }
            Kind::Variable => match self.defined(&value.raw).and_then(|variable| variable.default_value.as_ref()) {
                Some(default) => self.reads(default)?,
                None => true,
            },
            Kind::String | Kind::Block | Kind::Null | Kind::Enum => true,
        };
        self.steps.ascend();
        Ok(reads)
    }
}

fn is_one_of(definition: &Definition) -> bool {
    definition.directives.iter().any(|directive| directive.name == "oneOf")
}
