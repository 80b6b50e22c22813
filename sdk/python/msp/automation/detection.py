# Written by `cargo xtask declarations` out of wit/detection.wit.
"""What every plugin exports."""

from dataclasses import dataclass, field
from enum import StrEnum

from msp.automation.types import Finding, Attributes


class Verdict(StrEnum):
    """What was found. Closed: the four verdicts that a plugin may give; the others are the host's to measure."""

    COMPLIANT = "compliant"
    """As it should be. Findings are then remarks."""
    NON_COMPLIANT = "non-compliant"
    """Not as it should be; at least one finding says what."""
    NOT_APPLICABLE = "not-applicable"
    """This plugin has nothing to say about this machine; `summary` says why."""
    UNKNOWN = "unknown"
    """It could not be found out; `summary` says why."""


@dataclass(kw_only=True, slots=True)
class Report:
    """What `detect` answers."""

    verdict: Verdict
    """What was found."""
    summary: str
    """One line for a person, at most 1 KiB; may be empty where findings say it."""
    findings: list[Finding] = field(default_factory=list)
    """At most 1,000, each fingerprint once."""
    facts: str | None = None
    """Facts worth keeping, as a JSON object of at most 256 KiB (the manifest may hold its schema); none where there are none."""
    attributes: Attributes = field(default_factory=dict)
    """More by name."""
