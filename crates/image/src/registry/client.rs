//! Requests to one repository of a registry, with the login that it asks for.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

use super::auth::{Challenge, challenges, token};
use super::credentials::{Login, basic};
use super::{RegistryError, checked, credentials, proxy};
use crate::digest::Digest;
use crate::oci::DOCUMENT_MAX;
use crate::reference::Reference;
use crate::verified::{WrongContent, read_at_most};

/// The media types of manifests and indexes: the specification's and Docker's.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
/// How often a request is made before its failure is told.
const TRIES: u32 = 4;
/// How many redirects lead to a blob.
const MAX_REDIRECTS: usize = 10;
/// How long a silent registry is waited for.
const SILENCE: Duration = Duration::from_secs(60);
/// Where distributions keep the certificates of authorities: Debian and Arch, Fedora, SUSE, Alpine.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A repository.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    host: String,
    /// Up to the repository, without a slash at the end.
    base: String,
    scope: String,
    /// What the last challenge was answered with.
    authorization: RefCell<Option<String>>,
}

impl Client {
    pub(super) fn new(name: &Reference, plain_http: bool) -> Result<Self, RegistryError> {
        let plain = plain_http || name.is_local();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!plain)
            // Redirects are followed here, since each host may have another proxy.
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("illico/", env!("CARGO_PKG_VERSION")));
        // Reading the certificates of all authorities takes a while, so only where they are needed.
        if !plain {
            config = config.tls_config(tls()?);
        }
        let scheme = if plain { "http" } else { "https" };
        Ok(Self {
            agent: config.build().into(),
            host: name.registry().to_owned(),
            base: format!("{scheme}://{}/v2/{}", name.api_host(), name.repository()),
            scope: format!("repository:{}:pull", name.repository()),
            authorization: RefCell::new(None),
        })
    }

    /// The bytes of a manifest or index, which have the digest that was asked for or that the registry says.
    pub(super) fn manifest(&self, reference: &str, wanted: Option<Digest>) -> Result<Vec<u8>, RegistryError> {
        let response = self.get(&format!("{}/manifests/{reference}", self.base), 0)?;
        let said = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok()?.parse().ok());
        let read = read_at_most(response.into_body().into_reader(), DOCUMENT_MAX);
        let bytes = read.map_err(|error| self.unreadable(error))?;
        if let Some(wanted) = wanted.or(said) {
            checked(&bytes, wanted).map_err(|source| RegistryError::Wrong { host: self.host.clone(), source })?;
        }
        Ok(bytes)
    }

    /// A blob from an offset on. Says where what comes begins: not all registries can begin elsewhere than at the start.
    pub(super) fn blob(&self, digest: Digest, offset: u64) -> Result<(Body, u64), RegistryError> {
        let response = self.get(&format!("{}/blobs/{digest}", self.base), offset)?;
        let start = if response.status() == 206 { offset } else { 0 };
        Ok((response.into_body(), start))
    }

    /// What went wrong while an answer was read.
    pub(super) fn unreadable(&self, error: io::Error) -> RegistryError {
        let host = self.host.clone();
        match error.downcast::<WrongContent>() {
            Ok(source) => RegistryError::Wrong { host, source },
            Err(error) => match error.downcast::<RegistryError>() {
                Ok(error) => error,
                Err(source) => RegistryError::Answer { host, source },
            },
        }
    }

    /// An answer that is one; logs in if need be, and tries again what may be better in a moment.
    fn get(&self, url: &str, offset: u64) -> Result<Response<Body>, RegistryError> {
        let mut tried = 0;
        let mut logged_in = false;
        loop {
            tried += 1;
            let again = tried < TRIES;
            match self.once(url, offset) {
                Ok(response) => match response.status().as_u16() {
                    200 | 206 => return Ok(response),
                    401 if !logged_in => {
                        self.log_in(&response)?;
                        logged_in = true;
                        // That was the registry's way to ask, and no failure.
                        tried -= 1;
                    }
                    status @ (401 | 403) => return Err(RegistryError::Refused { host: self.host.clone(), status }),
                    404 => return Err(RegistryError::NotFound { host: self.host.clone() }),
                    408 | 429 | 500..600 if again => wait(tried),
                    status => return Err(RegistryError::Status { host: self.host.clone(), status }),
                },
                Err(error) if again && is_passing(&error) => wait(tried),
                Err(error) => return Err(self.unreachable(error)),
            }
        }
    }

    /// One request, redirects followed. The login stays behind at the first of them.
    fn once(&self, url: &str, offset: u64) -> Result<Response<Body>, ureq::Error> {
        let mut url = url.to_owned();
        for hop in 0..MAX_REDIRECTS {
            let mut request = self.request(&url).header("accept", MANIFESTS);
            if hop == 0
                && let Some(authorization) = &*self.authorization.borrow()
            {
                request = request.header("authorization", authorization);
            }
            if offset > 0 {
                request = request.header("range", format!("bytes={offset}-"));
            }
            let response = request.call()?;
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            match (response.status().as_u16(), location) {
                (301 | 302 | 303 | 307 | 308, Some(location)) => url = target(&url, location),
                _ => return Ok(response),
            }
        }
        Err(ureq::Error::TooManyRedirects)
    }

    /// A request through the proxy of its host.
    fn request(&self, url: &str) -> RequestBuilder<WithoutBody> {
        self.agent.get(url).config().proxy(proxy::for_url(url)).build()
    }

    fn unreachable(&self, error: ureq::Error) -> RegistryError {
        RegistryError::Unreachable { host: self.host.clone(), source: error.into_io() }
    }

    /// Answers the first challenge of a 401 that can be answered.
    fn log_in(&self, response: &Response<Body>) -> Result<(), RegistryError> {
        let host = || self.host.clone();
        let headers = response.headers().get_all("www-authenticate");
        // Bytes beyond ASCII are allowed in quotes, in no particular encoding.
        let headers: Vec<String> =
            headers.iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        let challenges = challenges(headers.iter().map(String::as_str));
        if challenges.is_empty() {
            let asked = headers.join(", ").chars().take(80).collect();
            return Err(RegistryError::Challenge { host: host(), asked });
        }
        let (login, helper) = match credentials::of_user(&self.host) {
            Ok(login) => (login, None),
            // The image may be there for everybody.
            Err(failed) => (None, Some(failed)),
        };
        let mut why = None;
        for challenge in challenges {
            let answer = match (challenge, &login) {
                (Challenge::Basic, Some(Login::Password { user, password })) => Ok(basic(user, password)),
                (Challenge::Basic, _) => Err(RegistryError::Refused { host: host(), status: 401 }),
                (Challenge::Bearer { realm, service, scope }, login) => {
                    let scopes = scope.iter().flat_map(|scope| scope.split(' ')).filter(|&scope| scope != self.scope);
                    let mut query = vec![("scope", self.scope.as_str())];
                    query.extend(scopes.filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope)));
                    query.extend(service.as_deref().map(|service| ("service", service)));
                    self.token(&realm, &query, login.as_ref())
                }
            };
            match answer {
                Ok(answer) => {
                    *self.authorization.borrow_mut() = Some(answer);
                    return Ok(());
                }
                Err(error) => why = why.or(Some(error)),
            }
        }
        Err(match (helper, why) {
            (Some((helper, source)), _) => RegistryError::Helper { host: host(), helper, source },
            (None, Some(why)) => why,
            (None, None) => RegistryError::Refused { host: host(), status: 401 },
        })
    }

    /// The value of `Authorization` that a token server gives.
    fn token(&self, realm: &str, query: &[(&str, &str)], login: Option<&Login>) -> Result<String, RegistryError> {
        let response = match login {
            Some(Login::Identity(token)) => {
                let scopes: Vec<&str> =
                    query.iter().filter(|(key, _)| *key == "scope").map(|(_, scope)| *scope).collect();
                let scopes = scopes.join(" ");
                let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "illico")];
                form.push(("scope", &scopes));
                form.extend(query.iter().filter(|(key, _)| *key != "scope"));
                self.agent.post(realm).config().proxy(proxy::for_url(realm)).build().send_form(form)
            }
            login => {
                let mut request = self.request(realm).query_pairs(query.iter().copied());
                if let Some(Login::Password { user, password }) = login {
                    request = request.header("authorization", basic(user, password));
                }
                request.call()
            }
        };
        let response = response.map_err(|error| self.unreachable(error))?;
        if response.status() != 200 {
            return Err(RegistryError::Refused { host: self.host.clone(), status: response.status().as_u16() });
        }
        let bytes = read_at_most(response.into_body().into_reader(), DOCUMENT_MAX);
        let bytes = bytes.map_err(|error| self.unreadable(error))?;
        let token = token(&bytes).map_err(|source| RegistryError::Token { host: self.host.clone(), source })?;
        Ok(format!("Bearer {token}"))
    }
}

