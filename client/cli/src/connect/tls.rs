//! Certificates. Where a connection is encrypted, the server's certificate is always checked: by the system's list of
//! authorities, or by those in `sslrootcert`.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Whom the connection trusts.
#[derive(Clone, Debug)]
pub struct Tls {
    roots: Option<PathBuf>,
}

/// libpq's mode and file; without a mode, encryption is used where the server has it. With a certificate of an
/// authority it is required.
pub fn of(mode: Option<&str>, roots: Option<PathBuf>, config: &mut Config) -> Result<Tls, String> {
    let mode = match mode {
        Some("disable") => Some(SslMode::Disable),
        Some("allow" | "prefer") => Some(SslMode::Prefer),
        Some("require" | "verify-ca" | "verify-full") => Some(SslMode::Require),
        Some(other) => {
            return Err(format!("sslmode is one of disable, prefer, require and verify-full, not \"{other}\""));
        }
        None => None,
    };
    if let Some(mode) = mode {
        config.ssl_mode(mode);
    }
    // `system` is libpq's word for the authorities of the system.
    Ok(Tls { roots: roots.filter(|file| file.as_os_str() != "system") })
}

impl Tls {
    /// What connects.
    ///
    /// # Errors
    /// A file that cannot be read or has no certificate.
    pub fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let mut trusted = RootCertStore::empty();
        if let Some(file) = &self.roots {
            let told = |error: &dyn std::fmt::Display| format!("sslrootcert {}: {error}", file.display());
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| told(&error))? {
                trusted.add(certificate.map_err(|error| told(&error))?).map_err(|error| told(&error))?;
            }
            if trusted.is_empty() {
                return Err(told(&"there is no certificate in it"));
            }
        } else {
            // What cannot be read of the system's is not trusted; a server that needs it is refused.
            trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        Ok(MakeRustlsConnect::new(builder.with_root_certificates(trusted).with_no_client_auth()))
    }
}
