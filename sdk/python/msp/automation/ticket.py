# Written by `cargo xtask declarations` out of wit/ticket.wit.
"""Tickets for a person, whichever ticket system stands behind. A plugin reaches only the tickets of its own fingerprints on this device.
Words are ITIL's. Undone by `remit undo` where nobody else has touched the ticket since: a new one is cancelled, a note or a file
withdrawn, everything else put back; the history keeps that it happened.

Class: L2. Changes.
Scope: names of queues, `*` for any: `ticket [*]`, `ticket [patching]`. A draft that names no queue is for `default`.
Dry run: `planned`; no ticket in the answer, unless there already is one. A later call in the run sees what is planned.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from msp.automation._host import U32, U8, host
from msp.automation.types import TimestampMs, Attributes, Fingerprint, Severity, Change


class Kind(StrEnum):
    """What a ticket is about. Closed: ITIL's kinds that a machine may raise."""

    INCIDENT = "incident"
    SERVICE_REQUEST = "service-request"
    PROBLEM = "problem"
    CHANGE_REQUEST = "change-request"


class Level(StrEnum):
    """Impact and urgency. Closed: ITIL's three; priority is derived from both by the MSP's matrix."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Visibility(StrEnum):
    """Who may read a note. Closed: the two that every ticket system knows."""

    INTERNAL = "internal"
    CUSTOMER = "customer"


class Status(StrEnum):
    """Where a ticket stands. Closed: the six that every ticket system maps to; its own word is in the attribute `system-status`."""

    NEW = "new"
    IN_PROGRESS = "in-progress"
    PENDING = "pending"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class RaiseOutcome(StrEnum):
    """What `raise` did. Closed: what is none of these is `suppressed`, with a `reason`."""

    CREATED = "created"
    """There was none."""
    APPENDED = "appended"
    """There was an open one: one more occurrence."""
    REOPENED = "reopened"
    """There was one, resolved within the reopen window."""
    SUPPRESSED = "suppressed"
    """Muted by policy, or more new tickets a day than it allows; nothing was written."""
    PLANNED = "planned"
    """A dry run; `outcome` among the attributes of the change says what it would be."""


@dataclass(kw_only=True, slots=True)
class Draft:
    """What a plugin states; routing, contract and SLA are the MSP's."""

    fingerprint: Fingerprint
    """One open ticket a fingerprint, device and plugin."""
    kind: Kind
    """What it is about."""
    title: str
    """One line, 1 to 255 bytes; longer is `invalid`."""
    body: str
    """CommonMark, at most 32 KiB."""
    impact: Level
    """How many are hit."""
    urgency: Level
    """How soon."""
    severity: Severity
    """How bad, for notifications about the ticket."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `queue`, `category`, `subcategory`, `item`, `contact`, `due-ms`, `labels`, `reopen-window-seconds` (7 days unless
    policy says otherwise, at most 90). Others are kept as they are.
    """


@dataclass(kw_only=True, slots=True)
class TicketView:
    """A ticket."""

    id: str
    """The host's own id."""
    number: str
    """What people call it; empty until the ticket system gave one."""
    status: Status
    """Where it stands."""
    priority: U8
    """1 (highest) to 4, by the MSP's matrix of impact and urgency."""
    occurrences: U32
    """How often it was raised."""
    opened_ms: TimestampMs
    """When it was opened."""
    updated_ms: TimestampMs
    """When it last changed."""
    attributes: Attributes = field(default_factory=dict)
    """More by name, where it has them: `queue`, `assignee`, `first-response-ms`, `resolved-ms`, `person-replied`, and from other ticket
    systems `url`, `team`, `system-status`, `sla-state`.
    """


@dataclass(kw_only=True, slots=True)
class Raised:
    """What became of a draft. Closed: grows in `change` and `ticket`."""

    outcome: RaiseOutcome
    """What was done."""
    change: Change
    """The same for journal and plan. States read `new, priority 2, 1 occurrence`; the attribute `outcome` holds in a dry run too."""
    ticket: TicketView | None = None
    """The ticket; none in a dry run that would create it, or where suppressed."""
    reason: str
    """Why it was suppressed; else empty."""


@host("ticket")
def raise_ticket(ticket: Draft) -> Raised:
    """Creates a ticket, adds an occurrence to the open one of this fingerprint, or reopens it within its window. What the draft states
    replaces what was stated before, and the priority follows. Works without a hub: kept on the device until it is reached.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("ticket")
def add_note(fingerprint: Fingerprint, body: str, visibility: Visibility) -> Change:
    """Adds a note, CommonMark, at most 32 KiB, at most 500 a ticket (`limit`). `not-found` where no ticket of this fingerprint is open.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("ticket")
def attach_file(fingerprint: Fingerprint, name: str, media_type: str, content: bytes | str) -> Change:
    """Attaches a file, at most 1 MiB, name at most 255 bytes without a path; at most 16 a ticket (`limit`). `unchanged` where the same
    content is already attached under this name; `after` is its digest. `not-found` where no ticket of this fingerprint is open.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("ticket")
def resolve_if_mine(fingerprint: Fingerprint, resolution: str) -> Change:
    """Resolves the open ticket of this fingerprint. `unchanged` where there is none; `conflict` (code `person-replied`) where a person
    has replied, and it then stays open with a note.

    Raises `HostError`.
    """
    raise NotImplementedError
