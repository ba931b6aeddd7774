"""How far a command is, as bars on a terminal: one for files, and one for bytes while these are unpacked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
)

from wheel_linker._compat.override import override
from wheel_linker._wheel.progress import ProgressBar
from wheel_linker.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType
    from rich.progress import Task


class _Amount(ProgressColumn):
    """How much is done of how much, in files or in bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._files, self._bytes = MofNCompleteColumn(), DownloadColumn()

    @override
    def render(self, task: Task) -> RenderableType:
        return (self._bytes if task.fields["in_bytes"] else self._files).render(task)


class _Bar(ProgressBar):
    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._files = shown.add_task("files", total=None, in_bytes=False, wheel="")
        self._bytes = shown.add_task("unpacked", total=0, in_bytes=True, wheel="", visible=False)

    @override
    def total(self, files: int, size: int, /) -> None:
        self._shown.update(self._files, total=files)
        self._shown.update(self._bytes, total=size, visible=size > 0)

    @override
    def __call__(self, files: int, /) -> None:
        self._shown.update(self._files, advance=files)

    @override
    def unpacked(self, size: int, /) -> None:
        self._shown.update(self._bytes, advance=size)

    @override
    def wheel(self, name: str, /) -> None:
        self._shown.update(self._files, wheel=escape(printable(name)))

    @override
    def putting_back(self) -> None:
        # Without a total, rich has the bar move.
        self._shown.update(self._bytes, visible=False)
        self._shown.update(self._files, description="putting back", total=None, wheel="")


@contextmanager
def bar(console: Console) -> Iterator[ProgressBar]:
    """Show bars as long as the context lasts."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        _Amount(),
        TextColumn("{task.fields[wheel]}"),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        yield _Bar(shown)
