"""A plugin for measuring coverage: helper processes, which load no site-packages, are measured as well.

``pytest -p measured``, with the directory of the tests in ``PYTHONPATH``.
"""

from __future__ import annotations

import os

import coverage

from wheel_linker._link.helper import process

# Set by coverage where it is to measure processes.
if "COVERAGE_PROCESS_CONFIG" in os.environ:
    _THERE = os.path.dirname(os.path.dirname(os.path.abspath(coverage.__file__)))
    process._START = f"""
import sys
sys.path.append({_THERE!r})
import coverage
coverage.process_startup()
{process._START}
"""
