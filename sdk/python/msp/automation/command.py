# Written by `cargo xtask declarations` out of wit/command.wit.
"""Runs command templates of host policy that only read. A template names a binary by digest, an argument grammar and a class; none is
a shell or an interpreter, and nothing is interpolated into one.

Class: L1. Reads.
Scope: names of templates: `command [smart-health]`.
Dry run: as in enforce.
"""

from dataclasses import dataclass, field

from msp.automation._host import U32, host
from msp.automation.types import Attributes, CommandOutput


@dataclass(kw_only=True, slots=True)
class Template:
    """What may be known of a template."""

    name: str
    """Its name."""
    description: str
    """What it does."""
    arguments: list[str] = field(default_factory=list)
    """The names of its arguments."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `class`, `binary`, `grammar`."""


@host("command")
def list_templates() -> list[Template]:
    """The templates in the scope that this machine has.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("command")
def run_command(template: str, arguments: Attributes | None, timeout_ms: U32) -> CommandOutput:
    """Runs one with arguments by name. One that changes something is `denied` (code `template-changes`); an argument outside the grammar
    is `invalid`; another binary than the template's, or one that others could have put there, is `failed` (codes `digest`, `binary`).
    `timeout-ms` at most 600,000, 0 for the template's own, which is also the most; a command that takes longer is killed (`timeout`).

    Raises `HostError`.
    """
    raise NotImplementedError
