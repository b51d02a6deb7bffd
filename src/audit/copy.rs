//! Copies of values that are bounded: what a record keeps of a question of any size.

use crate::decision::{Object, Value};

/// What a value costs beyond its text.
const NODE: usize = 16;

/// How many places are named where something was left out.
const MOST_PLACES: usize = 16;

/// Copies until so many bytes are used. What does not fit is left out, and its place is noted.
pub(super) struct Copier<'v> {
    left: usize,
    used: usize,
    at: Vec<Step<'v>>,
    pub(super) truncated: Vec<String>,
}

#[derive(Clone, Copy)]
enum Step<'v> {
    Member(&'v str),
    Item(usize),
}

impl<'v> Copier<'v> {
    pub(super) fn new(limit: usize) -> Self {
        Self { left: limit, used: 0, at: Vec::new(), truncated: Vec::new() }
    }

    /// How many bytes were copied, about.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Everything below `name` from here on.
    pub(super) fn within<T>(&mut self, name: &'v str, copy: impl FnOnce(&mut Self) -> T) -> T {
        self.at.push(Step::Member(name));
        let copied = copy(self);
        self.at.pop();
        copied
    }

    pub(super) fn text(&mut self, text: &str) -> String {
        if self.take(text.len()) { text.to_owned() } else { left_out(text.len()) }
    }

    pub(super) fn value(&mut self, value: &'v Value) -> Value {
        match value {
            Value::Null => Value::Null,
            Value::Bool(truth) => Value::Bool(*truth),
            Value::Number(number) => Value::Number(number.clone()),
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => {
                let mut copied = Vec::new();
                for (number, item) in items.iter().enumerate() {
                    if !self.take(NODE) {
                        break;
                    }
                    self.at.push(Step::Item(number));
                    copied.push(self.value(item));
                    self.at.pop();
                }
                Value::Array(copied)
            }
            Value::Object(object) => Value::Object(self.object(object)),
        }
    }

    pub(super) fn object(&mut self, object: &'v Object) -> Object {
        let mut copied = Object::new();
        for (name, value) in object.iter() {
            if !self.take(NODE + name.len()) {
                break;
            }
            self.at.push(Step::Member(name));
            copied.insert(name.to_owned(), self.value(value));
            self.at.pop();
        }
        copied
    }

    fn take(&mut self, bytes: usize) -> bool {
        if bytes <= self.left {
            self.left -= bytes;
            self.used += bytes;
            return true;
        }
        if self.truncated.len() < MOST_PLACES {
            self.truncated.push(self.place());
        }
        false
    }

    fn place(&self) -> String {
        let mut place = String::new();
        for step in &self.at {
            place.push('/');
            match step {
                // A name may be as long as the whole question.
                Step::Member(name) if name.len() > 64 => place.push('…'),
                Step::Member(name) => place.push_str(&name.replace('~', "~0").replace('/', "~1")),
                Step::Item(number) => place.push_str(&number.to_string()),
            }
        }
        place
    }
}

fn left_out(bytes: usize) -> String {
    format!("[truncated: {bytes} bytes]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_fits_and_says_where_it_stopped() {
        let long = Value::String("x".repeat(1_000));
        let object: Object = [
            ("a".to_owned(), Value::from("short")),
            ("b/c".to_owned(), long),
            ("d".to_owned(), Value::Array(vec![Value::from(1); 100])),
            ("e".to_owned(), Value::from(true)),
        ]
        .into_iter()
        .collect();
        let mut copier = Copier::new(400);
        let copied = copier.within("input", |copier| copier.object(&object));
        assert_eq!(copied.get("a"), Some(&Value::from("short")));
        assert_eq!(copied.get("b/c"), Some(&Value::from("[truncated: 1000 bytes]")));
        let Some(Value::Array(items)) = copied.get("d") else { panic!("an array") };
        assert!((1..100).contains(&items.len()));
        assert_eq!(copied.get("e"), None);
        assert_eq!(copier.truncated, ["/input/b~1c", "/input/d", "/input"]);
        assert!(copier.used() <= 400);
    }
}
