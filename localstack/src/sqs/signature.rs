//! Signature version 4, as far as SQS clients use it: `POST`, no query, one body.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::{HeaderMap, Method, Uri};
use sha2::{Digest, Sha256};

use super::error::{Refusal, Result};
use crate::credentials::{self, Access, Credentials};

/// How far the clocks of client and server may lie apart.
const SKEW: TimeDelta = TimeDelta::minutes(15);

/// What `Authorization` says.
#[derive(Debug, PartialEq, Eq)]
struct Authorization<'a> {
    access_key: &'a str,
    /// `date/region/service/aws4_request`
    scope: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let fields = header.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            let mut fields = fields.split(',').map(str::trim);
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let (access_key, scope) = field("Credential")?.split_once('/')?;
        let mut parts = scope.split('/');
        let (_date, region, service) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next() != Some("aws4_request") || parts.next().is_some() {
            return None;
        }
        Some(Self {
            access_key,
            scope,
            region,
            service,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        })
    }
}

/// The caller: which key, and what it may do.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) access_key: String,
    pub(super) access: Access,
}

/// Tells who signed a request; refuses it if nobody known did, or long ago.
pub(super) fn caller(
    known: &Credentials,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<Caller> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = header("authorization").ok_or_else(Refusal::missing_token)?;
    let authorization = Authorization::parse(authorization)
        .ok_or_else(|| Refusal::bad_signature("The Authorization header is not one of signature version 4."))?;
    let date = header("x-amz-date").unwrap_or_default();
    let signed_at = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ")
        .map_err(|_| Refusal::bad_signature("X-Amz-Date is missing or malformed."))?
        .and_utc();
    let in_scope = authorization.scope.split('/').next() == date.get(..8);
    if !in_scope || (now - signed_at).abs() > SKEW {
        return Err(Refusal::bad_signature("Signature expired, or not yet current."));
    }
    let found = known.find(authorization.access_key, now).map_err(|refusal| match refusal {
        credentials::Refusal::Unknown => Refusal::invalid_token(),
        credentials::Refusal::Expired => Refusal::expired_token(),
    })?;
    if found.session_token.is_some() && found.session_token.as_deref() != header("x-amz-security-token") {
        return Err(Refusal::invalid_token());
    }
    let canonical = canonical_request(method, uri, headers, authorization.signed_headers, body)
        .ok_or_else(|| Refusal::bad_signature("A signed header is missing, or the host is not signed."))?;
    let to_sign =
        format!("AWS4-HMAC-SHA256\n{date}\n{}\n{}", authorization.scope, hex::encode(Sha256::digest(canonical)));
    let key = aws_sigv4::sign::v4::generate_signing_key(
        &found.secret,
        signed_at.into(),
        authorization.region,
        authorization.service,
    );
    let expected = aws_sigv4::sign::v4::calculate_signature(key, to_sign.as_bytes());
    if !equal_in_constant_time(expected.as_bytes(), authorization.signature.as_bytes()) {
        return Err(Refusal::bad_signature(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
        ));
    }
    Ok(Caller { access_key: authorization.access_key.to_owned(), access: found.access })
}

/// What was signed; `None` if it cannot be known.
fn canonical_request(method: &Method, uri: &Uri, headers: &HeaderMap, signed: &str, body: &[u8]) -> Option<String> {
    let names: Vec<&str> = signed.split(';').collect();
    if !names.contains(&"host") {
        return None;
    }
    let mut canonical = format!("{method}\n{}\n{}\n", uri.path(), uri.query().unwrap_or_default());
    for name in &names {
        let values: Option<Vec<&str>> = headers.get_all(*name).iter().map(|value| value.to_str().ok()).collect();
        let values = values.filter(|values| !values.is_empty())?;
        let values: Vec<String> = values.into_iter().map(trimmed).collect();
        canonical.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    let hash = hex::encode(Sha256::digest(body));
    canonical.push_str(&format!("\n{signed}\n{hash}"));
    Some(canonical)
}

/// Without outer blanks, and with single inner ones.
fn trimmed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "AWS4-HMAC-SHA256 Credential=key/20150830/us-east-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, Signature=abc";

    #[test]
    fn authorization_headers() {
        let parsed = Authorization::parse(HEADER).unwrap();
        assert_eq!((parsed.access_key, parsed.region, parsed.service), ("key", "us-east-1", "sqs"));
        assert_eq!(parsed.signature, "abc");
        for bad in [
            "Bearer abc",
            "AWS4-HMAC-SHA256 Credential=key, SignedHeaders=host, Signature=a",
            "AWS4-HMAC-SHA256 Credential=key/d/r/s/other, SignedHeaders=host, Signature=a",
            "AWS4-HMAC-SHA256 Credential=key/d/r/s/aws4_request, Signature=a",
        ] {
            assert_eq!(Authorization::parse(bad), None, "{bad}");
        }
    }

    fn code(headers: &[(&'static str, &str)], at: DateTime<Utc>) -> &'static str {
        let known = Credentials::new("key", "secret");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let uri = Uri::from_static("/");
        let answer = caller(&known, &Method::POST, &uri, &map, b"{}", at);
        answer.map_or_else(|refusal| refusal.code, |_| "ok")
    }

    #[test]
    fn refusals() {
        let then = "2015-08-30T12:36:00Z".parse::<DateTime<Utc>>().unwrap();
        let date = ("x-amz-date", "20150830T123600Z");
        let host = ("host", "localhost");
        assert_eq!(code(&[], then), "MissingAuthenticationToken");
        let other = HEADER.replace("key", "other");
        assert_eq!(code(&[("authorization", &other), date, host], then), "InvalidClientTokenId");
        let known = ("authorization", HEADER);
        assert_eq!(code(&[known, host], then), "SignatureDoesNotMatch");
        assert_eq!(code(&[known, date, host], then), "SignatureDoesNotMatch");
        assert_eq!(code(&[known, date, host], then + TimeDelta::hours(1)), "SignatureDoesNotMatch");
        let good = HEADER.replace("abc", &sign(then));
        assert_eq!(code(&[("authorization", &good), date, host], then), "ok");
        assert_eq!(code(&[("authorization", &good), date, ("host", "elsewhere")], then), "SignatureDoesNotMatch");
    }

    fn sign(at: DateTime<Utc>) -> String {
        let canonical = "POST\n/\n\nhost:localhost\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let hash = hex::encode(Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/sqs/aws4_request\n{hash}");
        let key = aws_sigv4::sign::v4::generate_signing_key("secret", at.into(), "us-east-1", "sqs");
        aws_sigv4::sign::v4::calculate_signature(key, to_sign.as_bytes())
    }
}
