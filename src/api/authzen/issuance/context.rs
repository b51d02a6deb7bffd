//! The keys of `context` that the profile defines, and a few of our own: taken out, each of one type.

use crate::{
    api::status::FieldViolation,
    decision::{Number, Object, Value},
    issuance::{Actor, Authentication, Binding, Client, Party},
};

/// What a context says of a token request.
pub(super) struct Told {
    pub(super) client: Client,
    pub(super) authentication: Authentication,
    pub(super) binding: Binding,
    pub(super) consent: Vec<String>,
    /// In seconds.
    pub(super) lifetime: Option<u64>,
    /// Who acted before: `act` of the subject's token.
    pub(super) acted: Option<Actor>,
    /// What is left, for the policy.
    pub(super) rest: Object,
}

/// Takes a context apart.
pub(super) fn read(mut context: Object) -> Result<Told, Vec<FieldViolation>> {
    let mut violations = Vec::new();
    let acted = match context.get("act") {
        None => None,
        Some(act) => actor(act).map_err(|fault| violations.push(FieldViolation::new("context.act", fault))).ok(),
    };
    let mut reader = Reader { context: &mut context, violations };
    let client = Client {
        id: reader.text("client_id").unwrap_or_default(),
        authentication_method: reader.text("client_authentication_method").unwrap_or_default(),
        ..Client::default()
    };
    let authentication = Authentication {
        acr: reader.text("acr"),
        amr: reader.texts("amr"),
        auth_time: reader.whole("auth_time"),
        session: reader.text("session_id"),
    };
    let (consent, lifetime) = (reader.texts("consented_scopes"), reader.whole("requested_lifetime"));
    let binding = reader.binding();
    let violations = reader.violations;
    if !violations.is_empty() {
        return Err(violations);
    }
    Ok(Told { client, authentication, binding, consent, lifetime, acted, rest: context })
}

/// The claim `act` (RFC 8693 §4.1): the current actor, and who acted before it.
fn actor(act: &Value) -> Result<Actor, &'static str> {
    let Value::Object(members) = act else { return Err("is not an object") };
    let Some(Value::String(sub)) = members.get("sub") else { return Err("has an actor without `sub`") };
    let mut properties = members.clone();
    properties.remove("act");
    let before = members.get("act").map(actor).transpose()?.map(Box::new);
    Ok(Actor { party: Party { kind: "actor".to_owned(), id: sub.clone(), properties }, before })
}

struct Reader<'a> {
    context: &'a mut Object,
    violations: Vec<FieldViolation>,
}

impl Reader<'_> {
    fn violate(&mut self, name: &str, fault: &str) {
        self.violations.push(FieldViolation::new(format!("context.{name}"), fault));
    }

    fn text(&mut self, name: &str) -> Option<String> {
        if let Value::String(text) = self.context.remove(name)? {
            return Some(text);
        }
        self.violate(name, "is not a string");
        None
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        let text = |item| if let Value::String(text) = item { Some(text) } else { None };
        let texts = match self.context.remove(name) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items.into_iter().map(text).collect::<Option<Vec<_>>>(),
            Some(_) => None,
        };
        texts.unwrap_or_else(|| {
            self.violate(name, "is not an array of strings");
            Vec::new()
        })
    }

    fn whole(&mut self, name: &str) -> Option<u64> {
        let number = match self.context.remove(name)? {
            Value::Number(Number::Int(number)) => u64::try_from(number).ok(),
            Value::Number(Number::UInt(number)) => Some(number),
            _ => None,
        };
        if number.is_none() {
            self.violate(name, "is not a whole number of seconds");
        }
        number
    }

    fn binding(&mut self) -> Binding {
        let mut cnf = match self.context.remove("cnf") {
            None => return Binding::default(),
            Some(Value::Object(cnf)) => cnf,
            Some(_) => {
                self.violate("cnf", "is not an object");
                return Binding::default();
            }
        };
        let mut thumbprint = |name: &str| match cnf.remove(name) {
            None => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => {
                self.violations.push(FieldViolation::new(format!("context.cnf.{name}"), "is not a string"));
                None
            }
        };
        Binding { jkt: thumbprint("jkt"), x5t_s256: thumbprint("x5t#S256") }
    }
}
