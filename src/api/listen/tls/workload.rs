//! What the SPIFFE Workload API gave, as a door's certificates.

use std::{collections::BTreeMap, sync::Arc};

use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::RootCertStore;

use super::{
    Config, Error,
    domains::ByTrustDomain,
    server::{Parts, Unlisted, verifier},
    setting,
};
use crate::workload::Material;

pub(super) fn parts(
    door: &'static str,
    config: &Config,
    material: &Material,
    hint: Option<&str>,
) -> Result<Parts, Error> {
    let fault = |cause: String| Error::Setting { setting: setting(door, "tls_spiffe"), cause };
    let svid = material.svid(hint).ok_or_else(|| match hint {
        Some(hint) => fault(format!("no SVID has the hint `{hint}` (`spiffe.hint`)")),
        None => fault("there is no SVID".to_owned()),
    })?;
    let mut domains = BTreeMap::new();
    for (domain, bundle) in &material.bundles {
        let mut roots = RootCertStore::empty();
        for authority in bundle {
            let added = roots.add(authority.clone());
            added.map_err(|error| fault(format!("an authority of `spiffe://{domain}` is of no use: {error}")))?;
        }
        // A trust domain without authorities has nobody.
        if !roots.is_empty() {
            // An agent has lists of some authorities, at most.
            let by = verifier(roots, material.lists.clone(), Unlisted::Taken, false);
            domains.insert(domain.clone(), by.map_err(|error| fault(format!("`spiffe://{domain}`: {error}")))?);
        }
    }
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(svid.key.to_vec()));
    Ok(Parts {
        chain: svid.chain.clone(),
        key,
        clients: Some(Arc::new(ByTrustDomain::new(domains, config.client_optional))),
        unfit: |door, _, cause| Error::Setting {
            setting: setting(door, "tls_spiffe"),
            cause: format!("the SVID {cause}"),
        },
    })
}
