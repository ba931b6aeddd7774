"""Each Python of the bed imports this when it starts: symlinks are refused.

Wine's own call says that it has made one, and has made nothing. Windows refuses them to most users.
"""

from __future__ import annotations

import os
import sys
from typing import Any

if sys.platform == "win32":

    def _symlink(source: Any, target: Any, *_arguments: Any, **_keywords: Any) -> None:
        # winerror.h: ERROR_PRIVILEGE_NOT_HELD.
        raise OSError(None, "A required privilege is not held by the client", source, 1314, target)

    os.symlink = _symlink  # type: ignore[assignment,unused-ignore]
