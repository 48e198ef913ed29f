//! What may run here: the local rules, which the server cannot change.

use rport_protocol::Job;

use crate::config::{AgentConfig, FilterOrder, Pattern, RemoteCommandsOptions};

/// Refuses everything while remote commands are switched off, scripts included.
pub(super) fn check_enabled(config: &AgentConfig) -> Result<(), String> {
    if config.remote_commands.enabled {
        Ok(())
    } else {
        Err("remote commands execution is disabled".to_owned())
    }
}

/// Holds a job against the rules. The texts are those of Go agents; their servers show them.
///
/// The patterns are for commands only. Whether something is a script is the server's word, which is why scripts
/// have a switch of their own that is off unless the owner of the machine turns it on.
pub(super) fn check(job: &Job, config: &AgentConfig) -> Result<(), String> {
    check_enabled(config)?;
    if job.is_script {
        return if config.remote_scripts_enabled {
            Ok(())
        } else {
            Err("remote scripts are disabled".to_owned())
        };
    }
    if is_allowed(&job.command, &config.remote_commands) {
        Ok(())
    } else {
        Err(format!("command is not allowed: {}", job.command))
    }
}

fn is_allowed(command: &str, rules: &RemoteCommandsOptions) -> bool {
    let matches = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.regex.is_match(command));
    match rules.order {
        FilterOrder::AllowDeny => matches(&rules.allow) && !matches(&rules.deny),
        FilterOrder::DenyAllow => matches(&rules.allow) || !matches(&rules.deny),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn config(sections: &str) -> AgentConfig {
        config::from_toml(&format!("[client]\nserver = 'unused'\n{sections}")).unwrap()
    }

    fn verdict(sections: &str, command: &str, is_script: bool) -> Result<(), String> {
        let job = Job {
            command: command.to_owned(),
            is_script,
            ..Job::default()
        };
        check(&job, &config(sections))
    }

    #[test]
    fn the_defaults_allow_plain_programs_of_the_system() {
        for (command, allowed) in [
            ("/usr/bin/id -u", true),
            ("/usr/local/bin/tool --x=1", true),
            (r"C:\Windows\System32\ipconfig /all", true),
            ("id", false),
            ("/bin/id", false),
            (" /usr/bin/id", false),
            ("/usr/bin/id | wc", false),
            ("/usr/bin/id > /tmp/x", false),
            ("/usr/bin/cat < /etc/passwd", false),
            ("/usr/bin/a;/usr/bin/b", false),
            ("/usr/bin/a,b", false),
            ("/usr/bin/a\n/usr/bin/b", false),
            ("/usr/bin/a & ", false),
            ("", false),
        ] {
            let expected = if allowed {
                Ok(())
            } else {
                Err(format!("command is not allowed: {command}"))
            };
            assert_eq!(verdict("", command, false), expected, "{command:?}");
        }
    }

    #[test]
    fn the_order_decides_what_matches_both_or_none() {
        let rules = |order: &str| {
            format!(
                "[remote-commands]\nallow = ['^both', '^allow']\ndeny = ['^both', '^deny']\norder = {order}"
            )
        };
        for (command, allow_deny, deny_allow) in [
            ("allow me", true, true),
            ("deny me", false, false),
            ("both", false, true),
            ("neither", false, true),
        ] {
            let got = |order| verdict(&rules(order), command, false).is_ok();
            assert_eq!(got("['allow','deny']"), allow_deny, "{command}");
            assert_eq!(got("['deny','allow']"), deny_allow, "{command}");
        }
    }

    #[test]
    fn empty_lists() {
        let rules = |order: &str| format!("[remote-commands]\nallow = []\ndeny = []\norder = {order}");
        assert!(verdict(&rules("['allow','deny']"), "x", false).is_err());
        assert!(verdict(&rules("['deny','allow']"), "x", false).is_ok());
    }

    #[test]
    fn patterns_are_searched_for_and_have_go_syntax() {
        let rules = r"
            [remote-commands]
            allow = ['uptime', '\Qa+b\E', '^\d+$', '(?i)^date$', '\<tag']
            deny = ['--force']";
        for (command, allowed) in [
            ("/sbin/uptime -p", true),
            ("a+b", true),
            ("aab", false),
            ("42", true),
            // Only ASCII digits are digits.
            ("٤٢", false),
            ("42\nrm", false),
            ("DATE", true),
            ("<tag", true),
            ("tag", false),
            ("uptime --force", false),
        ] {
            assert_eq!(verdict(rules, command, false).is_ok(), allowed, "{command:?}");
        }
    }

    #[test]
    fn scripts_have_a_switch_and_no_patterns() {
        let off = verdict("", "echo a; echo b", true);
        assert_eq!(off, Err("remote scripts are disabled".to_owned()));
        let on = "[remote-scripts]\nenabled = true";
        assert_eq!(verdict(on, "echo a; echo b", true), Ok(()));
        assert!(verdict(on, "echo a; echo b", false).is_err());
        let none = "[remote-commands]\nenabled = false";
        for is_script in [false, true] {
            assert_eq!(
                verdict(none, "/usr/bin/id", is_script),
                Err("remote commands execution is disabled".to_owned())
            );
        }
    }
}
