//! Whether a leaf leads to the root (RFC 5280 §6), searched as Go does.

use super::{
    super::super::{Failure, evaluation},
    certificate::Certificate,
    constraints, hostname,
    options::Options,
};

/// The most signatures that are looked at for one leaf.
const MAX_CHECKS: usize = 100;
/// Go's numbers of two extended key usages.
const ANY: u64 = 0;
const SERVER: u64 = 1;
/// `keyCertSign` (RFC 5280 §4.2.1.3).
const CERTIFICATE_SIGNING: u64 = 1 << 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Leaf,
    Intermediate,
    Root,
}

struct Search<'a> {
    root: &'a Certificate,
    intermediates: &'a [Certificate],
    now_ns: i128,
    checks: usize,
    usages: Vec<u64>,
}

/// The chain from the last certificate to the first, which is trusted; `None` where there is none.
pub(super) fn verified<'a>(
    certificates: &'a [Certificate],
    options: &Options,
) -> Result<Option<Vec<&'a Certificate>>, Failure> {
    let [root, intermediates @ .., leaf] = certificates else { return Ok(None) };
    let now_ns = i128::from(options.time_ns.unwrap_or_else(evaluation::now_ns));
    let usages = if options.usages.is_empty() { vec![SERVER] } else { options.usages.clone() };
    let mut search = Search { root, intermediates, now_ns, checks: 0, usages };
    if !search.is_valid(leaf, Role::Leaf, &[]) {
        return Ok(None);
    }
    let for_host = || leaf.extensions.names.as_ref().is_some_and(|names| hostname::covers(names, &options.host));
    if !options.host.is_empty() && !for_host() {
        return Ok(None);
    }
    if leaf.raw == root.raw {
        return search.accepts(&[leaf]).map(|accepted| accepted.then(|| vec![leaf]));
    }
    search.up(&[leaf])
}

impl<'a> Search<'a> {
    /// The first chain that goes on from this one to the root, and is accepted.
    fn up(&mut self, chain: &[&'a Certificate]) -> Result<Option<Vec<&'a Certificate>>, Failure> {
        let Some(child) = chain.last().copied() else { return Ok(None) };
        let mut parents = vec![(Role::Root, self.root)];
        let mut others: Vec<_> = self.intermediates.iter().collect();
        others.sort_by_key(|parent| likelihood(parent, child));
        parents.extend(others.into_iter().map(|parent| (Role::Intermediate, parent)));
        for (role, parent) in parents {
            if parent.raw_subject != child.raw_issuer {
                continue;
            }
            self.checks += 1;
            if self.checks > MAX_CHECKS {
                return Ok(None);
            }
            if is_in(parent, chain) || !has_signed(parent, child) || !self.is_valid(parent, role, chain) {
                continue;
            }
            let longer = [chain, &[parent]].concat();
            if role == Role::Root {
                if self.accepts(&longer)? {
                    return Ok(Some(longer));
                }
            } else if let Some(found) = self.up(&longer)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whether a certificate may take its place at the end of `chain`.
    fn is_valid(&self, certificate: &Certificate, role: Role, chain: &[&Certificate]) -> bool {
        let extensions = &certificate.extensions;
        let second = |seconds: i64| i128::from(seconds) * 1_000_000_000;
        let in_time = self.now_ns >= second(certificate.not_before) && self.now_ns <= second(certificate.not_after);
        let authority = role != Role::Intermediate || (extensions.has_basic_constraints && extensions.is_authority);
        let below = i64::try_from(chain.len()).unwrap_or(i64::MAX) - 1;
        let short = !extensions.has_basic_constraints || extensions.max_path < 0 || below <= extensions.max_path;
        extensions.unhandled.is_empty() && in_time && authority && short
    }

    /// Whether a whole chain is one for the usages that are asked for, with names that its authorities may vouch for.
    /// Go weighs policies where an authority demands them (RFC 5280 §4.2.1.11); such a chain is refused here.
    fn accepts(&self, chain: &[&Certificate]) -> Result<bool, Failure> {
        let mut below_root = chain.iter().rev().skip(1);
        if below_root.any(|certificate| certificate.extensions.explicit_policy.is_some()) {
            return Ok(false);
        }
        Ok(self.is_for_usages(chain) && constraints::admit(chain)?)
    }

    /// Whether one of the usages is allowed by every certificate that limits them.
    fn is_for_usages(&self, chain: &[&Certificate]) -> bool {
        if self.usages.contains(&ANY) {
            return true;
        }
        self.usages.iter().any(|usage| {
            chain.iter().all(|certificate| {
                let extensions = &certificate.extensions;
                let unlimited = extensions.usages.is_empty() && extensions.other_usages.is_empty();
                unlimited || extensions.usages.contains(&ANY) || extensions.usages.contains(usage)
            })
        })
    }
}

/// First those parents whose key has the identifier that the child names.
fn likelihood(parent: &Certificate, child: &Certificate) -> u8 {
    let (subject, authority) = (
        parent.extensions.subject_key.as_deref().unwrap_or_default(),
        child.extensions.authority_key.as_deref().unwrap_or_default(),
    );
    match (subject == authority, subject.is_empty() != authority.is_empty()) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    }
}

/// Whether the same subject, key and names are in the chain already.
fn is_in(candidate: &Certificate, chain: &[&Certificate]) -> bool {
    let names = |certificate: &Certificate| {
        let id = "2.5.29.17";
        certificate
            .list
            .iter()
            .find(|extension| extension.id.to_string() == id)
            .map(|extension| extension.value.clone())
    };
    chain.iter().any(|certificate| {
        candidate.raw_subject == certificate.raw_subject
            && candidate.key_info == certificate.key_info
            && names(candidate) == names(certificate)
    })
}

/// Whether `parent`, which may do so, signed `child`.
fn has_signed(parent: &Certificate, child: &Certificate) -> bool {
    let extensions = &parent.extensions;
    let authority = if extensions.has_basic_constraints { extensions.is_authority } else { parent.version != 3 };
    let may_sign = extensions.key_usage == 0 || extensions.key_usage & CERTIFICATE_SIGNING != 0;
    let signed = || match (child.signature_algorithm.scheme, parent.key()) {
        (Some(scheme), Some(key)) => key.verifies(scheme, &child.signed, &child.signature),
        _ => false,
    };
    authority && may_sign && signed()
}
