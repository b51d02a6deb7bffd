//! The members of the decision contract, in the order of their names.

use super::{Written, writer::Writer};
use crate::decision::{Obligation, Reason, SourcePosition, StepUp, Verdict};

pub(super) fn contract(to: &mut Writer<'_>, verdict: &Verdict) -> Written {
    to.raw(if verdict.is_allow() { r#"{"allow":true"# } else { r#"{"allow":false"# });
    if !verdict.context.is_empty() {
        to.raw(r#","context":"#);
        to.object(&verdict.context)?;
    }
    to.list(r#","obligations":["#, &verdict.obligations, |to, Obligation { id, kind, properties }| {
        let mut members = to.members();
        members.text(to, r#""id":"#, id)?;
        members.object(to, r#""properties":"#, properties)?;
        members.text(to, r#""type":"#, kind)?;
        to.raw("}");
        Ok(())
    })?;
    to.list(r#","reasons":["#, &verdict.reasons, reason)?;
    to.list(r#","required_scopes":["#, &verdict.required_scopes, |to, scope| to.text(scope))?;
    if let Some(StepUp { acr_values, max_age }) = &verdict.step_up {
        to.raw(r#","step_up":{"#);
        to.list(r#""acr_values":["#, acr_values, |to, value| to.text(value))?;
        if let Some(age) = max_age {
            to.comma(!acr_values.is_empty());
            to.raw(r#""max_age":"#);
            to.seconds(*age);
        }
        to.raw("}");
    }
    if let Some(ttl) = verdict.ttl {
        to.raw(r#","ttl":"#);
        to.seconds(ttl);
    }
    to.raw("}");
    Ok(())
}

fn reason(to: &mut Writer<'_>, reason: &Reason) -> Written {
    let Reason { code, message, user_message, rule, position, properties } = reason;
    let mut members = to.members();
    members.text(to, r#""code":"#, code)?;
    members.text(to, r#""message":"#, message)?;
    if let Some(SourcePosition { file, line, column }) = position {
        members.next(to, r#""position":{"column":"#);
        to.number(*column);
        if !file.is_empty() {
            to.raw(r#","file":"#);
            to.text(file)?;
        }
        to.raw(r#","line":"#);
        to.number(*line);
        to.raw("}");
    }
    members.object(to, r#""properties":"#, properties)?;
    members.text(to, r#""rule":"#, rule.as_deref().unwrap_or_default())?;
    members.text(to, r#""user_message":"#, user_message)?;
    to.raw("}");
    Ok(())
}
