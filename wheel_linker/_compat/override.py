"""The decorator ``override``, which lets type checkers find a method that overrides nothing.

Python has it from 3.12 on. Before, type checkers take it from ``typing_extensions``. At run time that package is not
imported, because its import takes longer than linking a small wheel; the decorator does nothing then.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

__all__ = ["override"]

if sys.version_info >= (3, 12):
    from typing import override
elif TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method: Any) -> Any:
        """Return the method as it is."""
        return method
