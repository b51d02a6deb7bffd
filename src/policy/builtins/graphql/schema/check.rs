//! Whether definitions are valid: gqlparser's rules, which are most of those in §3 of GraphQL's specification.

use std::collections::{BTreeMap, HashSet};

use super::{
    super::ast::{Directive, Kind},
    ArgumentDefinition, Definition, DirectiveDefinition, Fault, FieldDefinition, Schema, Steps, Type,
};

/// Checks every definition.
pub(super) fn schema(schema: &Schema, steps: &mut Steps) -> Result<(), Fault> {
    // In the order of names, so that the first fault is always the same.
    for one in schema.types.iter().collect::<BTreeMap<_, _>>().into_values() {
        definition(schema, one, steps)?;
    }
    for one in schema.directives.iter().collect::<BTreeMap<_, _>>().into_values() {
        own_name(&one.name)?;
        arguments(schema, &one.arguments, Some(one), steps)?;
    }
    Ok(())
}

fn invalid<T>(cause: String) -> Result<T, Fault> {
    Err(Fault::Invalid(cause))
}

fn own_name(name: &str) -> Result<(), Fault> {
    if name.starts_with("__") { invalid(format!("the name `{name}` is GraphQL's own")) } else { Ok(()) }
}

fn once<'a>(of: &str, names: impl Iterator<Item = &'a String>) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return invalid(format!("`{of}` has `{name}` twice"));
        }
    }
    Ok(())
}

fn referred<'s>(schema: &'s Schema, of: Option<&Type>) -> Result<&'s Definition, Fault> {
    let name = of.map(Type::name).unwrap_or_default();
    schema.definition(name).ok_or_else(|| Fault::Invalid(format!("the type `{name}` is not defined")))
}

fn definition(schema: &Schema, of: &Definition, steps: &mut Steps) -> Result<(), Fault> {
    let name = &of.name;
    steps.take(1 + of.fields.len() + of.types.len() + of.interfaces.len() + of.enum_values.len())?;
    fields(schema, of, steps)?;
    for member in &of.types {
        if schema.definition(member).is_none_or(|member| member.kind != "OBJECT") {
            return invalid(format!("`{member}` in `{name}` is no object type"));
        }
    }
    for interface in &of.interfaces {
        implements(schema, of, interface, steps)?;
    }
    let empty = match of.kind.as_str() {
        "OBJECT" | "INTERFACE" | "INPUT_OBJECT" => of.fields.is_empty(),
        "ENUM" => of.enum_values.is_empty(),
        _ => false,
    };
    if empty {
        return invalid(format!("`{name}` is empty"));
    }
    if of.kind == "ENUM" {
        for value in &of.enum_values {
            if ["true", "false", "null"].contains(&value.name.as_str()) {
                return invalid(format!("`{}` can't be a value of `{name}`", value.name));
            }
            directives(schema, &value.directives, "ENUM_VALUE", None, true, steps)?;
        }
    }
    once(name, of.fields.iter().map(|field| &field.name))?;
    once(name, of.enum_values.iter().map(|value| &value.name))?;
    once(name, of.types.iter())?;
    if !of.built_in {
        own_name(name)?;
    }
    // Those of a definition and of its extensions, which are places of their own.
    directives(schema, &of.directives, &of.kind, None, false, steps)
}

fn fields(schema: &Schema, of: &Definition, steps: &mut Steps) -> Result<(), Fault> {
    let place = if of.kind == "INPUT_OBJECT" { "INPUT_FIELD_DEFINITION" } else { "FIELD_DEFINITION" };
    for field in &of.fields {
        own_name(&field.name)?;
        let kind = &referred(schema, field.of.as_ref())?.kind;
        let fits = match of.kind.as_str() {
            "OBJECT" | "INTERFACE" => ["SCALAR", "OBJECT", "INTERFACE", "UNION", "ENUM"].contains(&kind.as_str()),
            "INPUT_OBJECT" => ["SCALAR", "ENUM", "INPUT_OBJECT"].contains(&kind.as_str()),
            _ => true,
        };
        if !fits {
            return invalid(format!("the type of `{}.{}` does not fit", of.name, field.name));
        }
        arguments(schema, &field.arguments, None, steps)?;
        directives(schema, &field.directives, place, None, true, steps)?;
    }
    Ok(())
}

