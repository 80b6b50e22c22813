//! Who we are to a registry: what `docker login` left, in its file or with a helper.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::Error;

/// The most bytes of docker's file: a login is some 100.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The most bytes that a helper answers: tokens of clouds have a few thousand.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// How long a helper may take: it may ask its person for a passphrase.
const HELPER_TIME: Duration = Duration::from_secs(60);
/// How often it is looked whether a helper has ended.
const HELPER_STEP: Duration = Duration::from_millis(10);
/// How long output is still read when a helper has ended: an agent that it left behind may hold the pipe.
const DRAIN: Duration = Duration::from_secs(2);
/// Docker's own registry.
const HUB: &str = concat!("docker", ".io");
/// A user of this name has a token for a password.
const TOKEN_USER: &str = "<token>";

/// What a registry is told of who asks.
#[derive(Clone)]
pub enum Credentials {
    /// Nothing.
    Anonymous,
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password, or a token in its place.
        password: Zeroizing<String>,
    },
    /// What a login was exchanged for: it is exchanged for short-lived ones in turn.
    IdentityToken(Zeroizing<String>),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Password { user, .. } => write!(f, "Password({user})"),
            Self::IdentityToken(_) => f.write_str("IdentityToken"),
        }
    }
}

/// Docker's configuration, as far as it is about credentials. It has much more in it, which is docker's.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DockerConfig {
    auths: HashMap<String, Auth>,
    /// By registry.
    cred_helpers: HashMap<String, String>,
    /// For all others.
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    /// `user:password`, in base64.
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl DockerConfig {
    /// Out of its file; where there is none, nobody has logged in.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let opened = match std::fs::File::open(file) {
            Ok(opened) => opened,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(Error::io(file)(error)),
        };
        let mut text = Zeroizing::new(Vec::new());
        opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(Error::io(file))?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(Error::TooLarge { what: file.display().to_string(), bytes_max: FILE_BYTES_MAX });
        }
        // What serde says of a wrong value may quote it.
        serde_json::from_slice(&text).map_err(|error| {
            let why = format!("line {}, column {}: this is not docker's config.json", error.line(), error.column());
            Error::io(file)(std::io::Error::new(ErrorKind::InvalidData, why))
        })
    }

    /// Who we are to this registry, such as `registry.example:5000`.
    pub fn of(&self, registry: &str) -> Result<Credentials, Error> {
        let bad = |why: String| Error::Credentials { registry: registry.to_owned(), why };
        let names = names(registry);
        let helper = names.iter().find_map(|name| self.cred_helpers.get(name));
        if let Some(helper) = helper.or(Some(&self.creds_store).filter(|store| !store.is_empty())) {
            let helper = program(helper).map_err(bad)?;
            for name in &names {
                if let Some(credentials) = ask(&helper, name, HELPER_TIME).map_err(bad)? {
                    return Ok(credentials);
                }
            }
        }
        match names.iter().find_map(|name| self.auths.get(name)) {
            Some(auth) => auth.read().map_err(bad),
            None => Ok(Credentials::Anonymous),
        }
    }
}

impl Auth {
    fn read(&self) -> Result<Credentials, String> {
        if !self.identitytoken.is_empty() {
            return Ok(Credentials::IdentityToken(Zeroizing::new(self.identitytoken.clone())));
        }
        if !self.username.is_empty() {
            return Ok(password(&self.username, &self.password));
        }
        if self.auth.is_empty() {
            // What `docker login` leaves where a helper has the rest.
            return Ok(Credentials::Anonymous);
        }
        let decoded = STANDARD.decode(&self.auth).ok().and_then(|decoded| String::from_utf8(decoded).ok());
        let decoded = Zeroizing::new(decoded.ok_or("`auth` in docker's config.json is not base64 of `user:password`")?);
        match decoded.split_once(':') {
            Some((user, word)) => Ok(password(user, word)),
            None => Err("`auth` in docker's config.json has no `:` in it".to_owned()),
        }
    }
}

fn password(user: &str, word: &str) -> Credentials {
    // Docker pads what it writes.
    let word = Zeroizing::new(word.trim_end_matches('\0').to_owned());
    match user {
        TOKEN_USER => Credentials::IdentityToken(word),
        _ => Credentials::Password { user: user.to_owned(), password: word },
    }
}

/// What a registry is called in docker's file: logins of all ages are there.
fn names(registry: &str) -> Vec<String> {
    let index = format!("index.{HUB}");
    if registry == HUB || registry == index {
        return vec![format!("https://{index}/v1/"), HUB.to_owned()];
    }
    let mut names = vec![registry.to_owned()];
    names.extend(
        ["https", "http"].iter().flat_map(|scheme| {
            ["", "/", "/v1/", "/v2/"].iter().map(move |path| format!("{scheme}://{registry}{path}"))
        }),
    );
    names
}

/// A helper is named by what comes after `docker-credential-`, and found where this person's programs are.
fn program(helper: &str) -> Result<PathBuf, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match !helper.is_empty() && helper.bytes().all(is_name) {
        true => Ok(PathBuf::from(format!("docker-credential-{helper}"))),
        false => Err(format!("`{helper}` in docker's config.json is no name of a credential helper")),
    }
}

