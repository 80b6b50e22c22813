# Written by `cargo xtask declarations` out of wit/device-people.wit.
"""Who uses this machine. Reveals people: policy may mask names, which then come as pseudonyms: the same for the same name on
this device, and different on every other. Accounts of the system keep theirs.

Class: L1, reveals people. Reads.
Scope: none.
Dry run: as in enforce.
"""

from dataclasses import dataclass, field

from msp.automation._host import U32, U64, host
from msp.automation.types import TimestampMs, Attributes


@dataclass(kw_only=True, slots=True)
class Session:
    """Someone logged in now (osquery `logged_in_users`)."""

    user: str
    """Account name."""
    state: str
    """`active`, `idle`, `locked`, `disconnected`."""
    remote: bool
    """Whether over the network."""
    started_ms: TimestampMs
    """When it began."""
    idle_seconds: U64
    """Since the last input; 0 where the platform cannot tell. From ten minutes on, an `active` session is `idle`."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `sid`, `terminal`, `remote-host`, `session-id`."""


@dataclass(kw_only=True, slots=True)
class User:
    """A local account (osquery `users`)."""

    name: str
    """Account name."""
    uid: str
    """uid or SID."""
    groups: list[str] = field(default_factory=list)
    """Groups by name, the primary one first."""
    enabled: bool
    """Whether it can log in at all: it has a shell, has not expired, and has a password that nobody locked, or keys for SSH."""
    administrator: bool
    """Whether it belongs to the administrators (`root`, `sudo`, `wheel`, `Administrators`)."""
    last_login_ms: TimestampMs | None = None
    """None where it never logged in, or the platform forgot."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `full-name`, `home`, `shell`, `password-changed-ms`, `expires-ms`, `system`."""


@dataclass(kw_only=True, slots=True)
class Login:
    """A past login (osquery `last`)."""

    user: str
    """Account name."""
    at_ms: TimestampMs
    """When."""
    success: bool
    """Whether it succeeded."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `terminal`, `remote-host`, `logon-type`, `ended-ms`."""


@host("device-people")
def list_sessions() -> list[Session]:
    """Who is logged in, at most 1,000.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("device-people")
def list_users() -> list[User]:
    """Local accounts, at most 5,000; those of a directory service only where they logged in here.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("device-people")
def list_logins(since_ms: TimestampMs, limit: U32) -> list[Login]:
    """Logins since then, latest first, at most `limit` (at most 5,000).

    Raises `HostError`.
    """
    raise NotImplementedError
