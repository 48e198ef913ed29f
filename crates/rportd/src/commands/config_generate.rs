//! `rportd config generate`.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rport_runtime::rng;

use crate::cli::Generate;

/// Writes a configuration with fresh secrets, readable only for the current user, and tells on `out` what to do next.
/// The secrets themselves are only in the file.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn run(options: &Generate, out: &mut impl Write) -> io::Result<()> {
    let output = &options.output;
    let named = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let text = format!(
                "{} exists already; remove it or choose another file with --output",
                output.display()
            );
            io::Error::new(error.kind(), text)
        }
        kind => io::Error::new(kind, format!("cannot write {}: {error}", output.display())),
    };
    let beside = output.parent().unwrap_or(Path::new("")).join("rport-data");
    let data_dir = std::path::absolute(options.data_dir.as_ref().unwrap_or(&beside)).map_err(named)?;
    let text = render(options, &data_dir);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(output)
        .map_err(named)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(named)?;
    let output = output.display();
    writeln!(
        out,
        "{output} is written; only you can read it. It holds the only copy of its secrets."
    )?;
    writeln!(out, "Check it:         rportd -c {output} config check")?;
    writeln!(out, "Start the server: rportd -c {output}")?;
    writeln!(
        out,
        "Log in as:        admin, with the password behind \"admin:\" in [api] auth"
    )?;
    writeln!(
        out,
        "Start an agent:   rport --auth \"$(sed -n 's/^auth = \"\\(agent:.*\\)\"/\\1/p' {output})\" SERVER:PORT"
    )
}

fn render(options: &Generate, data_dir: &Path) -> String {
    let quoted = |text: &str| toml_edit::Value::from(text).to_string();
    let secret = || rng::alphanumeric(32);
    format!(
        "# Written by \"rportd config generate\". examples/rportd.conf explains every key.\n\
         \n\
         [server]\n\
         address = {address}\n\
         # The host key is made from this: keep it, or agents that pin the fingerprint stay away.\n\
         key_seed = {key_seed}\n\
         # What agents log in with.\n\
         auth = {agent}\n\
         # For credentials in a file or a table: hashed, and each client id stays with its own.\n\
         auth_hash = \"argon2id\"\n\
         client_id_binding = \"enforce\"\n\
         data_dir = {data_dir}\n\
         \n\
         [api]\n\
         # Plain HTTP: keep it on this machine, behind a TLS proxy, or set cert_file and key_file.\n\
         address = {api_address}\n\
         auth = {admin}\n\
         jwt_secret = {jwt_secret}\n\
         # For users in tables.\n\
         password_hash = \"argon2id\"\n\
         \n\
         [vault]\n\
         # Costs whoever copies the file for each guess; the Go server cannot open such a vault.\n\
         key_derivation = \"argon2id\"\n\
         \n\
         [logging]\n\
         log_level = \"info\"\n",
        address = quoted(&options.address),
        key_seed = quoted(&secret()),
        agent = quoted(&format!("agent:{}", secret())),
        data_dir = quoted(&data_dir.display().to_string()),
        api_address = quoted(&options.api_address),
        admin = quoted(&format!("admin:{}", secret())),
        jwt_secret = quoted(&rng::alphanumeric(48)),
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use rport_runtime::toml_config::Document;

    use super::*;
    use crate::config::{Config, Source};

    #[test]
    fn writes_a_private_file_that_starts_a_server_and_never_overwrites() {
        let folder = tempfile::tempdir().expect("folder");
        let output = folder.path().join("a \"b\".conf");
        let options = Generate {
            output: output.clone(),
            data_dir: None,
            address: "127.0.0.1:0".to_owned(),
            api_address: "127.0.0.1:1".to_owned(),
        };
        let mut out = Vec::new();
        run(&options, &mut out).expect("written");
        let mode = fs::metadata(&output).expect("exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (config, report) = Config::read(Document::load(&output).expect("sound"));
        assert!(
            report.errors.is_empty() && report.warnings.is_empty(),
            "{report:?}"
        );
        let config = config.expect("no errors");
        assert_eq!(config.server.data_dir, folder.path().join("rport-data"));
        assert_eq!(config.server.key_seed.expose().len(), 32);
        assert_eq!(
            config.vault.key_derivation,
            rport_server::VaultKeyDerivation::Argon2id
        );
        let Source::Pair(agent) = config.client_auth else {
            panic!("a pair")
        };
        assert!(
            !String::from_utf8(out)
                .expect("text")
                .contains(agent.password.expose())
        );
        let error = run(&options, &mut Vec::new()).expect_err("exists").to_string();
        assert!(error.contains("exists already"), "{error}");
    }
}
