//! The text of the unit file.

use super::{ServiceDefinition, ServiceError};

/// Renders the unit. The paths and the user must be one line each.
///
/// The start limits, restart rule, environment file and open-file limit are those of the units the Go programs write
/// (reference `config.md`, sections 5.4 and 10). Differs from RPort: privileged ports work without `setcap` when the
/// definition asks for them, `systemctl reload` sends SIGHUP, and the unit waits for the network.
///
/// # Errors
/// [`ServiceError::BadValue`] when a value holds a control character.
pub fn render(service: &ServiceDefinition) -> Result<String, ServiceError> {
    let executable = text_of(&service.executable, "the path of the program")?;
    let config = text_of(&service.config, "the path of the configuration file")?;
    if service.user.is_empty()
        || service
            .user
            .contains(|c: char| c.is_control() || c.is_whitespace())
    {
        return Err(ServiceError::BadValue("the service user"));
    }
    let mut lines = vec![
        "[Unit]".to_owned(),
        format!("Description={}", service.description),
        format!("ConditionFileIsExecutable={}", executable.replace('%', "%%")),
        "After=network.target network-online.target".to_owned(),
        "Wants=network-online.target".to_owned(),
        "StartLimitIntervalSec=5".to_owned(),
        "StartLimitBurst=10".to_owned(),
        String::new(),
        "[Service]".to_owned(),
    ];
    if service.notifies {
        lines.push("Type=notify".to_owned());
    }
    lines.extend([
        format!("ExecStart={} \"-c\" {}", quoted(&executable), quoted(&config)),
        "ExecReload=/bin/kill -HUP $MAINPID".to_owned(),
        format!("User={}", service.user.replace('%', "%%")),
        format!("EnvironmentFile=-/etc/sysconfig/{}", service.name),
        "Restart=always".to_owned(),
        "RestartSec=120".to_owned(),
    ]);
    if let Some(limit) = service.open_files {
        lines.push(format!("LimitNOFILE={limit}"));
    }
    if service.privileged_ports {
        lines.push("AmbientCapabilities=CAP_NET_BIND_SERVICE".to_owned());
    }
    lines.extend([
        String::new(),
        "[Install]".to_owned(),
        "WantedBy=multi-user.target".to_owned(),
        String::new(),
    ]);
    Ok(lines.join("\n"))
}

fn text_of(path: &std::path::Path, what: &'static str) -> Result<String, ServiceError> {
    let text = path.to_str().ok_or(ServiceError::BadValue(what))?;
    if text.is_empty() || text.contains(char::is_control) {
        return Err(ServiceError::BadValue(what));
    }
    Ok(text.to_owned())
}

/// Quotes a word of a command line; `%` and `$` mean something to systemd inside quotes too.
fn quoted(text: &str) -> String {
    let text = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%")
        .replace('$', "$$");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> ServiceDefinition {
        ServiceDefinition {
            name: "rport",
            description: "RPort agent",
            executable: "/usr/local/bin/rport".into(),
            config: "/etc/rport/rport.conf".into(),
            user: "rport".to_owned(),
            open_files: None,
            notifies: false,
            privileged_ports: false,
        }
    }

    #[test]
    fn the_unit_has_the_known_directives() {
        let text = render(&service()).expect("sound");
        for line in [
            "Description=RPort agent",
            "ConditionFileIsExecutable=/usr/local/bin/rport",
            "StartLimitIntervalSec=5",
            "StartLimitBurst=10",
            "ExecStart=\"/usr/local/bin/rport\" \"-c\" \"/etc/rport/rport.conf\"",
            "User=rport",
            "EnvironmentFile=-/etc/sysconfig/rport",
            "Restart=always",
            "RestartSec=120",
            "WantedBy=multi-user.target",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is missing in\n{text}"
            );
        }
        for word in ["LimitNOFILE", "AmbientCapabilities", "Type="] {
            assert!(!text.contains(word), "{text}");
        }
        let server = ServiceDefinition {
            open_files: Some(1_048_576),
            notifies: true,
            privileged_ports: true,
            ..service()
        };
        let text = render(&server).expect("sound");
        for line in [
            "LimitNOFILE=1048576",
            "AmbientCapabilities=CAP_NET_BIND_SERVICE",
            "Type=notify",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is missing in\n{text}"
            );
        }
    }

    #[test]
    fn odd_paths_are_quoted_and_impossible_ones_refused() {
        let odd = ServiceDefinition {
            config: "/etc/my \"conf\"/100%/$x\\y".into(),
            ..service()
        };
        let text = render(&odd).expect("sound");
        assert!(text.contains(r#""-c" "/etc/my \"conf\"/100%%/$$x\\y""#), "{text}");
        let forged = ServiceDefinition {
            config: "/etc/x\nExecStartPre=/bin/evil".into(),
            ..service()
        };
        assert!(render(&forged).is_err());
        let forged = ServiceDefinition {
            user: "rport\nExecStartPre=/bin/evil".into(),
            ..service()
        };
        assert!(render(&forged).is_err());
    }
}
