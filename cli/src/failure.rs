//! How errors end the program: one line, and an exit code.

use std::io;

use thiserror::Error;
use toji_protocol::client::ClientError;

/// As if SIGPIPE had ended the program: 128 + 13.
const BROKEN_PIPE: u8 = 141;
/// As if SIGINT had: 128 + 2.
const INTERRUPTED: u8 = 130;

/// Ends that have been told already.
#[derive(Debug, Error)]
pub(crate) enum Told {
    /// What was waited for ended badly.
    #[error("failed")]
    Failed,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

/// The line to say, if any, and the exit code.
pub(crate) fn explain(error: &anyhow::Error) -> (Option<String>, u8) {
    match error.downcast_ref::<Told>() {
        Some(Told::Failed) => return (None, 1),
        Some(Told::Interrupted) => return (None, INTERRUPTED),
        None => {}
    }
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return (None, BROKEN_PIPE);
    }
    let mut said = format!("{error:#}");
    if let Some(hint) = error.downcast_ref::<ClientError>().and_then(hint) {
        said.push_str(&hint);
    }
    (Some(said.lines().collect::<Vec<_>>().join(" ")), 1)
}

/// What the hub cannot know: where this program has its token from, and how the call is found in the hub's logs.
fn hint(error: &ClientError) -> Option<String> {
    match error {
        ClientError::Fault { status: 401, .. } => {
            Some(" (the token comes from --token, TOJI_TOKEN or the profile)".to_owned())
        }
        ClientError::Fault { status: 500.., request_id: Some(id), message, .. } if !message.contains(id.as_str()) => {
            Some(format!(" (request {id})"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_a_code() {
        let missing = anyhow::anyhow!("No such file").context("cannot read x\ny");
        assert_eq!(explain(&missing), (Some("cannot read x y: No such file".to_owned()), 1));
        assert_eq!(explain(&Told::Failed.into()), (None, 1));
        assert_eq!(explain(&Told::Interrupted.into()), (None, 130));
        assert_eq!(explain(&io::Error::from(io::ErrorKind::BrokenPipe).into()), (None, 141));
        let fault = |status, message: &str| ClientError::Fault {
            code: 1002,
            message: message.to_owned(),
            status,
            request_id: Some("r-7".to_owned()),
        };
        let (said, _) = explain(&fault(401, "wrong token").into());
        assert_eq!(said.unwrap(), "wrong token (the token comes from --token, TOJI_TOKEN or the profile)");
        let (said, _) = explain(&fault(500, "internal error").into());
        assert_eq!(said.unwrap(), "internal error (request r-7)");
        let (said, _) = explain(&fault(500, "see request r-7").into());
        assert_eq!(said.unwrap(), "see request r-7");
    }
}
