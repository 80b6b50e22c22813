use std::io;
use std::path::Path;

use model::Digest;

use crate::archive::BadArchive;
use crate::lock::BadLock;

/// Why bytes did not travel. Each way to be attacked or unlucky has its own.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was typed wrong.
    #[error(
        "`{text}` is no place that a plugin comes from: {why}; expected a file (`./name.wasm`, `./name.tar`), an address \
         (`https://…/name.wasm`), or a registry (`registry.example/path/name:1.2.3`)"
    )]
    Source {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Everybody on the way could read and change it.
    #[error(
        "{url} is not https: only a registry on this machine is asked without, or one that `--plain-http` is said of"
    )]
    PlainHttp {
        /// Where to.
        url: String,
    },
    /// The name has no address.
    #[error("`{host}` has no address")]
    Unresolved {
        /// Which name.
        host: String,
        /// What the resolver said; nothing where it simply knows none.
        source: Option<io::Error>,
    },
    /// A request did not get there, or its answer did not come.
    #[error("{url} cannot be reached")]
    Unreachable {
        /// Where to.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// Whoever answered shows a certificate of an authority that this machine does not know.
    #[error(
        "{url} shows a certificate issued by `{issuer}`, whom this machine does not trust; if that is your own network, which \
         inspects TLS, add the certificate of that authority (PEM) to `ca` in /etc/remit/agent.toml for the agent, and to `trust` \
         of `[http]` in host policy for commands"
    )]
    Untrusted {
        /// Where to.
        url: String,
        /// Who issued it, as the certificate says.
        issuer: String,
    },
    /// The proxy is not there, or does not let us through.
    #[error("the proxy {proxy} does not let us through: {why}; see `[proxy]` in /etc/remit/agent.toml")]
    Proxy {
        /// Which.
        proxy: String,
        /// What it said.
        why: String,
    },
    /// Nothing that HTTP knows.
    #[error("`{name}` is no header of HTTP, or its value is none")]
    Header {
        /// What it is called.
        name: String,
    },
    /// It was reached, and went silent.
    #[error("{url} sent nothing for {seconds} s")]
    Stalled {
        /// Where from.
        url: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Byte by byte it would have gone on for ever.
    #[error("{url} was not done after {seconds} s")]
    TooSlow {
        /// Where from.
        url: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server wants to know who asks, and does not let that one do this.
    #[error(
        "{registry} does not let us in{detail}; log in with `docker login {registry}`, or give the account the right"
    )]
    Denied {
        /// Whose server.
        registry: String,
        /// What it said.
        detail: String,
    },
    /// What is asked for is not there.
    #[error("{url} is not there")]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// An answer that has no meaning here.
    #[error("{url} answered {status}{detail}")]
    Status {
        /// What was asked.
        url: String,
        /// The answer's code.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// An answer that does not say what it must.
    #[error("{url} answered, and {why}")]
    Answer {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// It wanted us to go where a stranger has no business sending us.
    #[error("{from} sends us on to {to}: {why}")]
    Redirect {
        /// Who sent us.
        from: String,
        /// Where to.
        to: String,
        /// Why we did not go.
        why: Redirect,
    },
    /// More than anything of its kind has.
    #[error("{what} has more than {bytes_max} bytes")]
    TooLarge {
        /// What.
        what: String,
        /// The limit.
        bytes_max: u64,
    },
    /// More of them than any plugin has.
    #[error("{what}: more than {most}")]
    TooMany {
        /// What there are too many of.
        what: String,
        /// The limit.
        most: usize,
    },
    /// It has another size than was announced.
    #[error("{what} has {found} bytes, and {expected} were announced")]
    WrongSize {
        /// What.
        what: String,
        /// The announced size.
        expected: u64,
        /// The size that it has, as far as it was read.
        found: u64,
    },
    /// Other bytes than were asked for.
    #[error("{what} is not what was asked for: asked for {expected}, got {found}")]
    WrongDigest {
        /// What.
        what: String,
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// The connection ended too soon, each time that it was tried.
    #[error("{url} ended after {found} of {expected} bytes; they are kept, and the next try goes on from there")]
    Truncated {
        /// Where from.
        url: String,
        /// How many bytes there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A tag is not what it was when it was locked.
    #[error(
        "{reference} was {locked} when it was locked, and is {found} now: what is there was changed, or a tag moved; `remit plugin upgrade` takes newer versions"
    )]
    TagMoved {
        /// Which tag.
        reference: String,
        /// What it was.
        locked: Digest,
        /// What it is.
        found: Digest,
    },
    /// A version is not replaced by accident.
    #[error(
        "{reference} is there already, as {found}: a version is never replaced; push another one, or say `--replace`"
    )]
    TagTaken {
        /// Which tag.
        reference: String,
        /// What is there.
        found: Digest,
    },
    /// What a registry or archive has there is something else.
    #[error("{what} is no plugin: {why}")]
    Layout {
        /// What.
        what: String,
        /// What it lacks.
        why: String,
    },
    /// Credentials could not be had.
    #[error("the credentials for {registry}: {why}")]
    Credentials {
        /// For whom.
        registry: String,
        /// What went wrong.
        why: String,
    },
    /// This machine cannot check anybody's certificate.
    #[error("this machine trusts no authority: install ca-certificates")]
    NoAuthority,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The archive is not one, or is an attack.
    #[error("{path} is refused")]
    Archive {
        /// Which file.
        path: String,
        /// Why.
        source: BadArchive,
    },
    /// The lock file is none.
    #[error("{path}")]
    Lock {
        /// Which file.
        path: String,
        /// What is wrong with it.
        source: BadLock,
    },
    /// Nothing is installed under this name.
    #[error("{0} is not installed; `remit plugin list` says what is")]
    NotInstalled(String),
    /// Another plugin has this name and version.
    #[error("{name} is installed already, as {found}: a version never changes; `remit plugin remove {name}` first")]
    Installed {
        /// Name and version.
        name: String,
        /// What is there.
        found: Digest,
    },
    /// What is installed is not what was installed.
    #[error("{path} was changed since it was installed: {why}; remove the plugin and install it again")]
    Changed {
        /// Which file.
        path: String,
        /// How one knows.
        why: String,
    },
    /// The file system said so.
    #[error("{path}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        source: io::Error,
    },
}

/// Why a redirect was not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Redirect {
    /// Into this machine or its networks.
    #[error(
        "its address is not public, and only what was typed may be such; have the registry serve its blobs itself, or name \
         that place instead"
    )]
    PrivateAddress,
    /// Out of TLS.
    #[error("that is not https")]
    PlainHttp,
    /// Round and round.
    #[error("that is one redirect too many")]
    TooMany,
    /// To nowhere.
    #[error("that is no address")]
    NoAddress,
    /// Something that is sent, and not fetched.
    #[error("what is sent goes to the registry itself and to nobody else")]
    Upload,
}

impl Error {
    /// What the file system said of a path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn layout(what: &str, why: impl Into<String>) -> Self {
        Self::Layout { what: what.to_owned(), why: why.into() }
    }

    pub(crate) fn changed(path: &Path, why: impl Into<String>) -> Self {
        Self::Changed { path: path.display().to_string(), why: why.into() }
    }
}
