"""Which files may have a second name, call by call; tests/test_sharing.py has what becomes of wheels."""

from __future__ import annotations

import errno
import os
import re
import stat
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from wheel_linker._fs import sharing
from wheel_linker._fs.folder import Folder
from wheel_linker._fs.sharing import NotSharedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="files have no numbers of users there")

ROOT, CALLER, THIRD = 0, 1000, 54_321


def status(uid: int = CALLER, mode: int = 0o644, flags: int | None = 0) -> Any:
    """Return what the system knows of a file; without flags where it knows none."""
    known = {} if flags is None else {"st_flags": flags}
    return SimpleNamespace(st_uid=uid, st_mode=stat.S_IFREG | mode, **known)


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be the user of that number."""
    monkeypatch.setattr(os, "geteuid", lambda: CALLER)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder.open(os.fspath(tmp_path)) as opened:
        yield opened


def on(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "sys", SimpleNamespace(platform=system))


class TestHardLink:
    def test_is_pythons_own(self) -> None:
        assert sharing.hard_link() is os.link

    def test_is_refused_where_python_has_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on Android: then the next mode is tried."""
        monkeypatch.delattr(os, "link")
        with pytest.raises(OSError, match=re.escape(os.strerror(errno.ENOTSUP))) as caught:
            sharing.hard_link()("from", "to", src_dir_fd=3, follow_symlinks=False)
        assert caught.value.errno == errno.ENOTSUP
        assert (caught.value.filename, caught.value.filename2) == ("from", "to")


