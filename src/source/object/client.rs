//! Clients of object stores, made from the options and from what is in the files that they name.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use object_store::{
    Certificate, ClientOptions, ObjectStore, RetryConfig, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder,
    gcp::GoogleCloudStorageBuilder,
};
use tokio::sync::Mutex;

use crate::source::{
    Fault,
    fault::chain,
    http::{Secret, bytes},
    spec::{Kind, Location, Object as Options, Spec, is_loopback},
};

/// A client, shared.
pub(super) type Store = Arc<dyn ObjectStore>;

/// The client for one URL.
pub(super) struct Clients {
    url: Location,
    kind: Kind,
    options: Options,
    authorities: Option<PathBuf>,
    plain_http: bool,
    timeout: Duration,
    connect: Duration,
    /// The client, as long as the files that it was made from do not change.
    last: Mutex<Option<(Secrets, Store)>>,
}

/// What is in the files that the options name.
#[derive(Default, PartialEq, Eq)]
struct Secrets {
    authorities: Vec<u8>,
    by_option: BTreeMap<&'static str, String>,
}

impl Clients {
    pub(super) fn new(spec: &Spec, kind: Kind) -> Self {
        Self {
            url: spec.url.clone(),
            kind,
            options: spec.object.clone(),
            authorities: spec.tls.ca_file.clone(),
            plain_http: spec.plain_http,
            timeout: spec.limits.timeout.0,
            connect: spec.limits.connect_timeout.0,
            last: Mutex::new(None),
        }
    }

    /// The client; another one if a file changed.
    pub(super) async fn client(&self) -> Result<Store, Fault> {
        let secrets = self.secrets().await?;
        let mut last = self.last.lock().await;
        if let Some((_, store)) = last.as_ref().filter(|(of, _)| *of == secrets) {
            return Ok(Store::clone(store));
        }
        let store = self.build(&secrets)?;
        *last = Some((secrets, Store::clone(&store)));
        Ok(store)
    }

    async fn secrets(&self) -> Result<Secrets, Fault> {
        let options = &self.options;
        let mut secrets = Secrets::default();
        if let Some(path) = &self.authorities {
            secrets.authorities = bytes(path).await?;
        }
        for (name, path) in [
            ("access_key_id", &options.access_key_id_file),
            ("secret_access_key", &options.secret_access_key_file),
            ("session_token", &options.session_token_file),
            ("account_key", &options.account_key_file),
        ] {
            if let Some(path) = path {
                secrets.by_option.insert(name, Secret::read(path).await?.expose().to_owned());
            }
        }
        if let Some(path) = &options.service_account_file {
            let text = String::from_utf8(bytes(path).await?).map_err(|_| Fault::File {
                path: path.clone(),
                problem: "is no account of a service (JSON)".to_owned(),
            })?;
            secrets.by_option.insert("service_account", text);
        }
        Ok(secrets)
    }

    fn build(&self, secrets: &Secrets) -> Result<Store, Fault> {
        let built = match self.kind {
            Kind::Gcs => self.gcs(secrets),
            Kind::Azure => self.azure(secrets),
            _ => self.s3(secrets),
        };
        built.map_err(|error| Fault::Client(chain(&error)))
    }

    fn s3(&self, secrets: &Secrets) -> object_store::Result<Store> {
        let options = &self.options;
        let builder = if self.has_own(secrets) { AmazonS3Builder::new() } else { AmazonS3Builder::from_env() };
        let mut builder = builder.with_url(self.raw_url()).with_client_options(self.http(secrets)?).with_retry(never());
        if options.anonymous {
            builder = builder.with_skip_signature(true);
        }
        if let Some(region) = &options.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = self.endpoint() {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(id) = secrets.by_option.get("access_key_id") {
            builder = builder.with_access_key_id(id);
        }
        if let Some(key) = secrets.by_option.get("secret_access_key") {
            builder = builder.with_secret_access_key(key);
        }
        if let Some(token) = secrets.by_option.get("session_token") {
            builder = builder.with_token(token);
        }
        Ok(Arc::new(builder.build()?))
    }

    fn gcs(&self, secrets: &Secrets) -> object_store::Result<Store> {
        let builder = if self.has_own(secrets) {
            GoogleCloudStorageBuilder::new()
        } else {
            GoogleCloudStorageBuilder::from_env()
        };
        let mut builder = builder.with_url(self.raw_url()).with_client_options(self.http(secrets)?).with_retry(never());
        if self.options.anonymous {
            builder = builder.with_skip_signature(true);
        }
        if let Some(endpoint) = self.endpoint() {
            builder = builder.with_base_url(&endpoint);
        }
        if let Some(account) = secrets.by_option.get("service_account") {
            builder = builder.with_service_account_key(account);
        }
        Ok(Arc::new(builder.build()?))
    }

    fn azure(&self, secrets: &Secrets) -> object_store::Result<Store> {
        let builder =
            if self.has_own(secrets) { MicrosoftAzureBuilder::new() } else { MicrosoftAzureBuilder::from_env() };
        let mut builder = builder.with_url(self.raw_url()).with_client_options(self.http(secrets)?).with_retry(never());
        if self.options.anonymous {
            builder = builder.with_skip_signature(true);
        }
        if let Some(account) = &self.options.account {
            builder = builder.with_account(account);
        }
        if let Some(key) = secrets.by_option.get("account_key") {
            builder = builder.with_access_key(key);
        }
        if let Some(endpoint) = self.endpoint() {
            builder = builder.with_endpoint(endpoint);
        }
        Ok(Arc::new(builder.build()?))
    }

    fn http(&self, secrets: &Secrets) -> object_store::Result<ClientOptions> {
        let endpoint = self.options.endpoint.as_ref().and_then(Location::url);
        let mut options = ClientOptions::new()
            .with_timeout(self.timeout)
            .with_connect_timeout(self.connect)
            // https only, redirections included, unless the endpoint is on this machine.
            .with_allow_http(self.plain_http || endpoint.is_some_and(|url| is_loopback(&url)));
        if self.authorities.is_some() {
            for certificate in Certificate::from_pem_bundle(&secrets.authorities)? {
                options = options.with_root_certificate(certificate);
            }
            options = options.with_no_system_certificates(true);
        }
        Ok(options)
    }

    /// Whether the options say how requests are signed. The environment does not count then: half of a key from there
    /// would spoil the other half.
    fn has_own(&self, secrets: &Secrets) -> bool {
        self.options.anonymous || !secrets.by_option.is_empty()
    }

    fn raw_url(&self) -> String {
        self.url.url().map(String::from).unwrap_or_default()
    }

    fn endpoint(&self) -> Option<String> {
        let url = self.options.endpoint.as_ref()?.url()?;
        Some(url.as_str().trim_end_matches('/').to_owned())
    }
}

/// Backing off is for [`crate::source::retry`].
fn never() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}
