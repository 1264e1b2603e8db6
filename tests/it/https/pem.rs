//! PEM files as editors, shells and `cat` leave them.

use super::certificates::refused;
use super::{child, connect, serves};
use crate::support::Dir;
use crate::support::tls_client::{certified, flags};
use crate::support::tls_site::authority;
use std::process::Command;

const MARK: &str = "\u{feff}";

fn read(files: &Dir, name: &str) -> String {
    std::fs::read_to_string(files.path().join(name)).unwrap()
}

#[test]
fn a_byte_order_mark_does_no_harm() {
    let files = certified();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| read(&files, name));
    for change in [
        |text: &str| format!("{MARK}{text}"),
        |text: &str| format!("{MARK}{}", text.replace('\n', "\r\n")),
        |text: &str| format!("{MARK}{MARK}{text}{MARK}"),
        |text: &str| format!("{MARK}\n# a remark\n{text}"),
        |text: &str| format!("\n  {MARK}{text}"),
        |text: &str| text.replace('\n', "\r"),
    ] {
        files.write("cert.pem", change(&cert));
        files.write("key.pem", change(&key));
        serves(&mut connect(child(&files, &[]).address));
    }
}

#[test]
fn chain_survives_byte_order_marks_and_no_line_end() {
    let files = certified();
    let (cert, root) = (read(&files, "cert.pem"), authority().pem());
    for glue in [format!("\n{MARK}"), MARK.into(), "\r\n\u{feff}".into(), String::new(), " \n \t".into()] {
        for (one, other) in [(&cert, &root), (&cert, &cert)] {
            let both = format!("{MARK}{}{glue}{}", one.trim_end(), other.trim_end());
            files.write("cert.pem", &both);
            let child = child(&files, &[]);
            let shown = connect(child.address).stream.conn.peer_certificates().map(<[_]>::len);
            assert_eq!(shown, Some(2), "{glue:?}");
        }
    }
    // A section that is commented out stays out.
    let without: String = root.lines().map(|line| format!("# {line}\n")).collect();
    files.write("cert.pem", format!("{without}{cert}"));
    let child = child(&files, &[]);
    assert_eq!(connect(child.address).stream.conn.peer_certificates().map(<[_]>::len), Some(1));
}

#[test]
fn a_root_behind_a_mark_is_trusted() {
    let files = certified();
    let site = child(&files, &[]);
    let root = authority().pem();
    for (n, text) in
        [format!("{MARK}{root}"), format!("{root}{MARK}{root}"), root.replace('\n', "\r\n")].iter().enumerate()
    {
        files.write("ca.pem", text);
        let mut command = Command::new(crate::support::child::PROGRAM);
        let ca = files.path().join("ca.pem");
        command.args(["fetch", &format!("https://localhost:{}/plaintext", site.address.port())]);
        command.args(["--allow-private", "--ca-file", ca.to_str().unwrap()]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{n}: {said}");
    }
}

#[test]
fn text_in_utf_16_is_called_so() {
    let files = certified();
    let cert = read(&files, "cert.pem");
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        files.write(
            "cert.pem",
            "\u{feff}".encode_utf16().chain(cert.encode_utf16()).flat_map(bytes).collect::<Vec<u8>>(),
        );
        let (code, said) = refused(&flags(&files).each_ref().map(String::as_str));
        assert!(code == Some(1) && said.contains("cert.pem") && said.contains("UTF-16"), "{said}");
    }
}

#[test]
fn an_encrypted_key_is_called_encrypted() {
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0011\n\nAAAA\n\
               -----END RSA PRIVATE KEY-----\n";
    let new = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for text in [
        old.to_owned(),
        new.to_owned(),
        old.replace("RSA ", "EC "),
        old.replace('\n', "\r\n"),
        format!("{MARK}{old}"),
        format!("{MARK}{new}"),
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{old}"),
    ] {
        let files = certified();
        files.write("key.pem", &text);
        let (code, said) = refused(&flags(&files).each_ref().map(String::as_str));
        let says = said.contains("key.pem") && said.contains("is encrypted") && said.contains("openssl pkey");
        assert!(code == Some(1) && says && !said.contains("damaged") && said.lines().count() == 1, "{text}: {said}");
    }
    // One that is not encrypted is taken, whatever follows it.
    let files = certified();
    files.write("key.pem", format!("{}{new}", read(&files, "key.pem")));
    serves(&mut connect(child(&files, &[]).address));
}
