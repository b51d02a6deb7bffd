//! Bundles from object stores: Amazon's S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use futures::StreamExt as _;
use object_store::{
    Certificate, ClientOptions, GetOptions, ObjectStore, ObjectStoreExt as _, RetryConfig, aws::AmazonS3Builder,
    azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder, path::Path,
};
use sha2::{Digest as _, Sha256};
use tokio::{sync::Mutex, time::timeout};

use super::{
    Fault,
    fault::{chain, clean},
    http::{Body, Secret, bytes},
    retry::{Digest, Fetch, Fetched, Fetching, Known},
    spec::{Kind, Location, Object as Options, Spec, is_loopback},
};

/// One object of a store.
pub(super) struct Object {
    url: Location,
    kind: Kind,
    options: Options,
    authorities: Option<PathBuf>,
    plain_http: bool,
    limit: u64,
    timeout: Duration,
    idle: Duration,
    connect: Duration,
    /// The client, as long as the files that it was made from do not change.
    last: Mutex<Option<(Digest, Store)>>,
}

type Store = std::sync::Arc<dyn ObjectStore>;

/// What is in the files that the options name.
#[derive(Default)]
struct Secrets {
    authorities: Vec<u8>,
    by_option: BTreeMap<&'static str, String>,
}

impl Object {
    pub(super) fn new(spec: &Spec) -> Self {
        Self {
            url: spec.url.clone(),
            kind: spec.url.kind().unwrap_or(Kind::S3),
            options: spec.object.clone(),
            authorities: spec.tls.ca_file.clone(),
            plain_http: spec.plain_http,
            limit: spec.limits.size.0,
            timeout: spec.limits.timeout.0,
            idle: spec.limits.idle_timeout.0,
            connect: spec.limits.connect_timeout.0,
            last: Mutex::new(None),
        }
    }

    async fn get(&self, known: Known) -> Result<Fetched, Fault> {
        let store = self.store().await?;
        let url = self.url.url().ok_or_else(|| Fault::Client("its URL is not valid".to_owned()))?;
        let path = Path::from_url_path(url.path()).map_err(|error| Fault::Client(chain(&error)))?;
        let options = GetOptions { if_none_match: known.etag.clone(), ..GetOptions::default() };
        let found = timeout(self.idle, store.get_opts(&path, options)).await.map_err(|_| Fault::Idle(self.idle))?;
        let found = match found {
            Err(object_store::Error::NotModified { .. }) if known.etag.is_some() => {
                return Ok(Fetched { archive: None, etag: known.etag, holds: false });
            }
            found => found.map_err(fault)?,
        };
        let etag = found.meta.e_tag.clone();
        let mut body = Body::new(self.limit, Some(found.meta.size))?;
        let mut stream = found.into_stream();
        loop {
            match timeout(self.idle, stream.next()).await.map_err(|_| Fault::Idle(self.idle))? {
                Some(chunk) => body.push(&chunk.map_err(fault)?)?,
                None => return Ok(Fetched { archive: Some(body.finish()?), etag, holds: false }),
            }
        }
    }

    async fn store(&self) -> Result<Store, Fault> {
        let secrets = self.secrets().await?;
        let digest = secrets.digest();
        let mut last = self.last.lock().await;
        if let Some((_, store)) = last.as_ref().filter(|(of, _)| *of == digest) {
            return Ok(Store::clone(store));
        }
        let store = self.build(&secrets)?;
        *last = Some((digest, Store::clone(&store)));
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
        let mut builder = AmazonS3Builder::from_env()
            .with_url(self.raw_url())
            .with_client_options(self.client(secrets)?)
            .with_retry(never());
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
        Ok(std::sync::Arc::new(builder.build()?))
    }

    fn gcs(&self, secrets: &Secrets) -> object_store::Result<Store> {
        let mut builder = GoogleCloudStorageBuilder::from_env()
            .with_url(self.raw_url())
            .with_client_options(self.client(secrets)?)
            .with_retry(never());
        if self.options.anonymous {
            builder = builder.with_skip_signature(true);
        }
        if let Some(endpoint) = self.endpoint() {
            builder = builder.with_base_url(&endpoint);
        }
        if let Some(account) = secrets.by_option.get("service_account") {
            builder = builder.with_service_account_key(account);
        }
        Ok(std::sync::Arc::new(builder.build()?))
    }

    fn azure(&self, secrets: &Secrets) -> object_store::Result<Store> {
        let mut builder = MicrosoftAzureBuilder::from_env()
            .with_url(self.raw_url())
            .with_client_options(self.client(secrets)?)
            .with_retry(never());
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
        Ok(std::sync::Arc::new(builder.build()?))
    }

    fn client(&self, secrets: &Secrets) -> object_store::Result<ClientOptions> {
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

    fn raw_url(&self) -> String {
        self.url.url().map(String::from).unwrap_or_default()
    }

    fn endpoint(&self) -> Option<String> {
        let url = self.options.endpoint.as_ref()?.url()?;
        Some(url.as_str().trim_end_matches('/').to_owned())
    }
}

impl Fetch for Object {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn patience(&self, _known: &Known) -> Duration {
        self.timeout
    }

    fn fetch(&self, known: Known) -> Fetching<'_> {
        Box::pin(self.get(known))
    }
}

impl Secrets {
    fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(&self.authorities);
        for (name, value) in &self.by_option {
            for part in [*name, value] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hash.finalize().into()
    }
}

/// Backing off is for [`super::retry`].
fn never() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn fault(error: object_store::Error) -> Fault {
    use object_store::Error;
    let code = match error {
        Error::NotFound { .. } => 404,
        Error::PermissionDenied { .. } => 403,
        Error::Unauthenticated { .. } => 401,
        error => return Fault::Unreachable(clean(&chain(&error))),
    };
    Fault::Status { code, retry_after: None }
}
