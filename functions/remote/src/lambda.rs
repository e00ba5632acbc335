//! Lambda functions, called for their answer.

use aws_sdk_lambda::{Client, error::DisplayErrorContext, primitives::Blob};
use toji_hub::callback::remote::{RemoteError, Sent};

pub(crate) async fn invoke(lambda: &Client, name: &str, sent: Sent) -> Result<Vec<u8>, RemoteError> {
    let payload = Blob::new(sent.body);
    let answer = lambda.invoke().function_name(name).payload(payload).send().await;
    let answer = answer.map_err(|error| RemoteError::Away(DisplayErrorContext(&error).to_string()))?;
    let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
    match answer.function_error {
        None => Ok(payload),
        Some(kind) => {
            let said = String::from_utf8_lossy(&payload).into_owned();
            Err(RemoteError::Refused(format!("the Lambda function {name} failed ({kind}): {said}")))
        }
    }
}
