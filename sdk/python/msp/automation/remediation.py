# Written by `cargo xtask declarations` out of wit/remediation.wit.
"""What a plugin exports that can put right what it finds."""

from dataclasses import dataclass, field

from msp.automation.types import Attributes


@dataclass(kw_only=True, slots=True)
class Remedy:
    """What `remediate` answers. It claims nothing: the host has journalled what was done, and detects again."""

    summary: str
    """One line for a person, at most 1 KiB; may be empty."""
    attributes: Attributes = field(default_factory=dict)
    """More by name."""
