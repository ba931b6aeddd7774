"""Fixtures of the tests of the command line."""

from __future__ import annotations

from store.conftest import root, store, stored, wheel_file

__all__ = ["root", "store", "stored", "wheel_file"]
