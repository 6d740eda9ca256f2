//! The certificate and the key that the router shows, out of the files that the rules name.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;

use super::model::{ClientCertificate, ListenTls, Rules, Spanned};
use crate::text::diagnostic::{Diagnostic, Diagnostics};

/// What a listener needs to speak TLS.
pub struct Identity {
    /// The certificate with its signers, and its key.
    pub certified: CertifiedKey,
    /// Judges the certificates of clients; `None` if none is asked for.
    pub clients: Option<Arc<dyn ClientCertVerifier>>,
}

/// What the rules' `tls` names, or what is wrong with it. `None` also where a file could not be read, which the loader
/// has reported.
pub fn identity(rules: &Rules, tls: &ListenTls, diags: &mut Diagnostics) -> Option<Identity> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = certificates(rules, &tls.certificate, diags);
    let key = key(rules, &tls.key, diags);
    let clients = match &tls.client_ca {
        None => Some(None),
        Some(path) => clients(rules, path, tls.client, &provider, diags).map(Some),
    };
    let certified = certified(tls, certificates?, key?, &provider, diags)?;
    Some(Identity { certified, clients: clients? })
}

fn bytes<'r>(rules: &'r Rules, path: &Spanned<String>) -> Option<&'r [u8]> {
    let file = rules.files.get(&(path.span.file, path.value.clone()))?;
    Some(&file.bytes)
}

fn certificates(
    rules: &Rules,
    path: &Spanned<String>,
    diags: &mut Diagnostics,
) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes(rules, path)?).collect();
    match read {
        Ok(found) if !found.is_empty() => Some(found),
        Ok(_) => {
            wrong(path, "there is no certificate in it", "it begins with -----BEGIN CERTIFICATE-----", diags)
        }
        Err(error) => wrong(path, &spoiled(&error), "a PEM file with certificates is wanted here", diags),
    }
}

fn key(rules: &Rules, path: &Spanned<String>, diags: &mut Diagnostics) -> Option<PrivateKeyDer<'static>> {
    match PrivateKeyDer::from_pem_slice(bytes(rules, path)?) {
        Ok(key) => Some(key),
        Err(PemError::NoItemsFound) => wrong(
            path,
            "there is no private key in it",
            "it begins with -----BEGIN PRIVATE KEY-----; one with a password cannot be used",
            diags,
        ),
        Err(error) => wrong(path, &spoiled(&error), "a PEM file with a private key is wanted here", diags),
    }
}

fn certified(
    tls: &ListenTls,
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
    diags: &mut Diagnostics,
) -> Option<CertifiedKey> {
    match CertifiedKey::from_der(certificates, key, provider) {
        Ok(certified) => Some(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let diagnostic = Diagnostic::error("bad-tls", "the private key is not that of the certificate");
            let diagnostic = diagnostic.at(tls.key.span).label("another certificate's key");
            let diagnostic = diagnostic.note(tls.certificate.span, "this certificate, the first in the file");
            diags.push(diagnostic.help("the router's own certificate comes first, its signers follow"));
            None
        }
        Err(rustls::Error::InvalidCertificate(_)) => {
            wrong(&tls.certificate, "its first certificate cannot be used", "is it whole?", diags)
        }
        Err(_) => wrong(&tls.key, "this kind of key cannot be used", "RSA, ECDSA and Ed25519 can", diags),
    }
}

fn clients(
    rules: &Rules,
    path: &Spanned<String>,
    wanted: ClientCertificate,
    provider: &Arc<CryptoProvider>,
    diags: &mut Diagnostics,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(rules, path, diags)? {
        if roots.add(certificate).is_err() {
            return wrong(path, "a certificate in it cannot be used", "is it whole?", diags);
        }
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = match wanted {
        ClientCertificate::Required => verifier,
        ClientCertificate::Optional => verifier.allow_unauthenticated(),
    };
    match verifier.build() {
        Ok(verifier) => Some(verifier),
        Err(_) => wrong(path, "its certificates cannot be used", "are they those of an authority?", diags),
    }
}

/// What is wrong with a PEM file, without a word of what it holds.
fn spoiled(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "it ends in the middle of a part".to_owned(),
        PemError::Base64Decode(_) => "a part of it is not Base64".to_owned(),
        _ => "it is no PEM file".to_owned(),
    }
}

fn wrong<T>(path: &Spanned<String>, label: &str, help: &str, diags: &mut Diagnostics) -> Option<T> {
    let message = format!("`{}` cannot be used for TLS", path.value);
    diags.push(Diagnostic::error("bad-tls", message).at(path.span).label(label).help(help));
    None
}
