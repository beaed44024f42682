use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};
use tls_listener::rustls::TlsAcceptor;
use tls_listener::rustls::rustls::ServerConfig;
use tls_listener::rustls::rustls::crypto::ring;
use tls_listener::rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long a certificate is valid. It is made anew at each start.
const VALIDITY: Duration = Duration::from_secs(30 * 86_400);

/// A certificate that nobody has signed but its own key: for trying things out.
pub struct OwnCertificate {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl OwnCertificate {
    /// Makes a key and a certificate for these names and addresses.
    pub fn new(names: impl Into<Vec<String>>) -> anyhow::Result<Self> {
        let key = KeyPair::generate().context("can't make a key for --https")?;
        let mut parameters = CertificateParams::new(names).context("can't name the host in a certificate")?;
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Clocks differ.
        let now = SystemTime::now();
        parameters.not_before = (now - Duration::from_secs(86_400)).into();
        parameters.not_after = (now + VALIDITY).into();
        let certificate = parameters.self_signed(&key).context("can't make a certificate for --https")?;
        Ok(OwnCertificate { certificate: certificate.der().clone(), key })
    }

    /// What encrypts connections with it.
    pub fn acceptor(&self) -> anyhow::Result<TlsAcceptor> {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).map_err(anyhow::Error::msg)?;
        // Named, because other crates may bring a second provider, and then none is the default.
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// The SHA-256 of the certificate, as browsers show it.
    pub fn fingerprint(&self) -> String {
        let bytes: Vec<String> = Sha256::digest(&self.certificate).iter().map(|byte| format!("{byte:02X}")).collect();
        bytes.join(":")
    }

    /// The SHA-256 of the public key's SubjectPublicKeyInfo in base64, as Chromium's
    /// `--ignore-certificate-errors-spki-list` takes it.
    pub fn key_fingerprint(&self) -> String {
        STANDARD.encode(Sha256::digest(self.key.subject_public_key_info()))
    }

    /// What connects to whoever has this certificate, and to nobody else.
    #[cfg(test)]
    pub fn connector(&self) -> tls_listener::rustls::TlsConnector {
        use tls_listener::rustls::rustls::{ClientConfig, RootCertStore};

        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        Arc::new(config.with_root_certificates(roots).with_no_client_auth()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P59.
    #[test]
    fn each_start_has_another_certificate() {
        let [first, second] = [(); 2].map(|()| OwnCertificate::new(["localhost".to_owned()]).unwrap());
        assert_ne!(first.fingerprint(), second.fingerprint());
        assert_ne!(first.key_fingerprint(), second.key_fingerprint());
        assert_eq!(first.fingerprint().len(), 32 * 3 - 1);
        assert!(first.acceptor().is_ok());
    }

    #[test]
    fn a_host_that_is_no_name_is_refused() {
        assert!(OwnCertificate::new(["Łódź".to_owned()]).is_err());
    }
}
