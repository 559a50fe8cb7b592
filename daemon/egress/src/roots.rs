//! Roots that a user trusts beside the platform's.

use std::{fmt, fs::File, io::Read, path::Path, sync::Arc};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use sha2::{Digest, Sha256};

use crate::EgressError;

/// A bundle of every public root is about 200 KB.
const MAX_BYTES: u64 = 1 << 20;

/// Certificates from a PEM file (`ca_file`), trusted beside the platform's roots. Cheap to clone;
/// equal content shares connections.
#[derive(Clone, PartialEq, Eq)]
pub struct ExtraRoots {
    digest: [u8; 32],
    certificates: Arc<[CertificateDer<'static>]>,
}

impl ExtraRoots {
    /// Reads a PEM file of at most 1 MiB. Blocks for one small read: call it when the
    /// configuration is read, not for each request.
    ///
    /// # Errors
    /// [`EgressError::Setup`] when it cannot be read, is too large, or holds no certificate.
    pub fn read(path: &Path) -> Result<Self, EgressError> {
        let unreadable = |error: std::io::Error| EgressError::Setup {
            what: format!("cannot read {}: {error}", path.display()),
        };
        let file = File::open(path).map_err(unreadable)?;
        let mut pem = Vec::new();
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut pem)
            .map_err(unreadable)?;
        Self::from_pem(&pem).map_err(|error| match error {
            EgressError::Setup { what } => EgressError::Setup {
                what: format!("{}: {what}", path.display()),
            },
            other => other,
        })
    }

    /// Takes the certificates of a PEM text; other sections are passed over.
    ///
    /// # Errors
    /// [`EgressError::Setup`] when it is larger than 1 MiB, broken, or holds no certificate.
    pub fn from_pem(pem: &[u8]) -> Result<Self, EgressError> {
        let bad = |what: &str| EgressError::Setup {
            what: what.to_owned(),
        };
        if pem.len() as u64 > MAX_BYTES {
            return Err(bad("the CA file is larger than 1 MiB"));
        }
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let certificates = certificates.map_err(|_| bad("the CA file is not valid PEM"))?;
        if certificates.is_empty() {
            return Err(bad("the CA file holds no certificate"));
        }
        Ok(Self {
            digest: Sha256::digest(pem).into(),
            certificates: certificates.into(),
        })
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub(crate) fn certificates(&self) -> impl Iterator<Item = CertificateDer<'static>> {
        self.certificates.iter().cloned()
    }
}

impl fmt::Debug for ExtraRoots {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ExtraRoots({} certificates)", self.certificates.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_bundle_is_refused() {
        let text = |pem: &[u8]| ExtraRoots::from_pem(pem).unwrap_err().to_string();
        assert!(text(b"").contains("no certificate"));
        assert!(text(b"-----BEGIN CERTIFICATE-----\n!\n").contains("not valid PEM"));
        assert!(text(&vec![b'\n'; 1 << 20 | 1]).contains("larger"));
        let missing = ExtraRoots::read(Path::new("/nowhere/ca.pem")).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/ca.pem"));
    }
}
