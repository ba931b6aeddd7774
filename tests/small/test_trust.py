"""Who is trusted with a store, user by user; tests/store/test_other_users.py has what follows from it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from wheel_linker import LinkError
from wheel_linker._fs.folder import Folder
from wheel_linker.store.layout import MANIFEST
from wheel_linker.store.trust import Proof, Standing, settle_one, settle_tree, standing_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there ACLs say who may write")

ME, GROUP, OTHER, THEIRS = 1000, 1000, 2000, 3000
EVERYBODY: Final = "everybody may write to it"


def place(owner: int, mode: int, group: int = GROUP) -> Any:
    return SimpleNamespace(st_uid=owner, st_gid=group, st_mode=stat.S_IFDIR | mode)


@pytest.fixture
def i_am(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def be(user: int, group: int = GROUP, groups: tuple[int, ...] = ()) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: user)
        monkeypatch.setattr(os, "getegid", lambda: group)
        monkeypatch.setattr(os, "getgroups", lambda: list(groups))

    be(ME)
    return be


@pytest.mark.usefixtures("i_am")
class TestDoubt:
    @pytest.mark.parametrize("owner", [ME, 0])
    def test_mine_and_roots_are_trusted(self, owner: int) -> None:
        standing = standing_in([place(owner, 0o755)], None, trusted=False)
        assert standing == Standing(None, True, None, False, frozenset({ME, 0}))

    def test_anothers_is_not(self) -> None:
        standing = standing_in([place(OTHER, 0o755)], None, trusted=False)
        assert standing.doubt == "it belongs to another user (number 2000)"
        assert standing.exclusive is False

    @pytest.mark.parametrize("bad", [0, 1])
    def test_each_place_counts(self, bad: int) -> None:
        places = [place(ME, 0o755), place(ME, 0o755)]
        places[bad] = place(OTHER, 0o755)
        standing = standing_in(places, None, trusted=False)
        assert standing.doubt == "it belongs to another user (number 2000)"
        assert not standing.exclusive

    def test_what_everybody_writes_is_not(self) -> None:
        standing = standing_in([place(ME, 0o777)], None, trusted=False)
        assert standing.doubt == EVERYBODY
        assert standing_in([place(OTHER, 0o757)], None, trusted=False).doubt == EVERYBODY

    @pytest.mark.parametrize("keeps_modes", [False, True])
    def test_bits_count_where_they_are_kept(self, keeps_modes: bool) -> None:
        """A mount of Windows' shows 0777 for everything."""
        standing = standing_in([place(ME, 0o2777)], Proof(ME, keeps_modes), trusted=False)
        assert standing.doubt == (EVERYBODY if keeps_modes else None)
        assert standing.exclusive is not keeps_modes
        assert standing.shared is keeps_modes

    def test_whoever_gets_what_i_make_is_me(self) -> None:
        """Network file systems may give files to another user than who makes them."""
        standing = standing_in([place(OTHER, 0o755)], Proof(OTHER, True), trusted=False)
        assert (standing.doubt, standing.exclusive) == (None, True)
        assert standing.mine == {ME, 0, OTHER}

    def test_the_caller_may_say_so(self) -> None:
        standing = standing_in([place(OTHER, 0o777)], None, trusted=True)
        assert (standing.doubt, standing.exclusive) == (None, True)
        assert standing.mine == {ME, 0}


class TestGroup:
    @pytest.mark.parametrize(
        ("groups", "mode", "shares"),
        [
            ((THEIRS,), 0o2775, True),
            ((7, THEIRS), 0o2770, True),
            ((7,), 0o2775, False),
            ((THEIRS,), 0o775, False),
            ((THEIRS,), 0o2755, False),
        ],
    )
    def test_shares_on_purpose(
        self, i_am: Callable[..., None], groups: tuple[int, ...], mode: int, shares: bool
    ) -> None:
        i_am(ME, GROUP, groups)
        standing = standing_in([place(OTHER, mode, THEIRS)], None, trusted=False)
        assert (standing.doubt is None) is shares
        assert standing.exclusive is False
        assert standing.shared is (mode & 0o2020 == 0o2020)

    def test_the_one_that_i_act_as_counts(self, i_am: Callable[..., None]) -> None:
        i_am(ME, THEIRS)
        assert standing_in([place(OTHER, 0o2775, THEIRS)], None, trusted=False).doubt is None

    def test_root_is_of_none(self, i_am: Callable[..., None]) -> None:
        i_am(0, THEIRS, (THEIRS,))
        assert standing_in([place(OTHER, 0o2775, THEIRS)], None, trusted=False).doubt is not None

    @pytest.mark.parametrize(
        ("user", "group", "owned_by", "mode", "exclusive"),
        [
            (ME, ME, ME, 0o775, True),
            (ME, ME, ME, 0o2775, False),
            (ME, ME, THEIRS, 0o775, False),
            (ME, THEIRS, THEIRS, 0o775, False),
            (ME, ME, THEIRS, 0o755, True),
            (ME, THEIRS, ME, 0o775, False),
        ],
    )
    def test_of_the_users_own_is_the_user(
        self,
        i_am: Callable[..., None],
        user: int,
        group: int,
        owned_by: int,
        mode: int,
        exclusive: bool,
    ) -> None:
        i_am(user, group)
        standing = standing_in([place(ME, mode, owned_by)], None, trusted=False)
        assert standing.exclusive is exclusive


