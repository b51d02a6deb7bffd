//! What an agent says, read strictly: all of a message, or nothing of it.

use std::collections::{BTreeMap, btree_map::Entry};

use rustls_pki_types::CertificateRevocationListDer;
use webpki::EndEntityCert;
use zeroize::Zeroizing;

use super::{Material, Svid, der, message};

/// The longest SPIFFE ID (SPIFFE-ID §2.3).
const LONGEST: usize = 2_048;

/// Reads a message.
pub(super) fn read(response: message::Response) -> Result<Material, String> {
    let message::Response { svids, crl, federated_bundles } = response;
    let mut bundles = BTreeMap::new();
    let mut own = Vec::new();
    for message::Svid { spiffe_id: id, x509_svid, x509_svid_key, bundle, hint } in svids {
        // Before anything can end this, so that no key stays in memory.
        let key = Zeroizing::new(x509_svid_key);
        let domain = domain_of_workload(&id);
        let domain = domain.ok_or_else(|| format!("`{}` is no SPIFFE ID of a workload", printable(&id)))?.to_owned();
        let chain = der::certificates(&x509_svid).ok_or_else(|| format!("the SVID of `{id}` is no DER"))?;
        let leaf = chain.first().ok_or_else(|| format!("the SVID of `{id}` has no certificate"))?;
        let leaf =
            EndEntityCert::try_from(leaf).map_err(|error| format!("the SVID of `{id}` can't be read: {error}"))?;
        if !leaf.valid_uri_names().eq([id.as_str()]) {
            return Err(format!("the certificate of `{id}` is another's"));
        }
        if key.is_empty() {
            return Err(format!("the SVID of `{id}` has no key"));
        }
        let bundle = der::certificates(&bundle).filter(|bundle| !bundle.is_empty());
        let bundle = bundle.ok_or_else(|| format!("the bundle of `spiffe://{domain}` has no certificate"))?;
        match bundles.entry(domain) {
            Entry::Vacant(free) => drop(free.insert(bundle)),
            Entry::Occupied(taken) if *taken.get() == bundle => {}
            Entry::Occupied(taken) => return Err(format!("`spiffe://{}` has two bundles", taken.key())),
        }
        own.push(Svid { id, hint, chain, key });
    }
    if own.is_empty() {
        return Err("there is no SVID for this workload".to_owned());
    }
    for (id, bundle) in federated_bundles {
        let domain = domain_of(&id).filter(|domain| id.len() == "spiffe://".len() + domain.len());
        let domain = domain.ok_or_else(|| format!("`{}` is no trust domain", printable(&id)))?;
        let bundle = der::certificates(&bundle).ok_or_else(|| format!("the bundle of `{id}` is no DER"))?;
        // Who is federated says nothing of those who are not.
        if bundles.insert(domain.to_owned(), bundle).is_some() {
            return Err(format!("`{id}` is its own trust domain, and federated"));
        }
    }
    let lists = crl.into_iter().map(CertificateRevocationListDer::from).collect();
    Ok(Material { svids: own, bundles, lists })
}

/// SPIFFE-ID §2: a trust domain of small letters, digits, `.`, `-` and `_`, and a path of segments that are neither empty
/// nor dots.
#[must_use]
pub fn is_spiffe_id(text: &str) -> bool {
    domain_of(text).is_some()
}

/// The trust domain of a workload's SPIFFE ID; `None` for a trust domain itself, which is an authority's (X509-SVID §3).
#[must_use]
pub fn domain_of_workload(id: &str) -> Option<&str> {
    domain_of(id).filter(|domain| id.len() > "spiffe://".len() + domain.len())
}

/// The trust domain of a SPIFFE ID.
fn domain_of(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("spiffe://").filter(|_| text.len() <= LONGEST)?;
    let (domain, path) = rest.split_once('/').map_or((rest, None), |(domain, path)| (domain, Some(path)));
    let in_domain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_segment = |segment: &str| !["", ".", ".."].contains(&segment) && segment.bytes().all(in_path);
    let is_one = (1..=255).contains(&domain.len())
        && domain.bytes().all(in_domain)
        && path.is_none_or(|path| path.split('/').all(is_segment));
    is_one.then_some(domain)
}

/// An agent's text, for a message of ours.
fn printable(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests;