/// Where a redirect leads: an address, or a path at the same host.
fn target(from: &str, location: &str) -> String {
    let (scheme, rest) = from.split_once("://").unwrap_or(("https", from));
    let authority = rest.split('/').next().unwrap_or_default();
    if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = from.rsplit_once('/').map_or(from, |(folder, _)| folder);
        format!("{folder}/{location}")
    }
}

/// Whether a failure may be gone in a moment. A refused connection and an unknown host are answers.
pub(super) fn is_passing(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => {
            !matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::InvalidData)
        }
        ureq::Error::Timeout(_) => true,
        _ => false,
    }
}

/// A fifth of a second, then twice that, and so on.
pub(super) fn wait(tried: u32) {
    thread::sleep(Duration::from_millis(100 << tried.min(4)));
}

fn tls() -> Result<TlsConfig, RegistryError> {
    let path = env::var("SSL_CERT_FILE").ok();
    let candidates = path.iter().map(String::as_str).chain(AUTHORITIES);
    let found = candidates.filter_map(|path| fs::read(path).ok()).next();
    let certificates: Vec<_> = parse_pem(found.as_deref().unwrap_or_default())
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(RegistryError::NoAuthorities { path: path.unwrap_or_else(|| AUTHORITIES[0].to_owned()) });
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}
