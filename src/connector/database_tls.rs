//! TLS to the database, as libpq's `sslmode` has it.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether a connection is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SslMode {
    /// Never.
    Off,
    /// If the server can; its certificate is not checked.
    IfOffered,
    /// Always, with this check.
    Always(Check),
}

/// What is checked of a server's certificate. The files are PEM; without one, the certificates that this system trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing, as libpq's `require` does: whoever can put themselves between may read and change what is sent.
    Nothing,
    /// That a trusted authority issued it.
    Issuer(Option<PathBuf>),
    /// That, and that it is for this host.
    IssuerAndName(Option<PathBuf>),
}

/// Why no connection can be encrypted as asked for.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of certificates cannot be read.
    #[error("reading the certificates in {}: {why}", .file.display())]
    Roots {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no certificate to trust.
    #[error("this system trusts no certificates; name a file of them by sslrootcert")]
    NoRoots,
    /// The parts do not fit together.
    #[error("preparing TLS")]
    Setup(#[from] Error),
    /// The certificates do not make a verifier.
    #[error("preparing the check of certificates")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

/// How to open an encrypted connection under `check`.
pub(super) fn client_config(check: &Check) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let verifier: Arc<dyn ServerCertVerifier> = match check {
        Check::IssuerAndName(file) => {
            let roots = roots(file.as_deref())?;
            return Ok(config.with_root_certificates(roots).with_no_client_auth());
        }
        Check::Issuer(file) => {
            let roots = Arc::new(roots(file.as_deref())?);
            let whole = WebPkiServerVerifier::builder_with_provider(roots, provider).build()?;
            Arc::new(IssuerAlone(whole))
        }
        Check::Nothing => Arc::new(Unchecked(provider)),
    };
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() {
            Err(TlsError::NoRoots)
        } else {
            Ok(roots)
        };
    };
    let wrong = |why: String| TlsError::Roots {
        file: file.to_owned(),
        why,
    };
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(wrong("there is none in it".to_owned())),
        false => Ok(roots),
    }
}

/// All but the name of the host, which is what `verify-ca` means.
#[derive(Debug)]
struct IssuerAlone(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for IssuerAlone {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The name is looked at last: whose only fault it is has a good issuer.
        match self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Any certificate at all.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
