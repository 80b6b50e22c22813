# Written by `cargo xtask declarations` out of wit/files-write.wit.
"""Writes and removes files, so that it can be undone: what is replaced or removed moves to a bounded quarantine on the same file system.
It is a folder of the host's in the root, that only the host may enter. What is in it expires with its retention, and under pressure the
oldest first; what the same run put there never does, so that no run can remove for good: `limit`, code `quarantine-full`.
A link is removed and never written through; what lies on another file system than the root is left alone (`conflict`, code
`other-file-system`).

Class: L2. Changes.
Scope: names of roots, as in `files`: `files-write [scratch]`.
Dry run: `planned`, with the bytes that would be; later reads in the run see the planned files. Nothing is touched, not even a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from msp.automation._host import U64, host
from msp.automation.types import TimestampMs, Change, HostError


class WriteMode(StrEnum):
    """How to write. Closed: another way becomes a function."""

    CREATE = "create"
    """`conflict` where something is there."""
    REPLACE = "replace"
    """Whole, by renaming a finished file over it; owner, mode and extended attributes are kept. Another name of the same file (a
    hard link) keeps the old content. Makes the file where there is none; `unchanged` where it holds the same already.
    """
    APPEND = "append"
    """At the end. Makes the file where there is none."""


@dataclass(kw_only=True, slots=True)
class Removal:
    """What became of one removal. Closed: grows in `change`."""

    path: str
    """As handed in."""
    change: Change
    """What was done; `unchanged` where nothing was there. `before` is `file 1234 bytes`, `folder 12 entries 3456 bytes`, `link` or
    `other`; `after` is none.
    """
    quarantined_bytes: U64
    """Bytes on disk moved to the quarantine: kept, not free yet."""
    freed_bytes: U64
    """Bytes on disk that are free now, because something older left the quarantine for this."""
    error: HostError | None = None
    """Why this one failed; none where it did not."""


@host("files-write")
def write_file(root: str, path: str, content: bytes | str, mode: WriteMode) -> Change:
    """Writes at most 1 MiB to a file of at most 4 GiB; its folder must be there. `before` and `after` are `sha256:` and the digest,
    `before` none where there was no file.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("files-write")
def make_folder(root: str, path: str) -> Change:
    """Makes a folder, and those above it. `after` is `folder`; `unchanged` where it is there.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("files-write")
def remove_entries(root: str, paths: Sequence[str], unchanged_since_ms: TimestampMs) -> list[Removal]:
    """Removes up to 10,000 files and whole folders into the quarantine, one result a path, in order. What was written after
    `unchanged-since-ms` (for a folder, anything in it) is left alone with `conflict`; use the time at which they were listed. A file with
    an older time that was put there since counts as written. So is a folder with something in it that cannot be read or named
    (code `unreadable-inside`). A path that is malformed refuses the whole call.

    Raises `HostError`.
    """
    raise NotImplementedError
