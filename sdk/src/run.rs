//! The run itself: why it was started, with what, and what it leaves in its record.
//!
//! The contract's own functions, with types where the contract has bytes and text. The macros [`info!`](crate::info) and its
//! like write to the record.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::generated::run as contract;
use crate::types::ErrorKind;
use crate::{Error, Result};

pub use crate::generated::run::*;

/// The parameters, as this type has them. A plugin's own type is filled in so before `detect` and `remediate`.
///
/// ```
/// # let host = remit_sdk::testing::Host::new().parameters(serde_json::json!({ "root": "scratch" }));
/// #[derive(serde::Deserialize)]
/// struct Root {
///     root: String,
/// }
///
/// let Root { root } = remit_sdk::run::parameters()?;
/// # assert_eq!(root, "scratch");
/// # Ok::<(), remit_sdk::Error>(())
/// ```
pub fn parameters<T: DeserializeOwned>() -> Result<T> {
    serde_json::from_str(&contract::get_parameters())
        .map_err(|error| Error::of_kind(ErrorKind::Invalid, "parameters", format!("the parameters: {error}")))
}

/// The event's data, where an event started the run.
pub fn event_data<T: DeserializeOwned>() -> Result<Option<T>> {
    match contract::get_trigger().event {
        Some(event) => Ok(Some(serde_json::from_str(&event.data)?)),
        None => Ok(None),
    }
}

/// Records a measured value with a UCUM unit (`By`, `s`, `%`, `1`) and labels.
///
/// ```
/// # let host = remit_sdk::testing::Host::new();
/// remit_sdk::run::metric("disk-free", 12.5, "%", &[("mount", "/var")]);
/// # assert_eq!(host.metrics(), [("disk-free".to_owned(), 12.5)]);
/// ```
pub fn metric(name: &str, value: f64, unit: &str, labels: &[(&str, &str)]) {
    let labels: Vec<_> = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    contract::metric(name, value, unit, &labels);
}

/// An error of kind `cancelled` where the run is being cancelled: for long loops, with `?`.
pub fn check_cancelled() -> Result<()> {
    match contract::is_cancelled() {
        true => Err(Error::of_kind(ErrorKind::Cancelled, "cancelled", "the run is being cancelled")),
        false => Ok(()),
    }
}

/// Waits, at most until the deadline; false where the run was cancelled meanwhile.
pub fn sleep(time: Duration) -> bool {
    contract::sleep(u32::try_from(time.as_millis()).unwrap_or(u32::MAX))
}

/// Keeps a state through a reboot that this run was granted; the last one counts.
///
/// ```
/// # let host = remit_sdk::testing::Host::new();
/// use remit_sdk::run;
///
/// let done: Option<Vec<String>> = run::resumed()?;
/// assert_eq!(done, None);
/// run::checkpoint(&["openssl"])?;
/// # let host = host.resume();
/// // … and in the instance after the reboot:
/// let done: Option<Vec<String>> = run::resumed()?;
/// assert_eq!(done, Some(vec!["openssl".to_owned()]));
/// # Ok::<(), remit_sdk::Error>(())
/// ```
pub fn checkpoint<T: Serialize + ?Sized>(state: &T) -> Result<()> {
    contract::checkpoint(&serde_json::to_vec(state)?)
}

/// The last checkpoint, where this run goes on after a reboot.
pub fn resumed<T: DeserializeOwned>() -> Result<Option<T>> {
    Ok(contract::resumed().map(|state| serde_json::from_slice(&state)).transpose()?)
}