class TestWary:
    @pytest.mark.parametrize(
        ("mode", "wary"),
        [(0o755, False), (0o700, False), (0o775, True), (0o757, True), (0o720, True)],
    )
    def test_of_what_others_may_write_to(
        self, tmp_path: Path, folder: Folder, mode: int, wary: bool
    ) -> None:
        tmp_path.chmod(mode)
        assert sharing.is_wary(folder) is wary

    def test_not_on_windows(
        self, tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tmp_path.chmod(0o777)
        on("win32", monkeypatch)
        assert sharing.is_wary(folder) is False


@pytest.mark.usefixtures("caller")
class TestOwner:
    @pytest.mark.parametrize(("uid", "ours"), [(CALLER, True), (ROOT, True), (THIRD, False)])
    def test_the_caller_and_root_may_write(self, uid: int, ours: bool) -> None:
        assert sharing.is_ours(status(uid)) is ours
        assert sharing.others_may_write(status(uid)) is not ours
        assert sharing.others_may_write(status(uid, 0o664)) is True

    def test_the_callers_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert sharing.is_owned(status(CALLER)) is True
        assert sharing.is_owned(status(ROOT)) is False
        on("win32", monkeypatch)
        assert sharing.is_owned(status(ROOT)) is True


@pytest.mark.usefixtures("caller")
class TestRefusal:
    def test_none(self) -> None:
        for known in (status(), status(ROOT), status(mode=0o777), status(flags=None)):
            sharing.refuse_to_share(known, "file")

    def test_a_third_users(self) -> None:
        words = f"it belongs to the user {THIRD}, who could change it later"
        for refuse in (
            sharing.refuse_to_share,
            sharing.refuse_foreign_or_set_id,
            sharing.refuse_foreign,
        ):
            with pytest.raises(NotSharedError) as caught:
                refuse(status(THIRD), "file")
            assert (caught.value.errno, caught.value.strerror) == (errno.EPERM, words)
            assert caught.value.filename == "file"

    @pytest.mark.parametrize("bits", [0o4755, 0o2755, 0o6644])
    def test_set_id_bits(self, bits: int) -> None:
        sharing.refuse_foreign(status(mode=bits), "file")
        for refuse in (sharing.refuse_to_share, sharing.refuse_foreign_or_set_id):
            with pytest.raises(NotSharedError) as caught:
                refuse(status(mode=bits), "file")
            assert (caught.value.errno, caught.value.strerror) == (
                errno.EPERM,
                "it has set-id bits",
            )
            assert caught.value.filename == "file"

    def test_flags(self) -> None:
        known = status(flags=stat.UF_HIDDEN | stat.UF_IMMUTABLE | stat.UF_NODUMP)
        sharing.refuse_foreign_or_set_id(known, "file")
        words = "it has the flags 0x8002 (chflags), which would come along"
        for refuse in (sharing.refuse_to_share, sharing.refuse_bound):
            with pytest.raises(NotSharedError) as caught:
                refuse(known, "file")
            assert (caught.value.errno, caught.value.strerror) == (errno.EPERM, words)
            assert caught.value.filename == "file"


class TestHarmful:
    @pytest.mark.parametrize(
        ("flags", "harmful"),
        [
            (None, 0),
            (0, 0),
            (stat.UF_NODUMP, 0),
            (stat.UF_HIDDEN, stat.UF_HIDDEN),
            (stat.UF_COMPRESSED | stat.UF_NODUMP, stat.UF_COMPRESSED),
            (stat.SF_APPEND | stat.SF_ARCHIVED, stat.SF_APPEND),
        ],
    )
    def test_flags(self, flags: int | None, harmful: int) -> None:
        assert sharing.harmful(status(flags=flags)) == harmful


class TestShow:
    """Where files have flags, which this system may know none of."""

    @pytest.fixture
    def changed(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, bool]]:
        calls: list[tuple[str, int, bool]] = []

        def change(path: str, flags: int, *, follow_symlinks: bool = True) -> None:
            calls.append((path, flags, follow_symlinks))

        monkeypatch.setattr(os, "chflags", change, raising=False)
        return calls

    def test_a_hidden_file_is_shown(
        self,
        tmp_path: Path,
        folder: Folder,
        changed: list[tuple[str, int, bool]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked: list[str] = []

        def known(_: Folder, name: str) -> Any:
            asked.append(name)
            return status(flags=stat.UF_HIDDEN | stat.UF_NODUMP)

        monkeypatch.setattr(Folder, "lstat", known)
        sharing.show(folder, "file")
        assert asked == ["file"]
        assert changed == [(os.fspath(tmp_path / "file"), stat.UF_NODUMP, False)]

    @pytest.mark.parametrize("flags", [None, 0, stat.UF_NODUMP])
    def test_another_is_left_alone(
        self,
        folder: Folder,
        changed: list[tuple[str, int, bool]],
        flags: int | None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(Folder, "lstat", lambda *_: status(flags=flags))
        sharing.show(folder, "file")
        assert changed == []

    def test_where_there_are_no_flags(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(os, "chflags", raising=False)
        monkeypatch.setattr(Folder, "lstat", lambda *_: status(flags=stat.UF_HIDDEN))
        sharing.show(folder, "file")

    def test_a_refusal_is_none_of_the_wheels(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EPERM, "refused here")

        monkeypatch.setattr(os, "chflags", refuse, raising=False)
        monkeypatch.setattr(Folder, "lstat", lambda *_: status(flags=stat.UF_HIDDEN))
        sharing.show(folder, "file")


class TestHowToUnlock:
    @pytest.mark.parametrize(
        ("flags", "words", "first"),
        [
            (stat.UF_IMMUTABLE, "uchg", "nouchg"),
            (stat.UF_HIDDEN | stat.SF_NOUNLINK, "sunlnk", "nosunlnk"),
            (stat.UF_APPEND | stat.SF_IMMUTABLE, "uappnd, schg", "nouappnd"),
            (0x00080000, "restricted", "norestricted"),
        ],
    )
    def test_flags(self, flags: int, words: str, first: str) -> None:
        assert sharing.how_to_unlock(status(flags=flags)) == (
            f"it has the flags {words}: take them away (chflags {first}) and call again"
        )

    @pytest.mark.parametrize("known", [None, status(), status(flags=stat.UF_HIDDEN)])
    def test_no_flags(self, known: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        on("linux", monkeypatch)
        assert sharing.how_to_unlock(known) == (
            "it may be immutable (lsattr): take that away (chattr -i -a) and call again"
        )
        on("darwin", monkeypatch)
        assert sharing.how_to_unlock(known) == "check the owner and the attributes of the path"
