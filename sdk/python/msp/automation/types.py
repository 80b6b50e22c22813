# Written by `cargo xtask declarations` out of wit/types.wit.
"""Words that several interfaces share. Always linked, never granted, and without a function: importing a mutator must
not import its reader, so a type that both use lives here.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from msp.automation._host import Opened, S32, U16, U32, U64


TimestampMs: TypeAlias = U64
"""Milliseconds since 1970-01-01T00:00:00Z, from the host's clock."""


Attributes: TypeAlias = dict[str, str]
"""Names and values, in no order, each name at most once. This is how a record grows: a documented new name breaks no
plugin. Names are lower-case with hyphens, at most 64 bytes; values at most 4 KiB; at most 64 pairs. In what a
plugin hands over, a name that this host does not know is refused (`invalid`, code `unknown-attribute`) where it
could alter what is done, and kept as it is where it only describes (findings, logs, tickets).
"""


Fingerprint: TypeAlias = str
"""A de-duplication key of the plugin's own choosing, 1 to 255 bytes (PagerDuty's limit), the same for the same problem
in every run. The host adds device and plugin, so two plugins never share one.
"""


class ErrorKind(StrEnum):
    """What a caller can do about an error. Closed: these are reactions, not causes; causes are open words in `code`."""

    DENIED = "denied"
    """A grant, scope, policy, phase or plan forbids it. Asking again in this run changes nothing."""
    NOT_FOUND = "not-found"
    """The named thing is not there."""
    CONFLICT = "conflict"
    """The thing exists, but is not as the call assumed (revision, start time, kind, already present)."""
    INVALID = "invalid"
    """An argument is malformed or outside its documented limit. The plugin is to blame."""
    UNSUPPORTED = "unsupported"
    """This platform, or this host's version, has no such thing."""
    BUSY = "busy"
    """Something else holds it for now (package lock, session); `retry-after-ms` may say for how long."""
    LIMIT = "limit"
    """A budget of this run is spent, or the answer would be larger than allowed."""
    TIMEOUT = "timeout"
    """The time allowed for this call ran out; whether it took effect is in the journal."""
    CANCELLED = "cancelled"
    """The run is being cancelled; return soon."""
    UNAVAILABLE = "unavailable"
    """A service that is needed cannot be reached (network, D-Bus, hub)."""
    FAILED = "failed"
    """It was tried, and failed; `code` says with what."""
    OTHER = "other"
    """None of these. Also what a plugin uses for errors of its own."""


class HostError(Exception):
    """Why a call failed, or, returned by a plugin, why it gave up."""

    def __init__(self, *, kind: ErrorKind, code: str, message: str, retry_after_ms: U32 | None = None, attributes: Attributes | None = None) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind
        """How to react."""
        self.code: str = code
        """Which error exactly: a stable lower-case word from an open vocabulary, at most 64 bytes, such as `scope`, `phase`,
        `plan`, `dpkg-locked`, `errno-28`, `hresult-0x80240022`. May be compared.
        """
        self.message: str = message
        """One sentence for a person, at most 1 KiB. Never to be parsed; holds no secret."""
        self.retry_after_ms: U32 | None = retry_after_ms
        """Not before this many milliseconds does a second try make sense."""
        self.attributes: Attributes = attributes or {}
        """Details by name, for example `capability` and `manifest-line` where `kind` is `denied`."""


class Effect(StrEnum):
    """What a mutating call did. Closed: dry run, plan, journal and undo are defined over exactly these."""

    UNCHANGED = "unchanged"
    """It already was so."""
    CHANGED = "changed"
    """It was done."""
    PLANNED = "planned"
    """It would be done: what every mutator answers in a dry run."""
    REBOOT_PENDING = "reboot-pending"
    """It was done, and takes hold with the next boot."""
    UNKNOWN = "unknown"
    """It was under way when the host died, and nobody can tell."""


