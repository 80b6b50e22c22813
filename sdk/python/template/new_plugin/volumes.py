"""What the plugin thinks of volumes. It calls nothing of the host, so that any Python can test it."""

from msp.automation import Finding, Severity
from msp.automation.device import Volume


def percent_free(volume: Volume) -> float:
    """Of its size."""
    return volume.free_bytes / volume.size_bytes * 100


def writable(volumes: list[Volume]) -> list[Volume]:
    """Those that can fill up."""
    return [volume for volume in volumes if not volume.read_only and volume.size_bytes > 0]


def full_volumes(volumes: list[Volume], least_percent: float) -> list[Finding]:
    """A finding for each volume with less free space than this."""
    return [
        Finding(
            fingerprint=f"volume:{volume.mount}",
            title=f"{volume.mount} has {percent_free(volume):.0f} % free",
            severity=Severity.WARNING,
            target=volume.mount,
            evidence=f"{volume.free_bytes} of {volume.size_bytes} bytes are free",
            remediable=False,
        )
        for volume in writable(volumes)
        if percent_free(volume) < least_percent
    ]
