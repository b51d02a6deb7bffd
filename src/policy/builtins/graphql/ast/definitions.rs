//! What a schema defines.

use serde::{Deserialize, Serialize};

use super::{Comments, Directive, Type, Value};

node!(
    /// `schema { }`
    SchemaDefinition {
        description: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        operation_types: Vec<OperationType>,
        #[serde(skip_serializing_if = "Comments::none")]
        before_description_comment: Option<Comments>,
        #[serde(skip_serializing_if = "Comments::none")]
        after_description_comment: Option<Comments>,
        #[serde(skip_serializing_if = "Comments::none")]
        end_of_definition_comment: Option<Comments>,
    }
);

node!(
    /// The type that operations of a kind begin at.
    OperationType {
        operation: String,
        #[serde(rename = "Type")]
        of: String,
        #[serde(skip_serializing_if = "Comments::none")]
        comment: Option<Comments>,
    }
);

node!(
    /// The definition of a type, or an extension of one.
    Definition {
        kind: String,
        description: String,
        name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        interfaces: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<FieldDefinition>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        types: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        enum_values: Vec<EnumValue>,
        built_in: bool,
        #[serde(skip_serializing_if = "Comments::none")]
        before_description_comment: Option<Comments>,
        #[serde(skip_serializing_if = "Comments::none")]
        after_description_comment: Option<Comments>,
        #[serde(skip_serializing_if = "Comments::none")]
        end_of_definition_comment: Option<Comments>,
    }
);

impl Definition {
    pub(in crate::policy::builtins::graphql) fn is_leaf(&self) -> bool {
        matches!(self.kind.as_str(), "ENUM" | "SCALAR")
    }

    pub(in crate::policy::builtins::graphql) fn is_composite(&self) -> bool {
        matches!(self.kind.as_str(), "OBJECT" | "INTERFACE" | "UNION")
    }

    pub(in crate::policy::builtins::graphql) fn is_input(&self) -> bool {
        matches!(self.kind.as_str(), "SCALAR" | "ENUM" | "INPUT_OBJECT")
    }
}

node!(
    /// A field of a type.
    FieldDefinition {
        description: String,
        name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        arguments: Vec<ArgumentDefinition>,
        #[serde(skip_serializing_if = "Option::is_none")]
        default_value: Option<Value>,
        #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
        of: Option<Type>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Comments::none")]
        before_description_comment: Option<Comments>,
        #[serde(skip_serializing_if = "Comments::none")]
        after_description_comment: Option<Comments>,
    }
);

node!(
    /// An argument of a field or a directive.
    ArgumentDefinition {
        description: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        default_value: Option<Value>,
        #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
        of: Option<Type>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Comments::none")]
        before_description_comment: Option<Comments>,
        #[serde(skip_serializing_if = "Comments::none")]
        after_description_comment: Option<Comments>,
    }
);

node!(
    /// A value of an enumeration.
    EnumValue {
        description: String,
        name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        directives: Vec<Directive>,
        #[serde(skip_serializing_if = "Comments::none")]
        before_description_comment: Option<Comments>,
        #[serde(skip_serializing_if = "Comments::none")]
        after_description_comment: Option<Comments>,
    }
);

node!(
    /// The definition of a directive.
    DirectiveDefinition {
        description: String,
        name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        arguments: Vec<ArgumentDefinition>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        locations: Vec<String>,
        is_repeatable: bool,
        #[serde(skip_serializing_if = "Comments::none")]
        before_description_comment: Option<Comments>,
        #[serde(skip_serializing_if = "Comments::none")]
        after_description_comment: Option<Comments>,
    }
);
