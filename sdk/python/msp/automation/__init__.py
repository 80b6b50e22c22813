# Written by `cargo xtask declarations` out of wit/.
"""What every plugin is written with: `from msp.automation import Report, Verdict`."""

from msp.automation.types import (
    Attributes,
    Change,
    CommandOutput,
    Effect,
    ErrorKind,
    Finding,
    Fingerprint,
    HostError,
    HttpRequest,
    HttpResponse,
    KvEntry,
    Secret,
    Severity,
    StartType,
    TimestampMs,
)
from msp.automation.detection import (
    Report,
    Verdict,
)
from msp.automation.remediation import (
    Remedy,
)

__all__ = [
    "Attributes",
    "Change",
    "CommandOutput",
    "Effect",
    "ErrorKind",
    "Finding",
    "Fingerprint",
    "HostError",
    "HttpRequest",
    "HttpResponse",
    "KvEntry",
    "Remedy",
    "Report",
    "Secret",
    "Severity",
    "StartType",
    "TimestampMs",
    "Verdict",
]
