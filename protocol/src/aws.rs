//! How AWS is spoken to.

use aws_config::{BehaviorVersion, ConfigLoader};

/// What the environment says of AWS, for clients that speak TLS through ring. (AWS's own default of it is left out of our builds.)
pub fn from_environment() -> ConfigLoader {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
            aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http)
}
