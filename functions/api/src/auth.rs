//! What a request shows of who sent it.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use toji_hub::{Error, Result, call::Auth, error::FaultCode};
use toji_protocol::id::SessionId;

/// A bearer token, or one of Koji's sessions in headers; in old clients it is in the query string.
///
/// # Errors
/// When it is malformed.
pub(crate) fn shown(headers: &HeaderMap, query: &[(String, String)]) -> Result<Auth> {
    if let Some(value) = header(headers, AUTHORIZATION.as_str()) {
        let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.map(|(_, token)| token.trim()).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| wrong("Authorization must be 'Bearer <API token>'"))?;
        return Ok(Auth::Bearer(token.to_owned()));
    }
    let parameter = |name: &str| query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let (id, key, callnum) = match header(headers, "koji-session-id") {
        Some(id) => {
            let callnum = header(headers, "koji-session-callnum").or_else(|| header(headers, "koji-callnum"));
            (id, header(headers, "koji-session-key"), callnum)
        }
        None => match parameter("session-id") {
            Some(id) => (id, parameter("session-key"), parameter("callnum")),
            None => return Ok(Auth::Nobody),
        },
    };
    let id = id.trim().parse().map(SessionId).map_err(|_| wrong("Invalid session or bad credentials"))?;
    let key = key.ok_or_else(|| wrong("'session-key' not specified in session args"))?.to_owned();
    let callnum = callnum.map(|number| number.trim().parse()).transpose();
    let callnum = callnum.map_err(|_| wrong("the session's call number is no number"))?;
    Ok(Auth::Session { id, key, callnum })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn wrong(message: &str) -> Error {
    Error::Unauthenticated(FaultCode::Auth, message.to_owned())
}

/// The query string's names and values.
pub(crate) fn query(uri: &axum::http::Uri) -> Vec<(String, String)> {
    serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn sessions() {
        let session = |headers: HeaderMap, query: &str| {
            let query = query_of(query);
            match shown(&headers, &query) {
                Ok(Auth::Session { id, key, callnum }) => Some((id.0, key, callnum)),
                _ => None,
            }
        };
        let given = [("koji-session-id", "4"), ("koji-session-key", "4-x"), ("koji-session-callnum", "7")];
        assert_eq!(session(headers(&given), ""), Some((4, "4-x".to_owned(), Some(7))));
        let old = [("koji-session-id", "4"), ("koji-session-key", "4-x"), ("koji-callnum", "8")];
        assert_eq!(session(headers(&old), ""), Some((4, "4-x".to_owned(), Some(8))));
        let by_url = "session-id=4&session-key=4-x&callnum=9";
        assert_eq!(session(HeaderMap::new(), by_url), Some((4, "4-x".to_owned(), Some(9))));
        assert_eq!(session(headers(&given[..2]), ""), Some((4, "4-x".to_owned(), None)));
        assert_eq!(session(headers(&[("koji-session-id", "x"), ("koji-session-key", "4-x")]), ""), None);
        assert_eq!(session(headers(&given[..1]), ""), None);
    }

    #[test]
    fn tokens() {
        let token = |value: &'static str| shown(&headers(&[("authorization", value)]), &[]);
        assert!(matches!(token("Bearer abc"), Ok(Auth::Bearer(token)) if token == "abc"));
        assert!(matches!(token("bearer abc"), Ok(Auth::Bearer(_))));
        assert!(token("Basic abc").is_err());
        assert!(token("Bearer ").is_err());
        assert!(matches!(shown(&HeaderMap::new(), &[]), Ok(Auth::Nobody)));
    }

    fn query_of(query: &str) -> Vec<(String, String)> {
        self::query(&format!("/kojihub?{query}").parse().unwrap())
    }
}
