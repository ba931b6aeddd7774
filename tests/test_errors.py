"""Errors: one root, standard ancestors, fields, pickles, and messages that help."""

from __future__ import annotations

import copy
import errno
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from standins import ScriptedBackend
from wheels import sample_wheel, write_tree

from wheel_linker import (
    InvalidWheelError,
    LinkError,
    LinkFallbackWarning,
    LinkMode,
    LockTimeoutError,
    PackageConflict,
    PackageConflictError,
    PackageConflictWarning,
    WheelFilename,
    WheelLinkerError,
    errors,
    link_wheel_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def refused(site: Path, wheel: Path) -> LinkError:
    """A real refusal: the disk full for one file."""
    backend = ScriptedBackend(by_name={"single.py": OSError(errno.ENOSPC, "disk full")})
    with pytest.raises(LinkError) as caught:
        link_wheel_files(site, wheel, mode=(LinkMode.CLONE,), backend=backend)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "ancestor"),
    [
        (LinkError, OSError),
        (InvalidWheelError, ValueError),
        (PackageConflictError, Exception),
    ],
)
def test_every_error_has_the_one_root(kind: type[Exception], ancestor: type[Exception]) -> None:
    assert issubclass(kind, WheelLinkerError)
    assert issubclass(kind, ancestor)


@pytest.mark.parametrize("kind", [LinkFallbackWarning, PackageConflictWarning])
def test_warnings_are_user_warnings(kind: type[Warning]) -> None:
    assert issubclass(kind, UserWarning)


def test_a_link_error_carries_what_happened(refused: LinkError, wheel: Path, site: Path) -> None:
    assert os.path.samefile(os.fspath(refused.source or ""), wheel / "single.py")
    assert os.fspath(refused.destination or "").startswith(os.fspath(site))
    assert os.path.basename(refused.destination or "") == "single.py"
    assert refused.mode is LinkMode.CLONE
    assert refused.errno == errno.ENOSPC
    assert isinstance(refused.__cause__, OSError)
    assert refused.__cause__.errno == errno.ENOSPC


def test_a_message_names_path_mode_and_remedy(refused: LinkError) -> None:
    text = str(refused)
    assert "single.py" in text
    assert "clone" in text
    assert "space" in text
    assert ".wheel_linker" not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_a_link_error_pickles(
    refused: LinkError, duplicate: Callable[[LinkError], LinkError]
) -> None:
    again = duplicate(refused)
    assert type(again) is LinkError
    fields = ("source", "destination", "mode", "errno", "strerror", "filename", "filename2")
    assert [getattr(again, name) for name in fields] == [getattr(refused, name) for name in fields]
    assert (str(again), again.args) == (str(refused), refused.args)


def test_invalid_wheel_errors_pickle(tmp_path: Path) -> None:
    with pytest.raises(InvalidWheelError) as caught:
        link_wheel_files(tmp_path / "new", tmp_path / "missing")
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is InvalidWheelError
    assert str(again) == str(caught.value)


def test_package_conflict_errors_pickle_with_their_conflicts() -> None:
    wheels = tuple(WheelFilename.parse(f"{name}-1-py3-none-any.whl") for name in ("one", "two"))
    error = PackageConflictError((PackageConflict("x/y.py", wheels),))
    again = pickle.loads(pickle.dumps(error))
    assert again.conflicts == error.conflicts == (PackageConflict("x/y.py", wheels),)
    assert str(again) == str(error)
    assert "x/y.py" in str(again)


def test_both_paths_are_named_where_one_is_in_the_way(site: Path, wheel: Path) -> None:
    write_tree(site, {"single.py/inside": b""})
    with pytest.raises(LinkError) as caught:
        link_wheel_files(site, wheel)
    text = str(caught.value)
    assert os.path.join(os.path.realpath(site), "single.py") in text
    assert os.path.join(os.path.realpath(wheel), "single.py") in text


