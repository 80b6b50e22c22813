use std::cmp::Ordering;

use contract::device::RebootState;
use contract::types::Error;

use crate::attributes;
use crate::device::overlay::STALE;
use crate::errors;
use crate::facts::Root;

use super::{stale, virt};

/// What Debian's packages leave when they want a reboot, as update-notifier and reboot-notifier write it.
const REQUIRED: &str = "run/reboot-required";

/// The most bytes of an attribute.
const LIST_BYTES_MAX: usize = 4 << 10;

pub(super) fn read(root: &Root) -> Result<RebootState, Error> {
    let running = root.line("proc/sys/kernel/osrelease").unwrap_or_default();
    // A container runs the kernel of its host: what is in its /boot is never booted.
    let installed = if virt::container(root).is_some() { None } else { newest_kernel(root, &running) };
    let newer = installed.as_deref().is_some_and(|installed| compare(installed, &running) == Ordering::Greater);
    let packages = packages(root);
    let is_required = root.has(REQUIRED);
    let mut reasons = Vec::new();
    if newer || packages.iter().any(|package| package.starts_with("linux-image-")) {
        reasons.push("kernel".to_owned());
    }
    if is_required {
        reasons.push("package-manager".to_owned());
    }
    let services = stale::services(root);
    if !services.is_empty() {
        reasons.push(STALE.to_owned());
    }
    Ok(RebootState {
        pending: !reasons.is_empty(),
        reasons,
        booted_ms: booted_ms(root)?,
        attributes: attributes::known([
            ("since-ms", root.modified_ms(REQUIRED).map(|ms| ms.to_string())),
            ("packages", Some(packages.join(","))),
            ("services", Some(listed(&services))),
            ("running-kernel", Some(running)),
            ("installed-kernel", installed),
        ]),
    })
}

/// As many names as an attribute has room for.
fn listed(names: &[String]) -> String {
    let mut list = String::new();
    for name in names {
        if list.len() + 1 + name.len() > LIST_BYTES_MAX {
            break;
        }
        list.push_str(if list.is_empty() { "" } else { "," });
        list.push_str(name);
    }
    list
}

fn packages(root: &Root) -> Vec<String> {
    let text = root.text("run/reboot-required.pkgs").unwrap_or_default();
    let mut packages: Vec<String> =
        text.lines().map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
    packages.sort();
    packages.dedup();
    packages
}

fn booted_ms(root: &Root) -> Result<u64, Error> {
    let text = root.text("proc/stat").map_err(|error| errors::io("/proc/stat", &error))?;
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<u64>().ok());
    seconds
        .map(|seconds| seconds * 1_000)
        .ok_or_else(|| errors::failed("proc", "/proc/stat does not say when it booted"))
}

/// The newest kernel in /boot of the running one's flavour (`-amd64`, `-cloud-amd64`): a rescue kernel of another flavour
/// is not what the next boot takes.
fn newest_kernel(root: &Root, running: &str) -> Option<String> {
    let kernels = root.names("boot").into_iter().filter_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned));
    kernels.filter(|kernel| flavour(kernel) == flavour(running)).max_by(|a, b| compare(a, b))
}

/// What follows the last number that stands between dashes.
fn flavour(kernel: &str) -> &str {
    let words = kernel.match_indices('-').map(|(at, _)| kernel.get(at..).unwrap_or_default());
    words
        .into_iter()
        .find(|rest| rest.get(1..).is_some_and(|rest| rest.starts_with(char::is_alphabetic)))
        .unwrap_or_default()
}

/// Numbers by value, everything else by character: how kernels' versions sort.
fn compare(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b))
}

fn parts(version: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    for piece in version.split(['.', '-', '+', '~']) {
        let digits = piece.len() - piece.trim_start_matches(|it: char| it.is_ascii_digit()).len();
        let (number, rest) = piece.split_at(digits);
        parts.push((number.parse().unwrap_or_default(), rest.to_owned()));
    }
    parts
}
