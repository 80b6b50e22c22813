# Written by `cargo xtask declarations` out of wit/files-erase.wit.
"""Removes files for good, without a quarantine. Cannot be undone.

Class: L4. Changes.
Scope: names of roots, as in `files`: `files-erase [scratch]`.
Dry run: `planned`, with the bytes that would be freed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from msp.automation._host import U64, host
from msp.automation.types import TimestampMs, Change, HostError


@dataclass(kw_only=True, slots=True)
class Erasure:
    """What became of one. Closed: grows in `change`."""

    path: str
    """As handed in."""
    change: Change
    """What was done; `before` as in `files-write`."""
    freed_bytes: U64
    """Bytes on disk that are free now; none where another name (a hard link) keeps them."""
    error: HostError | None = None
    """Why this one failed; none where it did not."""


@host("files-erase")
def erase_entries(root: str, paths: Sequence[str], unchanged_since_ms: TimestampMs) -> list[Erasure]:
    """As `remove-entries` of `files-write`, without quarantine.

    Raises `HostError`.
    """
    raise NotImplementedError
