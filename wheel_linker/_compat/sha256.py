"""``sha256`` for a few bytes.

``hashlib`` loads a library for cryptography, which takes longer than installing a small wheel. CPython has the function
in a module of its own as well, unless it was built without.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

__all__ = ["sha256"]

if TYPE_CHECKING or sys.implementation.name != "cpython":
    from hashlib import sha256
else:
    try:
        if sys.version_info >= (3, 12):
            from _sha2 import sha256
        else:
            from _sha256 import sha256
    except ImportError:
        from hashlib import sha256
