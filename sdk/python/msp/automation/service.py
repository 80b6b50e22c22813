# Written by `cargo xtask declarations` out of wit/service.wit.
"""Services: systemd units of type service, SysV scripts where there is no systemd, SCM services, launchd jobs.

Class: L1. Reads.
Scope: globs of names, without `.service`: `service [nginx, postgresql*]`; `service [*]` for all.
Dry run: as in enforce; states planned earlier in the run are overlaid.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from msp.automation._host import U32, host
from msp.automation.types import TimestampMs, Attributes, StartType


class ServiceState(StrEnum):
    """SCM's states; systemd's `active` is running, `activating` is start-pending. Closed: what is none of these is `other`, and the
    platform's own word is in the attribute `sub-state`. A SysV script that cannot tell is `other` too.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    START_PENDING = "start-pending"
    STOP_PENDING = "stop-pending"
    PAUSED = "paused"
    FAILED = "failed"
    OTHER = "other"


@dataclass(kw_only=True, slots=True)
class ServiceInfo:
    """A service."""

    name: str
    """Its name, without `.service`. A service that was asked for by another name of its own has its first name here."""
    display_name: str
    """What people call it."""
    state: ServiceState
    """How it is."""
    start_type: StartType
    """When it starts."""
    pid: U32 | None = None
    """Its main process, while there is one."""
    since_ms: TimestampMs | None = None
    """When it entered this state, where the platform remembers."""
    attributes: Attributes = field(default_factory=dict)
    """More by name, where it is known: `manager` (`systemd`, `sysv`), `type` (systemd's), `runs-once` (`true`: it is `stopped` again when
    it has done its work), `sub-state`, `result`, `exit-code`, `restarts`, `account`, `binary`, `memory-bytes`, `unit-file-state`,
    `reload` (`true` where it can), and from `get-service` alone `own` (`true`: the agent itself) and `needed-by`: the running services
    that would stop with it, parted by blanks, `*` at the end for more than 4 KiB of them.
    """


@host("service")
def list_services() -> list[ServiceInfo]:
    """Services in the scope, at most 2,000, by name.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("service")
def get_service(name: str) -> ServiceInfo:
    """One of them. Outside the scope: `denied`; no such: `not-found`; no plain name (`nginx.service`, `../x`): `invalid`, code `name`.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("service")
def list_dependencies(name: str) -> list[str]:
    """Names of the services that this one needs itself, at most 256; those outside the scope are named too.

    Raises `HostError`.
    """
    raise NotImplementedError
