//! Certificates and keys from the files that the rules name.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

/// Whom a connection trusts, and as whom it is made, where the rules say so. The key can be used, and not be read.
#[derive(Default)]
pub struct OwnTls {
    /// Who signs the other end's certificate; empty: whom the system trusts.
    pub roots: Vec<CertificateDer<'static>>,
    /// What the other end is shown.
    pub identity: Option<Arc<CertifiedKey>>,
}

impl OwnTls {
    /// Tells these certificates from others.
    pub fn label(&self) -> String {
        let mut hash = Sha256::new();
        let shown = self.identity.iter().flat_map(|identity| &identity.cert);
        for (kind, certificate) in
            self.roots.iter().map(|it| (b"root", it)).chain(shown.map(|it| (b"show", it)))
        {
            hash.update(kind);
            hash.update((certificate.len() as u64).to_le_bytes());
            hash.update(certificate);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for OwnTls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "OwnTls({})", self.label())
    }
}

/// The certificates in a PEM file.
///
/// # Errors
///
/// Says what is wrong with the file.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| "it is no PEM file, or cut off".to_owned())?;
    if found.is_empty() {
        return Err("it has no certificate in it: `-----BEGIN CERTIFICATE-----` is wanted".to_owned());
    }
    Ok(found)
}

/// The certificates in a PEM file of those who are trusted.
///
/// # Errors
///
/// Says what is wrong with the file.
pub fn roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = certificates(pem)?;
    let mut store = RootCertStore::empty();
    for root in &found {
        store.add(root.clone()).map_err(|_| "a certificate in it cannot be read".to_owned())?;
    }
    Ok(found)
}

/// A certificate with those that lead to its issuer, and its key.
///
/// # Errors
///
/// Says what is wrong with the key's file, or that it does not fit.
pub fn identity(chain: Vec<CertificateDer<'static>>, pem: &[u8]) -> Result<Arc<CertifiedKey>, String> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        match memchr::memmem::find(pem, b"ENCRYPTED").is_some() {
            true => {
                "its key is encrypted: write it without a password, readable by the router alone".to_owned()
            }
            false => "it has no private key in it: `-----BEGIN PRIVATE KEY-----` is wanted".to_owned(),
        }
    })?;
    let provider = rustls::crypto::ring::default_provider();
    let key = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "the key does not fit the certificate".to_owned(),
        error => format!("the key cannot be used: {error}"),
    })?;
    Ok(Arc::new(key))
}
