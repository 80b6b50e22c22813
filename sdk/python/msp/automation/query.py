# Written by `cargo xtask declarations` out of wit/query.wit.
"""osquery's tables, with projection and filters carried out by the host: the way to facts that have no function of their own.
As in osquery, every value is text.

Class: L1. Reads.
Scope: names of tables: `query [processes, listening_ports]`. `*` stands for all but those that reveal people (`users`,
`groups`, `user_groups`, `logged_in_users`, `last`), each of which must be named.
Dry run: as in enforce; a table that an earlier planned change would alter marks the plan incomplete.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from msp.automation._host import U32, host


class Comparison(StrEnum):
    """How a filter compares. Closed: osquery's constraint operators; comparison follows the column's type."""

    EQUALS = "equals"
    NOT_EQUALS = "not-equals"
    LESS = "less"
    LESS_OR_EQUAL = "less-or-equal"
    GREATER = "greater"
    GREATER_OR_EQUAL = "greater-or-equal"
    LIKE = "like"
    GLOB = "glob"


@dataclass(kw_only=True, slots=True)
class Condition:
    """A condition; several are joined by and. Closed: osquery's constraint."""

    column: str
    """A column of the table."""
    comparison: Comparison
    """How."""
    value: str
    """With what, as text."""


@dataclass(kw_only=True, slots=True)
class Rows:
    """An answer. Closed: what grows are tables and columns."""

    values: list[list[str | None]] = field(default_factory=list)
    """Each row holds the wanted columns in the wanted order; none is SQL's NULL."""
    truncated: bool
    """Whether rows are missing because of `limit` or the 1 MiB that an answer may have."""


@dataclass(kw_only=True, slots=True)
class Column:
    """A column of a table. Closed: osquery's name and type."""

    name: str
    """osquery's name."""
    column_type: str
    """osquery's type: `TEXT`, `INTEGER`, `BIGINT`, `DOUBLE`."""


@host("query")
def query_table(table: str, columns: Sequence[str], conditions: Sequence[Condition], limit: U32) -> Rows:
    """Rows of one table, in no promised order. `columns` in the order wanted, 1 to 64; at most 32 conditions, each with a value of at
    most 1 KiB; `limit` at least 1, at most 10,000. A table that is not in the scope is `denied`, one that this host lacks
    `unsupported`, an unknown column `invalid`. Numbers compare by value and want a number to compare with (else `invalid`),
    texts compare by byte; `like` is that of SQLite (`%`, `_`, ASCII letters in either case), `glob` takes `*`, `?`, `[a-z]` and
    `{a,b}`. No condition holds of a NULL.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("query")
def describe_table(table: str) -> list[Column]:
    """The columns of a table in the scope.

    Raises `HostError`.
    """
    raise NotImplementedError
