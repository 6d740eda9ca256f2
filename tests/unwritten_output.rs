//! What commands do where their output cannot be written, and where what they would write is in the way.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use crate::support::rules::{message, two};
use crate::support::{Folder, Router, Upstream, program, refusing};

/// Runs a command to its end: exit code, standard output, standard error.
fn ended(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Every command that says something and ends, but those that ask a router.
const ALONE: [&[&str]; 16] = [
    &["--help"],
    &["--version"],
    &["help", "check"],
    &["check", "--help"],
    &["check"],
    &["check", "--json"],
    &["test"],
    &["test", "--list"],
    &["test", "--json"],
    &["schema"],
    &["schema", "mapping"],
    &["init", "here"],
    &["init", "--all", "there"],
    &["map", "--mapping", "mapping.yaml", "--request", "request.json"],
    &["explain", "--provider", "deepseek", "--status", "429"],
    &["explain", "--order", "--model", "m"],
];

/// Those that do.
const ASKING: [&[&str]; 6] = [
    &["status"],
    &["status", "--json"],
    &["switch", "second"],
    &["switch", "auto", "--json"],
    &["reload"],
    &["health"],
];

async fn router() -> (Router, Upstream, tokio::net::TcpSocket) {
    let first = Upstream::always(message("hello")).await;
    let (second, port) = refusing();
    (Router::start(two(&first.url(), &second)).await, first, port)
}

fn folder() -> Folder {
    let folder = Folder::new();
    let mapping = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/mappings/anthropic.messages--openai.chat.yaml");
    folder.write("mapping.yaml", &std::fs::read_to_string(mapping).unwrap());
    folder
        .write("request.json", r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#);
    folder
}

/// Puts something in the place of a file.
#[cfg(unix)]
type Make<'m> = &'m dyn Fn(&std::path::Path);

/// What each command comes to with this standard output.
async fn each(output: impl Fn() -> Stdio, mut judge: impl FnMut(&[&str], i32, &str, &str)) {
    let (folder, (router, _first, _port)) = (folder(), router().await);
    for arguments in ALONE.iter().chain(&ASKING) {
        let mut command = program(folder.path());
        command.env("RULEGATE_URL", router.url()).args(*arguments);
        let (usual, said, err) = ended(&mut command);
        // What goes to standard error is complete, whatever becomes of the other.
        let is_fine = !said.is_empty() && (usual == 0 || arguments[0] == "explain");
        assert!(is_fine, "{arguments:?} ends with {usual} by itself: {said}{err}");
        let (code, _, after) = ended(command.stdout(output()));
        let more = after.strip_prefix(err.as_str()).unwrap_or(&after);
        judge(arguments, code, if code == usual { "as usual" } else { "otherwise" }, more);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_an_error_of_every_command() {
    let full = || File::options().write(true).open("/dev/full").unwrap().into();
    each(full, |arguments, code, _, more| {
        let told = "rulegate: the standard output cannot be written: No space left on device (os error 28)\n";
        assert_eq!((code, more), (2, told), "{arguments:?}");
    })
    .await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_seen_enough_is_no_error_of_any_command() {
    let closed = || std::io::pipe().unwrap().1.into();
    each(closed, |arguments, _, how, more| assert_eq!((how, more), ("as usual", ""), "{arguments:?}")).await;
}

#[cfg(unix)]
#[test]
fn what_is_in_the_way_of_init_is_an_error_and_nothing_is_written_over() {
    let cases: [(&str, Make<'_>); 4] = [
        ("a folder", &|path| std::fs::create_dir_all(path).unwrap()),
        ("something that is no file", &|path| std::os::unix::fs::symlink("/dev/null", path).unwrap()),
        ("a folder", &|path| std::os::unix::fs::symlink("/", path).unwrap()),
        ("a link that leads nowhere", &|path| std::os::unix::fs::symlink("nowhere", path).unwrap()),
    ];
    for name in ["rules.yaml", "schemas/rules.schema.json"] {
        for (what, make) in cases {
            let folder = Folder::new();
            let path = folder.path().join("here").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            make(&path);
            let (code, out, err) = ended(program(folder.path()).args(["init", "here"]));
            assert_eq!(code, 2, "{what}: {out}{err}");
            assert!(err.contains(&format!("here/{name}: there is {what} of this name")), "{what}: {err}");
            assert!(!folder.path().join("here/nowhere").exists());
        }
    }
    // A link to a file is somebody's own rules.
    let folder = Folder::new();
    folder.write("own.yaml", "providers: {}\n");
    std::os::unix::fs::symlink("own.yaml", folder.path().join("rules.yaml")).unwrap();
    let (code, out, err) = ended(program(folder.path()).args(["init", "."]));
    assert!(code == 0 && out.contains("./rules.yaml is there already"), "{out}{err}");
    assert_eq!(folder.read("own.yaml"), "providers: {}\n");
    // Nor can anything be written where a file is taken for a folder.
    let (code, _, err) = ended(program(folder.path()).args(["init", "own.yaml"]));
    assert!(code == 2 && err.contains("own.yaml"), "{err}");
}
