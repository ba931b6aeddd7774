"""``python -m wheel_linker`` is the command line."""

from __future__ import annotations

import sys

from wheel_linker._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