class TestBuiltInClasses:
    """Installers that catch the classes of their own calls go on catching what this library raises in their place."""

    @pytest.mark.parametrize(
        ("number", "built_in"),
        [
            (errno.EEXIST, FileExistsError),
            (errno.ENOENT, FileNotFoundError),
            (errno.ENOTDIR, NotADirectoryError),
            (errno.EISDIR, IsADirectoryError),
            (errno.EACCES, PermissionError),
            (errno.EPERM, PermissionError),
            (errno.ENOSPC, OSError),
            (None, OSError),
        ],
    )
    def test_a_link_error_is_of_its_numbers_class(
        self, number: int | None, built_in: type[OSError]
    ) -> None:
        error = LinkError("cannot", errno=number, destination="x")
        assert isinstance(error, (LinkError, built_in))
        assert isinstance(error, built_in)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert (again.errno, again.destination, str(again)) == (number, "x", "cannot")
        assert type(copy.copy(error)) is type(error)
        assert type(error).__name__ == "LinkError"

    def test_others_it_is_not(self) -> None:
        assert not isinstance(LinkError("cannot", errno=errno.EEXIST), PermissionError)
        assert not isinstance(LinkError("cannot", errno=errno.ENOSPC), FileExistsError)

    def test_subclasses_are_as_well(self) -> None:
        late = LockTimeoutError("late", errno=errno.ETIMEDOUT)
        assert isinstance(late, TimeoutError)
        assert isinstance(Refused("refused", errno=errno.EACCES), (Refused, PermissionError))
        assert isinstance(Refused("refused", errno=errno.EACCES), Refused)

    def test_a_file_in_the_way(self, site: Path, wheel: Path) -> None:
        write_tree(site, {"demo": b"a file"})
        with pytest.raises(NotADirectoryError) as caught:
            link_wheel_files(site, wheel)
        assert isinstance(caught.value, LinkError)

    def test_a_directory_in_the_way(self, site: Path, wheel: Path) -> None:
        (site / "single.py").mkdir(parents=True)
        with pytest.raises(IsADirectoryError):
            link_wheel_files(site, wheel)

    def test_a_refused_permission(self, nobody: Path) -> None:
        wheel = sample_wheel(nobody / "cache")
        site = nobody / "site"
        site.mkdir()
        site.chmod(0o555)
        with pytest.raises(PermissionError):
            link_wheel_files(site, wheel)


class TestRefused:
    """The context manager that says what was being done."""

    def test_an_error_of_the_system_becomes_a_link_error(self, tmp_path: Path) -> None:
        missing = str(tmp_path / "missing")
        advice = {errno.ENOENT: "look elsewhere"}
        with (
            pytest.raises(LinkError) as caught,
            errors.refused("find it", source="here", destination="there", advice=advice),
        ):
            os.stat(missing)
        cause = caught.value.__cause__
        assert isinstance(cause, FileNotFoundError)
        assert cause.filename == missing
        assert str(caught.value) == f"cannot find it: {cause.strerror}; look elsewhere"
        assert (caught.value.source, caught.value.destination) == ("here", "there")

    def test_the_words_may_depend_on_the_error(self, tmp_path: Path) -> None:
        missing = str(tmp_path / "missing")
        with (
            pytest.raises(LinkError, match=r"^cannot find .*missing"),
            errors.refused(lambda error: f"find {error.filename}"),
        ):
            os.stat(missing)

    @pytest.mark.parametrize(
        "error",
        [
            LinkError("said already", errno=errno.EIO),
            ValueError("no system's"),
            KeyboardInterrupt(),
        ],
    )
    def test_others_are_let_through(self, error: BaseException) -> None:
        with pytest.raises(type(error)) as caught, errors.refused("do it"):
            raise error
        assert caught.value is error


class Refused(LinkError):
    """An embedder's own."""


@pytest.mark.parametrize(
    "path",
    ["C:\\cache\\it's here", "\\\\server\\share\\x", "\\\\?\\C:\\x", "D:\\"],
    ids=["quotation mark", "share", "long path", "drive"],
)
def test_windows_paths_can_be_pasted(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_BACKSLASHES", True)
    told = f"cannot read {path!r}, nor {path!r}"
    error = LinkError(told)
    assert str(error).count(path) == 2
    assert str(error).count("\\") == 2 * path.count("\\")
    assert str(InvalidWheelError(f"it is said: {error}")) == f"it is said: {error}"
    assert error.args == (str(error),)
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.args) == (str(error), error.args)
    again = InvalidWheelError(told)
    assert str(again) == str(error)
