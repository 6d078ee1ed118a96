//! TLS: whom we believe when we ask, and who we are when we are asked.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::signal::unix::{SignalKind, signal};

use super::image::{Stamp, stamp};
use crate::output::{Hint, hinted, report};

/// What is spoken inside, by the names of RFC 7301: DNS (RFC 7858), and HTTP.
const DNS: &[&[u8]] = &[b"dot"];
const HTTP_2: &[&[u8]] = &[b"h2"];
const HTTP: &[&[u8]] = &[b"h2", b"http/1.1"];

/// How often the files of the certificate are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// How upstreams have to prove who they are.
#[derive(Clone)]
pub(super) struct Trust {
    /// Over TLS.
    pub(super) dns: Arc<ClientConfig>,
    /// Over HTTPS.
    pub(super) http: Arc<ClientConfig>,
}

impl Trust {
    /// By the authorities in a file; without one, by those of the system.
    pub(super) fn new(authorities: Option<&Path>) -> anyhow::Result<Trust> {
        let mut roots = RootCertStore::empty();
        let hint = "name a file of certificates in PEM with `--upstream-authorities`";
        match authorities {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).with_context(|| path.display().to_string())?;
                }
            }
            // What is odd in the system's store is the system's business, as long as there is one.
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    return Err(hinted("the system knows no certificate authorities", hint));
                }
            }
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let speaking = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = owned(protocols);
            Arc::new(config)
        };
        Ok(Trust { dns: speaking(DNS), http: speaking(HTTP_2) })
    }
}

/// Who we are to clients.
#[derive(Clone)]
pub(super) struct Identity {
    /// Over TLS.
    pub(super) dns: Arc<ServerConfig>,
    /// Over HTTPS.
    pub(super) http: Arc<ServerConfig>,
    pair: Arc<Pair>,
}

/// A certificate and its key, as the files are that hold them.
#[derive(Debug)]
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl Identity {
    pub(super) fn load(certificate: &Path, key: &Path) -> anyhow::Result<Identity> {
        let current = ArcSwap::from_pointee(read(certificate, key)?);
        let pair =
            Arc::new(Pair { certificate: certificate.to_owned(), key: key.to_owned(), current });
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&pair) as _;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        let speaking = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = owned(protocols);
            Arc::new(config)
        };
        Ok(Identity { dns: speaking(DNS), http: speaking(HTTP), pair })
    }

    /// Keeps to the files: reads them on SIGHUP, and when they are others. Those that are not sound
    /// are reported, and what there was stays. For ever.
    pub(super) async fn keep_current(self) -> io::Result<()> {
        let pair = self.pair;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut stamps = pair.stamps();
        let mut clock = tokio::time::interval(PERIOD);
        loop {
            let is_asked = tokio::select! {
                _ = hangup.recv() => true,
                _ = clock.tick() => false,
            };
            let now = pair.stamps();
            if !is_asked && (now.is_none() || now == stamps) {
                continue;
            }
            stamps = now;
            match read(&pair.certificate, &pair.key) {
                Ok(current) => pair.current.store(Arc::new(current)),
                Err(error) => report(&error.context("the certificate there was stays")),
            }
        }
    }
}

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl Pair {
    fn stamps(&self) -> Option<[Stamp; 2]> {
        Some([stamp(&self.certificate)?, stamp(&self.key)?])
    }
}

/// A certificate, with those that vouch for it, and its key.
fn read(certificate: &Path, key: &Path) -> anyhow::Result<CertifiedKey> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("key `{}`", key.display()))
        .hint(|| "it has to be a private key in PEM, readable for who serves")?;
    CertifiedKey::from_der(chain, private, &provider())
        .with_context(|| {
            format!("certificate `{}` and key `{}`", certificate.display(), key.display())
        })
        .hint(|| "the first certificate in the file has to be that of the key")
}

/// The certificates in a file, of which there is at least one.
fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let name = || format!("certificates `{}`", path.display());
    let hint = || "it has to be one or more certificates in PEM";
    let file = File::open(path).with_context(name).hint(hint)?;
    let certificates: Vec<_> = CertificateDer::pem_reader_iter(BufReader::new(file))
        .collect::<Result<_, _>>()
        .with_context(name)
        .hint(hint)?;
    match certificates.is_empty() {
        true => Err(hinted(format!("there is none in {}", name()), hint())),
        false => Ok(certificates),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn owned(protocols: &[&[u8]]) -> Vec<Vec<u8>> {
    protocols.iter().map(|protocol| protocol.to_vec()).collect()
}
