//! A template's tree with its data to text, by the rules of Go's `text/template`.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    Fault, functions,
    parser::{MAIN, Node, Operand, Pipe, Templates},
    value::Value,
};

/// How much work a template makes at most.
const MAX_STEPS: usize = 500_000;
/// How long its text is at most.
const MAX_BYTES: usize = 4 << 20;
/// How deep templates call each other at most.
const MAX_CALLS: usize = 100;

/// What is next after a node.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

/// An execution.
pub(super) struct Execution<'a> {
    templates: &'a Templates,
    variables: Vec<(&'a str, Value)>,
    output: Vec<u8>,
    steps: usize,
    calls: usize,
}

/// Executes the main template.
pub(super) fn run(templates: &Templates, data: &Value) -> Result<Vec<u8>, Fault> {
    let variables = vec![("$", data.clone())];
    let mut execution = Execution { templates, variables, output: Vec::new(), steps: MAX_STEPS, calls: 0 };
    let nodes = templates.get(MAIN).map(Vec::as_slice).unwrap_or_default();
    execution.list(data, nodes)?;
    Ok(execution.output)
}

fn failed<T>(cause: &str) -> Result<T, Fault> {
    Err(Fault::Failed(cause.to_owned()))
}

impl<'a> Execution<'a> {
    /// Takes from the work that is left.
    pub(super) fn step(&mut self, work: usize) -> Result<(), Fault> {
        let left = self.steps.checked_sub(work);
        self.steps = left.ok_or_else(|| Fault::Bound("the template takes too much work".to_owned()))?;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.output.len() + bytes.len() > MAX_BYTES {
            return Err(Fault::Bound(format!("the template gives more than {MAX_BYTES} bytes")));
        }
        self.output.extend(bytes);
        Ok(())
    }

