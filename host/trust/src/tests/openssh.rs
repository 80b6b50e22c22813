//! The real `ssh-keygen` and `ssh-agent`, both ways.
#![cfg_attr(test, expect(clippy::disallowed_methods, reason = "it starts what a person would start"))]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ssh_key::private::{KeypairData, SkEd25519};
use ssh_key::{LineEnding, PrivateKey};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::hardware;
use super::world::{World, private};
use crate::{Key, Kind, SignError, Signed, Signer, file};

const PASSPHRASE: &str = "correct horse";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn run(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// A key that `ssh-keygen` makes, with this passphrase.
fn make_key(folder: &TempDir, kind: &str, passphrase: &str) -> PathBuf {
    let path = folder.path().join(kind);
    assert!(run(Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(&path)));
    path
}

fn public(path: &Path) -> Key {
    std::fs::read_to_string(path.with_extension("pub")).unwrap().parse().unwrap()
}

/// What a person does who has our documents and not our program.
pub(super) fn ssh_keygen_verifies(signed: &Signed, kind: Kind, key: &Key) -> bool {
    let folder = folder();
    let (statement, allowed) = (folder.path().join("statement"), folder.path().join("allowed"));
    file::write(&statement, signed).unwrap();
    std::fs::write(&allowed, format!("someone namespaces=\"remit-*@vnd.remit\" {key}\n")).unwrap();
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "verify", "-I", "someone", "-n", kind.namespace(), "-f"]).arg(allowed);
    command.arg("-s").arg(folder.path().join("statement.sig")).stdin(File::open(&statement).unwrap());
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

fn unsigned() -> Signed {
    Signed::new(World::new().said.signed().statement().to_vec(), Vec::new())
}

fn no_passphrase() -> std::io::Result<Zeroizing<String>> {
    panic!("nobody needs a passphrase")
}

#[test]
fn ssh_keygen_verifies_what_we_sign() {
    let folder = folder();
    let path = make_key(&folder, "ed25519", "");
    let mut signed = unsigned();
    signed.sign(&mut Signer::from_file(&path, no_passphrase).unwrap()).unwrap();
    assert!(ssh_keygen_verifies(&signed, Kind::Plugin, &public(&path)));
    assert!(!ssh_keygen_verifies(&signed, Kind::Approval, &public(&path)), "for another kind");
    let longer = Signed::new([signed.statement(), b" "].concat(), signed.signatures().to_vec());
    assert!(!ssh_keygen_verifies(&longer, Kind::Plugin, &public(&path)), "over other bytes");
}

#[test]
fn we_verify_what_ssh_keygen_signs() {
    let folder = folder();
    let path = make_key(&folder, "ed25519", "");
    let statement = folder.path().join("plugin.wasm.statement");
    std::fs::write(&statement, unsigned().statement()).unwrap();
    let sign = |namespace: &str| {
        let _ = std::fs::remove_file(folder.path().join("plugin.wasm.statement.sig"));
        let mut command = Command::new("ssh-keygen");
        assert!(run(command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(&path).arg(&statement)));
        file::read(&statement).unwrap().signers(Kind::Plugin)
    };
    assert_eq!(sign(Kind::Plugin.namespace()).keys, [public(&path)]);
    assert_eq!(sign("file").refused[0].code(), "other-namespace");
}

#[test]
fn a_passphrase_opens_a_key() {
    let folder = folder();
    let path = make_key(&folder, "ed25519", PASSPHRASE);
    let with = |passphrase: &str| Signer::from_file(&path, || Ok(Zeroizing::new(passphrase.to_owned())));
    let mut signed = unsigned();
    signed.sign(&mut with(PASSPHRASE).unwrap()).unwrap();
    assert!(ssh_keygen_verifies(&signed, Kind::Plugin, &public(&path)));
    assert!(matches!(with("wrong horse"), Err(SignError::Passphrase(_))));
}

#[test]
fn kinds_of_keys_that_do_not_count_sign_nothing() {
    let folder = folder();
    for kind in ["rsa", "ecdsa"] {
        let refused = Signer::from_file(&make_key(&folder, kind, ""), no_passphrase).err().unwrap();
        assert!(matches!(refused, SignError::Kind(_)), "{refused}");
        assert!(refused.to_string().contains("ssh-keygen -t ed25519"), "{refused}");
    }
    let (path, no_key) = (folder.path().join("sk"), folder.path().join("no-key"));
    let public = hardware::key().data().sk_ed25519().unwrap().clone();
    let handle = KeypairData::SkEd25519(SkEd25519::new(public, 1, vec![1, 2, 3]).unwrap());
    let handle = PrivateKey::new(handle, "").unwrap().to_openssh(LineEnding::LF).unwrap();
    std::fs::write(&path, handle).unwrap();
    assert!(matches!(Signer::from_file(&path, no_passphrase), Err(SignError::Hardware(_))));
    std::fs::write(&no_key, "x").unwrap();
    assert!(matches!(Signer::from_file(&no_key, no_passphrase), Err(SignError::NotAKeyFile { .. })));
}

