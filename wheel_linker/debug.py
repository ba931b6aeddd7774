"""Telling the library's logger, which costs nothing to import until there is something to tell."""

from __future__ import annotations


def log(message: str, *arguments: object) -> None:
    """Log at debug level what went wrong without harm."""
    import logging

    logging.getLogger("wheel_linker").debug(message, *arguments)
