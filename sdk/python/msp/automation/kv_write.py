# Written by `cargo xtask declarations` out of wit/kv-write.wit.
"""Writes to the store of `kv`; undone by `remit undo` where nobody wrote since.

Class: L2. Changes.
Scope: globs of keys, as in `kv`: `kv-write [baseline/*]`.
Dry run: `planned`; later reads in the run see the planned value.
"""


from msp.automation._host import U32, U64, host
from msp.automation.types import Change


@host("kv-write")
def put_value(key: str, value: str, expected_revision: U64 | None, ttl_seconds: U32) -> Change:
    """Writes at most 64 KiB of UTF-8, gone after `ttl-seconds` (0 for never). With `expected-revision` only if the key still has it, 0
    meaning that it must not exist; else `conflict`. `before` and `after` are revisions.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("kv-write")
def remove_value(key: str, expected_revision: U64 | None = None) -> Change:
    """Removes a key; `unchanged` where there is none.

    Raises `HostError`.
    """
    raise NotImplementedError
