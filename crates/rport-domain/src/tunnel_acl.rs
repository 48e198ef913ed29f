//! Who may visit a tunnel.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv4Net};

/// A list of addresses and blocks, IPv4 or IPv6. An empty list is not an ACL but the absence of one.
///
/// Source: wire notes, section 11.3; golden: `remotes.json`, key `tunnel_acl`. `Display` gives back the text it was
/// parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelAcl {
    nets: Vec<IpNet>,
    text: String,
}

impl TunnelAcl {
    /// Parses an optional text; none and the empty text mean that everyone may visit.
    ///
    /// # Errors
    /// As [`FromStr`].
    pub fn parse(text: Option<&str>) -> Result<Option<Self>, TunnelAclError> {
        text.filter(|text| !text.is_empty()).map(str::parse).transpose()
    }

    /// Tells whether a visitor from this address may enter. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.nets.iter().any(|net| net.contains(&address))
    }

    /// Returns the blocks; a single address is a block of one.
    pub fn nets(&self) -> &[IpNet] {
        &self.nets
    }

    /// Returns the text it was parsed from.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for TunnelAcl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Entries are separated by commas, without blanks.
impl FromStr for TunnelAcl {
    type Err = TunnelAclError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let nets = text.split(',').map(parse_entry).collect::<Result<_, _>>()?;
        Ok(Self {
            nets,
            text: text.to_owned(),
        })
    }
}

fn parse_entry(entry: &str) -> Result<IpNet, TunnelAclError> {
    let net = match entry.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => entry
            .parse::<IpNet>()
            .map_err(|_| TunnelAclError::Invalid(entry.to_owned()))?,
    };
    let net = unmapped(net);
    let address = net.addr();
    if address.is_unspecified() || net.prefix_len() == 0 {
        return Err(TunnelAclError::Everyone(address));
    }
    Ok(net.trunc())
}

/// Visitors from addresses mapped into IPv6 count as IPv4, so blocks of such addresses must, too.
fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let bits = v6.prefix_len().checked_sub(96);
    let mapped = v6
        .addr()
        .to_ipv4_mapped()
        .zip(bits)
        .and_then(|(v4, bits)| Ipv4Net::new(v4, bits).ok());
    mapped.map_or(net, IpNet::V4)
}

/// An entry that is no address, or one that would make the list pointless. The texts are those of Go servers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TunnelAclError {
    /// Neither an address nor a block.
    #[error("invalid IP addr: {0}")]
    Invalid(String),
    /// The unspecified address, with or without prefix length, or a block of all addresses.
    #[error("{0} would allow access to everyone. If that's what you want, do not set the ACL")]
    Everyone(IpAddr),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn decides_every_recorded_case_as_go_does() {
        let golden: Value =
            serde_json::from_str(include_str!("../../rport-protocol/src/golden/remotes.json"))
                .expect("golden");
        for case in golden["tunnel_acl"].as_array().expect("list") {
            let acl = TunnelAcl::parse(case["acl"].as_str());
            if let Some(error) = case.get("error") {
                assert_eq!(acl.expect_err("error").to_string().as_str(), error, "{case}");
                continue;
            }
            let acl = acl.expect("acl");
            let nets = acl
                .iter()
                .flat_map(TunnelAcl::nets)
                .map(ToString::to_string)
                .collect::<Vec<_>>();
            assert_eq!(
                serde_json::json!(acl.is_some().then_some(nets)),
                case["nets"],
                "{case}"
            );
            for (address, allowed) in case["checks"].as_object().into_iter().flatten() {
                let verdict = acl
                    .as_ref()
                    .expect("acl")
                    .allows(address.parse().expect("address"));
                assert_eq!(allowed, verdict, "{address} in {case}");
            }
        }
    }

    #[test]
    fn mapped_addresses_count_as_ipv4() {
        for acl in ["::ffff:10.0.0.0/104", "::ffff:10.1.2.3"] {
            let acl: TunnelAcl = acl.parse().expect(acl);
            assert!(acl.allows("10.1.2.3".parse().expect("address")), "{acl}");
            assert!(!acl.allows("11.1.2.3".parse().expect("address")), "{acl}");
        }
    }

    #[test]
    fn blocks_of_all_addresses_are_refused() {
        for acl in [
            "10.0.0.0/0",
            "2001:db8::/0",
            "::ffff:0.0.0.0",
            "::ffff:10.0.0.0/96",
        ] {
            let error = acl.parse::<TunnelAcl>().expect_err(acl);
            assert!(matches!(error, TunnelAclError::Everyone(_)), "{acl}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}|[0-9a-f:./,]{0,40}", address: IpAddr) {
            if let Ok(acl) = text.parse::<TunnelAcl>() {
                acl.allows(address);
                prop_assert_eq!(acl.to_string(), text);
            }
        }
    }
}
