//! A schema read: its faults are found in the order in which `gojsonschema` finds them.

use std::{collections::HashMap, rc::Rc};

use serde_json::Value as Json;

use super::{
    super::{
        Failure,
        operand::failed,
        regex::{Compiled, expression},
    },
    keywords::{Draft, Limits, Members, array, counts, invalid_type, limits, text},
    number::plain,
    reference::Pool,
};

/// How deep schemas may nest, references and all.
const MAX_DEPTH: usize = 128;
/// The most schemas within one.
const MAX_NODES: usize = 100_000;
/// The names of types.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "number", "null", "object", "string"];

/// Where a schema is in [`Schema::nodes`].
pub(super) type Id = usize;

/// A schema that is read, the outermost first.
pub(super) struct Schema {
    nodes: Vec<Node>,
}

/// What a document must be.
#[derive(Default)]
pub(super) struct Node {
    /// `true` and `false` are schemas.
    pub(super) pass: Option<bool>,
    /// What a reference refers to; nothing beside it counts.
    pub(super) target: Option<Id>,
    pub(super) types: Vec<String>,
    pub(super) properties: Vec<(String, Id)>,
    pub(super) additional: Option<Rest>,
    pub(super) patterns: Vec<(Rc<Compiled>, Id)>,
    pub(super) names: Option<Id>,
    pub(super) dependencies: HashMap<String, Dependency>,
    pub(super) items: Option<Items>,
    pub(super) additional_items: Option<Rest>,
    pub(super) limits: Limits,
    pub(super) length: [Option<usize>; 2],
    pub(super) pattern: Option<(String, Rc<Compiled>)>,
    pub(super) format: Option<String>,
    pub(super) member_count: [Option<usize>; 2],
    pub(super) required: Vec<String>,
    pub(super) item_count: [Option<usize>; 2],
    pub(super) unique: bool,
    pub(super) contains: Option<Id>,
    pub(super) constant: Option<String>,
    pub(super) choices: Option<Vec<String>>,
    pub(super) one_of: Vec<Id>,
    pub(super) any_of: Vec<Id>,
    pub(super) all_of: Vec<Id>,
    pub(super) not: Option<Id>,
    /// `if`, `then`, `else`.
    pub(super) condition: [Option<Id>; 3],
}

/// What members or items must be that nothing else says anything of.
pub(super) enum Rest {
    Allowed(bool),
    Schema(Id),
}

pub(super) enum Dependency {
    Names(Vec<String>),
    Schema(Id),
}

pub(super) enum Items {
    Each(Id),
    Listed(Vec<Id>),
}

impl Schema {
    pub(super) fn node(&self, at: Id) -> Option<&Node> {
        self.nodes.get(at)
    }
}

/// Reads a schema.
pub(super) fn compile(schema: Json) -> Result<Schema, Failure> {
    let draft = Draft::of(&schema)?;
    let pool = Pool::new(schema)?;
    let mut reader = Reader { pool: &pool, nodes: Vec::new(), referred: HashMap::new(), draft, depth: 0 };
    reader.schema(pool.root())?;
    Ok(Schema { nodes: reader.nodes })
}

