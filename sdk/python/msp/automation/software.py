# Written by `cargo xtask declarations` out of wit/software.wit.
"""Installed software (osquery `deb_packages`, `rpm_packages`, `programs`, `apps`).

Class: L1. Reads.
Scope: none.
Dry run: as in enforce, with updates that were planned earlier in the run overlaid.
"""

from dataclasses import dataclass, field

from msp.automation._host import host
from msp.automation.types import TimestampMs, Attributes


@dataclass(kw_only=True, slots=True)
class Program:
    """A program or package."""

    id: str
    """`apt:openssl`, `msi:{GUID}`, `brew:jq`."""
    name: str
    """Its name."""
    version: str
    """Its version, as its manager writes it."""
    publisher: str
    """Maker or maintainer; may be empty."""
    manager: str
    """`apt`, `dnf`, `rpm`, `msi`, `exe`, `appx`, `winget`, `chocolatey`, `brew`, `pkg`, `flatpak`, `snap`, or another word."""
    installed_ms: TimestampMs | None = None
    """When it was installed, where somebody remembers."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `arch`, `source`, `section`, `size-bytes`, `status`, `automatic`, `per-user`."""


@dataclass(kw_only=True, slots=True)
class Programs:
    """An answer. Closed: a page and its limit; programs grow."""

    items: list[Program] = field(default_factory=list)
    """By id."""
    truncated: bool
    """Whether more would match."""


@host("software")
def find_programs(name: str) -> Programs:
    """Programs whose name matches the glob (`*` for all, at most 255 bytes), at most 10,000 and 4 MiB.

    Raises `HostError`.
    """
    raise NotImplementedError
