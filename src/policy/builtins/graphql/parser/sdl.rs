//! Definitions: GraphQL's schema language.

use super::{
    super::ast::{
        ArgumentDefinition, Comments, Definition, DirectiveDefinition, EnumValue, FieldDefinition, OperationType,
        SchemaDefinition, SchemaDocument,
    },
    Fault, Kind, Parser,
};

/// Where a directive may be used.
const LOCATIONS: [&str; 19] = [
    "QUERY",
    "MUTATION",
    "SUBSCRIPTION",
    "FIELD",
    "FRAGMENT_DEFINITION",
    "FRAGMENT_SPREAD",
    "INLINE_FRAGMENT",
    "VARIABLE_DEFINITION",
    "SCHEMA",
    "SCALAR",
    "OBJECT",
    "FIELD_DEFINITION",
    "ARGUMENT_DEFINITION",
    "INTERFACE",
    "UNION",
    "ENUM",
    "ENUM_VALUE",
    "INPUT_OBJECT",
    "INPUT_FIELD_DEFINITION",
];

/// The keyword of each kind of type.
const KINDS: [(&str, &str); 6] = [
    ("scalar", "SCALAR"),
    ("type", "OBJECT"),
    ("interface", "INTERFACE"),
    ("union", "UNION"),
    ("enum", "ENUM"),
    ("input", "INPUT_OBJECT"),
];

/// A description, and the comments before it.
#[derive(Default)]
struct Description {
    text: String,
    comments: Option<Comments>,
}

