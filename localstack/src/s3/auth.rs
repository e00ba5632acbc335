//! Who may call: holders of a key for everything, by signature version 4, in a header or in a presigned URL.
//!
//! s3s checks signatures, their age and the expiry of presigned URLs; this says which keys there are.

use chrono::Utc;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use crate::credentials::{Access, Credential, Credentials, Refusal};

/// The keys that the hub and the builders hold.
#[derive(Clone)]
pub(super) struct Keys(pub(super) Credentials);

impl Keys {
    fn find(&self, access_key: &str) -> S3Result<Credential> {
        let found = self.0.find(access_key, Utc::now()).map_err(|refusal| match refusal {
            Refusal::Unknown => {
                s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
            }
            Refusal::Expired => s3_error!(ExpiredToken, "The provided token has expired."),
        })?;
        match found.access {
            Access::Everything => Ok(found),
            Access::Queues(_) => Err(s3_error!(AccessDenied, "This key is for queues only")),
        }
    }
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        Ok(SecretKey::from(self.find(access_key)?.secret))
    }
}

#[async_trait::async_trait]
impl S3Access for Keys {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(credentials) = context.credentials() else {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        };
        let known = self.find(&credentials.access_key)?;
        let header = |name| context.headers().get(name).and_then(|value| value.to_str().ok());
        let query = context.uri().query().unwrap_or_default();
        let query: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        let parameter = |name| query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());

        // s3s takes version 2 too, which AWS has given up.
        let by_header = header("authorization").is_some_and(|value| value.starts_with("AWS4-"));
        if !by_header && parameter("X-Amz-Signature").is_none() {
            return Err(s3_error!(
                InvalidRequest,
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
            ));
        }
        if let Some(token) = &known.session_token {
            let given = header("x-amz-security-token").or(parameter("X-Amz-Security-Token"));
            if given != Some(token) {
                return Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."));
            }
        }
        Ok(())
    }
}
