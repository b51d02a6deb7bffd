//! From comments to an annotation: which comments are a block, and what their YAML says.

use serde::Deserialize;
use serde_json::{Map, Value};
use yaml_serde::{Mapping, Value as Yaml};

use super::super::ast::{ExprKind, Module, Name, Ref, RefPartKind, Span, Term, TermKind};
use super::super::parser::{SyntaxError, parse_query};
use super::{Annotation, Author, RelatedResource, Schema, Scope, Target};

/// The fields as they are written; others are the author's own affair.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    scope: Option<String>,
    title: Option<String>,
    description: Option<String>,
    organizations: Option<Vec<String>>,
    related_resources: Option<Vec<Yaml>>,
    authors: Option<Vec<Yaml>>,
    schemas: Option<Vec<Mapping>>,
    entrypoint: Option<Yaml>,
    compile: Option<Mapping>,
    custom: Option<Mapping>,
    labels: Option<Mapping>,
}

/// Each block of the module.
pub(super) fn all(module: &Module, text: &str) -> Vec<Result<Annotation, SyntaxError>> {
    let comments = &module.comments;
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(first) = comments.get(at) {
        at += 1;
        if !begins(first, text) {
            continue;
        }
        let from = at;
        let mut last = first;
        while let Some(next) = comments.get(at)
            && continues(last, next, text)
        {
            last = next;
            at += 1;
        }
        let lines = comments.get(from..at).unwrap_or_default();
        blocks.push(read(module, first, lines));
    }
    blocks
}

fn begins(comment: &Name, text: &str) -> bool {
    is_in_first_column(comment, text) && comment.text.trim_start_matches('#').trim().starts_with("METADATA")
}

/// Whether `next` is on the line below, in the first column, and no block of its own.
fn continues(last: &Name, next: &Name, text: &str) -> bool {
    let between = text.get(last.span.end as usize..next.span.start as usize).unwrap_or_default();
    is_in_first_column(next, text) && between.matches('\n').count() == 1 && !begins(next, text)
}

fn is_in_first_column(comment: &Name, text: &str) -> bool {
    let before = text.get(..comment.span.start as usize).unwrap_or_default();
    before.is_empty() || before.ends_with('\n')
}

fn read(module: &Module, first: &Name, lines: &[Name]) -> Result<Annotation, SyntaxError> {
    let fault = |cause: String| SyntaxError { span: first.span, cause, help: None };
    let mut yaml = String::new();
    for line in lines {
        let line = line.text.get(1..).unwrap_or_default();
        yaml.push_str(line.strip_prefix(' ').unwrap_or(line));
        yaml.push('\n');
    }
    if yaml.trim().is_empty() {
        return Err(fault("nothing follows `# METADATA`".to_owned()));
    }
    if crate::policy::builtins::opens_too_much(&yaml) {
        return Err(fault("this metadata nests too deep".to_owned()));
    }
    let written: Option<Written> = yaml_serde::from_str(&yaml).map_err(|error| {
        let line = error.location().and_then(|place| lines.get(place.line().saturating_sub(1)));
        let span = line.or(lines.first()).map_or(first.span, |line| line.span);
        SyntaxError { span, cause: format!("this metadata is not as it should be: {error}"), help: None }
    })?;
    let written = written.unwrap_or_default();
    let target = target(module, first.span.end);
    let entrypoint = written.entrypoint.map_or(Ok(false), |value| boolean(&value)).map_err(fault)?;
    let (target, scope) = scope(written.scope.unwrap_or_default().as_str(), entrypoint, target).map_err(fault)?;
    let span = first.span.to(lines.last().map_or(first.span, |last| last.span));
    let related_resources = written.related_resources.unwrap_or_default();
    Ok(Annotation {
        span,
        target,
        scope,
        title: written.title.unwrap_or_default(),
        description: written.description.unwrap_or_default(),
        organizations: written.organizations.unwrap_or_default(),
        authors: each(&written.authors.unwrap_or_default(), author).map_err(fault)?,
        related_resources: each(&related_resources, related_resource).map_err(fault)?,
        schemas: written.schemas.unwrap_or_default().iter().map(schema).collect::<Result<_, _>>().map_err(fault)?,
        entrypoint,
        compile: written.compile.map(|map| object(&map).map(Value::Object)).transpose().map_err(fault)?,
        custom: object(&written.custom.unwrap_or_default()).map_err(fault)?,
        labels: object(&written.labels.unwrap_or_default()).map_err(fault)?,
    })
}

