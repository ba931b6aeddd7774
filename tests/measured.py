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
    setattr(  # noqa: B010 - a constant for everybody else
        process,
        "_START",
        f"import sys\nsys.path.append({_THERE!r})\nimport coverage\ncoverage.process_startup()\n{process._START}",
    )
