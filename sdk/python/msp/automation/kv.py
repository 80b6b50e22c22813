# Written by `cargo xtask declarations` out of wit/kv.wit.
"""Reads what this plugin's earlier runs, or the MSP, noted for one device, also when it is offline; kept on the
device. No plugin sees another's keys.

Class: L1. Reads.
Scope: globs of keys: `kv [*]`, `kv [baseline/*]`.
Dry run: as in enforce; values planned earlier in the run are overlaid.
"""


from msp.automation._host import host
from msp.automation.types import KvEntry


@host("kv")
def get_value(key: str) -> KvEntry | None:
    """The value of a key (1 to 255 bytes); none where there is none or it expired.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("kv")
def list_keys(prefix: str, after: str) -> list[str]:
    """Keys that begin so, in order, at most 1,000, beginning after `after` (empty for the first).

    Raises `HostError`.
    """
    raise NotImplementedError