/// The first statement after `end`; an import is an error.
fn target(module: &Module, end: u32) -> Result<Target, &'static str> {
    let after = |span: Span| span.start >= end;
    // Both are in the order of the text.
    let rule = module.rules.get(module.rules.partition_point(|rule| !after(rule.span))).map(|rule| rule.span);
    let import = module.imports.get(module.imports.partition_point(|import| !after(import.span)));
    let import = import.map(|import| import.span);
    if after(module.package.span) {
        return Ok(Target::Package);
    }
    match (rule, import) {
        (Some(rule), Some(import)) if import < rule => Err("an import has no metadata"),
        (Some(rule), _) => Ok(Target::Rule(rule)),
        (None, Some(_)) => Err("an import has no metadata"),
        (None, None) => Err("no rule follows this metadata"),
    }
}

fn scope(written: &str, entrypoint: bool, target: Result<Target, &str>) -> Result<(Target, Scope), String> {
    let target = target.map_err(str::to_owned)?;
    let is_rule = target != Target::Package;
    let scope = match written {
        "" if !is_rule => Scope::Package,
        "" if entrypoint => Scope::Document,
        "" | "rule" => Scope::Rule,
        "document" => Scope::Document,
        "package" => Scope::Package,
        "subpackages" => Scope::Subpackages,
        other => {
            let scopes = "`rule`, `document`, `package` and `subpackages`";
            return Err(format!("there is no scope `{other}`; there are {scopes}"));
        }
    };
    if is_rule != matches!(scope, Scope::Rule | Scope::Document) {
        let wanted = if is_rule { "the package" } else { "a rule" };
        return Err(format!("metadata of scope `{}` stands above {wanted}", scope.name()));
    }
    if entrypoint && matches!(scope, Scope::Rule | Scope::Subpackages) {
        return Err(format!("an entry point has the scope `document` or `package`, not `{}`", scope.name()));
    }
    Ok((target, scope))
}

fn boolean(value: &Yaml) -> Result<bool, String> {
    match value {
        Yaml::Bool(value) => Ok(*value),
        Yaml::Null => Ok(false),
        // As in YAML 1.1, where only a truth value is wanted.
        Yaml::String(text) => match text.to_lowercase().as_str() {
            "yes" | "y" | "on" => Ok(true),
            "no" | "n" | "off" => Ok(false),
            _ => Err("`entrypoint` is `true` or `false`".to_owned()),
        },
        _ => Err("`entrypoint` is `true` or `false`".to_owned()),
    }
}

fn each<T>(values: &[Yaml], read: fn(&Yaml) -> Result<T, String>) -> Result<Vec<T>, String> {
    values.iter().map(read).collect()
}

fn author(value: &Yaml) -> Result<Author, String> {
    match value {
        Yaml::String(text) => {
            let mut words: Vec<&str> = text.split_whitespace().collect();
            let last = words.last().ok_or("an author is empty")?;
            let email = last.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).map(str::to_owned);
            if email.is_some() {
                words.pop();
            }
            Ok(Author { name: words.join(" "), email: email.unwrap_or_default() })
        }
        Yaml::Mapping(map) => {
            let author = Author { name: field(map, "name"), email: field(map, "email") };
            let is_empty = author.name.is_empty() && author.email.is_empty();
            if is_empty { Err("an author has a `name` or an `email`".to_owned()) } else { Ok(author) }
        }
        _ => Err("an author is text, or has a `name` and an `email`".to_owned()),
    }
}

