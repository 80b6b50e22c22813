# Written by `cargo xtask declarations` out of wit/patch-install.wit.
"""Installs updates, repairs a package manager, and asks for the reboot that they need. Only what the policy on this device approves.

Class: L3. Changes.
Scope: names of sources: `patch-install [apt]`.
Dry run: `planned` for each update, after the package manager's own simulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from msp.automation._host import U32, host
from msp.automation.types import Change, Attributes


class RebootPolicy(StrEnum):
    """When a reboot may follow. Closed: a new wish is an attribute of the options."""

    NEVER = "never"
    """None."""
    IF_REQUIRED = "if-required"
    """Where an update needs it, in the window, after the run's checkpoint."""
    IF_REQUIRED_WHEN_IDLE = "if-required-when-idle"
    """Where an update needs it, and nobody is at the machine."""


@dataclass(kw_only=True, slots=True)
class InstallOptions:
    """How to install."""

    reboot: RebootPolicy
    """Whether a reboot may follow."""
    timeout_seconds: U32
    """For fetching everything; 0 means the host's default (1 h), the most is 6 h. Ending is clean, no package is left half-configured:
    what is fetched in time is installed to its end.
    """
    stop_on_failure: bool
    """Whether the first failure ends it: then each update is an installation of its own, in the order given."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `download-only`, `conffiles` (`keep` or `replace`), `restore-point`."""


class InstallOutcome(StrEnum):
    """What became of one update. Closed: what is none of these is `failed` with a code."""

    SUCCEEDED = "succeeded"
    REBOOT_REQUIRED = "reboot-required"
    FAILED = "failed"
    NOT_APPROVED = "not-approved"
    SUPERSEDED = "superseded"
    WINDOW_CLOSING = "window-closing"
    TIMED_OUT = "timed-out"
    NOT_ATTEMPTED = "not-attempted"


@dataclass(kw_only=True, slots=True)
class InstallResult:
    """What became of one update."""

    id: str
    """As handed in."""
    outcome: InstallOutcome
    """How it went; in a dry run how it is expected to go."""
    change: Change
    """What changed: versions before and after."""
    code: str
    """The package manager's own code (`hresult-0x…`, `dpkg-1`); empty on success."""
    message: str
    """For a person."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `also-changed` (dependencies of everything installed together, on the first result; it ends with `…` where there are more), `adopted-from` (the run that
    began it, where this one took it over), `elapsed-ms`.
    """


@host("patch-install")
def install_updates(ids: Sequence[str], options: InstallOptions) -> list[InstallResult]:
    """Installs these, at most 500, in the order that the package manager needs, in a unit of its own that survives this run; one that
    an earlier run began is taken over. One result an id, in the order of `ids`; what policy does not approve is `not-approved`, and never
    installed, also not as a dependency where policy defers, declines or blocks it. Nothing is removed, held or downgraded for it.
    `busy` where the package manager is locked, `conflict` where it is broken (`repair`).

    Raises `HostError`.
    """
    raise NotImplementedError


@host("patch-install")
def repair(source: str) -> Change:
    """Finishes what an interrupted install left (`dpkg --configure -a`). `before` and `after` are `broken` or `ok`, the attribute `packages`
    says which. `denied` unless policy allows repairs.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("patch-install")
def request_reboot(reason: str) -> Change:
    """Asks for the reboot that installed updates need; `conflict` where none is pending. Accepted, the run is suspended: checkpoint, and
    return. `reason` (at most 255 bytes) is shown to people at the machine. `after` is `requested`.

    Raises `HostError`.
    """
    raise NotImplementedError
