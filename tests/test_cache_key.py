"""Keys of cached environments: what changes them, what does not, and what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import wheel_linker
from wheel_linker._fs.timestamps import identity, unsettled_for
from wheel_linker.cache_key import environment_cache_key, local_distribution_timestamps

PYTHON: Final = "cpython-3.13.1-linux-x86_64"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "dist" / "foo-1.0-py3-none-any.whl"
    path.parent.mkdir()
    path.write_bytes(b"first")
    return path


def key(*distributions: str | os.PathLike[str], exact: bool = False) -> str:
    return environment_cache_key(distributions, interpreter=PYTHON, exact=exact)


class TestTimestamps:
    @pytest.mark.parametrize(
        "form",
        [
            "{path}",
            "{url}",
            "{url}#sha256=abc",
            "foo @ {url}",
            "foo[extra] @ {url} ; python_version > '3'",
            "{path}[extra]",
            "{path}[extra] ; python_version > '3'",
        ],
    )
    def test_of_local_archives(self, wheel: Path, form: str) -> None:
        entry = form.format(path=wheel, url=wheel.as_uri())
        assert local_distribution_timestamps([entry]) == {wheel: wheel.stat().st_mtime_ns}

    @pytest.mark.parametrize(
        "name",
        [
            "foo-1.0.tar.gz",
            "foo-1.0.zip",
            "foo.tgz",
            "foo.TAR.BZ2",
            "foo.tar.xz",
            "foo.tar",
            "a b.whl",
        ],
    )
    def test_of_every_kind_of_archive(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        path.write_bytes(b"")
        os.utime(path, ns=(1, 1234567890_123456700))
        assert local_distribution_timestamps([path]) == {path: path.stat().st_mtime_ns}
        assert local_distribution_timestamps([path.as_uri()]) == {path: path.stat().st_mtime_ns}

    def test_of_relative_paths(self, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(wheel.parent)
        assert list(local_distribution_timestamps([wheel.name, f"./{wheel.name}"])) == [
            Path(wheel.name)
        ]

    def test_leave_out_the_rest(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "stat", None)
        rest: list[str | os.PathLike[str]] = [
            "requests",
            "requests[socks]>=2; python_version>'3'",
            "zope.interface==5",
            "https://example.org/foo-1.0-py3-none-any.whl",
            "foo @ https://example.org/foo-1.0.tar.gz#sha256=abc",
            "git+https://example.org/foo.git@main",
            "git+file:///srv/foo",
            tmp_path,
            str(tmp_path),
            tmp_path.as_uri(),
            "-e .",
            ".",
        ]
        assert local_distribution_timestamps(rest) == {}

    def test_leave_out_directories_called_like_archives(self, tmp_path: Path) -> None:
        (tmp_path / "foo.whl").mkdir()
        assert local_distribution_timestamps([tmp_path / "foo.whl"]) == {}

    @pytest.mark.parametrize("url", [False, True])
    def test_of_a_missing_file(self, wheel: Path, url: bool) -> None:
        wheel.unlink()
        for call in (local_distribution_timestamps, key_of_one):
            with pytest.raises(FileNotFoundError) as caught:
                call([wheel.as_uri() if url else wheel])
            assert Path(caught.value.filename) == wheel
            assert str(wheel) in str(caught.value)

    @pytest.mark.parametrize("wrong", ["foo.whl", b"foo.whl", Path("foo.whl")])
    def test_want_several(self, wrong: object) -> None:
        for call in (local_distribution_timestamps, key_of_one):
            with pytest.raises(TypeError, match="list"):
                call(wrong)  # type: ignore[arg-type]


def key_of_one(distributions: list[str | os.PathLike[str]]) -> str:
    return environment_cache_key(distributions, interpreter=PYTHON)


class TestKey:
    def test_is_a_digest(self) -> None:
        assert len(key()) == 64
        assert set(key("a")) <= set("0123456789abcdef")

    def test_of_this_format_stays_the_same(self) -> None:
        # A change of what goes in needs another number in the format: caches outlive versions.
        assert key() == "1ffcaea82ef009c47901f80fe3af242af0c31481f17199133299909a09b69708"
        assert key("b", "a==1") == key("a==1", "b", "b")

    def test_is_the_same_in_every_process(self, wheel: Path) -> None:
        code = (
            "import sys; from wheel_linker.cache_key import environment_cache_key as k;"
            "print(k({'requests', 'idna', *sys.argv[2:]}, interpreter=sys.argv[1]))"
        )
        found = set()
        for seed in ("1", "2", "3"):
            environment = {
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": str(Path(wheel_linker.__file__).parent.parent),
            }
            command = [sys.executable, "-c", code, PYTHON, str(wheel)]
            found.add(subprocess.check_output(command, env=environment, text=True).strip())
        assert found == {key("requests", "idna", str(wheel))}

    def test_depends_on_the_distributions(self) -> None:
        assert len({key(), key("a"), key("b"), key("a", "b"), key("a b"), key("a,b")}) == 6

    def test_depends_on_the_interpreter(self) -> None:
        facts = {"implementation": "cpython", "version": "3.13", "bits": 64}
        keys = {
            environment_cache_key(["a"], interpreter=interpreter)
            for interpreter in ("x", "y", facts, {**facts, "version": "3.14"}, str(facts))
        }
        assert len(keys) == 5

    def test_does_not_depend_on_the_order_of_facts(self) -> None:
        one = environment_cache_key([], interpreter={"a": 1, "b": Path("x")})
        other = environment_cache_key([], interpreter={"b": Path("x"), "a": 1})
        assert one == other

    def test_costs_one_stat_for_a_file(self, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []
        real = os.stat

        def counted(path: str) -> os.stat_result:
            calls.append(path)
            return real(path)

        monkeypatch.setattr(os, "stat", counted)
        monkeypatch.setattr("builtins.open", None)
        key(wheel, "requests", "https://example.org/foo.whl")
        monkeypatch.undo()
        assert [str(path) for path in calls] == [str(wheel)]

    def test_takes_names_that_are_no_text(self, tmp_path: Path) -> None:
        if sys.platform in ("win32", "darwin"):
            pytest.skip("names are text here")
        path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.whl")
        Path(path).write_bytes(b"")
        assert key(path) == key(path)


def test_a_time_in_the_future_is_not_waited_for(
    wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT, whose times are of another time zone, and which keeps no more than whole seconds."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        assert len(pauses) < 10

    hour = wheel.stat().st_mtime_ns + 3_600_000_000_000
    os.utime(wheel, ns=(hour, hour))
    monkeypatch.setattr("wheel_linker.cache_key.has_coarse_stamps", lambda _: True)
    monkeypatch.setattr("time.sleep", sleep)
    assert key(wheel) == key(wheel)
    assert len(pauses) == 2


class TestRebuilt:
    """What makes another key, and what does not."""

    @pytest.fixture(autouse=True)
    def old_enough(self, wheel: Path) -> None:
        import time

        while remaining := unsettled_for(wheel.stat()):
            time.sleep(remaining)

    def rewrite(self, wheel: Path, how: str, content: bytes) -> None:
        """Replace the content of a file; its size and modification time stay."""
        times = wheel.stat()
        if how == "in place":
            with wheel.open("r+b") as file:
                file.write(content)
        elif how == "deleted first":
            wheel.unlink()
            wheel.write_bytes(content)
        else:
            new = wheel.with_name("new")
            new.write_bytes(content)
            new.replace(wheel)
        os.utime(wheel, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert wheel.stat().st_mtime_ns == times.st_mtime_ns

    @pytest.mark.skipif(sys.platform == "win32", reason="needs the change time")
    @pytest.mark.parametrize("how", ["in place", "deleted first", "replaced"])
    @pytest.mark.parametrize("exact", [False, True])
    def test_with_the_same_size_and_time(self, wheel: Path, how: str, exact: bool) -> None:
        before = key(wheel, exact=exact)
        self.rewrite(wheel, how, b"secnd")
        assert key(wheel, exact=exact) != before

    def test_with_another_time(self, wheel: Path) -> None:
        before, before_exact = key(wheel), key(wheel, exact=True)
        os.utime(wheel, ns=(1, 1))
        assert key(wheel) != before
        assert key(wheel, exact=True) == before_exact

    def test_with_another_size(self, wheel: Path) -> None:
        before = key(wheel)
        wheel.write_bytes(b"longer than before")
        assert key(wheel) != before

    def test_with_the_same_content(self, wheel: Path) -> None:
        before = key(wheel, exact=True)
        self.rewrite(wheel, "replaced", b"first")
        assert key(wheel, exact=True) == before

    @pytest.mark.skipif(sys.platform == "win32", reason="needs the change time")
    def test_a_hard_link_counts_as_a_change(self, wheel: Path) -> None:
        before, before_exact = key(wheel), key(wheel, exact=True)
        os.link(wheel, wheel.with_name("link"))
        assert key(wheel) != before
        assert key(wheel, exact=True) == before_exact

    def test_reading_is_no_change(self, wheel: Path) -> None:
        before = key(wheel)
        wheel.read_bytes()
        assert key(wheel) == before

    def test_symlinks_are_followed(self, wheel: Path, tmp_path: Path) -> None:
        link = tmp_path / "current.whl"
        try:
            link.symlink_to(wheel)
        except OSError:
            pytest.skip("no symlinks here")
        before = key(link)
        wheel.write_bytes(b"something else")
        assert key(link) != before


class TestCoarseStamps:
    def test_are_waited_for(self, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        slept: list[float] = []
        real = os.stat

        def whole_seconds(path: str, **options: object) -> os.stat_result:
            values = list(real(path))
            second = 1_000_000_000 if not slept else 1
            fields = {"st_mtime_ns": 5 * 10**9, "st_ctime_ns": 5 * 10**9}
            return os.stat_result(values, {**fields, "st_atime_ns": second})

        monkeypatch.setattr("time.time_ns", lambda: 5_500_000_000 + int(sum(slept) * 1e9))
        monkeypatch.setattr("time.sleep", slept.append)
        monkeypatch.setattr(os, "stat", whole_seconds)
        key(wheel)
        assert sum(slept) == pytest.approx(1.5)

    def test_identity_has_everything(self, wheel: Path) -> None:
        status = wheel.stat()
        text = identity(status)
        for field in (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino):
            assert str(field) in text.split()
