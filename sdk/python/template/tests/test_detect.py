"""The plugin against fakes: what it asks the host is replaced where it is imported."""

import unittest
from unittest.mock import patch

import new_plugin
from msp.automation import Verdict
from msp.automation.device import Volume


def volume(mount: str, free_bytes: int, read_only: bool = False) -> Volume:
    """One of 1000 bytes."""
    return Volume(mount=mount, device="/dev/sda1", filesystem="ext4", size_bytes=1000, free_bytes=free_bytes, read_only=read_only)


class Detect(unittest.TestCase):
    """What `detect` reports."""

    def titles(self, *volumes: Volume) -> list[str]:
        """Of what is found on a device with these volumes."""
        with (
            patch.object(new_plugin, "get_parameters", return_value='{"min-free-percent": 20}'),
            patch.object(new_plugin, "list_volumes", return_value=list(volumes)),
            patch.object(new_plugin, "metric"),
        ):
            report = new_plugin.detect()
        self.assertEqual(report.verdict, Verdict.NON_COMPLIANT if report.findings else Verdict.COMPLIANT)
        return [finding.title for finding in report.findings]

    def test_only_the_full_volume_is_found(self) -> None:
        """One is above the limit."""
        self.assertEqual(self.titles(volume("/", 500), volume("/var", 199)), ["/var has 20 % free"])

    def test_what_cannot_be_written_to_does_not_fill_up(self) -> None:
        """Such as a CD."""
        self.assertEqual(self.titles(volume("/media/cdrom", 0, read_only=True)), [])


if __name__ == "__main__":
    unittest.main()
