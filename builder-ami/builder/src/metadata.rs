//! Whether what runs on this builder with the network can reach the machine's metadata service, and with it the machine's
//! credentials. Chroots with the network have the builder's own, so the builder sees what they would see.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};

use crate::{config::Ec2Settings, failure::TaskError};

/// Where EC2 has it.
const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254));
/// It is on the machine itself, and answers at once; what holds its packets back may drop them without a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Refuses to do something with the network where the service that the settings name can be reached.
///
/// # Errors
/// When it can.
pub(crate) async fn must_be_out_of_reach(settings: &Ec2Settings) -> Result<(), TaskError> {
    match within_reach(settings).await {
        None => Ok(()),
        Some(address) => Err(TaskError::Invalid(format!(
            "this builder does no tasks with the network: they would reach its machine's metadata service at {address}, and the \
             machine's credentials there. Run it by its systemd unit, or make the address unreachable ('ip route add unreachable {}'); \
             where notices are wanted, set ec2.by_unit",
            address.ip()
        ))),
    }
}

/// The first address of the service that can be reached, if any.
pub(crate) async fn within_reach(settings: &Ec2Settings) -> Option<SocketAddr> {
    let addresses = settings.metadata.as_deref().map(addresses).unwrap_or_default();
    let reached = futures::future::join_all(addresses.iter().map(|address| is_reached(*address))).await;
    addresses.into_iter().zip(reached).find(|(_, is_reached)| *is_reached).map(|(address, _)| address)
}

async fn is_reached(address: SocketAddr) -> bool {
    matches!(timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)))
}

/// The addresses behind the setting; for EC2's own, those of both protocols.
fn addresses(metadata: &str) -> Vec<SocketAddr> {
    let Some(url) = reqwest::Url::parse(metadata).ok() else { return Vec::new() };
    let port = url.port_or_known_default().unwrap_or(80);
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let hosts = match host.parse::<IpAddr>() {
        Ok(host) if [V4, V6].contains(&host) => vec![V4, V6],
        Ok(host) => vec![host],
        Err(_) => Vec::new(),
    };
    hosts.into_iter().map(|host| SocketAddr::new(host, port)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_of_ec2s_addresses() {
        let both = ["169.254.169.254:80", "[fd00:ec2::254]:80"].map(|address| address.parse().unwrap());
        assert_eq!(addresses("http://169.254.169.254"), both);
        assert_eq!(addresses("http://[fd00:ec2::254]/"), both);
        assert_eq!(addresses("http://127.0.0.1:7"), ["127.0.0.1:7".parse().unwrap()]);
        assert_eq!(addresses("http://elsewhere"), []);
    }

    #[tokio::test]
    async fn what_is_reached_is_refused() {
        let service = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = service.local_addr().unwrap();
        let settings = Ec2Settings { metadata: Some(format!("http://{address}")), ..Ec2Settings::default() };
        let refused = must_be_out_of_reach(&settings).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("service at {address}")), "{refused}");
        drop(service);
        must_be_out_of_reach(&settings).await.unwrap();
        must_be_out_of_reach(&Ec2Settings::default()).await.unwrap();
    }
}