#[test]
fn of_several_signers_each_is_verified_by_itself() {
    let mut signed = unsigned();
    for holder in ["remit", "other", "remit"] {
        let signature = super::world::sign(Kind::Plugin, signed.statement(), holder);
        let signatures = [signed.signatures(), &[signature]].concat();
        signed = Signed::new(signed.statement().to_vec(), signatures);
    }
    let (one, two) = (super::world::key("remit"), super::world::key("other"));
    assert_eq!(signed.signers(Kind::Plugin).keys, [one.clone(), two.clone()], "each once");
    let folder = folder();
    let path = folder.path().join("statement");
    file::write(&path, &signed).unwrap();
    assert_eq!(file::read(&path).unwrap(), signed, "several in one `.sig`");
    std::fs::write(folder.path().join("one"), signed.to_text()).unwrap();
    assert_eq!(file::read(&folder.path().join("one")).unwrap(), signed, "or behind the statement");
    assert!(ssh_keygen_verifies(&signed, Kind::Plugin, &one), "it reads the first");
    let second = Signed::new(signed.statement().to_vec(), signed.signatures()[1..].to_vec());
    assert!(ssh_keygen_verifies(&second, Kind::Plugin, &two));
}

/// An `ssh-agent` of this test's own.
struct Agent {
    child: Child,
    socket: PathBuf,
    _folder: TempDir,
}

impl Agent {
    fn start() -> Self {
        let folder = folder();
        let socket = folder.path().join("agent");
        let mut command = Command::new("ssh-agent");
        let child = command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let due = Instant::now() + Duration::from_secs(10);
        while !socket.exists() {
            assert!(Instant::now() < due, "ssh-agent has no socket");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { child, socket, _folder: folder }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_key_in_an_agent_signs_without_being_read() {
    let (agent, folder) = (Agent::start(), folder());
    let path = make_key(&folder, "ed25519", "");
    let key = public(&path);
    assert!(run(Command::new("ssh-add").arg("-q").arg(&path).env("SSH_AUTH_SOCK", &agent.socket)));
    std::fs::remove_file(&path).unwrap();
    let mut signed = unsigned();
    signed.sign(&mut Signer::from_agent(&agent.socket, key.clone())).unwrap();
    assert!(ssh_keygen_verifies(&signed, Kind::Plugin, &key));
    let stranger = Key::new(private("stranger").public_key().key_data().clone()).unwrap();
    let refused = signed.sign(&mut Signer::from_agent(&agent.socket, stranger));
    assert!(matches!(refused, Err(SignError::Agent { .. })), "a key that it does not have");
    assert_eq!(signed.signatures().len(), 1);
}

/// An agent that has the authenticator, which answers with these flags.
fn agent_with_hardware(flags: u8) -> (PathBuf, TempDir) {
    let folder = folder();
    let socket = folder.path().join("agent");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let take = |stream: &mut UnixStream| {
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut bytes).unwrap();
            bytes
        };
        let request = take(&mut stream);
        assert_eq!(request[0], 13, "a request to sign");
        let length = |at: usize| u32::from_be_bytes(request[at..at + 4].try_into().unwrap()) as usize;
        let data = 1 + 4 + length(1);
        let data = &request[data + 4..data + 4 + length(data)];
        let prefixed = |bytes: &[u8]| [&(u32::try_from(bytes.len()).unwrap()).to_be_bytes(), bytes].concat();
        let assertion = hardware::assertion(data, flags, flags);
        let (signature, told) = assertion.split_at(64);
        let signature = [prefixed(b"sk-ssh-ed25519@openssh.com"), prefixed(signature), told.to_vec()].concat();
        stream.write_all(&prefixed(&[&[14], &*prefixed(&signature)].concat())).unwrap();
    });
    (socket, folder)
}

#[test]
fn a_hardware_key_signs_through_an_agent_where_somebody_touches_it() {
    let sign = |flags: u8| {
        let (socket, _folder) = agent_with_hardware(flags);
        let mut signed = unsigned();
        signed.sign(&mut Signer::from_agent(&socket, hardware::key())).map(|()| signed)
    };
    assert!(ssh_keygen_verifies(&sign(1).unwrap(), Kind::Plugin, &hardware::key()));
    let refused = sign(0).unwrap_err();
    assert!(matches!(refused, SignError::Refused(crate::Refusal::NoTouch { .. })), "{refused}");
}