impl Parser<'_> {
    pub(super) fn schema_document(mut self) -> Result<SchemaDocument, Fault> {
        let mut document = SchemaDocument::default();
        while !self.is(Kind::End) {
            let description = self.description()?;
            if self.is_name("schema") {
                document.schema.push(self.schema_definition(description, false)?);
            } else if self.is_name("directive") {
                document.directives.push(self.directive_definition(description)?);
            } else if self.is_name("extend") && description.text.is_empty() {
                let comments = self.comments.take();
                self.take()?;
                if self.is_name("schema") {
                    let after = Description::default();
                    let extension = self.schema_definition(after, true)?;
                    let after_description_comment = comments;
                    document.schema_extension.push(SchemaDefinition { after_description_comment, ..extension });
                } else {
                    let extension = self.definition(Description::default(), true)?;
                    let after_description_comment = comments;
                    document.extensions.push(Definition { after_description_comment, ..extension });
                }
            } else {
                document.definitions.push(self.definition(description, false)?);
            }
        }
        document.comment = self.comments;
        Ok(document)
    }

    fn description(&mut self) -> Result<Description, Fault> {
        if !self.is(Kind::String) && !self.is(Kind::Block) {
            return Ok(Description::default());
        }
        let comments = self.comments.take();
        Ok(Description { text: self.take()?.text.into_owned(), comments })
    }

    /// The description of a part of a definition: an empty one is none.
    fn inner_description(&mut self) -> Result<Description, Fault> {
        let description = self.description()?;
        Ok(if description.text.is_empty() { Description::default() } else { description })
    }

    fn schema_definition(&mut self, description: Description, extends: bool) -> Result<SchemaDefinition, Fault> {
        let after_description_comment = self.comments.take();
        self.keyword("schema")?;
        let directives = self.directives(true)?;
        let operation_type = |parser: &mut Self| {
            let comment = parser.comments.take();
            if !["query", "mutation", "subscription"].contains(&parser.next.text.as_ref()) {
                return parser.unexpected();
            }
            let operation = parser.take()?.text.into_owned();
            parser.expect(Kind::Colon)?;
            Ok(OperationType { operation, of: parser.name()?, comment })
        };
        let (operation_types, end_of_definition_comment) = self.some(Kind::BraceL, Kind::BraceR, operation_type)?;
        if extends && directives.is_empty() && operation_types.is_empty() {
            return self.unexpected();
        }
        Ok(SchemaDefinition {
            description: description.text,
            directives,
            operation_types,
            before_description_comment: description.comments,
            after_description_comment,
            end_of_definition_comment,
        })
    }

    fn definition(&mut self, description: Description, extends: bool) -> Result<Definition, Fault> {
        let Some((_, kind)) = KINDS.iter().find(|(word, _)| self.is_name(word)) else { return self.unexpected() };
        let mut definition = Definition {
            kind: (*kind).to_owned(),
            description: description.text,
            before_description_comment: description.comments,
            after_description_comment: self.comments.take(),
            ..Definition::default()
        };
        self.take()?;
        definition.name = self.name()?;
        // An interface's extension has no interfaces in gqlparser.
        if *kind == "OBJECT" || (*kind == "INTERFACE" && !extends) {
            definition.interfaces = self.interfaces()?;
        }
        definition.directives = self.directives(!(extends && *kind == "INPUT_OBJECT"))?;
        match *kind {
            "OBJECT" | "INTERFACE" => {
                (definition.fields, definition.end_of_definition_comment) =
                    self.some(Kind::BraceL, Kind::BraceR, Self::field_definition)?;
            }
            "INPUT_OBJECT" => {
                let (fields, comments) = self.some(Kind::BraceL, Kind::BraceR, Self::argument_definition)?;
                definition.fields = fields.into_iter().map(input_field).collect();
                definition.end_of_definition_comment = comments;
            }
            "ENUM" => {
                (definition.enum_values, definition.end_of_definition_comment) =
                    self.some(Kind::BraceL, Kind::BraceR, Self::enum_value)?;
            }
            "UNION" if self.skip(Kind::Equals)? => definition.types = self.separated(Kind::Pipe)?,
            _ => {}
        }
        let Definition { interfaces, directives, fields, types, enum_values, .. } = &definition;
        let parts = interfaces.len() + directives.len() + fields.len() + types.len() + enum_values.len();
        if extends && parts == 0 { self.unexpected() } else { Ok(definition) }
    }

    fn interfaces(&mut self) -> Result<Vec<String>, Fault> {
        // A string is one, too, in gqlparser.
        if self.next.text != "implements" {
            return Ok(Vec::new());
        }
        self.take()?;
        self.separated(Kind::Amp)
    }

    /// Names, with `separator` between them and maybe before them.
    fn separated(&mut self, separator: Kind) -> Result<Vec<String>, Fault> {
        self.skip(separator)?;
        let mut names = vec![self.name()?];
        while self.skip(separator)? {
            names.push(self.name()?);
        }
        Ok(names)
    }

    fn field_definition(&mut self) -> Result<FieldDefinition, Fault> {
        let description = self.inner_description()?;
        let after_description_comment = self.comments.take();
        let name = self.name()?;
        let (arguments, _) = self.some(Kind::ParenL, Kind::ParenR, Self::argument_definition)?;
        self.expect(Kind::Colon)?;
        Ok(FieldDefinition {
            description: description.text,
            name,
            arguments,
            default_value: None,
            of: Some(self.type_reference()?),
            directives: self.directives(true)?,
            before_description_comment: description.comments,
            after_description_comment,
        })
    }

    fn argument_definition(&mut self) -> Result<ArgumentDefinition, Fault> {
        let description = self.inner_description()?;
        let after_description_comment = self.comments.take();
        let name = self.name()?;
        self.expect(Kind::Colon)?;
        let of = Some(self.type_reference()?);
        let default_value = if self.skip(Kind::Equals)? { Some(self.value(true)?) } else { None };
        Ok(ArgumentDefinition {
            description: description.text,
            name,
            default_value,
            of,
            directives: self.directives(true)?,
            before_description_comment: description.comments,
            after_description_comment,
        })
    }

    fn enum_value(&mut self) -> Result<EnumValue, Fault> {
        let description = self.inner_description()?;
        let after_description_comment = self.comments.take();
        Ok(EnumValue {
            description: description.text,
            name: self.name()?,
            directives: self.directives(true)?,
            before_description_comment: description.comments,
            after_description_comment,
        })
    }

    fn directive_definition(&mut self, description: Description) -> Result<DirectiveDefinition, Fault> {
        let after_description_comment = self.comments.take();
        self.keyword("directive")?;
        self.expect(Kind::At)?;
        let name = self.name()?;
        let (arguments, _) = self.some(Kind::ParenL, Kind::ParenR, Self::argument_definition)?;
        let is_repeatable = self.is_name("repeatable");
        if is_repeatable {
            self.take()?;
        }
        self.keyword("on")?;
        let locations = self.separated(Kind::Pipe)?;
        if let Some(unknown) = locations.iter().find(|location| !LOCATIONS.contains(&location.as_str())) {
            return Err(Fault::Invalid(format!("`{unknown}` is no place for a directive")));
        }
        Ok(DirectiveDefinition {
            description: description.text,
            name,
            arguments,
            locations,
            is_repeatable,
            before_description_comment: description.comments,
            after_description_comment,
        })
    }
}

/// An input object's fields are written as arguments are.
fn input_field(argument: ArgumentDefinition) -> FieldDefinition {
    FieldDefinition {
        description: argument.description,
        name: argument.name,
        arguments: Vec::new(),
        default_value: argument.default_value,
        of: argument.of,
        directives: argument.directives,
        before_description_comment: argument.before_description_comment,
        after_description_comment: argument.after_description_comment,
    }
}
