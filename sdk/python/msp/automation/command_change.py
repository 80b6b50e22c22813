# Written by `cargo xtask declarations` out of wit/command-change.wit.
"""Runs command templates of host policy that change something. Cannot be undone by the host.

Class: L3, or L4 where the template says so. Changes.
Scope: names of templates: `command-change [trim]`; one of class L4 is allowed by its name only, not by `*`.
Dry run: `planned`, no output; what the command would do is unknown, so the plan is incomplete from there.
"""

from dataclasses import dataclass

from msp.automation._host import U32, host
from msp.automation.types import Attributes, CommandOutput, Change


@dataclass(kw_only=True, slots=True)
class Ran:
    """What became of it. Closed: grows in `output` and `change`."""

    output: CommandOutput | None = None
    """What it left; none in a dry run."""
    change: Change
    """`changed` where it ran, whatever its exit status. `after` is `ran`."""


@host("command-change")
def run_command(template: str, arguments: Attributes | None, timeout_ms: U32) -> Ran:
    """As `run-command` of `command`.

    Raises `HostError`.
    """
    raise NotImplementedError
