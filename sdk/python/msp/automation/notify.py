# Written by `cargo xtask declarations` out of wit/notify.wit.
"""Tells somebody. Shape and limits are PagerDuty Events v2; who hears it, by what way and when (routes, quiet hours, grouping) is policy.
An event is durable when a call returns, and sent when the run ends, at least once. An alert is one device's and one plugin's. Undone by
`remit undo` only where it opened an alert that has not left yet (quiet hours): what somebody was told cannot be taken back.

Class: L2. Changes.
Scope: names of audiences, each a route in host policy: `notify [technician, on-call]`. An audience without a route is `not-found`.
Dry run: `planned`, outcome `planned`; nothing leaves. A later call in the run sees what is planned.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from msp.automation._host import host
from msp.automation.types import Attributes, Fingerprint, Severity, Change


@dataclass(kw_only=True, slots=True)
class Link:
    """A link for the reader. Closed: PagerDuty's two fields."""

    href: str
    """`https` URL."""
    text: str
    """What to show."""


@dataclass(kw_only=True, slots=True)
class Notification:
    """What a plugin states."""

    dedup_key: Fingerprint
    """Repeats of one key are one alert until it is resolved."""
    audience: str
    """A route's name: `technician`, `on-call`, `client-contact`, or one of the MSP's."""
    severity: Severity
    """How bad."""
    summary: str
    """One line, 1 to 1,024 bytes; longer is `invalid`."""
    component: str
    """The part of the machine: a unit, a mount. PagerDuty `component`; may be empty. One line of at most 255 bytes, like the next two."""
    group: str
    """PagerDuty `group`; may be empty."""
    event_class: str
    """PagerDuty `class`, such as `disk full`; may be empty."""
    links: list[Link] = field(default_factory=list)
    """At most 16, each part at most 2,048 bytes."""
    attributes: Attributes = field(default_factory=dict)
    """PagerDuty `custom_details`; `expires-ms` (a time) drops it where it was not delivered by then."""


class DeliveryOutcome(StrEnum):
    """What became of it. Closed: what is none of these is `muted`, with a `reason`."""

    QUEUED = "queued"
    """Durable on the device, on its way."""
    GROUPED = "grouped"
    """Joined to one already on its way, or a repeat of what was already told."""
    MUTED = "muted"
    """Held back by quiet hours and sent when they end, unless resolved before; or, where the effect is `unchanged`, nothing to tell."""
    RATE_LIMITED = "rate-limited"
    """Dropped: too many in an hour. The next one after that is told."""
    PLANNED = "planned"
    """A dry run; `outcome` among the attributes of the change says what it would be."""


@dataclass(kw_only=True, slots=True)
class Delivery:
    """What became of it. Closed: grows in `change`."""

    outcome: DeliveryOutcome
    """How it went; acceptance by the receiver is in the run's record, later."""
    change: Change
    """The same for journal and plan. States read `open, error, 2 times`; the attribute `outcome` holds in a dry run too."""
    reason: str
    """Why it was held back; else empty."""


@host("notify")
def trigger_event(event: Notification) -> Delivery:
    """Opens an alert, or repeats it: told again only where it is worse than what was told, or that is a day ago (policy may say otherwise).

    Raises `HostError`.
    """
    raise NotImplementedError


@host("notify")
def acknowledge_event(audience: str, dedup_key: Fingerprint) -> Delivery:
    """Says that somebody works on it; `unchanged` where it is not open, or somebody already does.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("notify")
def resolve_event(audience: str, dedup_key: Fingerprint) -> Delivery:
    """Closes it; `unchanged` where it is not open.

    Raises `HostError`.
    """
    raise NotImplementedError
