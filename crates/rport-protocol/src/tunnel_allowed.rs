//! The agent's rules about where tunnels may lead (`tunnel_allowed`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A list of allowed targets: `IP`, `CIDR`, `IP:port`, `CIDR:port`, `:port` or `port`.
///
/// Source: wire notes, section 11.4; golden: `remotes.json`, key `tunnel_allowed`. An empty list allows everything.
/// A rule without address matches every address (the Go example file claims only loopback; the code does not).
///
/// Differs from RPort: IPv6 is possible in brackets, `[fe80::/10]`, `[::1]:22`. RPort knows IPv4 only and refuses
/// such entries, so no rule that worked changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TunnelAllowed {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    net: Option<Net>,
    port: Option<u16>,
}

/// An address block; the address is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Net {
    V4(u32, u32),
    V6(u128, u128),
}

impl TunnelAllowed {
    /// Parses the list.
    ///
    /// # Errors
    /// The first entry that is no rule. Texts are those of Go agents.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, TunnelAllowedError> {
        let rules = entries
            .iter()
            .map(|entry| parse_rule(entry.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// Tells whether there are no rules, so that everything is allowed. Go agents then do not even look at the
    /// address.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Tells whether a tunnel may lead to this address. A name must be resolved first, and **every** address it
    /// resolves to must be allowed.
    pub fn allows(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.rules.is_empty()
            || self.rules.iter().any(|rule| {
                rule.port.is_none_or(|wanted| wanted == port)
                    && rule.net.is_none_or(|net| net.contains(address))
            })
    }
}

impl Net {
    fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(net, mask), IpAddr::V4(address)) => address.to_bits() & mask == net,
            (Self::V6(net, mask), IpAddr::V6(address)) => address.to_bits() & mask == net,
            _ => false,
        }
    }

    fn parse(text: &str, v6: bool) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(bits.parse::<u32>().ok()?))
            }
            Some(_) => return None,
            None => (text, None),
        };
        if v6 {
            let address = address.parse::<Ipv6Addr>().ok()?.to_bits();
            let bits = bits.unwrap_or(128);
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits)?).unwrap_or(0);
            Some(Self::V6(address & mask, mask))
        } else {
            let address = address.parse::<Ipv4Addr>().ok()?.to_bits();
            let bits = bits.unwrap_or(32);
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0);
            Some(Self::V4(address & mask, mask))
        }
    }
}

fn parse_rule(entry: &str) -> Result<Rule, TunnelAllowedError> {
    if entry.is_empty() {
        return Err(TunnelAllowedError::Empty(entry.to_owned()));
    }
    if let Some(rule) = parse_ipv6_rule(entry) {
        return rule;
    }
    let net = |text: &str| Net::parse(text, false);
    match entry.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(TunnelAllowedError::Value(entry.to_owned())),
        Some(("", port)) => Ok(Rule {
            net: None,
            port: Some(parse_port(port)?),
        }),
        Some((range, port)) => {
            let net = net(range).ok_or_else(|| TunnelAllowedError::Range(range.to_owned()))?;
            Ok(Rule {
                net: Some(net),
                port: Some(parse_port(port)?),
            })
        }
        None => match net(entry) {
            Some(net) => Ok(Rule {
                net: Some(net),
                port: None,
            }),
            None if entry.contains(['.', '/']) => Err(TunnelAllowedError::Range(entry.to_owned())),
            None => Ok(Rule {
                net: None,
                port: Some(parse_port(entry)?),
            }),
        },
    }
}

