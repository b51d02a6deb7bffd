//! The generated set: one role-based policy, its directory as data, and questions, the same in every run.
//!
//! Also read by `benches/evaluate.rs`, so it knows nothing of this program but the library.

use verdict::decision::{Action, Object, Query, Resource, Subject, Value};

/// Users in the directory.
pub(crate) const USERS: usize = 10_000;
/// Roles in the directory.
pub(crate) const ROLES: usize = 50;
/// Questions: two of each user, about half of them allowed.
pub(crate) const QUESTIONS: usize = 2 * USERS;

const TYPES: [&str; 10] =
    ["document", "folder", "invoice", "ledger", "order", "project", "report", "repository", "secret", "ticket"];
const ACTIONS: [&str; 5] = ["approve", "create", "delete", "read", "update"];
// 500 grants: 50 roles, five types each, two actions on each.
const TYPES_A_ROLE: usize = 5;
const ACTIONS_A_TYPE: usize = 2;
const DEPARTMENTS: [&str; 4] = ["engineering", "finance", "legal", "support"];
const SEED: u64 = 0x5EED;

const POLICY: &str = r#"package authz

default decision := {"allow": false, "reasons": [{"code": "no_role_grants_action"}]}

decision := {"allow": true, "reasons": [{"code": "role_grants_action"}]} if {
	directory := data.directory
	some role in directory.users[input.subject.id].roles
	grants := directory.grants[role]
	input.action.name in grants[input.resource.type]
}
"#;

/// Who has which roles, and what they grant.
pub(crate) struct Directory {
    // For each user the numbers of its roles.
    users: Vec<Vec<usize>>,
    // For each role its types of resource with the actions that it grants on them.
    roles: Vec<Vec<(&'static str, Vec<&'static str>)>>,
}

impl Directory {
    /// The directory.
    pub(crate) fn generate() -> Self {
        let mut random = Random(SEED);
        let role = |random: &mut Random| {
            let types = random.choose(&TYPES, TYPES_A_ROLE);
            types.into_iter().map(|kind| (kind, random.choose(&ACTIONS, ACTIONS_A_TYPE))).collect()
        };
        let roles = (0..ROLES).map(|_| role(&mut random)).collect();
        let numbers: Vec<usize> = (0..ROLES).collect();
        let users = (0..USERS).map(|_| {
            let count = 1 + random.below(3);
            random.choose(&numbers, count)
        });
        Self { users: users.collect(), roles }
    }

    /// The policy and the directory as files: paths and texts.
    pub(crate) fn files(&self) -> [(&'static str, String); 2] {
        [("authz.rego", POLICY.to_owned()), ("directory/data.json", self.json())]
    }

    /// The questions, with what the policy must answer: `true` for allow.
    pub(crate) fn questions(&self) -> Vec<(Query, bool)> {
        let mut random = Random(SEED + 1);
        self.users.iter().enumerate().cycle().take(QUESTIONS).map(|user| self.question(user, &mut random)).collect()
    }

    fn question(&self, (user, roles): (usize, &Vec<usize>), random: &mut Random) -> (Query, bool) {
        let wanted = random.below(2) == 0;
        // Among ten types and five actions some are granted and some are not, so this ends.
        let (kind, action) = loop {
            let (kind, action) = (random.pick(&TYPES), random.pick(&ACTIONS));
            if self.grants(roles, kind, action) == wanted {
                break (kind, action);
            }
        };
        let strings = |items: Vec<&str>| Value::Array(items.into_iter().map(Value::from).collect());
        let properties = [
            ("clearance", Value::from(i64::try_from(random.below(5)).unwrap_or_default())),
            ("department", Value::from(random.pick(&DEPARTMENTS))),
            ("groups", strings(random.choose(&DEPARTMENTS, 2))),
            ("mfa", Value::from(random.below(2) == 0)),
        ];
        let context = [("ip", Value::from(format!("10.0.{}.{}", random.below(256), random.below(256)).as_str()))];
        let query = Query {
            subject: Subject { kind: "user".to_owned(), id: user_id(user), properties: object(properties) },
            action: Action { name: action.to_owned(), properties: Object::new() },
            resource: Resource {
                kind: kind.to_owned(),
                id: format!("{kind}-{}", random.below(100_000)),
                properties: Object::new(),
            },
            context: object(context),
            ..Query::default()
        };
        (query, wanted)
    }

    fn grants(&self, roles: &[usize], kind: &str, action: &str) -> bool {
        let mut granted = roles.iter().filter_map(|role| self.roles.get(*role)).flatten();
        granted.any(|(on, actions)| *on == kind && actions.contains(&action))
    }

    fn json(&self) -> String {
        let users: serde_json::Map<_, _> = (self.users.iter().enumerate())
            .map(|(user, roles)| {
                let roles: Vec<String> = roles.iter().copied().map(role_name).collect();
                (user_id(user), serde_json::json!({ "roles": roles }))
            })
            .collect();
        let grants: serde_json::Map<_, _> = (self.roles.iter().enumerate())
            .map(|(role, types)| {
                let types = types.iter().map(|(kind, actions)| ((*kind).to_owned(), serde_json::json!(actions)));
                (role_name(role), serde_json::Value::Object(types.collect()))
            })
            .collect();
        serde_json::json!({ "users": users, "grants": grants }).to_string()
    }
}

fn user_id(number: usize) -> String {
    format!("user-{number:05}")
}

fn role_name(number: usize) -> String {
    format!("role-{number:02}")
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Object {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `SplitMix64`: small, and the same numbers everywhere and in every version.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        items.get(self.below(items.len())).copied().unwrap_or_default()
    }

    /// `count` different ones of `items`.
    fn choose<T: Copy + Default>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut left = items.to_vec();
        (0..count.min(items.len())).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }
}
