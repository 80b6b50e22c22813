# Written by `cargo xtask declarations` out of wit/run.wit.
"""The run itself: why it was started, with what, and what it leaves in its record.

Class: none (always linked, never granted). Reads and records; touches nothing of the machine.
Scope: none.
Dry run: as in enforce.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from msp.automation._host import U32, host
from msp.automation.types import TimestampMs, Attributes


class Mode(StrEnum):
    """What the run may do. Closed: the three modes of a run."""

    DETECT = "detect"
    """Only `detect` is called."""
    DRY_RUN = "dry-run"
    """`remediate` is called too, and every mutator answers `planned`."""
    ENFORCE = "enforce"
    """Mutators act."""


@dataclass(kw_only=True, slots=True)
class Context:
    """The facts of this run."""

    run_id: str
    """`run_` and a ULID."""
    mode: Mode
    """Behave the same in all of them: an enforce run may be tied to the plan that a dry run gave."""
    attempt: U32
    """1, and one more for each retry."""
    started_ms: TimestampMs
    """When the run started."""
    deadline_ms: TimestampMs
    """When the host will end it."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `plan`, `order-id`, `ring`, `window-closes-ms`, `locale` (BCP 47), `timezone` (IANA)."""


class TriggerKind(StrEnum):
    """Why a run starts. Closed: the four kinds of trigger, and `other`."""

    BY_HAND = "by-hand"
    SCHEDULE = "schedule"
    EVENT = "event"
    ORDER = "order"
    OTHER = "other"


@dataclass(kw_only=True, slots=True)
class Event:
    """What happened, where an event started the run."""

    event_type: str
    """A word of the event vocabulary, such as `disk-free-below`, `service-state`, `login`."""
    cause: str | None = None
    """What brought the event about, such as the id of an earlier run; none for the world outside."""
    at_ms: TimestampMs
    """When it happened."""
    data: str
    """A JSON object of the event type's schema, at most 64 KiB."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `event-id`, `rule`, `occurrences` since the last run."""


@dataclass(kw_only=True, slots=True)
class Trigger:
    """Why this run was started."""

    kind: TriggerKind
    """Which kind."""
    name: str
    """What a person calls it: the schedule's, rule's or order's name, or who started it by hand."""
    event: Event | None = None
    """The event, where `kind` is `event` (or an order answered one)."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `order-signer`, `misfired`, `retry-of`."""


class LogLevel(StrEnum):
    """How loud a line in the log is. Closed: the five of `log` and OpenTelemetry's short names."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@host("run")
def get_context() -> Context:
    """The facts of this run; the same at every call."""
    raise NotImplementedError


@host("run")
def get_parameters() -> str:
    """The parameters: a JSON object that the host validated against the manifest's JSON Schema, defaults filled in."""
    raise NotImplementedError


@host("run")
def get_trigger() -> Trigger:
    """Why this run was started; the same at every call."""
    raise NotImplementedError


@host("run")
def log(level: LogLevel, message: str, fields: Attributes | None = None) -> None:
    """Adds a line to the record: at most 8 KiB, and what the manifest allows a run; beyond that lines are counted, not kept."""
    raise NotImplementedError


@host("run")
def progress(percent: U32, message: str) -> None:
    """Tells a waiting person how far it is, 0 to 100; larger is 100. More than ten a second are dropped."""
    raise NotImplementedError


@host("run")
def metric(name: str, value: float, unit: str, labels: Attributes | None = None) -> None:
    """Records a measured value with a UCUM unit (`By`, `s`, `%`, `1`). Not-a-number is dropped and logged."""
    raise NotImplementedError


@host("run")
def is_cancelled() -> bool:
    """Whether the run is being cancelled; ask in long loops, return soon."""
    raise NotImplementedError


@host("run")
def now() -> TimestampMs:
    """The host's clock: for toolchains that leave out WASI's, and virtual in a replay."""
    raise NotImplementedError


@host("run")
def sleep(millis: U32) -> bool:
    """Waits, at most until the deadline; false where the run was cancelled meanwhile. Returns at once in a replay."""
    raise NotImplementedError


@host("run")
def checkpoint(state: bytes | str) -> None:
    """Keeps at most 64 KiB through a reboot that this run was granted, at most 1,000 times a run; the last one counts. Beyond that
    `limit` (codes `checkpoint-bytes`, `checkpoints`); `denied` (code `phase`) in `detect`.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("run")
def resumed() -> bytes | None:
    """The last checkpoint, where this run goes on after a reboot; `remediate` is then called again with the same findings."""
    raise NotImplementedError