/// `None` means that the entry has no brackets, and other rules apply.
fn parse_ipv6_rule(entry: &str) -> Option<Result<Rule, TunnelAllowedError>> {
    let (range, rest) = entry.strip_prefix('[')?.split_once(']')?;
    // The prefix length may stand inside the brackets or behind them.
    let (range, rest) = match rest.strip_prefix('/') {
        Some(bits) => {
            let (bits, rest) = bits.split_at(bits.find(':').unwrap_or(bits.len()));
            (format!("{range}/{bits}"), rest)
        }
        None => (range.to_owned(), rest),
    };
    let Some(net) = Net::parse(&range, true) else {
        return Some(Err(TunnelAllowedError::Range(range)));
    };
    Some(match rest.strip_prefix(':') {
        Some(port) => parse_port(port).map(|port| Rule {
            net: Some(net),
            port: Some(port),
        }),
        None if rest.is_empty() => Ok(Rule {
            net: Some(net),
            port: None,
        }),
        None => Err(TunnelAllowedError::Value(entry.to_owned())),
    })
}

fn parse_port(text: &str) -> Result<u16, TunnelAllowedError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| TunnelAllowedError::Port(text.to_owned()))
}

/// An entry that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TunnelAllowedError {
    /// An empty entry.
    #[error("empty value not allowed: {0:?}")]
    Empty(String),
    /// Too many colons.
    #[error("invalid value: {0:?}")]
    Value(String),
    /// The address part is neither an address nor a block.
    #[error("invalid ip range: {0:?}")]
    Range(String),
    /// The port is no number from 0 to 65535.
    #[error("invalid port: {0:?}")]
    Port(String),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::split_host_port;

    /// What a Go agent does with `check_tunnel_allowed`, for literal addresses.
    fn check(entries: &[&str], remote: &str) -> Result<bool, String> {
        let rules = TunnelAllowed::parse(entries).map_err(|error| error.to_string())?;
        if rules.is_empty() {
            return Ok(true);
        }
        let (host, port) = split_host_port(remote).map_err(|error| error.to_string())?;
        Ok(rules.allows(host.parse().expect("address"), port.parse().expect("port")))
    }

    #[test]
    fn decides_every_recorded_case_as_go_does() {
        let golden: Value = serde_json::from_str(include_str!("golden/remotes.json")).expect("golden");
        for case in golden["tunnel_allowed"].as_array().expect("list") {
            let entries: Vec<&str> = case["tunnel_allowed"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|e| e.as_str().expect("text"))
                .collect();
            let result = check(&entries, case["remote"].as_str().expect("remote"));
            match case.get("error") {
                Some(error) => assert_eq!(result.expect_err("error").as_str(), error, "{case}"),
                None => assert_eq!(result.expect("verdict"), case["allowed"], "{case}"),
            }
        }
    }

    #[test]
    fn bracketed_ipv6() {
        assert_eq!(check(&["[::1]"], "[::1]:22"), Ok(true));
        assert_eq!(check(&["[::1]:22"], "[::1]:23"), Ok(false));
        assert_eq!(check(&["[fe80::/10]"], "[fe80::5]:1"), Ok(true));
        assert_eq!(check(&["[fe80::]/10:22"], "[fe80::5]:22"), Ok(true));
        assert_eq!(check(&["[fe80::/10]"], "127.0.0.1:1"), Ok(false));
        assert!(check(&["[::1]x"], "[::1]:1").is_err());
        assert!(check(&["[1.2.3.4]"], "[::1]:1").is_err());
        assert!(check(&["[::1/129]"], "[::1]:1").is_err());
    }

    #[test]
    fn mapped_addresses_count_as_ipv4() {
        assert_eq!(check(&["127.0.0.0/8"], "[::ffff:127.0.0.1]:22"), Ok(true));
    }

    proptest! {
        #[test]
        fn any_entry_is_read_or_refused(entry in "\\PC{0,20}|[0-9a-f:./\\[\\]]{0,24}", ip: IpAddr, port: u16) {
            if let Ok(rules) = TunnelAllowed::parse(&[entry]) {
                rules.allows(ip, port);
            }
        }

        #[test]
        fn an_address_matches_its_own_block(ip: std::net::Ipv4Addr, bits in 0..=32u8, port: u16) {
            let rules = TunnelAllowed::parse(&[format!("{ip}/{bits}:{port}")]).expect("rule");
            prop_assert!(rules.allows(ip.into(), port));
            prop_assert!(!rules.allows(ip.into(), port.wrapping_add(1)));
        }
    }
}