struct Reader<'a> {
    pool: &'a Pool,
    nodes: Vec<Node>,
    referred: HashMap<&'a str, Id>,
    draft: Draft,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn schema(&mut self, value: &'a Json) -> Result<Id, Failure> {
        if self.depth >= MAX_DEPTH || self.nodes.len() >= MAX_NODES {
            return Err(Failure::Spent("the schema is too deep or too large".to_owned()));
        }
        self.depth += 1;
        // The place is taken first, so that the schema can refer to itself.
        let at = self.nodes.len();
        self.nodes.push(Node::default());
        let node = self.node(value)?;
        if let Some(place) = self.nodes.get_mut(at) {
            *place = node;
        }
        self.depth -= 1;
        Ok(at)
    }

    fn schemas(&mut self, members: &'a Members, key: &str) -> Result<Vec<Id>, Failure> {
        array(members, key)?.unwrap_or_default().iter().map(|schema| self.schema(schema)).collect()
    }

    /// A keyword that takes a schema.
    fn one(&mut self, members: &'a Members, key: &str) -> Result<Option<Id>, Failure> {
        match members.get(key) {
            None => Ok(None),
            Some(schema @ (Json::Bool(_) | Json::Object(_))) => self.schema(schema).map(Some),
            Some(_) => failed(format!("{key} must be of an object")),
        }
    }

    fn rest(&mut self, members: &'a Members, key: &str) -> Result<Option<Rest>, Failure> {
        match members.get(key) {
            None => Ok(None),
            Some(Json::Bool(allowed)) => Ok(Some(Rest::Allowed(*allowed))),
            Some(schema @ Json::Object(_)) => Ok(Some(Rest::Schema(self.schema(schema)?))),
            Some(_) => invalid_type("boolean/Valid Schema", key),
        }
    }

    fn node(&mut self, value: &'a Json) -> Result<Node, Failure> {
        let mut node = Node::default();
        let members = match value {
            Json::Bool(pass) if self.draft >= Draft::Six => return Ok(Node { pass: Some(*pass), ..node }),
            Json::Object(members) => members,
            _ => return failed("Expected: Valid Schema, given: Invalid JSON"),
        };
        let id = match self.draft {
            Draft::Four => "id",
            Draft::Any if members.contains_key("id") => "id",
            _ => "$id",
        };
        text(members, id)?;
        self.definitions(members)?;
        text(members, "title")?;
        text(members, "description")?;
        if let Some(reference) = text(members, "$ref")? {
            let (target, is_known) = self.refer(reference)?;
            node.target = Some(target);
            // What stands beside a reference counts for nothing, but beside one that was there before, its faults do.
            if !is_known {
                return Ok(node);
            }
        }
        node.types = types(members)?;
        self.object_keywords(members, &mut node)?;
        self.item_keywords(members, &mut node)?;
        node.limits = limits(members, self.draft)?;
        node.length = counts(members, ["minLength", "maxLength"], true)?;
        if let Some(pattern) = text(members, "pattern")? {
            let compiled = expression(pattern).map_err(|failure| match failure {
                Failure::Operand(_) => Failure::Operand("pattern must be a valid regex".to_owned()),
                halt => halt,
            })?;
            node.pattern = Some((pattern.to_owned(), compiled));
        }
        node.format = text(members, "format")?.map(str::to_owned);
        node.member_count = counts(members, ["minProperties", "maxProperties"], true)?;
        node.required = required(members)?;
        node.item_count = counts(members, ["minItems", "maxItems"], false)?;
        node.unique = match members.get("uniqueItems") {
            None => false,
            Some(Json::Bool(unique)) => *unique,
            Some(_) => return failed("uniqueItems must be of a boolean"),
        };
        self.value_keywords(members, &mut node)?;
        node.one_of = self.schemas(members, "oneOf")?;
        node.any_of = self.schemas(members, "anyOf")?;
        node.all_of = self.schemas(members, "allOf")?;
        node.not = self.one(members, "not")?;
        if self.draft >= Draft::Seven {
            node.condition = [self.one(members, "if")?, self.one(members, "then")?, self.one(members, "else")?];
        }
        Ok(node)
    }

    fn definitions(&mut self, members: &'a Members) -> Result<(), Failure> {
        let definitions = match members.get("definitions") {
            None => return Ok(()),
            Some(Json::Object(definitions)) => definitions,
            Some(_) => return invalid_type("Array Of Schemas", "definitions"),
        };
        for definition in definitions.values() {
            if !matches!(definition, Json::Bool(_) | Json::Object(_)) {
                return invalid_type("Array Of Schemas", "definitions");
            }
            self.schema(definition)?;
        }
        Ok(())
    }

    /// What a reference refers to, and whether it was there before.
    fn refer(&mut self, reference: &'a str) -> Result<(Id, bool), Failure> {
        if let Some(known) = self.referred.get(reference) {
            return Ok((*known, true));
        }
        let target = self.pool.find(reference)?;
        if !matches!(target, Json::Bool(_) | Json::Object(_)) {
            return failed("Valid Schema must be of type object");
        }
        self.referred.insert(reference, self.nodes.len());
        Ok((self.schema(target)?, false))
    }

    fn object_keywords(&mut self, members: &'a Members, node: &mut Node) -> Result<(), Failure> {
        match members.get("properties") {
            None => {}
            Some(Json::Object(properties)) => {
                for (name, schema) in properties {
                    node.properties.push((name.clone(), self.schema(schema)?));
                }
            }
            Some(_) => return failed("Properties must be of type object"),
        }
        node.additional = self.rest(members, "additionalProperties")?;
        match members.get("patternProperties") {
            None => {}
            Some(Json::Object(patterns)) => {
                for (pattern, schema) in patterns {
                    let compiled = expression(pattern).map_err(|failure| match failure {
                        Failure::Operand(_) => Failure::Operand(format!("Invalid regex pattern '{pattern}'")),
                        halt => halt,
                    })?;
                    node.patterns.push((compiled, self.schema(schema)?));
                }
            }
            Some(_) => return invalid_type("Valid Schema", "patternProperties"),
        }
        if self.draft >= Draft::Six {
            node.names = match members.get("propertyNames") {
                None => None,
                Some(schema @ (Json::Bool(_) | Json::Object(_))) => Some(self.schema(schema)?),
                Some(_) => return invalid_type("Valid Schema", "patternProperties"),
            };
        }
        match members.get("dependencies") {
            None => {}
            Some(Json::Object(dependencies)) => {
                for (name, dependency) in dependencies {
                    node.dependencies.insert(name.clone(), self.dependency(dependency)?);
                }
            }
            Some(_) => return failed("dependencies must be of type object"),
        }
        Ok(())
    }

    fn dependency(&mut self, value: &'a Json) -> Result<Dependency, Failure> {
        let refused = || Failure::Operand("Dependency must be of type Schema Or Array Of Strings".to_owned());
        match value {
            Json::Bool(_) | Json::Object(_) => self.schema(value).map(Dependency::Schema),
            Json::Array(names) => {
                let names = names.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(refused));
                names.collect::<Result<_, _>>().map(Dependency::Names)
            }
            _ => Err(refused()),
        }
    }

    fn item_keywords(&mut self, members: &'a Members, node: &mut Node) -> Result<(), Failure> {
        let refused = || invalid_type("Valid Schema/Array Of Schemas", "items");
        node.items = match members.get("items") {
            None => None,
            Some(Json::Array(listed)) => {
                let mut ids = Vec::with_capacity(listed.len());
                for schema in listed {
                    match schema {
                        Json::Bool(_) | Json::Object(_) => ids.push(self.schema(schema)?),
                        _ => return refused(),
                    }
                }
                Some(Items::Listed(ids))
            }
            Some(schema @ (Json::Bool(_) | Json::Object(_))) => Some(Items::Each(self.schema(schema)?)),
            Some(_) => return refused(),
        };
        node.additional_items = self.rest(members, "additionalItems")?;
        Ok(())
    }

    fn value_keywords(&mut self, members: &'a Members, node: &mut Node) -> Result<(), Failure> {
        if self.draft >= Draft::Six {
            node.contains = members.get("contains").map(|schema| self.schema(schema)).transpose()?;
            node.constant = members.get("const").map(plain).transpose()?;
        }
        node.choices = match array(members, "enum")? {
            None => None,
            Some(values) => {
                let texts = values.iter().map(plain).collect::<Result<Vec<_>, _>>()?;
                unique(&texts, "enum")?;
                Some(texts)
            }
        };
        Ok(())
    }
}