class TestOwner:
    def test_root_gives_what_it_writes_away(self, i_am: Callable[..., None]) -> None:
        i_am(0)
        assert standing_in([place(OTHER, 0o755, THEIRS)], None, trusted=False).owner == (
            OTHER,
            THEIRS,
        )
        assert standing_in([place(0, 0o755, THEIRS)], None, trusted=False).owner is None
        assert standing_in([place(OTHER, 0o755)], Proof(OTHER, True), trusted=False).owner is None

    def test_nobody_else_does(self, i_am: Callable[..., None]) -> None:
        i_am(ME)
        assert standing_in([place(OTHER, 0o755)], None, trusted=True).owner is None


class TestRefuse:
    def test_what_is_trusted(self) -> None:
        Standing().refuse("/store")

    def test_what_is_not(self) -> None:
        with pytest.raises(LinkError) as caught:
            Standing("a reason").refuse("/store")
        said = "the store '/store' is not trusted: a reason; use a store of your own, or say that you trust this one "
        assert str(caught.value) == said + "(trusted=True, on the command line --trust-store)"
        assert (caught.value.errno, caught.value.destination) == (errno.EPERM, "/store")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder.open(os.fspath(tmp_path)) as opened:
        yield opened


def bits(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestSettleOne:
    @pytest.mark.parametrize(
        ("mode", "shared", "written_by_all", "wanted"),
        [
            (0o600, False, False, 0o600),
            (0o666, False, False, 0o664),
            (0o600, True, False, 0o640),
            (0o600, True, True, 0o660),
            (0o700, True, False, 0o750),
            (0o400, True, True, 0o440),
            (0o646, True, True, 0o664),
            (0o644, True, False, 0o644),
        ],
    )
    def test_file(
        self,
        tmp_path: Path,
        folder: Folder,
        mode: int,
        shared: bool,
        written_by_all: bool,
        wanted: int,
    ) -> None:
        path = tmp_path / "file"
        path.touch()
        path.chmod(mode)
        settle_one(folder, "file", Standing(shared=shared), written_by_all=written_by_all)
        assert bits(path) == wanted

    def test_directory(self, tmp_path: Path, folder: Folder) -> None:
        (tmp_path / "below").mkdir()
        (tmp_path / "below").chmod(0o2700)
        settle_one(folder, "below", Standing(shared=True))
        assert bits(tmp_path / "below") == 0o2770

    def test_files_are_for_their_owner_to_write(self, tmp_path: Path, folder: Folder) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "file").chmod(0o600)
        settle_one(folder, "file", Standing(shared=True))
        assert bits(tmp_path / "file") == 0o640

    def test_symlinks_are_not_followed(
        self, tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "real").touch()
        (tmp_path / "real").chmod(0o666)
        (tmp_path / "link").symlink_to("real")
        given: list[object] = []
        monkeypatch.setattr(os, "chown", lambda *_, **__: given.append(_))
        settle_one(folder, "link", Standing(owner=(OTHER, THEIRS)))
        assert bits(tmp_path / "real") == 0o666
        assert given == []

    def test_what_is_right_is_not_set(
        self, tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "file").chmod(0o644)
        monkeypatch.setattr(os, "chmod", None)
        monkeypatch.setattr(os, "chown", None)
        settle_one(folder, "file", Standing())

    def test_the_owner_gets_it(
        self, tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        given: list[object] = []
        monkeypatch.setattr(os, "chown", lambda *each, **more: given.append((each, more)))
        settle_one(folder, "file", Standing(owner=(OTHER, THEIRS)))
        path = folder.prefix + "file"
        assert given == [((path, OTHER, THEIRS), {"dir_fd": folder.fd, "follow_symlinks": False})]


class TestSettleTree:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        top = tmp_path / "entry"
        (top / "wheel" / "deep").mkdir(parents=True)
        for path in (top / MANIFEST, top / "wheel" / MANIFEST, top / "wheel" / "deep" / "file"):
            path.touch()
            path.chmod(0o600)
        for path in (top, top / "wheel", top / "wheel" / "deep"):
            path.chmod(0o700)
        return top

    def test_of_a_shared_store(self, folder: Folder, tree: Path) -> None:
        settle_tree(folder, "entry", Standing(shared=True))
        found = {path.relative_to(tree).as_posix(): bits(path) for path in tree.rglob("*")}
        assert found == {
            MANIFEST: 0o660,
            "wheel": 0o770,
            f"wheel/{MANIFEST}": 0o640,
            "wheel/deep": 0o770,
            "wheel/deep/file": 0o640,
        }
        assert bits(tree) == 0o770

    def test_of_another_user(
        self, folder: Folder, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given: list[str] = []
        monkeypatch.setattr(
            os, "chown", lambda path, *_, **__: given.append(os.path.basename(path))
        )
        settle_tree(folder, "entry", Standing(owner=(OTHER, THEIRS)))
        assert sorted(given) == sorted(["entry", MANIFEST, "wheel", MANIFEST, "deep", "file"])

    def test_that_everybody_writes(self, folder: Folder, tree: Path) -> None:
        tree.chmod(0o707)
        (tree / "wheel").chmod(0o707)
        settle_tree(folder, "entry", Standing())
        assert (bits(tree), bits(tree / "wheel")) == (0o705, 0o705)

    def test_where_nothing_is_to_be_done_nothing_is_read(
        self, folder: Folder, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tree / "wheel" / "deep" / "file").chmod(0o666)
        monkeypatch.setattr(os, "listdir", None)
        monkeypatch.setattr(os, "chmod", None)
        settle_tree(folder, "entry", Standing())
        assert bits(tree / "wheel" / "deep" / "file") == 0o666

    def test_that_is_gone(self, folder: Folder) -> None:
        settle_tree(folder, "none", Standing(shared=True))