fn related_resource(value: &Yaml) -> Result<RelatedResource, String> {
    let (reference, description) = match value {
        Yaml::String(text) => (text.clone(), String::new()),
        Yaml::Mapping(map) => (field(map, "ref"), field(map, "description")),
        _ => return Err("a related resource is a URL, or has a `ref`".to_owned()),
    };
    if reference.is_empty() || reference.starts_with(':') || reference.contains(char::is_control) {
        return Err(format!("`{}` is no URL of a related resource", reference.escape_debug()));
    }
    Ok(RelatedResource { reference: reference.replace(' ', "%20"), description })
}

fn field(map: &Mapping, name: &str) -> String {
    map.get(name).and_then(Yaml::as_str).unwrap_or_default().trim().to_owned()
}

fn schema(map: &Mapping) -> Result<Schema, String> {
    let refused = || "a schema is of a document: `input.a: schema.b`".to_owned();
    let (key, value) = map.iter().next().ok_or_else(refused)?;
    let path = key.as_str().and_then(path).ok_or_else(refused)?;
    match value {
        Yaml::String(text) => {
            let schema = if text == "schema" { Some(vec!["schema".into()]) } else { self::path(text) };
            let schema = schema.filter(|schema| schema.first() == Some(&"schema".into()));
            let schema = schema.ok_or_else(|| format!("`{text}` is no schema: it begins with `schema`"))?;
            Ok(Schema { path, names: schema, definition: None })
        }
        Yaml::Mapping(definition) => {
            let definition = Some(Value::Object(object(definition)?));
            Ok(Schema { path, names: Vec::new(), definition })
        }
        _ => Err(refused()),
    }
}

/// A constant reference's names, its root first.
fn path(text: &str) -> Option<Vec<Value>> {
    let body = parse_query(text).ok()?;
    let [condition] = body.expressions.as_slice() else { return None };
    let ExprKind::Term(Term { kind: TermKind::Ref(reference), .. }) = &condition.kind else { return None };
    constants(reference, true)
}

/// The constants that a reference begins with, after its variable; all must be, if `whole`.
pub(super) fn constants(reference: &Ref, whole: bool) -> Option<Vec<Value>> {
    let TermKind::Var(root) = &reference.head.kind else { return None };
    let mut path = vec![Value::from(root.as_str())];
    for part in &reference.parts {
        path.push(match &part.kind {
            RefPartKind::Dot(name) => name.as_str().into(),
            RefPartKind::Bracket(term) => match &term.kind {
                TermKind::String { value, .. } => value.as_str().into(),
                TermKind::Bool(value) => (*value).into(),
                TermKind::Null => Value::Null,
                TermKind::Number(text) => serde_json::from_str(text).ok()?,
                _ if whole => return None,
                _ => break,
            },
        });
    }
    Some(path)
}

/// YAML as JSON. Names are text, and so are those of the outermost numbers and truth values, as OPA has it.
fn object(map: &Mapping) -> Result<Map<String, Value>, String> {
    let name = |key: &Yaml| match key {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(value) => Ok(value.to_string()),
        _ => Err("a name in metadata is no text".to_owned()),
    };
    map.iter().map(|(key, value)| Ok((name(key)?, json(value)?))).collect()
}

fn json(value: &Yaml) -> Result<Value, String> {
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => (*value).into(),
        Yaml::Number(number) => serde_json::to_value(number).map_err(|error| error.to_string())?,
        Yaml::String(text) => text.as_str().into(),
        Yaml::Sequence(items) => items.iter().map(json).collect::<Result<_, _>>()?,
        Yaml::Mapping(map) => {
            if !map.keys().all(Yaml::is_string) {
                return Err("a name in metadata is no text".to_owned());
            }
            Value::Object(object(map)?)
        }
        Yaml::Tagged(tagged) => json(&tagged.value)?,
    })
}
