"""How far a call is: what callers may be told, and counting it."""

from __future__ import annotations

import threading
from abc import abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from wheel_linker._wheel.tree import NotAsUnpackedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class ProgressBar(Protocol):
    """What shows how far a call is and wants to know how much there is to do. A class of one's own inherits from it.

    One thread calls at a time, whichever finished something; what is returned is of no interest. An exception other
    than an :exc:`OSError` ends the call, and is what it raises: everything is as it was before then.
    """

    @abstractmethod
    def __call__(self, files: int, /) -> object:
        """Take note that ``files`` more files have been unpacked or linked."""

    @abstractmethod
    def total(self, files: int, size: int, /) -> object:
        """Take note of how much there is to do; called before it begins, and again when there is more.

        What is unpacked is known first, what of it is linked later.

        :param files: how many files are unpacked, and how many are linked: in the end the sum of what
            :meth:`__call__` was called with.
        :param size: how many bytes are unpacked: in the end the sum of what :meth:`unpacked` was called with.
        """

    def unpacked(self, size: int, /) -> object:  # noqa: ARG002 - for those who want it
        """Take note that ``size`` more bytes have been unpacked; of a large file, while it is."""
        return None

    def wheel(self, name: str, /) -> object:  # noqa: ARG002 - for those who want it
        """Take note that files of the wheel of that name are finished from now on."""
        return None

    def putting_back(self) -> object:
        """Take note that the call has failed, and that what it has done is put back; nothing more is counted."""
        return None


def _never() -> bool:
    return False


class Progress:
    """Tells the caller what is done, one thread at a time.

    :param callback: what the caller gave; one that only counts files does as well as a :class:`ProgressBar`.
    """

    def __init__(self, callback: Callable[[int], object] | None) -> None:
        self._callback = callback
        self._total: Callable[[int, int], object] | None = getattr(callback, "total", None)
        self._unpacked: Callable[[int], object] | None = getattr(callback, "unpacked", None)
        self._wheel: Callable[[str], object] | None = getattr(callback, "wheel", None)
        self._putting_back: Callable[[], object] | None = getattr(callback, "putting_back", None)
        self._lock = threading.Lock()
        self._files = self._size = 0
        self._counted = (0, 0)
        self._name = ""

    @classmethod
    def of(cls, callback: Callable[[int], object] | None) -> Progress:
        """Return what tells a caller. A call that is part of another call uses the other's."""
        return callback if isinstance(callback, cls) else cls(callback)

    @property
    def is_followed(self) -> bool:
        """Whether the caller wants to be told anything."""
        return self._callback is not None

    @property
    def wants_total(self) -> bool:
        """Whether the caller asks how much there is to do."""
        return self._total is not None

    @contextmanager
    def telling_of_failure(self, is_complete: Callable[[], bool] = _never) -> Iterator[None]:
        """Tell that all is put back if the body of a ``with`` statement fails: the contexts around it do that.

        :param is_complete: whether nothing is put back any more.
        """
        try:
            yield
        except NotAsUnpackedError:
            raise  # the call begins anew
        except BaseException:
            if is_complete():
                raise
            tell, self._putting_back = self._putting_back, None
            if tell is not None:
                tell()
            raise

    def begin_anew(self) -> None:
        """Take note that the call begins again: what is counted from now on is to be done besides what has been."""
        with self._lock:
            self._files, self._size = self._counted

    def expect(self, files: int, size: int = 0) -> None:
        """Tell how much more there is to do."""
        if self._total is not None and (files or size):
            with self._lock:
                self._files += files
                self._size += size
                self._total(self._files, self._size)

    def __call__(self, files: int, name: str = "", size: int = 0) -> None:
        """Count files that are finished.

        :param name: the wheel that they are of.
        :param size: how many bytes were unpacked.
        """
        if self._callback is None or not (files or size):
            return
        with self._lock:
            self._counted = (self._counted[0] + files, self._counted[1] + size)
            if self._wheel is not None and name not in ("", self._name):
                self._name = name
                self._wheel(name)
            if files:
                self._callback(files)
            if size and self._unpacked is not None:
                self._unpacked(size)
