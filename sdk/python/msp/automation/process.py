# Written by `cargo xtask declarations` out of wit/process.wit.
"""Processes (osquery `processes`), without command lines: those hold secrets.

Class: L1. Reads.
Scope: globs of process names: `process [nginx, java*]`; `process [*]` for all.
Dry run: as in enforce; processes planned to end earlier in the run are left out.
"""

from dataclasses import dataclass, field

from msp.automation._host import U32, U64, host
from msp.automation.types import TimestampMs, Attributes


@dataclass(kw_only=True, slots=True)
class ProcessInfo:
    """A process. (pid, started-ms) names it; a pid alone is used again."""

    pid: U32
    """Process id."""
    parent_pid: U32
    """Its parent's."""
    name: str
    """Name of the program, as the kernel has it (Linux: at most 15 bytes)."""
    path: str
    """Path of the program; empty where the host may not see it. A person's home in it is masked like their name."""
    user: str
    """Account that it runs as; a person's name is masked unless `device-people` is granted too: `person-` and a number that is
    the same for the same person on this device.
    """
    started_ms: TimestampMs
    """When it started."""
    cpu_ms: U64
    """Processor time so far."""
    resident_bytes: U64
    """Memory in RAM."""
    attributes: Attributes = field(default_factory=dict)
    """More by name, where it is known: `state` (Linux's letter), `threads`, `cgroup`, `service`, `nice`, and `protected`: why nobody may
    end it (`init`, `agent`, `kernel`).
    """


@host("process")
def list_processes() -> list[ProcessInfo]:
    """Processes in the scope, at most 5,000, by pid.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("process")
def get_process(pid: U32) -> ProcessInfo:
    """The one that has this pid now. Outside the scope: `denied`; none: `not-found`.

    Raises `HostError`.
    """
    raise NotImplementedError