fn types(members: &Members) -> Result<Vec<String>, Failure> {
    let refused = || invalid_type("type", "string/Array Of Strings");
    let given = match members.get("type") {
        None => return Ok(Vec::new()),
        Some(Json::Array(types)) => types.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let mut types: Vec<String> = Vec::new();
    for name in given {
        let Json::String(name) = name else { return refused() };
        if !TYPES.contains(&name.as_str()) {
            let valid = TYPES.join(" ");
            return failed(format!(
                "has a primitive type that is NOT VALID -- given: /{name}/ Expected valid values are:[{valid}]"
            ));
        }
        if types.contains(name) {
            return failed(format!("{name} type is duplicated"));
        }
        types.push(name.clone());
    }
    Ok(types)
}

fn required(members: &Members) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for name in array(members, "required")?.unwrap_or_default() {
        let Json::String(name) = name else {
            unique(&names, "required")?;
            return invalid_type("string", "required");
        };
        names.push(name.clone());
    }
    unique(&names, "required")?;
    Ok(names)
}

fn unique(texts: &[String], key: &str) -> Result<(), Failure> {
    let mut seen = std::collections::HashSet::new();
    if texts.iter().all(|text| seen.insert(text)) { Ok(()) } else { failed(format!("{key} items must be unique")) }
}
