/// Adds a line of level `info` to the record: a text as for `format!`, with fields before it if there are any.
///
/// ```
/// # let host = remit_sdk::testing::Host::new();
/// let (count, root) = (3, "scratch");
/// remit_sdk::info!("{count} old files");
/// remit_sdk::info!(root = root, count = count; "old files found");
/// # assert_eq!(host.log(), ["info: 3 old files", "info: old files found root=scratch count=3"]);
/// ```
#[macro_export]
macro_rules! info {
    ($($line:tt)+) => { $crate::__log!(Info, $($line)+) };
}

/// Adds a line of level `warn` to the record; see [`info!`].
#[macro_export]
macro_rules! warn {
    ($($line:tt)+) => { $crate::__log!(Warn, $($line)+) };
}

/// Adds a line of level `error` to the record; see [`info!`].
#[macro_export]
macro_rules! error {
    ($($line:tt)+) => { $crate::__log!(Error, $($line)+) };
}

/// Adds a line of level `debug` to the record; see [`info!`].
#[macro_export]
macro_rules! debug {
    ($($line:tt)+) => { $crate::__log!(Debug, $($line)+) };
}

/// Adds a line of level `trace` to the record; see [`info!`].
#[macro_export]
macro_rules! trace {
    ($($line:tt)+) => { $crate::__log!(Trace, $($line)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $($name:ident = $value:expr),+ ; $($text:tt)+) => {
        $crate::run::log(
            $crate::run::LogLevel::$level,
            &format!($($text)+),
            &[$((stringify!($name).replace('_', "-"), $value.to_string())),+],
        )
    };
    ($level:ident, $($text:tt)+) => {
        $crate::run::log($crate::run::LogLevel::$level, &format!($($text)+), &[])
    };
}
