//! The program as installers, init systems and people meet it: words on the command line, exit codes, signals.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// Nothing here takes this long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(20);

fn rport(arguments: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rport"));
    command
        .args(arguments)
        .current_dir(dir)
        .env_remove("RPORT_AUTH")
        .env_remove("RPORT_FINGERPRINT")
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null());
    command
}

fn output(arguments: &[&str], dir: &Path) -> Output {
    rport(arguments, dir).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_version_is_the_second_word() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = output(&["--version"], dir.path());
    assert!(output.status.success());
    let line = text(&output.stdout);
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["version", rport_agent::VERSION]);
    assert!(words[1].split('.').count() >= 2, "not a dotted version");
}

#[test]
fn mistakes_are_named_once_and_exit_with_one() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(
        dir.path().join("bad.conf"),
        "[client]\nserver = 'h'\nallow_root = 'yes'\n",
    )
    .expect("written");
    for (arguments, expected) in [
        (&["--no-such-flag"][..], "unexpected argument '--no-such-flag'"),
        (
            &[][..],
            "config validation failed: key 'client.server': server address is required",
        ),
        (
            &["-c", "missing.conf"][..],
            "invalid config: error reading config file: missing.conf: ",
        ),
        (
            &["-c", "bad.conf"][..],
            "invalid config: bad.conf:3: key 'client.allow_root': ",
        ),
        (
            &["--service", "restart"][..],
            "Unknown service command \"restart\"",
        ),
        (
            &["--service", "install"][..],
            "--service install needs a configuration file",
        ),
        (
            &["h", "--keepalive", "3"][..],
            "--keepalive (key 'connection.keep_alive'): ",
        ),
    ] {
        let output = output(arguments, dir.path());
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {complaint}");
        assert_eq!(
            complaint.matches(expected).count(),
            1,
            "{arguments:?}: {complaint}"
        );
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn root_is_refused_unless_allowed() {
    if !geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let output = output(&["127.0.0.1:1", "--max-retry-count", "0"], dir.path());
    assert_eq!(output.status.code(), Some(1));
    let complaint = text(&output.stderr);
    assert!(
        complaint.starts_with("root check failed: by default running as root is not allowed"),
        "{complaint}"
    );
}

/// Starts an agent for a server, allowed to be root, with a data directory of its own.
fn start(server: &str, more: &[&str], dir: &Path) -> Child {
    let data_dir = dir.join("data").display().to_string();
    let mut arguments = vec![server, "--allow-root", "--data-dir", &data_dir];
    arguments.extend(more);
    rport(&arguments, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status;
        }
        if started.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("the program does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_child(child);
    kill_process(pid, signal).expect("sent to a child of ours");
}

#[test]
fn giving_up_is_a_failure() {
    let dir = tempfile::tempdir().expect("a directory");
    let nobody = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let mut child = start(&nobody.to_string(), &["--max-retry-count", "1"], dir.path());
    assert_eq!(wait(&mut child).code(), Some(1));
    let output = child.wait_with_output().expect("its output");
    let log = text(&output.stdout);
    assert!(
        log.contains(" error: client: Connection error: cannot connect to "),
        "{log}"
    );
    assert!(log.contains("(attempt: 1 of 1)"), "{log}");
    assert_eq!(text(&output.stderr), "max retries exceeded, giving up\n");
}

#[test]
fn signals_end_it_cleanly_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a directory");
    // It accepts connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = silent.local_addr().expect("an address").to_string();
    for last in [Signal::TERM, Signal::INT] {
        let mut child = start(&server, &[], dir.path());
        let mut log = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        while !line.contains("Trying to connect to") {
            line.clear();
            assert_ne!(log.read_line(&mut line).expect("a line"), 0, "the log ended");
        }
        for harmless in [Signal::HUP, Signal::USR1, Signal::USR2] {
            signal(&child, harmless);
        }
        while !line.contains("running tasks") {
            line.clear();
            assert_ne!(
                log.read_line(&mut line).expect("a line"),
                0,
                "a harmless signal ended it"
            );
        }
        signal(&child, last);
        assert_eq!(wait(&mut child).code(), Some(0), "{last:?}");
    }
}
