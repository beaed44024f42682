use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;

/// A certificate authority of a test's own, whose files end with it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate, and the key that belongs to it.
pub struct Certificate {
    /// The file of the certificate.
    pub file: String,
    /// The file of the key.
    pub key: String,
}

impl Authority {
    /// One that nobody knows.
    pub fn new() -> Self {
        let mut params = params(&[], "an authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("it can be signed");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("authority.pem"), issuer.pem()).expect("the file can be written");
        Authority { issuer, folder }
    }

    /// Its own certificate, as text.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its own certificate, in a file.
    pub fn file(&self) -> String {
        self.path("authority.pem")
    }

    /// A certificate for a server with these names or addresses.
    pub fn certify(&self, names: &[&str]) -> Certificate {
        self.sign(params(names, "a server of a test"))
    }

    /// One for the server of this machine that ended years ago.
    pub fn certify_until_2020(&self) -> Certificate {
        let mut params = params(&["localhost", "127.0.0.1"], "an old server of a test");
        params.not_after = date_time_ymd(2020, 1, 1);
        self.sign(params)
    }

    /// A certificate for a client, who has this name.
    pub fn certify_client(&self, name: &str) -> Certificate {
        let mut params = params(&[], name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// Parameters of an address, behind others, that name files which can't be used; and a part of what is to be said.
    pub fn unusable_files(&self) -> [(String, &'static str); 5] {
        let (file, key) = (self.file(), self.certify(&["localhost"]).key);
        [
            (format!("&sslrootcert={file}.old"), "No such file"),
            ("&sslrootcert=/dev/zero".to_owned(), "no ordinary file"),
            (format!("&sslrootcert={key}"), "-----BEGIN CERTIFICATE-----"),
            (format!("&sslcert={file}&sslkey={file}"), "PRIVATE KEY-----"),
            (format!("&sslcert={key}&sslkey={key}"), "-----BEGIN CERTIFICATE-----"),
        ]
    }

    fn sign(&self, params: CertificateParams) -> Certificate {
        let (key, number) = (key(), fs::read_dir(self.folder.path()).expect("it is a folder").count());
        let certificate = params.signed_by(&key, &self.issuer).expect("it can be signed");
        let files = Certificate {
            file: self.path(&format!("certificate-{number}.pem")),
            key: self.path(&format!("key-{number}.pem")),
        };
        fs::write(&files.file, certificate.pem()).expect("the file can be written");
        fs::write(&files.key, key.serialize_pem()).expect("the file can be written");
        files
    }

    fn path(&self, name: &str) -> String {
        Path::join(self.folder.path(), name).display().to_string()
    }
}

impl Default for Authority {
    fn default() -> Self {
        Authority::new()
    }
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("these are names");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the system has random bytes")
}
