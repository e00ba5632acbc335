//! AWS KMS: asymmetric keys that only sign. A digest goes there, a signature comes back.

use aws_credential_types::Credentials;
use aws_sdk_kms::{
    Client,
    config::{Region, retry::RetryConfig},
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::RequestId,
    primitives::Blob,
    types::{KeyUsageType, MessageType, SigningAlgorithmSpec},
};
use rsa::{RsaPublicKey, pkcs8::DecodePublicKey};
use toji_protocol::aws;

use crate::{Kept, KeyError, KeyRef, Result};

/// The client itself tries so often, with growing pauses; whoever asked tries again later.
const TRIES: u32 = 3;

/// Where KMS is and what opens it.
#[derive(Clone, Debug, Default)]
pub struct KmsAccess {
    /// Its address; None = what the environment says, or else AWS's own for the region.
    pub endpoint: Option<String>,
    /// The region; None = what the environment says.
    pub region: Option<String>,
    /// None = what the environment offers.
    pub credentials: Option<Credentials>,
}

impl KmsAccess {
    /// An emulator's, which takes any credentials.
    pub fn emulator(endpoint: &str) -> Self {
        let credentials = Credentials::from_keys("test", "test", None);
        Self {
            endpoint: Some(endpoint.to_owned()),
            region: Some("us-east-1".to_owned()),
            credentials: Some(credentials),
        }
    }

    /// A client that speaks TLS through ring.
    pub async fn client(self) -> Client {
        let mut loader = aws::from_environment().retry_config(RetryConfig::standard().with_max_attempts(TRIES));
        if let Some(region) = self.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(credentials) = self.credentials {
            loader = loader.credentials_provider(credentials);
        }
        if let Some(endpoint) = self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        Client::new(&loader.load().await)
    }
}

/// What KMS said, in one line with its request's id.
fn told<E>(key: &KeyRef, error: SdkError<E>) -> KeyError
where
    E: std::error::Error + ProvideErrorMetadata + RequestId + 'static,
{
    let Some(service) = error.as_service_error() else {
        return KeyError::away(key, format!("KMS does not answer: {}", DisplayErrorContext(&error)));
    };
    let code = service.code().unwrap_or("an error without a code");
    let message = service.message().unwrap_or("no reason given");
    let request = service.request_id().unwrap_or("unknown");
    // what is disabled can be enabled, what is forbidden allowed: each is tried again
    KeyError::away(key, format!("KMS says {code}: {message} (request {request})"))
}

pub(crate) async fn public(kms: &Client, key: &KeyRef, id: &str) -> Result<Kept> {
    let got = kms.get_public_key().key_id(id).send().await.map_err(|error| told(key, error))?;
    let can_sign = got.signing_algorithms().contains(&SigningAlgorithmSpec::RsassaPkcs1V15Sha256);
    if got.key_usage() != Some(&KeyUsageType::SignVerify) || !can_sign {
        let problem = "it is no RSA key that signs; make one with the key spec RSA_4096 and the usage SIGN_VERIFY \
                       (rpm before 4.20 checks no ECDSA signatures)";
        return Err(KeyError::senseless(key, problem));
    }
    let der = got.public_key().map(Blob::as_ref).unwrap_or_default();
    let public = RsaPublicKey::from_public_key_der(der)
        .map_err(|error| KeyError::senseless(key, format!("KMS shows no RSA public key: {error}")))?;
    let described = kms.describe_key().key_id(id).send().await.map_err(|error| told(key, error))?;
    let created = described.key_metadata().and_then(|data| data.creation_date()).map(|date| date.secs());
    let created = created.ok_or_else(|| KeyError::senseless(key, "KMS does not say when it was made"))?;
    Ok(Kept { public, created })
}

pub(crate) async fn sign(kms: &Client, key: &KeyRef, id: &str, digest: &[u8]) -> Result<Vec<u8>> {
    let ask = kms.sign().key_id(id).message(Blob::new(digest)).message_type(MessageType::Digest);
    let signed = ask.signing_algorithm(SigningAlgorithmSpec::RsassaPkcs1V15Sha256).send().await;
    let signature = signed.map_err(|error| told(key, error))?.signature;
    signature.map(Blob::into_inner).ok_or_else(|| KeyError::away(key, "KMS answered without a signature"))
}
