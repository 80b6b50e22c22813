"""Says which volumes are nearly full."""

import json

from msp.automation import Report, Verdict
from msp.automation.device import list_volumes
from msp.automation.run import get_parameters, metric

from new_plugin.volumes import full_volumes, percent_free, writable


def detect() -> Report:
    """Looks, and changes nothing."""
    least_percent: int = json.loads(get_parameters())["min-free-percent"]
    volumes = list_volumes()
    for volume in writable(volumes):
        metric("volume-free", percent_free(volume), "%", {"mount": volume.mount})
    findings = full_volumes(volumes, least_percent)
    return Report(
        verdict=Verdict.NON_COMPLIANT if findings else Verdict.COMPLIANT,
        summary=f"{len(volumes)} volumes looked at",
        findings=findings,
    )