/// Asks a helper. It is told the registry's name on its standard input, and nothing is ever said to a shell.
fn ask(program: &Path, registry: &str, time: Duration) -> Result<Option<Credentials>, String> {
    let of = |what: &str| format!("`{}` {what}", program.display());
    let mut helper = start(program).map_err(|error| of(&format!("cannot be started: {error}")))?;
    if let Some(mut input) = helper.stdin.take() {
        // One that has ended already says why below.
        let _ = input.write_all(registry.as_bytes());
    }
    // Read as it comes, or a helper that has much to say would wait for ever.
    let output = helper.stdout.take();
    let (answered, answer) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut answer = Zeroizing::new(Vec::new());
        let _ = output.map(|output| output.take(ANSWER_BYTES_MAX).read_to_end(&mut answer));
        let _ = answered.send(answer);
    });
    let is_found = wait(&mut helper, time).map_err(|why| of(&why))?;
    let answer = answer.recv_timeout(DRAIN).map_err(|_| of("left its standard output open"))?;
    if !is_found {
        return match String::from_utf8_lossy(&answer).contains("credentials not found") {
            true => Ok(None),
            // What it says may be the secret itself.
            false => Err(of("failed; run it by hand with `get` to see why")),
        };
    }
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|_| of("did not answer as a credential helper does"))?;
    Ok(Some(password(&answer.username, &Zeroizing::new(answer.secret))))
}

#[expect(clippy::disallowed_methods, reason = "a person's own program, which needs their session to reach their keys")]
fn start(program: &Path) -> std::io::Result<Child> {
    Command::new(program).arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()
}

/// Whether it ended well; it is killed when its time is up.
fn wait(helper: &mut Child, time: Duration) -> Result<bool, String> {
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        match helper.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) => thread::sleep(HELPER_STEP),
            Err(error) => return Err(error.to_string()),
        }
    }
    let _ = helper.kill();
    let _ = helper.wait();
    Err(format!("was killed: it did not answer within {} s", time.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> DockerConfig {
        serde_json::from_str(text).unwrap()
    }

    fn told(credentials: Credentials) -> String {
        match credentials {
            Credentials::Anonymous => "nobody".to_owned(),
            Credentials::Password { user, password } => format!("{user}:{}", *password),
            Credentials::IdentityToken(token) => format!("token {}", *token),
        }
    }

    #[test]
    fn logins_of_all_ages_are_found() {
        let of = |text: &str, registry: &str| config(text).of(registry).map(told).map_err(|error| error.to_string());
        let login = STANDARD.encode("me:se:cret\0\0");
        let text = format!(
            r#"{{"auths": {{"a.example": {{"auth": "{login}"}}, "https://b.example/v1/": {{"username": "x", "password": "y"}},
            "https://index.{HUB}/v1/": {{"identitytoken": "t"}}, "empty.example": {{}}, "bad.example": {{"auth": "?"}}}},
            "psFormat": "docker's own"}}"#
        );
        assert_eq!(of(&text, "a.example").unwrap(), "me:se:cret");
        assert_eq!(of(&text, "b.example").unwrap(), "x:y");
        assert_eq!(of(&text, HUB).unwrap(), "token t");
        assert_eq!(of(&text, "empty.example").unwrap(), "nobody");
        assert_eq!(of(&text, "a.example:5000").unwrap(), "nobody", "another port is another registry");
        assert!(of(&text, "bad.example").unwrap_err().contains("not base64"));
        let error = of(r#"{"credHelpers": {"c.example": "../../bin/sh"}}"#, "c.example").unwrap_err();
        assert!(error.contains("no name of a credential helper"), "{error}");
    }

    #[test]
    fn no_password_is_shown() {
        assert_eq!(format!("{:?}", password("me", "secret")), "Password(me)");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        assert_eq!(told(DockerConfig::read(&file).unwrap().of("a.example").unwrap()), "nobody");
        std::fs::write(&file, r#"{"auths": {"a.example": {"auth": "secret", "auth": ["secret"]}}}"#).unwrap();
        let error = DockerConfig::read(&file).err().unwrap();
        let whole = format!("{error}: {}", std::error::Error::source(&error).unwrap());
        assert!(whole.contains("line 1") && !whole.contains("secret"), "{whole}");
    }

    #[cfg(unix)]
    #[test]
    fn a_helper_is_asked_with_a_list_and_killed_when_it_hangs() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let helper = |name: &str, text: &str| {
            let file = folder.path().join(name);
            // Another test's child may hold a file that was just written open, and then it cannot be started.
            std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            file
        };
        let ask = |program: &Path, time| loop {
            match ask(program, "a.example; touch x", time) {
                Err(why) if why.contains("Text file busy") => thread::sleep(HELPER_STEP),
                other => break other,
            }
        };
        let good =
            helper("good", r#"[ "$*" = get ] && printf '{"ServerURL":"","Username":"me","Secret":"%s"}' "$(cat)""#);
        assert_eq!(told(ask(&good, HELPER_TIME).unwrap().unwrap()), "me:a.example; touch x");
        let none = helper("none", "echo credentials not found in native keychain; exit 1");
        assert!(ask(&none, HELPER_TIME).unwrap().is_none());
        let bad = helper("bad", "echo secret; exit 1");
        assert!(!ask(&bad, HELPER_TIME).unwrap_err().contains("secret"));
        let endless = helper("endless", "exec cat /dev/zero");
        assert!(ask(&endless, HELPER_TIME).is_err());
        let hangs = helper("hangs", "exec sleep 60");
        let error = ask(&hangs, Duration::from_millis(200)).unwrap_err();
        assert!(error.contains("was killed"), "{error}");
    }
}
