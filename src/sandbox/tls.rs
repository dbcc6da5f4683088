//! A certificate authority of one run, and a listener that speaks TLS.
//!
//! Handshakes run in tasks of their own, so that a slow client holds nobody up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::line::Stream;
use crate::error::Error;

/// What a server needs, and the authority's certificate in PEM.
#[derive(Debug)]
pub struct Tls {
    /// The server's side.
    pub config: Arc<ServerConfig>,
    /// What clients must trust.
    pub ca: String,
}

impl Tls {
    /// Makes an authority and a certificate for `localhost`, 127.0.0.1 and the tenant's domain. HTTP/2 is spoken
    /// with who asks for it, as a tenant does, unless each request has its `own_lines`: then HTTP/1.1 alone.
    ///
    /// # Errors
    /// Says why it could not be made.
    pub fn make(domain: &str, own_lines: bool) -> Result<Self, Error> {
        let (ca, chain, key) = certificates(domain)
            .map_err(|error| Error::new("the sandbox's certificate could not be made").because(error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let fail = |error: rustls::Error| Error::new("the sandbox's TLS could not be set up").because(error);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(fail)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(fail)?;
        let both = [b"h2".to_vec(), b"http/1.1".to_vec()];
        config.alpn_protocols = both[usize::from(own_lines)..].to_vec();
        Ok(Self { config: Arc::new(config), ca })
    }
}

type Made = (String, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn certificates(domain: &str) -> Result<Made, rcgen::Error> {
    let mut authority = rcgen::CertificateParams::new(Vec::new())?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(rcgen::DnType::CommonName, "tenantctl sandbox CA");
    let authority_key = rcgen::KeyPair::generate()?;
    let ca = authority.self_signed(&authority_key)?.pem();
    let host = domain.split(':').next().unwrap_or_default();
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    if !host.is_empty() && !names.iter().any(|name| name == host) {
        names.push(host.to_owned());
    }
    let mut leaf = rcgen::CertificateParams::new(names)?;
    leaf.distinguished_name.push(rcgen::DnType::CommonName, "tenantctl sandbox");
    // Of several sandboxes' authorities, which have one name, clients find the right one by it.
    leaf.use_authority_key_identifier_extension = true;
    leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let key = rcgen::KeyPair::generate()?;
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let certificate = leaf.signed_by(&key, &issuer)?;
    let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    Ok((ca, vec![certificate.der().clone()], der))
}

/// Gives out connections whose handshake is done.
#[derive(Debug)]
pub struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<Stream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Starts to accept; must be called inside a runtime.
    #[must_use]
    pub fn new(listener: TcpListener, config: Arc<ServerConfig>) -> Self {
        let address = listener.local_addr().unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
        let (sender, ready) = mpsc::channel(64);
        let acceptor = TlsAcceptor::from(config);
        tokio::spawn(async move {
            while !sender.is_closed() {
                let Ok((stream, peer)) = listener.accept().await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(Stream::new(stream)).await {
                        let _ = sender.send((stream, peer)).await;
                    }
                });
            }
        });
        Self { ready, address }
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<Stream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The accepting task ends with the runtime only; until then nothing more comes.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}
