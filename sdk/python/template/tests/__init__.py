"""Unit tests: `python3 -m unittest`."""
