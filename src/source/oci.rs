//! Bundles from a registry (OCI distribution specification): the manifest by tag or digest, and the layer that it names.
//!
//! References and manifests are read by `oci-client`. Its own requests are not used: they take manifests and tokens of
//! any size, follow redirections from https to http, and know no client certificates.

use std::time::Duration;

use oci_client::{Reference, manifest::OciImageManifest};
use reqwest::{
    Client, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
};
use url::Url;

use self::login::Login;
use super::{
    Fault,
    http::{Request, Transport, collect, status},
    retry::{Fetch, Fetched, Fetching, Known},
    spec::{Kind, Location, Spec, is_loopback},
};

mod login;

/// The layers that are archives, as OPA has it the first, and what else bundles may be packed with.
const LAYERS: [&str; 3] = [
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.v1.tar",
];
const MANIFESTS: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// Registries refuse larger manifests, too (distribution specification, "Pushing Manifests").
const LARGEST_MANIFEST: u64 = 4 << 20;

/// One repository of a registry.
pub(super) struct Registry {
    url: Location,
    transport: Transport,
    login: Login,
    plain_http: bool,
    own_authorities: bool,
    limit: u64,
    timeout: Duration,
}

impl Registry {
    pub(super) fn new(spec: &Spec) -> Self {
        Self {
            url: spec.url.clone(),
            transport: Transport::new(spec),
            login: Login::new(spec),
            plain_http: spec.plain_http,
            own_authorities: spec.tls.ca_file.is_some(),
            limit: spec.limits.size.0,
            timeout: spec.limits.timeout.0,
        }
    }

    async fn pull(&self, known: Known) -> Result<Fetched, Fault> {
        let reference = parse(self.url.reference()).map_err(Fault::Client)?;
        let base = self.base(&reference)?;
        let client = self.transport.client().await?;
        let name = reference.digest().or(reference.tag()).unwrap_or("latest");
        let response = self.get(&client, &reference, join(&base, &["manifests", name])?, MANIFESTS).await?;
        let (manifest, digest) = collect(response, LARGEST_MANIFEST, self.transport.idle).await?;
        if let Some(pinned) = reference.digest().filter(|pinned| *pinned != written(digest)) {
            return Err(Fault::Digest(pinned.to_owned()));
        }
        let (layer, size) = layer(&manifest)?;
        if known.etag.as_ref() == Some(&layer) {
            return Ok(Fetched { archive: None, etag: known.etag, holds: false });
        }
        if size > self.limit {
            return Err(Fault::TooLarge(self.limit));
        }
        let response = self.get(&client, &reference, join(&base, &["blobs", &layer])?, "*/*").await?;
        let (bytes, digest) = collect(response, self.limit, self.transport.idle).await?;
        if layer != written(digest) {
            return Err(Fault::Digest(layer));
        }
        Ok(Fetched { archive: Some((bytes, digest)), etag: Some(layer), holds: false })
    }

    /// `https://host/v2/repository`.
    fn base(&self, reference: &Reference) -> Result<Url, Fault> {
        let invalid = || Fault::Client("it names no registry".to_owned());
        let host = reference.resolve_registry();
        let mut url = Url::parse(&format!("https://{host}")).map_err(|_| invalid())?;
        if self.plain_http || is_loopback(&url) && !self.own_authorities {
            url = Url::parse(&format!("http://{host}")).map_err(|_| invalid())?;
        }
        let mut parts = vec!["v2"];
        parts.extend(reference.repository().split('/'));
        join(&url, &parts)
    }

    /// Asks, and once more after logging in if the registry wants that.
    async fn get(&self, client: &Client, of: &Reference, url: Url, accept: &'static str) -> Result<Response, Fault> {
        let first = self.send(client, &url, accept).await?;
        if first.status() == StatusCode::OK {
            return Ok(first);
        }
        if first.status() != StatusCode::UNAUTHORIZED {
            // There are registries that hide by other words that a token ended.
            self.login.forget().await;
            return Err(status(&first));
        }
        self.login.answer(&self.transport, client, &first, of.repository()).await?;
        let second = self.send(client, &url, accept).await?;
        if second.status() == StatusCode::OK { Ok(second) } else { Err(status(&second)) }
    }

    async fn send(&self, client: &Client, url: &Url, accept: &'static str) -> Result<Response, Fault> {
        let mut request = Request::new(url.clone());
        request.public.insert(ACCEPT, HeaderValue::from_static(accept));
        if let Some(authorization) = self.login.authorization().await? {
            request.private.insert(AUTHORIZATION, authorization);
        }
        self.transport.get(client, request).await
    }
}

impl Fetch for Registry {
    fn kind(&self) -> Kind {
        Kind::Oci
    }

    fn patience(&self, _known: &Known) -> Duration {
        self.timeout
    }

    fn fetch(&self, known: Known) -> Fetching<'_> {
        Box::pin(self.pull(known))
    }
}

/// Reads `host/repository:tag` or `host/repository@sha256:…`.
pub(super) fn parse(text: &str) -> Result<Reference, String> {
    let reference: Reference = text.parse().map_err(|error| format!("names no bundle of a registry: {error}"))?;
    let host = text.split('/').next().unwrap_or_default();
    // Without a host, container tools mean Docker's registry; here the first part always is the host.
    if reference.registry() != host {
        return Err(format!("`{host}` is no host with a domain or a port"));
    }
    if reference.digest().is_some_and(|digest| !is_sha256(digest)) {
        return Err("has a digest that is not `sha256:` and 64 digits".to_owned());
    }
    Ok(reference)
}

/// The digest and the size of the layer that is the bundle.
fn layer(manifest: &[u8]) -> Result<(String, u64), Fault> {
    let manifest: OciImageManifest = serde_json::from_slice(manifest).map_err(|_| {
        let problem = "gave no manifest of one image; name the manifest itself by its digest if this is an index";
        Fault::Protocol(problem.to_owned())
    })?;
    let layer = manifest.layers.iter().find(|layer| LAYERS.contains(&layer.media_type.as_str())).ok_or_else(|| {
        let expected = LAYERS.first().copied().unwrap_or_default();
        Fault::Protocol(format!("has no layer of the type `{expected}`; push the bundle with this media type"))
    })?;
    if !is_sha256(&layer.digest) {
        return Err(Fault::Protocol("names its layer by another digest than SHA-256".to_owned()));
    }
    let size = u64::try_from(layer.size).map_err(|_| Fault::Protocol("has a layer of negative size".to_owned()))?;
    Ok((layer.digest.clone(), size))
}

fn is_sha256(digest: &str) -> bool {
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(is_digit))
}

/// `sha256:` and the digits.
fn written(digest: [u8; 32]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn join(url: &Url, parts: &[&str]) -> Result<Url, Fault> {
    let mut url = url.clone();
    url.path_segments_mut()
        .map_err(|()| Fault::Client("it names no registry".to_owned()))?
        .pop_if_empty()
        .extend(parts);
    Ok(url)
}
