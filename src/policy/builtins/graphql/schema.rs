//! Definitions merged into a schema that queries are checked against.

mod check;
mod prelude;

use std::collections::HashMap;

use super::{
    Fault, Steps,
    ast::{ArgumentDefinition, Definition, DirectiveDefinition, FieldDefinition, SchemaDocument, Type},
    parser,
};

/// A valid schema.
#[derive(Debug, Default)]
pub(super) struct Schema {
    types: HashMap<String, Definition>,
    directives: HashMap<String, DirectiveDefinition>,
    /// What a value of a type can be.
    possible: HashMap<String, Vec<String>>,
    /// Where fields are, by the names of the type and the field.
    fields: HashMap<String, HashMap<String, usize>>,
    roots: HashMap<String, String>,
}

impl Schema {
    /// Makes a schema of a document and of what GraphQL itself defines.
    pub(super) fn new(document: SchemaDocument, steps: &mut Steps) -> Result<Self, Fault> {
        let mut schema = Self::default();
        let built_in = prelude::document()?;
        let mut order = Vec::new();
        for definition in built_in.definitions.into_iter().chain(document.definitions) {
            order.push(definition.name.clone());
            if let Some(known) = schema.types.insert(definition.name.clone(), definition) {
                return Err(Fault::Invalid(format!("the type `{}` is defined twice", known.name)));
            }
        }
        for extension in document.extensions {
            schema.extend(extension, &mut order)?;
        }
        schema.collect_possible(&order, steps)?;
        for directive in built_in.directives.into_iter().chain(document.directives) {
            let redefinable = prelude::DIRECTIVES.contains(&directive.name.as_str());
            if let Some(known) = schema.directives.insert(directive.name.clone(), directive)
                && !redefinable
            {
                return Err(Fault::Invalid(format!("the directive `{}` is defined twice", known.name)));
            }
        }
        schema.index();
        if document.schema.len() > 1 {
            return Err(Fault::Invalid("there is more than one schema definition".to_owned()));
        }
        for definition in document.schema.iter().chain(&document.schema_extension) {
            for root in &definition.operation_types {
                if !schema.types.contains_key(&root.of) {
                    return Err(Fault::Invalid(format!("the root type `{}` is not defined", root.of)));
                }
                schema.roots.insert(root.operation.clone(), root.of.clone());
            }
            check::directives(&schema, &definition.directives, "SCHEMA", None, true, steps)?;
        }
        check::schema(&schema, steps)?;
        if document.schema.is_empty() {
            for (operation, name) in [("query", "Query"), ("mutation", "Mutation"), ("subscription", "Subscription")] {
                if schema.types.contains_key(name) {
                    schema.roots.entry(operation.to_owned()).or_insert_with(|| name.to_owned());
                }
            }
        }
        schema.add_introspection();
        schema.index();
        Ok(schema)
    }

    pub(super) fn definition(&self, name: &str) -> Option<&Definition> {
        self.types.get(name)
    }

    pub(super) fn directive(&self, name: &str) -> Option<&DirectiveDefinition> {
        self.directives.get(name)
    }

    /// The type that an operation begins at.
    pub(super) fn root(&self, operation: &str) -> Option<&Definition> {
        let operation = if operation.is_empty() { "query" } else { operation };
        self.roots.get(operation).and_then(|name| self.definition(name))
    }

    /// The field of this name.
    pub(super) fn field<'s>(&'s self, of: &'s Definition, name: &str) -> Option<&'s FieldDefinition> {
        of.fields.get(*self.fields.get(&of.name)?.get(name)?)
    }

    /// The names of the types that a value of this type can have.
    pub(super) fn possible(&self, name: &str) -> &[String] {
        self.possible.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn extend(&mut self, extension: Definition, order: &mut Vec<String>) -> Result<(), Fault> {
        let name = extension.name.clone();
        let known = self.types.entry(name.clone()).or_insert_with(|| {
            order.push(name.clone());
            Definition { kind: extension.kind.clone(), name: name.clone(), ..Definition::default() }
        });
        if known.kind != extension.kind {
            return Err(Fault::Invalid(format!("an extension of `{name}` is of another kind")));
        }
        known.directives.extend(extension.directives);
        known.interfaces.extend(extension.interfaces);
        known.fields.extend(extension.fields);
        known.types.extend(extension.types);
        known.enum_values.extend(extension.enum_values);
        Ok(())
    }

    fn collect_possible(&mut self, order: &[String], steps: &mut Steps) -> Result<(), Fault> {
        for definition in order.iter().filter_map(|name| self.types.get(name)) {
            steps.take(1 + definition.types.len() + definition.interfaces.len())?;
            let name = &definition.name;
            match definition.kind.as_str() {
                "UNION" => self.possible.entry(name.clone()).or_default().extend(definition.types.iter().cloned()),
                "INPUT_OBJECT" | "OBJECT" | "INTERFACE" => {
                    for interface in &definition.interfaces {
                        self.possible.entry(interface.clone()).or_default().push(name.clone());
                    }
                    if definition.kind != "INTERFACE" {
                        self.possible.entry(name.clone()).or_default().push(name.clone());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn index(&mut self) {
        let fields = |definition: &Definition| {
            let mut index = HashMap::new();
            for (number, field) in definition.fields.iter().enumerate() {
                index.entry(field.name.clone()).or_insert(number);
            }
            index
        };
        self.fields = self.types.iter().map(|(name, definition)| (name.clone(), fields(definition))).collect();
    }

    /// The fields with which a query asks for the schema itself.
    fn add_introspection(&mut self) {
        let Some(root) = self.roots.get("query").and_then(|name| self.types.get_mut(name)) else { return };
        let named = |name: &str, non_null| Some(Type { named_type: name.to_owned(), non_null, elem: None });
        let name = ArgumentDefinition { name: "name".to_owned(), of: named("String", true), ..Default::default() };
        root.fields.push(FieldDefinition {
            name: "__schema".to_owned(),
            of: named("__Schema", true),
            ..FieldDefinition::default()
        });
        root.fields.push(FieldDefinition {
            name: "__type".to_owned(),
            of: named("__Type", false),
            arguments: vec![name],
            ..FieldDefinition::default()
        });
    }
}
