//! The HTTP client with its roots of trust.
//!
//! The system's roots count, and those that the user adds. On a machine that has none, reqwest can't
//! build a client at all; then the Mozilla roots in the binary stand in (dependencies.md).

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use reqwest::{Certificate, ClientBuilder};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::Error;

const CONNECT: Duration = Duration::from_secs(10);
const READ: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(120);

/// Certificates in PEM that are trusted besides the system's.
#[derive(Debug, Clone)]
pub struct Roots {
    /// Where they come from, for messages.
    pub from: String,
    /// The text.
    pub pem: Vec<u8>,
}

/// An HTTP client in the making: the system has hundreds of certificates to read, which need not wait
/// for the definitions, nor they for it.
#[derive(Debug)]
pub struct Trust(JoinHandle<Result<reqwest::Client, Error>>);

impl Trust {
    /// Begins to read the system's certificates, and trusts `extra` besides; `is_local` is for a server
    /// in this process.
    #[must_use]
    pub fn begin(extra: Vec<Roots>, is_local: bool) -> Self {
        Self(std::thread::spawn(move || http(&extra, is_local)))
    }

    /// Waits for the client.
    pub(super) fn http(self) -> Result<reqwest::Client, Error> {
        self.0.join().unwrap_or_else(|_| Err(Error::new("can't set up TLS")))
    }
}

/// Builds the HTTP client; `is_local` is for a server in this process, which no proxy can reach.
fn http(extra: &[Roots], is_local: bool) -> Result<reqwest::Client, Error> {
    let extra = extra.iter().map(certificates).collect::<Result<Vec<_>, _>>()?.concat();
    let merged = extra.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>();
    let merged = merged.map_err(|error| Error::new("can't use the extra certificates").because(error))?;
    builder(is_local).tls_certs_merge(merged).build().or_else(|error| bundled(&extra, is_local, &error))
}

fn builder(is_local: bool) -> ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("tenantctl/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .timeout(WHOLE)
        // A redirect is no answer of this API, and following it would carry the token elsewhere.
        .redirect(reqwest::redirect::Policy::none());
    if is_local { builder.no_proxy() } else { builder.https_only(true) }
}

fn certificates(roots: &Roots) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |error: String| {
        Error::new(format!("can't read the certificates in {}", roots.from))
            .because(error)
            .hint("it must be a PEM file with one or more `BEGIN CERTIFICATE` blocks")
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&roots.pem).collect();
    let found = found.map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(wrong("there is none in it".to_owned())) } else { Ok(found) }
}

fn bundled(
    extra: &[CertificateDer<'static>],
    is_local: bool,
    because: &reqwest::Error,
) -> Result<reqwest::Client, Error> {
    tracing::debug!(reason = %because, "the system has no certificates, those in the binary are used");
    let failed = |error: &dyn std::fmt::Display| Error::new("can't set up TLS").because(error);
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in extra {
        roots.add(certificate.clone()).map_err(|error| failed(&error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    builder(is_local).tls_backend_preconfigured(config).build().map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::{Roots, bundled, http};

    #[test]
    fn a_file_without_certificates_is_refused_by_name() {
        let roots = Roots { from: "--ca-bundle empty.pem".to_owned(), pem: b"nothing".to_vec() };
        let error = http(&[roots], false).unwrap_err();
        assert_eq!(error.to_string(), "can't read the certificates in --ca-bundle empty.pem");
    }

    #[test]
    fn the_roots_in_the_binary_make_a_client() {
        let error = reqwest::Client::new().get("no url").build().unwrap_err();
        assert!(bundled(&[], false, &error).is_ok());
    }
}
