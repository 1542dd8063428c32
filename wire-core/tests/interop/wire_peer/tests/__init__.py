"""Tests: `python -m unittest discover -s wire_peer/tests -t .` from the folder above."""
