use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tls_listener::TlsListener;
use tls_listener::rustls::TlsAcceptor;
use tokio::net::TcpListener;

/// A free port of this machine that speaks TLS, for browsers that are told to trust its key.
pub struct TlsPort {
    /// Accepts connections, and has done the handshake of each.
    pub listener: TlsListener<TcpListener, TlsAcceptor>,
    /// Its number.
    pub port: u16,
    /// The hash of its public key, as Chromium's command line takes it.
    pub key_hash: String,
}

impl TlsPort {
    /// With a certificate for these hosts.
    pub async fn bind(hosts: impl IntoIterator<Item = String>) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(Vec::from_iter(hosts)).unwrap().self_signed(&key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let hash = ring::digest::digest(&ring::digest::SHA256, &key.subject_public_key_info());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let listener = TlsListener::new(TlsAcceptor::from(Arc::new(config)), listener);
        TlsPort { listener, port, key_hash: STANDARD.encode(hash) }
    }
}
