"""What names have in common that some file system takes for one.

A module of its own, for linking needs this and should not have to load what checks the names in archives.
"""

from __future__ import annotations


def fold(name: str) -> str:
    """Return what all names have in common that a file system may take for this one.

    Such differ in case (NTFS, APFS, exFAT, ext4 with casefold) or Unicode normalisation (HFS+, APFS).
    """
    if name.isascii():
        return name.lower()
    # Hardly any name in a wheel needs it.
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
