# Written by `cargo xtask declarations` out of wit/patch.wit.
"""What the machine's update services would install, what they installed, and what policy says. Words are Windows Update's.

Class: L1. Reads.
Scope: names of sources, `*` for all: `patch [apt]`.
Dry run: as in enforce, from the index as it is; updates and holds planned earlier in the run are overlaid.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from msp.automation._host import U32, U64, host
from msp.automation.types import TimestampMs, Attributes


class Classification(StrEnum):
    """Microsoft's update classifications, the nearest one for other sources. Closed: what fits none is `other`, and the source's own
    word is in the attribute `source-class`.
    """

    SECURITY = "security"
    CRITICAL = "critical"
    DEFINITION = "definition"
    UPDATE_ROLLUP = "update-rollup"
    SERVICE_PACK = "service-pack"
    FEATURE_PACK = "feature-pack"
    UPGRADE = "upgrade"
    DRIVER = "driver"
    TOOL = "tool"
    APPLICATION = "application"
    UPDATE = "update"
    OTHER = "other"


class UpdateSeverity(StrEnum):
    """MSRC's ratings. Closed: unchanged since 2002; `unspecified` where nobody rated it."""

    CRITICAL = "critical"
    IMPORTANT = "important"
    MODERATE = "moderate"
    LOW = "low"
    UNSPECIFIED = "unspecified"


class RebootBehavior(StrEnum):
    """WUA `InstallationRebootBehavior`. Closed: that interface is."""

    NEVER = "never"
    ALWAYS = "always"
    CAN_REQUEST = "can-request"


class UpdateState(StrEnum):
    """Where an update stands. Closed: ends in `other`."""

    AVAILABLE = "available"
    """It can be installed."""
    DOWNLOADED = "downloaded"
    """Its bytes are here."""
    HELD = "held"
    """Held on this machine (`apt-mark hold`, hidden in WUA)."""
    KEPT_BACK = "kept-back"
    """The package manager keeps it back, because it needs more than an upgrade, or by phasing; `state-reason` says which."""
    PENDING_REBOOT = "pending-reboot"
    """Installed, takes hold with the next boot."""
    FAILED = "failed"
    """Tried, failed."""
    OTHER = "other"
    """None of these; the source's own word is in the attribute `source-state`."""


class Approval(StrEnum):
    """What the policy on this device says of an update. Closed: the words of host policy."""

    UNSET = "unset"
    """No rule names it."""
    APPROVED = "approved"
    """It may be installed."""
    DEFERRED = "deferred"
    """Not before `deferred-until-ms`."""
    DECLINED = "declined"
    """Not wanted."""
    BLOCKED = "blocked"
    """Never, whoever asks."""


@dataclass(kw_only=True, slots=True)
class Update:
    """An update that is not, or not wholly, installed."""

    id: str
    """Hand this to `install-updates`: `apt:openssl@3.0.15-1~deb12u1`, `windows-update:<UpdateID>.<RevisionNumber>`."""
    title: str
    """For a person."""
    product: str
    """Package or product name."""
    source: str
    """`apt`, `dnf`, `zypper`, `windows-update`, `wsus`, `winget`, `softwareupdate`, or another word."""
    installed_version: str | None = None
    """What is there now; none where it is new."""
    available_version: str
    """What would be there."""
    classification: Classification
    """What kind it is."""
    severity: UpdateSeverity
    """How MSRC, or the distribution's tracker, rates it."""
    cves: list[str] = field(default_factory=list)
    """CVE ids that it fixes, as far as its source says."""
    kbs: list[str] = field(default_factory=list)
    """KB article numbers; empty outside Windows."""
    size_bytes: U64
    """To download; 0 where unknown."""
    released_ms: TimestampMs | None = None
    """When it was published, where its source says so."""
    first_seen_ms: TimestampMs
    """When this device first saw it pending."""
    reboot_behavior: RebootBehavior
    """Whether it will want a reboot."""
    state: UpdateState
    """Where it stands."""
    approval: Approval
    """What policy says of it."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `state-reason` (`phased`, `needs-more-than-an-upgrade`, `unsatisfiable`), `deferred-until-ms`, `source-class` (the suites that
    carry it), `origin`, `changelog` (`not-read` until `refresh-index` has fetched it: then `cves` and `released-ms` are unknown),
    `ring`, `kev`, `cvss`, `superseded-by`, `support-url`, `eula`.
    """


@dataclass(kw_only=True, slots=True)
class HistoryEntry:
    """A past operation (osquery `windows_update_history`)."""

    id: str
    """As in `update`, as far as the log still tells."""
    product: str
    """Package or product name."""
    operation: str
    """`install`, `upgrade`, `remove`, `downgrade`."""
    success: bool
    """Whether it succeeded."""
    at_ms: TimestampMs
    """When."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `arch`, `from-version`, `to-version`, `automatic`, `error`, `hresult`, `requested-by`, `command-line`."""


@dataclass(kw_only=True, slots=True)
class SourceHealth:
    """In what condition an update service is."""

    source: str
    """Its name."""
    refreshed_ms: TimestampMs | None = None
    """When its index was last refreshed; none for never."""
    locked_by: str | None = None
    """Who holds its lock, if somebody does."""
    broken: list[str] = field(default_factory=list)
    """Packages left half-installed or half-configured; `repair` deals with them."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `version`, `interrupted` (`yes` where the package manager died at work), `reboot-required` (the packages that want one,
    comma-separated), `server`, `unreachable`, `disabled`.
    """


@dataclass(kw_only=True, slots=True)
class PolicyView:
    """Whether the policy would let an install happen now."""

    window_open: bool
    """Whether a maintenance window is open."""
    window_changes_ms: TimestampMs | None = None
    """When it closes, or the next one opens."""
    reboot_allowed: bool
    """Whether a reboot would be accepted now."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `ring`, `frozen-by`, `defer-days`."""


@host("patch")
def list_updates() -> list[Update]:
    """Everything pending, held, kept back, or installed and waiting for a reboot, at most 5,000, by id, from the index as it is;
    `patch-control` can refresh it.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("patch")
def list_history(since_ms: TimestampMs, limit: U32) -> list[HistoryEntry]:
    """Operations since then, latest first, at most `limit` (at most 5,000).

    Raises `HostError`.
    """
    raise NotImplementedError


@host("patch")
def list_sources() -> list[SourceHealth]:
    """How the update services are.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("patch")
def get_policy() -> PolicyView:
    """What policy says about now.

    Raises `HostError`.
    """
    raise NotImplementedError