fn arguments(
    schema: &Schema,
    arguments: &[ArgumentDefinition],
    of: Option<&DirectiveDefinition>,
    steps: &mut Steps,
) -> Result<(), Fault> {
    for argument in arguments {
        own_name(&argument.name)?;
        if !referred(schema, argument.of.as_ref())?.is_input() {
            return invalid(format!("the type of the argument `{}` is no input type", argument.name));
        }
        directives(schema, &argument.directives, "ARGUMENT_DEFINITION", of, true, steps)?;
    }
    Ok(())
}

/// Checks directives at a `place`, in the definition of the directive `within`. `single` says that it is one place.
pub(super) fn directives(
    schema: &Schema,
    directives: &[Directive],
    place: &str,
    within: Option<&DirectiveDefinition>,
    single: bool,
    steps: &mut Steps,
) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    for directive in directives {
        let name = &directive.name;
        own_name(name)?;
        if within.is_some_and(|within| within.name == *name) {
            return invalid(format!("the directive `{name}` refers to itself"));
        }
        let Some(definition) = schema.directive(name) else {
            return invalid(format!("the directive `{name}` is not defined"));
        };
        if !seen.insert(name) && single && !definition.is_repeatable {
            return invalid(format!("the directive `{name}` is used twice at one place"));
        }
        if !definition.locations.iter().any(|location| location == place) {
            return invalid(format!("the directive `{name}` can't be used on {place}"));
        }
        steps.take(1 + (directive.arguments.len() + 1) * (definition.arguments.len() + 1))?;
        for argument in &directive.arguments {
            if !definition.arguments.iter().any(|defined| defined.name == argument.name) {
                return invalid(format!("the directive `{name}` has no argument `{}`", argument.name));
            }
        }
        for defined in &definition.arguments {
            if defined.of.as_ref().is_some_and(|of| of.non_null) && defined.default_value.is_none() {
                let given = directive.arguments.iter().find(|argument| argument.name == defined.name);
                let value = given.and_then(|argument| argument.value.as_ref());
                if value.is_none_or(|value| value.kind == Kind::Null) {
                    return invalid(format!("the directive `{name}` needs the argument `{}`", defined.name));
                }
            }
        }
    }
    Ok(())
}

fn implements(schema: &Schema, of: &Definition, name: &str, steps: &mut Steps) -> Result<(), Fault> {
    let Some(interface) = schema.definition(name).filter(|definition| definition.kind == "INTERFACE") else {
        return invalid(format!("`{name}` is no interface"));
    };
    for required in &interface.fields {
        steps.take(1)?;
        let Some(found) = schema.field(of, &required.name) else {
            return invalid(format!("`{}` has no field `{}` of `{name}`", of.name, required.name));
        };
        if !implements_field(schema, required, found, steps)? {
            return invalid(format!("`{}.{}` is not as `{name}` has it", of.name, found.name));
        }
    }
    steps.take(interface.interfaces.len() * of.interfaces.len())?;
    match interface.interfaces.iter().find(|above| !of.interfaces.contains(above)) {
        Some(above) => invalid(format!("`{}` must implement `{above}`, as `{name}` does", of.name)),
        None => Ok(()),
    }
}

fn implements_field(
    schema: &Schema,
    required: &FieldDefinition,
    found: &FieldDefinition,
    steps: &mut Steps,
) -> Result<bool, Fault> {
    if !is_covariant(schema, required.of.as_ref(), found.of.as_ref(), steps)? {
        return Ok(false);
    }
    steps.take(2 * required.arguments.len() * found.arguments.len())?;
    let all = required.arguments.iter().all(|wanted| {
        let same = found.arguments.iter().find(|argument| argument.name == wanted.name);
        match (same.and_then(|argument| argument.of.as_ref()), &wanted.of) {
            (Some(of), Some(wanted)) => wanted.fits(of, of.non_null),
            _ => false,
        }
    });
    let more = found.arguments.iter().all(|argument| {
        let optional = argument.of.as_ref().is_none_or(|of| !of.non_null) || argument.default_value.is_some();
        optional || required.arguments.iter().any(|wanted| wanted.name == argument.name)
    });
    Ok(all && more)
}

fn is_covariant(
    schema: &Schema,
    required: Option<&Type>,
    actual: Option<&Type>,
    steps: &mut Steps,
) -> Result<bool, Fault> {
    let (Some(required), Some(actual)) = (required, actual) else { return Ok(false) };
    if required.non_null && !actual.non_null {
        return Ok(false);
    }
    if required.named_type.is_empty() {
        return is_covariant(schema, required.elem.as_deref(), actual.elem.as_deref(), steps);
    }
    let possible = schema.possible(&required.named_type);
    steps.take(possible.len())?;
    Ok(required.named_type == actual.named_type || possible.contains(&actual.named_type))
}
