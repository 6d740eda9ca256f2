//! TLS on the listener: whether its files can be used.

use crate::config::model::{ClientCertificate, Rules};
use crate::config::tls::identity;
use crate::text::diagnostic::{Diagnostic, Diagnostics};

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    let Some(tls) = &rules.tls else { return };
    identity(rules, tls, diags);
    if tls.client == ClientCertificate::Optional && tls.client_ca.is_none() {
        let message = "`client: optional` says nothing where no client is asked for a certificate";
        let diagnostic = Diagnostic::warning("idle-key", message).at(tls.span);
        diags.push(diagnostic.label("here").help("name who signs their certificates: client_ca: FILE"));
    }
}
