"""A Windows to test on: CPython for Windows, under wine, in a Debian of its own. ``python -m windows`` tests there."""
