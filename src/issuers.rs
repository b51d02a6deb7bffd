//! The issuers of credentials, as they are configured: fetches their keys, and tells the doors whom a credential proves.
//!
//! Owns all that [`crate::identity`] needs from outside, and is the port [`Credentials`]. Nothing that a token says is
//! ever fetched: what is fetched, and from where, is the configuration's alone. No decision waits for an issuer beyond its
//! deadline, and an issuer is asked once, however many wait.

mod config;
mod fault;
mod figures;
mod http;
mod introspection;
mod keeper;
mod origin;
mod remote;

use std::{collections::BTreeMap, future::Future, sync::Arc, time::SystemTime};

pub use self::config::{ClientAuth, Config, Introspection, KeysFrom, Means, SecretFrom, Settings, Times, Transport};
pub use self::figures::Figures;
pub use self::remote::Remote;
use self::{figures::Counts, introspection::Introspector, keeper::Keeper};
use crate::{
    api::credentials::{Checked, Credential, Credentials},
    clock,
    identity::{Caller, Invalid, Proof, Revocations, Secret, Verifier},
};

/// Tells whom credentials prove. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Issuers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    verifier: Arc<Verifier>,
    /// By the issuer's name.
    keepers: BTreeMap<String, Arc<Keeper>>,
    /// The same.
    introspectors: BTreeMap<String, Arc<Introspector>>,
    counts: Arc<Counts>,
}

impl Issuers {
    /// Those of the configuration, without keys until [`Self::work`] has fetched some.
    pub fn new(config: Config, revocations: Arc<dyn Revocations>) -> Self {
        let Config { issuers, cache_bytes } = config;
        let (mut verified, mut keepers, mut introspectors) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (name, settings) in issuers {
            let Settings { issuer, means, transport } = settings;
            match means {
                Means::Keys { from, times } => {
                    keepers.insert(name, Arc::new(Keeper::new(&issuer, from, times, transport)));
                }
                Means::Introspection(settings) => {
                    let introspector = Introspector::new(name.clone(), settings, transport);
                    introspectors.insert(name, Arc::new(introspector));
                }
            }
            verified.push(issuer);
        }
        let verifier = Arc::new(Verifier::new(verified, revocations, cache_bytes));
        Self(Arc::new(Inner { verifier, keepers, introspectors, counts: Arc::default() }))
    }

    /// How credentials fared, and how old keys are.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let Inner { verifier, keepers, counts, .. } = &*self.0;
        Figures {
            checked: counts.all(),
            ages: keepers.iter().map(|(name, keeper)| (name.clone(), keeper.age())).collect(),
            remembered: verifier.remembered(),
        }
    }

    /// What keeps the keys of each issuer: a task each, without an end.
    pub fn work(&self) -> Vec<impl Future<Output = ()> + Send + 'static> {
        let keepers = self.0.keepers.iter();
        let run = |(name, keeper): (&String, &Arc<Keeper>)| {
            let (name, verifier) = (name.clone(), Arc::clone(&self.0.verifier));
            Arc::clone(keeper).run(move |keys| verifier.publish(&name, keys))
        };
        keepers.map(run).collect()
    }
}

impl Inner {
    /// Waits for newer keys of the token's issuer, if they may be asked for now.
    fn refreshed(&self, token: &Secret) -> Option<impl Future<Output = ()> + Send + 'static> {
        self.keepers.get(self.verifier.issuer_of(token)?)?.refreshed()
    }

    /// Whom a token proves by what its issuer says of it.
    fn opaque(&self, issuer: &str, token: &Secret, proof: Proof) -> Checked {
        if let Some(told) = self.verifier.recall(token, clock::steady()) {
            return Checked::Now(at_both(|now| self.verifier.prove(&told, &proof, now)));
        }
        let Some(introspector) = self.introspectors.get(issuer) else {
            return Checked::Now(Err(Invalid::IssuerUnknown));
        };
        let (asked, verifier) = (introspector.ask(token, &self.verifier), Arc::clone(&self.verifier));
        let later = async move {
            let told = asked.await?;
            at_both(|now| verifier.prove(&told, &proof, now))
        };
        Checked::Later(Box::pin(later), Invalid::IntrospectionUnavailable)
    }
}

/// Whom a credential proves at both moments between which it may be now.
fn at_both(proves: impl Fn(SystemTime) -> Result<Caller, Invalid>) -> Result<Caller, Invalid> {
    let (steady, latest) = clock::bounds();
    let caller = proves(latest)?;
    if steady != latest {
        proves(steady)?;
    }
    Ok(caller)
}

impl Credentials for Issuers {
    fn are_configured(&self) -> bool {
        !self.0.verifier.is_empty()
    }

    fn verify(&self, credential: Credential) -> Checked {
        match self.check(credential) {
            Checked::Now(result) => {
                self.0.counts.count(&result);
                Checked::Now(result)
            }
            Checked::Later(later, late) => {
                let counts = Arc::clone(&self.0.counts);
                let counted = async move {
                    let result = later.await;
                    counts.count(&result);
                    result
                };
                Checked::Later(Box::pin(counted), late)
            }
        }
    }
}

impl Issuers {
    fn check(&self, credential: Credential) -> Checked {
        let Credential { token, proof } = credential;
        let verifier = &self.0.verifier;
        if verifier.is_empty() {
            return Checked::Now(Err(Invalid::NotConfigured));
        }
        match verifier.opaque_of(&token) {
            Some(Ok(issuer)) => return self.0.opaque(issuer, &token, proof),
            Some(Err(invalid)) => return Checked::Now(Err(invalid)),
            None => {}
        }
        let result = at_both(|now| verifier.verify(&token, &proof, now));
        if !matches!(result, Err(Invalid::KeyUnknown | Invalid::KeysUnavailable)) {
            return Checked::Now(result);
        }
        let Some(refreshed) = self.0.refreshed(&token) else { return Checked::Now(result) };
        let verifier = Arc::clone(verifier);
        let late = result.err().unwrap_or(Invalid::KeysUnavailable);
        let later = async move {
            refreshed.await;
            at_both(|now| verifier.verify(&token, &proof, now))
        };
        Checked::Later(Box::pin(later), late)
    }
}
