//! TLS on the address where the router listens.

use crate::config::record::{record, words};
use crate::config::values::Spanned;

record! {
    /// The router's own certificate, and what clients must show. The files are read again when they change; a new
    /// connection gets what they hold then.
    pub struct ListenTls: "`tls`" {
        /// PEM file with the router's certificate, followed by those of its signers; from the folder of the rules on.
        certificate: Spanned<String>,
        /// PEM file with the certificate's private key.
        key: Spanned<String>,
        /// PEM file with the authorities that sign the certificates of clients. Default: clients need none.
        client_ca: Option<Spanned<String>>,
        /// Whether a client must show a certificate; one that it shows must be signed by `client_ca` in any case.
        client: ClientCertificate = ClientCertificate::Required,
    }
}

words! {
    /// Whether a client must show a certificate.
    pub enum ClientCertificate: "`client`" {
        /// It must.
        Required = "required",
        /// It may.
        Optional = "optional",
    }
}
