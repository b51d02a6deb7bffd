//! References to what `data.json` says, by names that are known only when evaluated: `data.grants[role]`.
//!
//! For such a reference regorus looks for rules that may be meant, twice, through every module; of a variable's value it
//! takes the member. So the part that is known is looked up before the condition. It is there, and neither a rule nor a
//! `with` can change that, so the condition holds as often as before.

use super::{
    super::ast::{Ref, Span},
    Lowering, names,
};

impl<'a> Lowering<'a> {
    /// Lowers such a reference in a condition; `false` for any other, and then nothing is done.
    pub(super) fn looks_up(&mut self, reference: &'a Ref) -> bool {
        if !self.looks_up {
            return false;
        }
        let Some((path, at)) = self.known(reference).filter(|(path, _)| (self.world.base)(path)) else { return false };
        let Some(unknown) = reference.parts.get(at) else { return false };
        let value = format!(" := {}", names::data(path.iter()));
        let same = self.looked_up.iter().find_map(|asked| asked.strip_suffix(&value)).map(str::to_owned);
        let variable = same.unwrap_or_else(|| {
            let variable = self.variable();
            self.looked_up.push(variable.clone() + &value);
            variable
        });
        self.replace(Span { start: reference.span.start, end: unknown.span.start }, variable);
        self.parts(reference.parts.get(at..).unwrap_or_default(), &mut Self::bracket);
        true
    }
}