    fn list(&mut self, dot: &Value, nodes: &'a [Node]) -> Result<Flow, Fault> {
        for node in nodes {
            let flow = self.node(dot, node)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, dot: &Value, node: &'a Node) -> Result<Flow, Fault> {
        self.step(1)?;
        match node {
            Node::Text(text) => self.write(text.as_bytes())?,
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    let text = functions::shown(&value)?;
                    self.write(&text)?;
                }
            }
            Node::If(pipe, nodes, otherwise) | Node::With(pipe, nodes, otherwise) => {
                let scope = self.variables.len();
                let value = self.pipe(dot, pipe)?;
                let is_with = matches!(node, Node::With(..));
                let flow = match value.is_true() {
                    true if is_with => self.list(&value, nodes),
                    true => self.list(dot, nodes),
                    false => self.list(dot, otherwise),
                };
                self.variables.truncate(scope);
                return flow;
            }
            Node::Range(pipe, nodes, otherwise) => {
                let scope = self.variables.len();
                let flow = self.range(dot, pipe, nodes, otherwise);
                self.variables.truncate(scope);
                return flow;
            }
            Node::Template(name, pipe) => self.template(dot, name, pipe.as_ref())?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn range(&mut self, dot: &Value, pipe: &'a Pipe, nodes: &'a [Node], otherwise: &'a [Node]) -> Result<Flow, Fault> {
        let (mut index, items): (Box<dyn Iterator<Item = Value>>, Box<dyn Iterator<Item = Value>>) =
            match self.pipe(dot, pipe)? {
                Value::Int(_) if pipe.variables.len() > 1 => {
                    return failed("can't use an int to iterate over two variables");
                }
                Value::Int(end) => (Box::new(std::iter::repeat(Value::Missing)), Box::new((0..end).map(Value::Int))),
                Value::Byte(_) if pipe.variables.len() > 1 => {
                    return failed("can't use a byte to iterate over two variables");
                }
                Value::Byte(end) => (Box::new(std::iter::repeat(Value::Missing)), Box::new((0..end).map(Value::Byte))),
                Value::List(items) => {
                    let count = items.len();
                    let item = move |at: usize| items.get(at).cloned().unwrap_or(Value::Missing);
                    (Box::new((0_i64..).map(Value::Int)), Box::new((0..count).map(item)))
                }
                Value::Map(members) => {
                    let names: Vec<Value> = members.keys().map(|name| Value::text(name.clone())).collect();
                    let items: Vec<Value> = members.values().cloned().collect();
                    (Box::new(names.into_iter()), Box::new(items.into_iter()))
                }
                Value::Missing | Value::Null => (Box::new(std::iter::empty()), Box::new(std::iter::empty())),
                other => return failed(&format!("range can't iterate over {}", other.type_name())),
            };
        let scope = self.variables.len();
        let mut any = false;
        for item in items {
            any = true;
            self.step(1)?;
            let key = index.next().unwrap_or(Value::Missing);
            match pipe.variables.as_slice() {
                [one] => self.bind(pipe, scope, 1, one, item.clone())?,
                [first, second] => {
                    self.bind(pipe, scope, 2, first, key)?;
                    self.bind(pipe, scope, 1, second, item.clone())?;
                }
                _ => {}
            }
            let flow = self.list(&item, nodes)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        if any { Ok(Flow::On) } else { self.list(dot, otherwise) }
    }

    /// Sets a variable of a range: the one that was there, or the `back`th of those that the range declared.
    fn bind(&mut self, pipe: &Pipe, scope: usize, back: usize, name: &str, value: Value) -> Result<(), Fault> {
        if pipe.assigns {
            return self.assign(name, value);
        }
        if let Some((_, variable)) = scope.checked_sub(back).and_then(|at| self.variables.get_mut(at)) {
            *variable = value;
        }
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Value) -> Result<(), Fault> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, variable)) => {
                *variable = value;
                Ok(())
            }
            None => failed("undefined variable"),
        }
    }

    fn template(&mut self, dot: &Value, name: &str, pipe: Option<&'a Pipe>) -> Result<(), Fault> {
        let Some(nodes) = self.templates.get(name) else { return failed("template not defined") };
        if self.calls >= MAX_CALLS {
            return Err(Fault::Bound(format!("templates call each other more than {MAX_CALLS} deep")));
        }
        let dot = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Missing,
        };
        let variables = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        self.calls += 1;
        self.list(&dot, nodes)?;
        self.calls -= 1;
        self.variables = variables;
        Ok(())
    }

    fn pipe(&mut self, dot: &Value, pipe: &'a Pipe) -> Result<Value, Fault> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value)?.settled());
        }
        let value = value.unwrap_or(Value::Missing);
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    /// The value of a command; `last` is that of the one before it in the pipe.
    fn command(&mut self, dot: &Value, command: &'a [Operand], last: Option<Value>) -> Result<Value, Fault> {
        self.step(1)?;
        let Some((first, arguments)) = command.split_first() else { return failed("empty command") };
        let given = !arguments.is_empty() || last.is_some();
        match first {
            Operand::Function(name) => self.call(dot, name, arguments, last),
            Operand::Field(path) => self.fields(dot.clone(), path, given),
            Operand::Chain(operand, path) => {
                let of = self.operand(dot, operand)?;
                self.fields(of, path, given)
            }
            Operand::Variable(name, path) if !path.is_empty() => {
                let of = self.variable(name)?;
                self.fields(of, path, given)
            }
            _ if given => failed("can't give argument to non-function"),
            Operand::Nil => failed("nil is not a command"),
            other => self.operand(dot, other),
        }
    }

    /// The value of an operand by itself.
    fn operand(&mut self, dot: &Value, operand: &'a Operand) -> Result<Value, Fault> {
        match operand {
            Operand::Dot => Ok(dot.clone()),
            Operand::Nil => Ok(Value::Missing),
            Operand::Literal(value) => Ok(value.clone()),
            Operand::Field(path) => self.fields(dot.clone(), path, false),
            Operand::Variable(name, path) => {
                let of = self.variable(name)?;
                self.fields(of, path, false)
            }
            Operand::Function(name) => self.call(dot, name, &[], None),
            Operand::Pipe(pipe) => self.pipe(dot, pipe),
            Operand::Chain(operand, path) => {
                let of = self.operand(dot, operand)?;
                self.fields(of, path, false)
            }
        }
    }

    fn variable(&self, name: &str) -> Result<Value, Fault> {
        let found = self.variables.iter().rev().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).ok_or_else(|| Fault::Failed("undefined variable".to_owned()))
    }

    fn fields(&mut self, mut of: Value, path: &[String], given: bool) -> Result<Value, Fault> {
        self.step(path.len())?;
        for (at, name) in path.iter().enumerate() {
            of = match &of {
                Value::Missing => Value::Missing,
                Value::Null => return failed("nil pointer evaluating interface {}"),
                Value::Map(_) if given && at + 1 == path.len() => return failed("not a method but has arguments"),
                Value::Map(members) => member(members, name.as_bytes(), Value::Missing),
                other => return failed(&format!("can't evaluate field in type {}", other.type_name())),
            };
        }
        Ok(of)
    }

    fn call(&mut self, dot: &Value, name: &str, operands: &'a [Operand], last: Option<Value>) -> Result<Value, Fault> {
        let count = operands.len() + usize::from(last.is_some());
        functions::check_count(name, count)?;
        if name == "and" || name == "or" {
            let mut value = Value::Missing;
            for operand in operands {
                value = self.operand(dot, operand)?;
                if value.is_true() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut arguments = Vec::with_capacity(count);
        for operand in operands {
            arguments.push(self.operand(dot, operand)?.settled());
        }
        arguments.extend(last);
        if let (true, Some(first)) = (name == "printf", arguments.first())
            && !matches!(first, Value::Text(_))
        {
            return failed("wrong type for value; expected string");
        }
        let work: usize = arguments.iter().map(size).sum();
        self.step(1 + work / 64)?;
        functions::call(name, &arguments)
    }
}

/// A member of a map, or `otherwise`.
pub(super) fn member(members: &Rc<BTreeMap<Vec<u8>, Value>>, name: &[u8], otherwise: Value) -> Value {
    members.get(name).cloned().unwrap_or(otherwise)
}

/// About how much there is to read in a value.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Number(text) => text.len(),
        _ => 1,
    }
}
