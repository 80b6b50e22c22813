# Written by `cargo xtask declarations` out of wit/files.wit.
"""Files under named roots. No absolute path crosses the boundary: a path is relative, `/`-separated, UTF-8, at most 4 KiB, without empty
parts, `.` and `..`. An empty path is the root itself. No link below a root is ever followed (`conflict`, code `link`), wherever it
leads: following one would move its access time, and nobody can swap one for another meanwhile. The name `.remit-quarantine` belongs
to the host and is seen by nobody.

Class: L1. Reads.
Scope: names of roots, each a folder in host policy or bound by `--bind NAME=DIR`: `files [scratch, logs]`.
Dry run: as in enforce; writes and removals planned earlier in the run are overlaid.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from msp.automation._host import U32, U64, host
from msp.automation.types import TimestampMs, Attributes


class EntryKind(StrEnum):
    """What an entry is. Closed: a link is never followed to say it."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


@dataclass(kw_only=True, slots=True)
class Entry:
    """A file, folder or link."""

    path: str
    """Relative to the root. A name that is not UTF-8 is left out of lists, and counted."""
    kind: EntryKind
    """What it is."""
    size_bytes: U64
    """Length; 0 for what is no file."""
    modified_ms: TimestampMs
    """Last written."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `accessed-ms`, `changed-ms` (anything about it, its name or mode included), `created-ms`, `owner` and `group`
    (a number where this machine has no name), `mode` (octal), `allocated-bytes`, `links` (names it has), `inode` (the same for
    each of them), `mount-point` (`true` where another file system begins). Not where a link leads: reading that would move its
    access time.
    """


@dataclass(kw_only=True, slots=True)
class Selection:
    """Which entries are wanted; conditions are joined by and."""

    max_depth: U32
    """1 for the folder's own entries, at most 64."""
    pattern: str | None = None
    """Glob over the path below the folder (`**/*.log`); none for all."""
    modified_before_ms: TimestampMs | None = None
    """Last written before."""
    min_size_bytes: U64 | None = None
    """At least so long."""
    limit: U32
    """At most so many, 1 to 10,000."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `kind`, `owner`, `one-file-system` (`true` or `false`), `order` (`path`, `oldest`, `newest`, `largest`), and with `path`
    also `after`: only what comes after this path, which is how to read on from a page that was cut.
    """


@dataclass(kw_only=True, slots=True)
class Entries:
    """What was found. Closed: a page and its limits; entries grow."""

    items: list[Entry] = field(default_factory=list)
    """By path, part by part, unless `order` says otherwise."""
    truncated: bool
    """Whether more would match, or not everything was looked at (1,000,000 entries, 64 levels, the time for a call)."""
    skipped: U32
    """Entries that could not be read or named, at least."""


@dataclass(kw_only=True, slots=True)
class Usage:
    """How much a folder holds."""

    entries: U64
    """Files, folders and links below."""
    size_bytes: U64
    """Lengths, added."""
    allocated_bytes: U64
    """Blocks, added, each hard link once."""
    truncated: bool
    """Whether it was cut at 1,000,000 entries, 64 levels or the time for a call."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `skipped`, `newest-ms` and `oldest-ms` (of what is no folder), `written-ms` (the last time that anything in it was
    written or put there, as the guards of `files-write` take it), `freed-bytes` (what removing all of it would free, without what
    another name keeps), `mount-points` (their content is not counted).
    """


@host("files")
def list_roots() -> list[str]:
    """The roots in the scope that exist on this machine.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("files")
def get_entry(root: str, path: str) -> Entry | None:
    """What is there; none where nothing is.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("files")
def find_entries(root: str, path: str, selection: Selection) -> Entries:
    """Entries below a folder, found and filtered by the host in one call.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("files")
def get_usage(root: str, path: str) -> Usage:
    """How much is below a folder.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("files")
def read_file(root: str, path: str, offset: U64, length: U32) -> bytes:
    """At most `length` bytes (at most 1 MiB) from `offset`; fewer at the end, none beyond it.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("files")
def read_tail(root: str, path: str, lines: U32) -> str:
    """The last `lines` lines (at most 10,000, at most 1 MiB), as UTF-8 with invalid bytes replaced.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("files")
def get_sha256(root: str, path: str) -> str:
    """SHA-256 of a file of at most 4 GiB, lower-case hex; of what it held when the call began, where something is appended meanwhile.

    Raises `HostError`.
    """
    raise NotImplementedError
