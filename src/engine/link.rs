//! How a provider is reached: through which proxy, trusting whom, and as whom.

use std::sync::Arc;

use crate::config::certificates::OwnTls;
use crate::text::units::ProxyAddress;

/// What a connection to a provider depends on besides its address.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The proxy on the way to it.
    pub proxy: Option<ProxyAddress>,
    /// Certificates of its own.
    pub tls: Option<Arc<OwnTls>>,
    /// Tells this link from others, with no secret in it: connections are shared by equal ones only.
    pub label: String,
}

impl Link {
    /// A link through this proxy, or straight, with these certificates.
    pub fn new(proxy: Option<ProxyAddress>, tls: Option<OwnTls>) -> Link {
        let labels = [proxy.as_ref().map(ProxyAddress::label), tls.as_ref().map(OwnTls::label)];
        let label = labels.map(Option::unwrap_or_default).join(" ");
        Link { proxy, tls: tls.map(Arc::new), label }
    }
}
