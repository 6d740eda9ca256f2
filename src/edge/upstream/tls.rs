//! Whom connections to providers trust, and as whom they are made.

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::Fault;
use crate::config::certificates::OwnTls;
use crate::engine::failure::FailureKind;

/// The system's trusted certificates, read when the first encrypted connection that asks for them is opened.
#[derive(Default)]
pub(super) struct Roots(OnceLock<Result<Arc<Verifier>, String>>);

impl Roots {
    /// A configuration that trusts whom the system trusts, unless `own` says whom to trust.
    pub fn config(&self, own: Option<&OwnTls>) -> Result<ClientConfig, Fault> {
        let builder = ClientConfig::builder_with_provider(ring())
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(&error))?;
        let builder = match own.map(|own| &own.roots).filter(|roots| !roots.is_empty()) {
            Some(roots) => {
                let mut store = RootCertStore::empty();
                for root in roots {
                    store.add(root.clone()).map_err(|error| fault(&error))?;
                }
                builder.with_root_certificates(store)
            }
            None => builder.dangerous().with_custom_certificate_verifier(self.system()?),
        };
        Ok(match own.and_then(|own| own.identity.clone()) {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
            None => builder.with_no_client_auth(),
        })
    }

    fn system(&self) -> Result<Arc<Verifier>, Fault> {
        let read = self.0.get_or_init(|| match Verifier::new(ring()) {
            Ok(verifier) => Ok(Arc::new(verifier)),
            Err(error) => Err(error.to_string()),
        });
        read.clone().map_err(|cause| {
            let message = "the certificates that this machine trusts cannot be read";
            Fault { cause, ..Fault::new(FailureKind::Tls, message) }
        })
    }
}

/// A configuration that trusts nobody, for addresses without encryption: the system's certificates cost time
/// and memory, and may not even be installed.
pub(super) fn none() -> Result<ClientConfig, Fault> {
    let builder = ClientConfig::builder_with_provider(ring()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| fault(&error))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn ring() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn fault(error: &rustls::Error) -> Fault {
    Fault { cause: error.to_string(), ..Fault::new(FailureKind::Tls, FailureKind::Tls.doc()) }
}
