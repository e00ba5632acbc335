//! XML-RPC as stock clients write it.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{http::Connection, http::find};

/// A session of Koji's.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    id: i64,
    key: String,
}

/// The document of a call.
pub(crate) fn document(method: &str, params: &[Value]) -> String {
    let mut xml = format!("<?xml version='1.0'?>\n<methodCall>\n<methodName>{method}</methodName>\n<params>\n");
    for param in params {
        xml += "<param>\n";
        write(&mut xml, param);
        xml += "</param>\n";
    }
    xml + "</params>\n</methodCall>\n"
}

fn write(xml: &mut String, value: &Value) {
    let inner = match value {
        Value::Null => "<nil/>".to_owned(),
        Value::Bool(truth) => format!("<boolean>{}</boolean>", u8::from(*truth)),
        Value::Number(number) => format!("<int>{number}</int>"),
        Value::String(text) => format!("<string>{text}</string>"),
        Value::Array(items) => {
            let mut inner = "<array><data>\n".to_owned();
            items.iter().for_each(|item| write(&mut inner, item));
            inner + "</data></array>"
        }
        Value::Object(members) => {
            let mut inner = "<struct>\n".to_owned();
            for (name, member) in members {
                inner += &format!("<member>\n<name>{name}</name>\n");
                write(&mut inner, member);
                inner += "</member>\n";
            }
            inner + "</struct>"
        }
    };
    *xml += &format!("<value>{inner}</value>\n");
}

/// A whole request. Headers are those of the stock client; `encoding` is what it says of compression.
pub(crate) fn request(address: &str, session: Option<(&Session, u64)>, encoding: &str, document: &str) -> Vec<u8> {
    let mut head = format!(
        "POST /kojihub HTTP/1.1\r\nHost: {address}\r\nUser-Agent: koji/1\r\nAccept-Encoding: {encoding}\r\nAccept: */*\r\n\
         Connection: keep-alive\r\nContent-Type: text/xml\r\n"
    );
    if let Some((Session { id, key }, callnum)) = session {
        head += &format!("Koji-Session-Id: {id}\r\nKoji-Session-Key: {key}\r\nKoji-Session-Callnum: {callnum}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", document.len());
    head.into_bytes().into_iter().chain(document.bytes()).collect()
}

/// Logs in.
pub(crate) async fn login(address: &str, user: &str, token: &str) -> Result<Session> {
    let document = document("login", &[user.into(), token.into()]);
    let mut connection = Connection::open(address).await?;
    let reply = connection.ask(&request(address, None, "identity", &document)).await?;
    let reply = String::from_utf8_lossy(reply).into_owned();
    let member = |name: &str| {
        let (_, rest) = reply.split_once(&format!("<name>{name}</name>"))?;
        let (text, _) = rest.split_once("</")?;
        Some(text.rsplit_once('>')?.1.to_owned())
    };
    match (member("session-id").and_then(|id| id.parse().ok()), member("session-key")) {
        (Some(id), Some(key)) => Ok(Session { id, key }),
        _ => anyhow::bail!("cannot log in: {reply}"),
    }
}

/// A fault is answered with status 200, too.
pub(crate) fn no_fault(reply: &[u8]) -> Result<()> {
    let is_fault = find(&reply[..reply.len().min(200)], b"<fault>").is_some();
    ensure!(!is_fault, "a fault: {}", String::from_utf8_lossy(reply));
    Ok(())
}
