use clap::CommandFactory;

use super::*;

#[track_caller]
fn parse(words: &str) -> Cli {
    let words = ["rportcli"].into_iter().chain(words.split_whitespace());
    Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refuse(words: &str) {
    let words = ["rportcli"].into_iter().chain(words.split_whitespace());
    assert_eq!(Cli::try_parse_from(words).expect_err("refused").exit_code(), 2);
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

/// Clap takes two arguments of the same name for one, even where one is global and the other is not.
#[test]
fn no_command_hides_a_global_option() {
    fn walk(command: &clap::Command, global: &[String], hidden: &mut Vec<String>) {
        for below in command.get_subcommands() {
            let own = below.get_arguments().map(|arg| arg.get_id().to_string());
            hidden.extend(
                own.filter(|id| global.contains(id))
                    .map(|id| format!("{} {id}", below.get_name())),
            );
            walk(below, global, hidden);
        }
    }
    // Not built, so that global options are at the top only.
    let command = Cli::command();
    let global: Vec<String> = command
        .get_arguments()
        .map(|arg| arg.get_id().to_string())
        .collect();
    let mut hidden = Vec::new();
    walk(&command, &global, &mut hidden);
    assert!(
        global.contains(&"token".to_owned()) && hidden.is_empty(),
        "{hidden:?}"
    );
}

#[test]
fn global_options_stand_anywhere() {
    for words in [
        "-o json --server http://x clients list",
        "clients list -o json --server http://x",
        "clients -o json list --server http://x",
    ] {
        let cli = parse(words);
        assert_eq!(cli.global.output, Some(Format::Json));
        assert_eq!(cli.global.server.as_deref(), Some("http://x"));
    }
}

#[test]
fn programs_get_their_own_options() {
    let Command::Ssh(ssh) = parse("ssh root@web -o StrictHostKeyChecking=no -v uptime").command else {
        panic!("ssh")
    };
    assert!(format!("{ssh:?}").contains(r#"["root@web", "-o", "StrictHostKeyChecking=no", "-v", "uptime"]"#));
    let Command::Scp(scp) = parse("scp -r -P 7 web:a b").command else {
        panic!("scp")
    };
    assert!(format!("{scp:?}").contains(r#"["-r", "-P", "7", "web:a", "b"]"#));
    parse("ssh --port 2222 web -- ls -l");
}

#[test]
fn the_old_vocabulary_is_understood() {
    for words in [
        "init -s http://localhost:3000 -l admin -p foobaz",
        "client list",
        "client list --search os_family=deb* --limit 10 --offset 5",
        "client get 8c3f",
        "client get -n web",
        "tunnel list -c 8c3f",
        "tunnel list -n web*",
        "tunnel create -c 8c3f -l 0.0.0.0:3394 -r 22 -s ssh --acl 10.1.2.3 -p 1",
        "tunnel create -n web -s ssh -b -lroot",
        "tunnel create -n web -r 22 --skip-idle-timeout -o json -j",
        "tunnel delete -c 8c3f -t 5 -f",
        "me -o human",
        "me -o yaml",
        "logout",
        "version",
    ] {
        parse(words);
    }
}

#[test]
fn mistakes_are_refused() {
    for words in [
        "",
        "nonsense",
        "clients get",
        "clients get a -n b",
        "clients list -o xml",
        "clients list --limit 5 --all",
        "clients wait web",
        "clients wait web --online --offline",
        "forward web",
        "forward web nonsense",
        "sessions kill",
        "sessions kill --all",
        "login --sso --password-stdin",
        "--timeout soon status",
    ] {
        refuse(words);
    }
}
