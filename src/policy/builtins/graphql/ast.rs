//! The syntax trees of GraphQL documents, with the names and the omissions of the JSON that OPA gives them.
//!
//! What is empty is left out, except for texts, numbers and Booleans. Places in the text are not part of it.

use serde::{Deserialize, Serialize};

/// A node, whose members have gqlparser's names.
macro_rules! node {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        #[allow(clippy::struct_field_names, reason = "gqlparser names them")]
        pub(in crate::policy::builtins::graphql) struct $name {
            $($(#[$attribute])* pub(in crate::policy::builtins::graphql) $field: $type,)*
        }
    };
}

mod definitions;

pub(super) use definitions::*;

node!(
    /// A document of operations and fragments.
    QueryDocument {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        operations: Vec<Operation>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fragments: Vec<Fragment>,
        #[serde(skip_serializing_if = "Comments::none")]
        comment: Option<Comments>,
    }
);

node!(
    /// A document of definitions.
    SchemaDocument {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        schema: Vec<SchemaDefinition>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        schema_extension: Vec<SchemaDefinition>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<DirectiveDefinition>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        definitions: Vec<Definition>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        extensions: Vec<Definition>,
        #[serde(skip_serializing_if = "Comments::none")]
        comment: Option<Comments>,
    }
);

node!(
    /// The comments before a node.
    Comments {
        list: Vec<Comment>,
    }
);

impl Comments {
    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn none(comments: &Option<Self>) -> bool {
        comments.as_ref().is_none_or(|comments| comments.list.is_empty())
    }
}

node!(
    /// One comment, with its `#`.
    Comment {
        value: String,
    }
);

node!(
    /// A query, mutation or subscription.
    Operation {
        operation: String,
        name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        variable_definitions: Vec<VariableDefinition>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "super::decode::selections")]
        selection_set: Vec<Selection>,
        #[serde(skip_serializing_if = "Comments::none", skip_deserializing)]
        comment: Option<Comments>,
    }
);

node!(
    /// A fragment's definition.
    Fragment {
        name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        variable_definition: Vec<VariableDefinition>,
        type_condition: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "super::decode::selections")]
        selection_set: Vec<Selection>,
        #[serde(skip_serializing_if = "Comments::none", skip_deserializing)]
        comment: Option<Comments>,
    }
);

node!(
    /// A variable of an operation.
    VariableDefinition {
        variable: String,
        #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
        of: Option<Type>,
        #[serde(skip_serializing_if = "Option::is_none")]
        default_value: Option<Value>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Comments::none")]
        comment: Option<Comments>,
        used: bool,
    }
);

/// A part of a selection set.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Selection {
    Field(Field),
    Spread(Spread),
    Inline(Inline),
}

node!(
    /// A selected field.
    Field {
        alias: String,
        name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        arguments: Vec<Argument>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Vec::is_empty", skip_deserializing)]
        selection_set: Vec<Selection>,
        #[serde(skip_serializing_if = "Comments::none", skip_deserializing)]
        comment: Option<Comments>,
    }
);

node!(
    /// `...Name`
    Spread {
        name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Comments::none")]
        comment: Option<Comments>,
    }
);

node!(
    /// `... on Type { }`
    Inline {
        type_condition: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Vec::is_empty", skip_deserializing)]
        selection_set: Vec<Selection>,
        #[serde(skip_serializing_if = "Comments::none", skip_deserializing)]
        comment: Option<Comments>,
    }
);

node!(
    /// A named value of a field or a directive.
    Argument {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
        #[serde(skip_serializing_if = "Comments::none")]
        comment: Option<Comments>,
    }
);

node!(
    /// A directive where it is used.
    Directive {
        name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        arguments: Vec<Argument>,
        location: String,
    }
);

node!(
    /// A literal or a variable.
    Value {
        raw: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        children: Vec<ChildValue>,
        kind: Kind,
        #[serde(skip_serializing_if = "Comments::none")]
        comment: Option<Comments>,
        expected_type_has_default: bool,
    }
);

node!(
    /// An element of a list (without a name) or a member of an object.
    ChildValue {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
        #[serde(skip_serializing_if = "Comments::none")]
        comment: Option<Comments>,
    }
);

/// What a value is; its number in the JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub(super) enum Kind {
    #[default]
    Variable,
    Int,
    Float,
    String,
    Block,
    Boolean,
    Null,
    Enum,
    List,
    Object,
}

impl From<Kind> for u8 {
    fn from(kind: Kind) -> Self {
        kind as Self
    }
}

impl TryFrom<u8> for Kind {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Ok(match number {
            0 => Self::Variable,
            1 => Self::Int,
            2 => Self::Float,
            3 => Self::String,
            4 => Self::Block,
            5 => Self::Boolean,
            6 => Self::Null,
            7 => Self::Enum,
            8 => Self::List,
            9 => Self::Object,
            _ => return Err("no kind of value has this number"),
        })
    }
}

node!(
    /// A reference to a type: a name, or a list of `elem`.
    Type {
        named_type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        elem: Option<Box<Type>>,
        non_null: bool,
    }
);

impl Type {
    /// The type without its lists; empty where none is named.
    pub(super) fn name(&self) -> &str {
        let mut of = self;
        while let (true, Some(elem)) = (of.named_type.is_empty(), &of.elem) {
            of = elem;
        }
        &of.named_type
    }

    /// Whether a value of this type can be where `other` is expected.
    pub(super) fn fits(&self, other: &Self, other_non_null: bool) -> bool {
        let elements = match (&self.elem, &other.elem) {
            (Some(elem), Some(wanted)) => elem.fits(wanted, wanted.non_null),
            (Some(_), None) => false,
            (None, _) => true,
        };
        self.named_type == other.named_type && elements && (!other_non_null || self.non_null)
    }
}
