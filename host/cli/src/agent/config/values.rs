//! What a value must be, and what is said where it is not.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use toml::de::DeValue;
use url::{Host, Url};

use super::Listen;

/// What names and tags have at most: they become labels and parts of expressions.
const NAME_BYTES_MAX: usize = 64;
/// Headers and credentials are short.
const PRIVATE_BYTES_MAX: u64 = 64 << 10;
/// What a list has at most.
const LIST_MAX: usize = 256;

/// A value as it was written.
pub(super) struct Value<'a>(pub(super) &'a DeValue<'a>);

impl Value<'_> {
    fn text(&self) -> Result<&str, String> {
        self.0.as_str().ok_or_else(|| format!("{} stands where a text belongs", self.0.type_str()))
    }

    pub(super) fn absolute_path(&self) -> Result<PathBuf, String> {
        let path = Path::new(self.text()?);
        let is_plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
        match path.has_root() && is_plain {
            true => Ok(path.to_owned()),
            false => Err(format!("`{}` is no absolute path without `..`", path.display())),
        }
    }

    pub(super) fn name(&self) -> Result<String, String> {
        let text = self.text()?;
        let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
        match !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.chars().all(is_name) {
            true => Ok(text.to_owned()),
            false => Err(format!("`{text}` is no name: letters, digits and `-_.`, at most {NAME_BYTES_MAX}")),
        }
    }

    /// As every system takes it.
    pub(super) fn user(&self) -> Result<String, String> {
        let text = self.text()?;
        let is_first = text.starts_with(|it: char| it.is_ascii_lowercase() || it == '_');
        let is_rest = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, '-' | '_');
        match is_first && text.len() <= 31 && text.chars().all(is_rest) {
            true if text == "root" => Err("the half that speaks to the network must not be root".to_owned()),
            true => Ok(text.to_owned()),
            false => Err(format!("`{text}` is no name of a user: lower-case letters, digits and `-_`, at most 31")),
        }
    }

    pub(super) fn between<N: TryFrom<u64>>(&self, least: u64, most: u64) -> Result<N, String> {
        let written = self.0.as_integer().and_then(|it| u64::from_str_radix(it.as_str(), it.radix()).ok());
        let number = written.filter(|it| (least..=most).contains(it)).and_then(|it| N::try_from(it).ok());
        number.ok_or_else(|| format!("a number from {least} to {most} belongs here"))
    }

    pub(super) fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, String> {
        let text = self.text()?;
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        let chosen = choices.iter().find(|(name, _)| *name == text);
        chosen.map(|(_, it)| *it).ok_or_else(|| format!("`{text}` is none of {}", names.join(", ")))
    }

    pub(super) fn list<T>(&self, of: impl Fn(&Value<'_>) -> Result<T, String>) -> Result<Vec<T>, String> {
        let list = self.0.as_array().ok_or_else(|| format!("{} stands where a list belongs", self.0.type_str()))?;
        if list.len() > LIST_MAX {
            return Err(format!("more than {LIST_MAX} in a list"));
        }
        let (mut found, mut wrong) = (Vec::new(), Vec::new());
        for entry in list.iter() {
            match of(&Value(entry.get_ref())) {
                Ok(it) => found.push(it),
                Err(why) => wrong.push(why),
            }
        }
        if wrong.is_empty() { Ok(found) } else { Err(wrong.join("; ")) }
    }

    pub(super) fn no_proxy(&self) -> Result<String, String> {
        let text = self.text()?;
        match distribution::Proxy::is_exception(text) {
            true => Ok(text.to_owned()),
            false => Err(format!("`{text}` is no host, `.domain`, address or network such as `10.0.0.0/8`")),
        }
    }
}

/// Metrics tell what runs where: no other machine may ask.
pub(super) fn listen(value: &Value<'_>) -> Result<Option<Listen>, String> {
    let text = value.text()?;
    if text == "off" {
        return Ok(None);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.starts_with('/') {
            true => Ok(Some(Listen::Unix(path.into()))),
            false => Err(format!("`{path}` is no absolute path")),
        };
    }
    match text.parse::<std::net::SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(Some(Listen::Loopback(address))),
        Ok(address) => {
            let port = address.port();
            Err(format!(
                "other machines could reach `{address}`; `127.0.0.1:{port}` or `[::1]:{port}` is this one alone"
            ))
        }
        Err(_) => Err(format!("`{text}` is none of `unix:PATH`, `127.0.0.1:PORT`, `[::1]:PORT`, `off`")),
    }
}

fn address(value: &Value<'_>, schemes: &str) -> Result<Url, String> {
    let text = value.text()?;
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no address: {error}"))?;
    if !url.has_host() || !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{text}` is no address of {schemes}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "a user or password does not stand in this file, which everybody may read, but in one of its own".into()
        );
    }
    Ok(url)
}

/// Traces tell what was done to whom: over a network they are encrypted.
pub(super) fn endpoint(value: &Value<'_>) -> Result<Url, String> {
    let url = address(value, "http or https")?;
    let is_here = match url.host() {
        Some(Host::Ipv4(it)) => it.is_loopback(),
        Some(Host::Ipv6(it)) => it.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() == "https" || is_here {
        true => Ok(url),
        false => Err(format!("`{url}` is another machine's, and not https")),
    }
}

pub(super) fn proxy_address(value: &Value<'_>) -> Result<Url, String> {
    address(value, "a proxy: `http://HOST:PORT` or `https://HOST:PORT`")
}

/// What a file holds that nobody but its owner may read.
pub(crate) fn private_file(path: &Path) -> anyhow::Result<zeroize::Zeroizing<String>> {
    let at = || format!("{}", path.display());
    let metadata = std::fs::metadata(path).with_context(at)?;
    if metadata.len() > PRIVATE_BYTES_MAX {
        bail!("{} has more than {PRIVATE_BYTES_MAX} bytes", path.display());
    }
    others_may_read(&metadata).map_or(Ok(()), |why| bail!("{} {why}; chmod 600 {0}", path.display()))?;
    std::fs::read_to_string(path).map(zeroize::Zeroizing::new).with_context(at)
}

fn others_may_read(metadata: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = metadata.mode() & 0o7777;
    (mode & 0o077 != 0).then(|| format!("has mode {mode:o}, and holds a secret that others could read"))
}
