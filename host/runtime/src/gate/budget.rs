use contract::types::{Error, ErrorKind};
use model::Limits;

use crate::adapters::Charges;
use crate::stop::Stopped;

/// What a run may still use. What one call asks too much of answers `limit`; a run that is spent is stopped.
pub(super) struct Budget {
    calls: u64,
    calls_max: u64,
    bytes: u64,
    bytes_max: u64,
    call_bytes_max: u64,
    kv_bytes_left: u64,
    file_bytes_left: u64,
    http_requests_left: u64,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            calls: 0,
            calls_max: limits.calls,
            bytes: 0,
            bytes_max: limits.run_bytes,
            call_bytes_max: limits.call_bytes,
            kv_bytes_left: limits.kv_bytes,
            file_bytes_left: limits.file_bytes,
            http_requests_left: limits.http_requests,
        }
    }

    /// The earlier part of the run made so many calls.
    pub(super) fn go_on(&mut self, calls: u64) {
        self.calls = calls;
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of the call that begins.
    pub(super) fn begin_call(&mut self) -> Result<u64, Stopped> {
        if self.calls >= self.calls_max {
            return Err(Stopped::Limit("calls"));
        }
        self.calls += 1;
        Ok(self.calls - 1)
    }

    /// Takes what a call hands over and what it charges.
    pub(super) fn take(&mut self, bytes: u64, charges: Charges) -> Result<Result<(), Error>, Stopped> {
        self.move_bytes(bytes)?;
        if bytes > self.call_bytes_max {
            return Ok(Err(spent("call-bytes", self.call_bytes_max)));
        }
        Ok(charge("kv-bytes", &mut self.kv_bytes_left, charges.kv_bytes)
            .and_then(|()| charge("file-bytes", &mut self.file_bytes_left, charges.file_bytes))
            .and_then(|()| charge("http-requests", &mut self.http_requests_left, charges.http_requests)))
    }

    /// Takes what a call answers.
    pub(super) fn give(&mut self, bytes: u64) -> Result<Result<(), Error>, Stopped> {
        self.move_bytes(bytes)?;
        Ok(if bytes > self.call_bytes_max { Err(spent("call-bytes", self.call_bytes_max)) } else { Ok(()) })
    }

    fn move_bytes(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.bytes_max { Err(Stopped::Limit("run-bytes")) } else { Ok(()) }
    }
}

fn charge(name: &'static str, left: &mut u64, wanted: u64) -> Result<(), Error> {
    match left.checked_sub(wanted) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(spent(name, *left)),
    }
}

fn spent(name: &'static str, left: u64) -> Error {
    Error::new(ErrorKind::Limit, name, format!("this goes over the run's `{name}`: {left} left"))
}