@dataclass(kw_only=True, slots=True)
class Change:
    """The answer of a mutator."""

    effect: Effect
    """What was done."""
    before: str | None = None
    """The state before in the interface's own short words (`stopped`, `sha256:…`), at most 4 KiB; none if there was none."""
    after: str | None = None
    """The state after, or in a dry run the state that is planned."""
    attributes: Attributes = field(default_factory=dict)
    """Details by name, documented at the function."""


class Severity(StrEnum):
    """How bad it is: the four of PagerDuty Events v2. Closed: that standard is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@dataclass(kw_only=True, slots=True)
class Finding:
    """One thing found by `detect`."""

    fingerprint: Fingerprint
    """The same in every run for the same problem: tickets, notifications and `recurred` hang on it."""
    title: str
    """One line for a person, at most 255 bytes (the shortest title limit among ticket systems)."""
    severity: Severity
    """How bad."""
    target: str
    """What it is about, in the words of its interface: a unit, a mount, an update's id. At most 1 KiB."""
    evidence: str
    """What shows it, for a person, at most 16 KiB."""
    remediable: bool
    """Whether this plugin's `remediate` can deal with it."""
    attributes: Attributes = field(default_factory=dict)
    """More by name, for example `cve`, `limit`, `actual`."""


class Secret(Opened):
    """A secret that the plugin may use and never see: no function gives its bytes. Made by `secrets`, redeemed where a
    function takes it, and only in the way and place it was made for. At most 32 open at once.
    """


class StartType(StrEnum):
    """When a service starts (SCM's words; systemd: `enabled` is automatic, `static` and `disabled` are manual). Closed: what is none
    of these is `other`, and the platform's own word is in the attribute `unit-file-state`.
    """

    AUTOMATIC = "automatic"
    AUTOMATIC_DELAYED = "automatic-delayed"
    MANUAL = "manual"
    DISABLED = "disabled"
    MASKED = "masked"
    OTHER = "other"


@dataclass(kw_only=True, slots=True)
class KvEntry:
    """A value in one of the three key-value stores."""

    value: str
    """UTF-8 text, usually JSON, at most 64 KiB."""
    revision: U64
    """Grows with every write of this key; hand it to `put-value` to write only if nobody else did."""
    written_ms: TimestampMs
    """When it was written."""
    expires_ms: TimestampMs | None = None
    """When it expires; none for never."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `written-by` (a device id, or `msp`)."""


@dataclass(kw_only=True, slots=True)
class HttpRequest:
    """What is asked of a server, without method, body and authorisation."""

    url: str
    """Absolute `http` or `https` URL, at most 8 KiB, without user information. `https` unless the scope says otherwise."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    """Header names and values, at most 64. `host`, `content-length`, `authorization`, `cookie` and hop-by-hop headers are
    `invalid`.
    """
    timeout_ms: U32
    """For the whole exchange; 0 means the host's default (30 s), which is also the most."""
    attributes: Attributes = field(default_factory=dict)
    """Options by name: `max-body-bytes`, `max-redirects` (default 0, at most 5, never to a host outside the scope)."""


@dataclass(kw_only=True, slots=True)
class HttpResponse:
    """A whole answer."""

    status: U16
    """The status code; 4xx and 5xx are answers, not errors."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    """Header names in lower case, with their values, in the order received."""
    body: bytes
    """The body, decoded from content-encoding, at most 1 MiB unless the manifest's limits say otherwise."""
    truncated: bool
    """Whether the body was cut at the limit."""
    elapsed_ms: U32
    """From connecting to the last byte."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `final-url`, `http-version`, `tls-version`, `remote-address`."""


@dataclass(kw_only=True, slots=True)
class CommandOutput:
    """What a command left behind."""

    exit_code: S32
    """The exit status; a signal N on Unix is 128 + N."""
    stdout: str
    """Standard output as UTF-8, invalid bytes replaced, secrets masked, at most 256 KiB."""
    stderr: str
    """Standard error, likewise."""
    truncated: bool
    """Whether either was cut."""
    elapsed_ms: U32
    """Wall time."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `binary-sha256`."""
