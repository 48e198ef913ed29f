//! `host:port` texts, joined and split as the Go standard library does.

/// Joins host and port; a host with a colon (IPv6) is bracketed.
pub fn join_host_port(host: &str, port: &str) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Splits `host:port`; an IPv6 host must be bracketed and comes back without brackets.
///
/// # Errors
/// A missing port, stray colons or brackets. The texts are those of Go peers, because old servers hand them on to
/// API users.
pub fn split_host_port(text: &str) -> Result<(&str, &str), HostPortError> {
    let fail = |problem| {
        Err(HostPortError {
            address: text.to_owned(),
            problem,
        })
    };
    let Some(colon) = text.rfind(':') else {
        return fail("missing port in address");
    };
    let (host, rest) = if let Some(inner) = text.strip_prefix('[') {
        let Some(end) = inner.find(']') else {
            return fail("missing ']' in address");
        };
        // `end` counts from behind the opening bracket.
        if end + 2 == text.len() {
            return fail("missing port in address");
        }
        if end + 2 != colon {
            let after = text.as_bytes()[end + 2];
            return fail(if after == b':' {
                "too many colons in address"
            } else {
                "missing port in address"
            });
        }
        (&inner[..end], &inner[end + 1..])
    } else {
        let host = &text[..colon];
        if host.contains(':') {
            return fail("too many colons in address");
        }
        (host, &text[colon..])
    };
    if host.contains('[') || rest.contains('[') {
        return fail("unexpected '[' in address");
    }
    if host.contains(']') || rest.contains(']') {
        return fail("unexpected ']' in address");
    }
    Ok((host, &text[colon + 1..]))
}

/// An address that does not split into host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPortError {
    /// The address as given.
    pub address: String,
    problem: &'static str,
}

impl std::fmt::Display for HostPortError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.address.is_empty() {
            write!(f, "address {}: ", self.address)?;
        }
        f.write_str(self.problem)
    }
}

impl std::error::Error for HostPortError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_what_go_splits() {
        assert_eq!(split_host_port("127.0.0.1:22"), Ok(("127.0.0.1", "22")));
        assert_eq!(split_host_port("[::1]:80"), Ok(("::1", "80")));
        assert_eq!(split_host_port("[fe80::1%eth0]:80"), Ok(("fe80::1%eth0", "80")));
        assert_eq!(split_host_port(":80"), Ok(("", "80")));
        assert_eq!(split_host_port("host:"), Ok(("host", "")));
    }

    #[test]
    fn names_the_problem_like_go() {
        for (input, problem) in [
            ("nohostport", "missing port in address"),
            ("[::1]", "missing port in address"),
            ("[::1", "missing ']' in address"),
            ("::1", "too many colons in address"),
            ("[::1]:80:81", "too many colons in address"),
            ("[::1]x:80", "missing port in address"),
            ("a[b:80", "unexpected '[' in address"),
            ("a]b:80", "unexpected ']' in address"),
        ] {
            let error = split_host_port(input).expect_err(input);
            assert_eq!(error.to_string(), format!("address {input}: {problem}"));
        }
        assert_eq!(
            split_host_port("").expect_err("empty").to_string(),
            "missing port in address"
        );
    }
}
