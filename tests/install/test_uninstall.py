"""Uninstalling by RECORD, completely or not at all, and nothing of anybody else's."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest
from proof.processes import in_child, send, was_killed
from wheels import row_of, snapshot, write_tree

from install.kit import (
    check_record,
    check_recorded,
    files_in,
    make,
    no_litter,
    pure,
    relative,
    root_of,
)
from wheel_linker import LinkError, LinkMode
from wheel_linker._fs.reading import read_followed
from wheel_linker._fs.stage import Stage
from wheel_linker._link.sites import Sites
from wheel_linker.install import (
    Layout,
    NoRecordError,
    NotInstalledError,
    install_wheel,
    install_wheels,
    uninstall,
)
from wheel_linker.install._present import recorded

pytestmark = pytest.mark.usefixtures("way")
INFO = "demo-1.0.dist-info"
needs_symlinks = pytest.mark.skipif(os.name != "posix", reason="Windows asks for privileges")


def installed_by_hand(layout: Layout, rows: str, files: dict[str, bytes]) -> Path:
    """Write a distribution with any rows in its RECORD; return site-packages."""
    write_tree(pure(layout), files)
    info = pure(layout) / INFO
    write_tree(info, {"METADATA": b"Name: demo\nVersion: 1.0\n", "RECORD": rows.encode()})
    return pure(layout)


def test_everything_goes(layout: Layout, older: Path, mode: LinkMode) -> None:
    source = snapshot(older, directory_times=True)
    install_wheel(older, layout, mode=mode)
    there = files_in(root_of(layout))
    for path in ("demo/__pycache__/main", "demo/old/__pycache__/only", "__pycache__/single"):
        for tag in ("cpython-311", "pypy310.opt-2", "cpython-312-pytest-8.2.0"):
            write_tree(pure(layout), {f"{path}.{tag}.pyc": b"bytecode"})
    report = uninstall("Demo", layout)
    assert files_in(root_of(layout)) == set()
    assert list(pure(layout).iterdir()) == []
    assert (report.name, report.versions, report.kept) == ("demo", ("1.0",), ())
    assert relative(report.removed, root_of(layout)) == there
    assert list(report.removed) == sorted(report.removed)
    assert not (root_of(layout) / "share").exists()
    assert snapshot(older, directory_times=True) == source
    assert install_wheel(older, layout, mode=mode).upgraded == ()


def test_what_is_not_installed(layout: Layout, older: Path) -> None:
    for name in ("demo", "../demo", ""):
        with pytest.raises(NotInstalledError, match="not installed"):
            uninstall(name, layout)
    assert not root_of(layout).exists()
    install_wheel(older, layout)
    before = snapshot(root_of(layout))
    with pytest.raises(NotInstalledError):
        uninstall("dem", layout)
    assert snapshot(root_of(layout)) == before


@pytest.mark.parametrize("rows", [None, b"\xff", b'"x', b"x.py\0,,\n", b"x" * 200_000])
def test_record_that_cannot_be_read(layout: Layout, older: Path, rows: bytes | None) -> None:
    install_wheel(older, layout)
    record = pure(layout) / INFO / "RECORD"
    record.unlink()
    if rows is not None:
        record.write_bytes(rows)
    before = snapshot(root_of(layout))
    with pytest.raises(NoRecordError, match=r"demo 1\.0"):
        uninstall("demo", layout)
    assert snapshot(root_of(layout)) == before


def test_what_others_claim_stays(layout: Layout, older: Path, tmp_path: Path) -> None:
    other = make(
        tmp_path / "other",
        {"demo/main.py": b"other", "other-1.0.data/scripts/plain.sh": b"x", "odd,n'ame": b""},
        name="other",
    )
    install_wheels([older, other], layout)
    write_tree(pure(layout), {"demo/__pycache__/main.cpython-311.pyc": b"bytecode"})
    report = uninstall("demo", layout)
    kept = {Path(path).relative_to(root_of(layout)).as_posix() for path in report.kept}
    assert {path.rpartition("/")[2] for path in kept} == {"main.py", "plain.sh"}
    assert (pure(layout) / "demo/__pycache__/main.cpython-311.pyc").is_file()
    check_record(layout, "other-1.0.dist-info")


@pytest.mark.parametrize(
    "claim",
    [
        "demo/main.py,,",
        "./demo/main.py,,",
        "x/../demo//main.py,,",
        '"demo/main.py",,',
        "{pure}/demo/main.py,,",
        "demo/main.py",
        '"a ""quoted"" one",,\r\ndemo/main.py,,',
    ],
)
def test_claims_however_they_are_written(layout: Layout, older: Path, claim: str) -> None:
    install_wheel(older, layout)
    rows = claim.format(pure=pure(layout)) + "\n"
    write_tree(pure(layout), {"other-1.dist-info/RECORD": rows.encode()})
    uninstall("demo", layout)
    assert files_in(pure(layout)) == {"other-1.dist-info/RECORD", "demo/main.py"}


def test_claim_of_many_files(layout: Layout, tmp_path: Path) -> None:
    """Of more names than are looked for one by one."""
    files = {f"m{number}.py": b"" for number in range(100)}
    install_wheels([make(tmp_path / name, files, name=name) for name in ("demo", "other")], layout)
    report = uninstall("demo", layout)
    assert len(report.kept) == 100


def test_nobody_elses_claim_keeps_the_dist_info(layout: Layout, older: Path) -> None:
    install_wheel(older, layout)
    write_tree(pure(layout), {"other-1.dist-info/RECORD": f"{INFO}/RECORD,,\n".encode()})
    uninstall("demo", layout)
    assert not (pure(layout) / INFO).exists()


def test_files_outside_stay(layout: Layout, tmp_path: Path) -> None:
    """Whatever the RECORD says."""
    outside = write_tree(tmp_path / "outside", {"x": b"", "y.py": b"", "__pycache__/y.c.pyc": b""})
    rows = "".join(
        [
            "demo.py,,\n../../../../outside/x,,\n/etc/passwd,,\n",
            f"{outside}/y.py,,\n../../../../outside,,\n../../..,,\n..,,\n.,,\n,,\n/,,\n",
            f"{INFO}/RECORD,,\n{INFO}/METADATA,,\ndemo.py/..,,\ndemo.py/../,,\n{INFO},,\n",
        ]
    )
    installed_by_hand(layout, rows, {"demo.py": b"", "other.py": b""})
    before = snapshot(outside)
    report = uninstall("demo", layout)
    assert snapshot(outside) == before
    assert files_in(root_of(layout)) == {str(Path("lib", *pure(layout).parts[-2:], "other.py"))}
    assert {os.fspath(outside / "x"), os.fspath(outside / "y.py")} <= set(report.kept)


@needs_symlinks
def test_symlinked_directories_that_lead_outside(layout: Layout, tmp_path: Path) -> None:
    outside = write_tree(tmp_path / "outside", {"x.py": b"", "__pycache__/x.cpython-311.pyc": b""})
    site = installed_by_hand(
        layout,
        f"demo/x.py,,\nlinked/x.py,,\n{INFO}/RECORD,,\n{INFO}/METADATA,,\n",
        {"demo/x.py": b""},
    )
    (site / "linked").symlink_to(outside)
    before = snapshot(outside)
    report = uninstall("demo", layout)
    assert snapshot(outside) == before
    assert report.kept == (os.fspath(outside / "x.py"),)
    assert os.listdir(site) == ["linked"]


@needs_symlinks
def test_symlinked_directory_to_what_others_claim(layout: Layout) -> None:
    site = installed_by_hand(
        layout, f"linked/x.py,,\n{INFO}/RECORD,,\n{INFO}/METADATA,,\n", {"other/x.py": b""}
    )
    (site / "linked").symlink_to("other")
    write_tree(site, {"other-1.dist-info/RECORD": b"other/x.py,,\n"})
    uninstall("demo", layout)
    assert files_in(site) == {"other/x.py", "other-1.dist-info/RECORD", "linked"}


@needs_symlinks
def test_symlinked_dist_info(layout: Layout, tmp_path: Path, older: Path) -> None:
    install_wheel(older, layout)
    info = pure(layout) / INFO
    info.rename(tmp_path / "elsewhere")
    info.symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path)
    with pytest.raises(LinkError, match="symlink"):
        uninstall("demo", layout)
    assert snapshot(tmp_path) == before


@needs_symlinks
def test_symlinks_themselves_go(layout: Layout, tmp_path: Path) -> None:
    """As where an editable install is one."""
    project = write_tree(tmp_path / "project", {"demo/__init__.py": b""})
    site = installed_by_hand(layout, f"demo,,\n{INFO}/RECORD,,\n{INFO}/METADATA,,\n", {})
    (site / "demo").symlink_to(project / "demo")
    uninstall("demo", layout)
    assert os.listdir(site) == []
    assert (project / "demo/__init__.py").is_file()


def test_rows_that_come_twice(layout: Layout) -> None:
    site = installed_by_hand(
        layout,
        f"demo.py,,\ndemo.py,,\n./demo.py,,\nx/../demo.py,,\n{INFO}/RECORD,,\n{INFO}/METADATA,,\n",
        {"demo.py": b""},
    )
    report = uninstall("demo", layout)
    assert os.listdir(site) == []
    assert len(report.removed) == 3


def test_record_that_does_not_name_itself(layout: Layout) -> None:
    site = installed_by_hand(layout, f"demo.py,,\n{INFO}/METADATA,,\n", {"demo.py": b""})
    uninstall("demo", layout)
    assert os.listdir(site) == []


def test_users_file_in_the_dist_info_stays_and_does_no_harm(
    layout: Layout, older: Path, newer: Path
) -> None:
    install_wheel(older, layout)
    write_tree(pure(layout) / INFO, {"mine.txt": b""})
    uninstall("demo", layout)
    assert files_in(root_of(layout)) == {
        (pure(layout) / INFO / "mine.txt").relative_to(root_of(layout)).as_posix()
    }
    with pytest.raises(NotInstalledError):
        uninstall("demo", layout)
    assert install_wheel(newer, layout).upgraded == ()
    uninstall("demo", layout)
    install_wheel(older, layout)


def test_dist_info_that_somebody_was_killed_over(layout: Layout) -> None:
    (pure(layout) / INFO).mkdir(parents=True)
    assert uninstall("demo", layout).removed == ()
    assert os.listdir(pure(layout)) == []


def test_of_other_tools(layout: Layout, older: Path) -> None:
    """Without rows for bytecode, or with them; with CR LF; and with empty directories, which stay."""
    text = f"demo.py,,\r\n__pycache__/demo.cpython-311.pyc,,\r\n{INFO}/RECORD,,\r\n{INFO}/METADATA,,\r\n"
    files = {
        "demo.py": b"",
        "__pycache__/demo.cpython-311.pyc": b"",
        "__pycache__/x.cpython-311.pyc": b"",
    }
    site = installed_by_hand(layout, text, files)
    (site / "empty").mkdir()
    uninstall("demo", layout)
    assert sorted(os.listdir(site)) == ["__pycache__", "empty"]
    assert files_in(site) == {"__pycache__/x.cpython-311.pyc"}


def test_pth_goes_first(layout: Layout, older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that starts meanwhile must not import from it what is gone; RECORD tells what is left."""
    install_wheel(older, layout)
    order = []
    from wheel_linker._link.transaction import Transaction

    real = Transaction.remove

    def remove(self: Transaction, folder: object, parts: object, name: str) -> None:
        order.append(name)
        real(self, folder, parts, name)  # type: ignore[arg-type]

    monkeypatch.setattr(Transaction, "remove", remove)
    uninstall("demo", layout)
    in_library = order[order.index("demo.pth") :]
    assert in_library.index("__init__.py") < in_library.index("METADATA")
    assert not {"__init__.py", "single.py", "main.py"} & set(order[: order.index("demo.pth")])
    assert [name for name in order if name in {"METADATA", "WHEEL", "RECORD"}][-1] == "RECORD"


class TestTwoAtOnce:
    """The directory for a distribution's headers goes with it, while another call installs it again."""

    def test_what_is_not_empty_any_more_stays(
        self, layout: Layout, older: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The other one makes its stage there in the instant before the directory goes."""
        install_wheel(older, layout)
        headers = Path(layout.schemes["headers"]) / "demo"
        stage = headers / ".wheel_linker-other"

        def just_before(function: str) -> None:
            real = getattr(os, function)

            def call(path: str, *others: object, **options: object) -> None:
                if os.path.basename(path) == "demo" and os.listdir(headers) == []:
                    stage.mkdir()
                real(path, *others, **options)

            monkeypatch.setattr(os, function, call)

        for function in ("rmdir", "rename", "replace"):
            just_before(function)
        uninstall("demo", layout)
        assert stage.is_dir()

    def test_a_directory_that_goes_is_made_again(
        self, layout: Layout, older: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It went when it was open, and no stage was in it yet."""
        headers = Path(layout.schemes["headers"]) / "demo"
        headers.mkdir(parents=True)
        make_stage = Stage.make
        gone: list[Path] = []

        def make(stage: Stage) -> None:
            if not gone and stage._site.path == os.fspath(headers):
                headers.rmdir()
                gone.append(headers)
            make_stage(stage)

        monkeypatch.setattr(Stage, "make", make)
        install_wheel(older, layout)
        assert gone
        check_recorded(layout, INFO)
        assert (headers / "demo.h").is_file()

    def test_what_was_removed_is_as_it_was_when_it_is_taken_back(
        self, layout: Layout, older: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install_wheel(older, layout)
        headers = Path(layout.schemes["headers"]) / "demo"
        if sys.platform != "win32":
            headers.chmod(0o750)
            if os.geteuid() == 0:
                os.chown(headers, 1234, 4321)
        before, owner = snapshot(root_of(layout)), headers.stat()[4:6]

        def fail(_: Sites) -> None:
            assert os.listdir(headers) == []
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(Sites, "finish", fail)
        with pytest.raises(LinkError):
            uninstall("demo", layout)
        assert snapshot(root_of(layout)) == before
        assert headers.stat()[4:6] == owner


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a child of fork(2)")
def test_one_that_was_killed_at_the_very_end_is_completed(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directories that are empty by then go last, and one in a ``*.dist-info`` must not hide what is left."""
    wheel = make(tmp_path / "w", {"demo.py": b"", "demo-1.0.dist-info/licenses/LICENSE": b""})
    install_wheel(wheel, layout)

    def kill(_: Sites) -> None:
        send(os.getpid(), "SIGKILL")

    with monkeypatch.context() as patched:
        patched.setattr(Sites, "finish", kill)
        assert was_killed(in_child(lambda: uninstall("demo", layout)))
    uninstall("demo", layout)
    assert not list(root_of(layout).rglob("demo*"))
    assert no_litter(root_of(layout))


class TestDiskThatRefusesOnce:
    """Nothing of it is taken for "it is not there"."""

    def test_directory_that_cannot_be_looked_at(
        self, layout: Layout, older: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install_wheel(older, layout)
        before = snapshot(root_of(layout))
        stat, refused = os.stat, os.path.realpath(layout.schemes["data"])

        def refuse(path: str, *args: int | None, **kwargs: object) -> os.stat_result:
            if path == refused:
                raise OSError(errno.EIO, "as a disk that is broken", path)
            return stat(path, *args, **kwargs)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(os, "stat", refuse)
            with pytest.raises(LinkError, match="broken"):
                uninstall("demo", layout)
        assert snapshot(root_of(layout)) == before

    def test_record(
        self, layout: Layout, older: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install_wheel(older, layout)
        refused: list[str] = []

        def refuse(path: str, limit: int) -> bytes:
            if path.endswith("RECORD") and not refused:
                refused.append(path)
                raise OSError(errno.EIO, "as a disk that is broken", path)
            return read_followed(path, limit)

        monkeypatch.setattr(recorded, "read_followed", refuse)
        install_wheel(newer, layout)
        assert refused
        check_recorded(layout, "demo-2.0.dist-info")


class TestEditable:
    FINDER = b"import sys\n"

    @pytest.mark.parametrize("upgrade", [False, True])
    def test_environments_part_goes(
        self, layout: Layout, tmp_path: Path, older: Path, upgrade: bool
    ) -> None:
        project = write_tree(tmp_path / "project", {"demo/__init__.py": b"VERSION = 0\n"})
        files = {
            "__editable__.demo-0.9.pth": b"import __editable___demo_0_9_finder",
            "__editable___demo_0_9_finder.py": self.FINDER,
            "demo_path.pth": os.fsencode(project) + b"\n",
        }
        url = {"url": project.as_uri(), "dir_info": {"editable": True}}
        wheel = make(tmp_path / "w", files, version="0.9")
        install_wheel(wheel, layout, mode=LinkMode.COPY, direct_url=url)
        before = snapshot(project)
        if upgrade:
            assert install_wheel(older, layout).upgraded == ("0.9",)
            assert not list(pure(layout).glob("*demo-0.9*"))
            assert sorted(path.name for path in pure(layout).glob("*.pth")) == ["demo.pth"]
        else:
            uninstall("demo", layout)
            assert os.listdir(pure(layout)) == []
        assert snapshot(project) == before

    def test_of_setuptools_of_old(self, layout: Layout) -> None:
        write_tree(
            pure(layout), {"demo.egg-link": b"/project\n.", "easy-install.pth": b"/project\n"}
        )
        before = snapshot(root_of(layout))
        with pytest.raises(NoRecordError, match="the tool that installed it"):
            uninstall("demo", layout)
        assert snapshot(root_of(layout)) == before


def test_litter_of_a_killed_process(layout: Layout, older: Path) -> None:
    install_wheel(older, layout)
    write_tree(pure(layout), {".wheel_linker-0123456789abcdef/0/x": b""})
    uninstall("demo", layout)
    assert no_litter(root_of(layout))
    assert row_of("x", b"").startswith("x,sha256=47DEQpj8HBSa")


@needs_symlinks
def test_hostile_record_of_what_is_upgraded(layout: Layout, tmp_path: Path, older: Path) -> None:
    outside = write_tree(tmp_path / "outside", {"x": b"", "y.py": b""})
    rows = (
        "../../../../outside/x,,\nlinked/y.py,,\nmine.py,,\nmine.py,,\n"
        f"{outside}/y.py,,\n../other-1.dist-info/../demo-0.dist-info/RECORD,,\n"
    )
    write_tree(pure(layout), {"mine.py": b"", "demo-0.dist-info/RECORD": rows.encode()})
    (pure(layout) / "linked").symlink_to(outside)
    before = snapshot(outside)
    report = install_wheel(older, layout)
    assert snapshot(outside) == before
    assert {os.path.basename(path) for path in report.removed} == {"mine.py", "RECORD"}
    assert (pure(layout) / "linked").is_symlink()
    check_record(layout)


@pytest.mark.parametrize("row", ["foreign.py,,", "other-1.0.dist-info/RECORD,,"])
def test_record_that_names_nothing_of_its_own(layout: Layout, row: str) -> None:
    info = Path(layout.schemes["purelib"], "foreign-1.0.dist-info")
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
    info.joinpath("RECORD").write_text(f"{row}\n")
    info.parent.joinpath("foreign.py").write_text("")
    with pytest.raises(recorded.IncompleteInstallationError, match="names nothing in its own"):
        uninstall("foreign", layout)
    assert {path.name for path in info.iterdir()} == {"METADATA", "RECORD"}
    assert info.parent.joinpath("foreign.py").exists()


@pytest.mark.parametrize("row", ["mine.py,,", "other-1.0.dist-info/RECORD,,"])
@pytest.mark.parametrize("version", ["0", "1.0"])
def test_record_of_what_is_upgraded_that_names_nothing_of_its_own(
    layout: Layout, older: Path, row: str, version: str
) -> None:
    info = f"demo-{version}.dist-info"
    written = {
        "mine.py": b"",
        "other-1.0.dist-info/RECORD": b"other-1.0.dist-info/RECORD,,\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n".encode(),
        f"{info}/licenses/LICENSE": b"",
        f"{info}/RECORD": f"{row}\n".encode(),
    }
    write_tree(pure(layout), written)
    report = install_wheel(older, layout)
    assert report.upgraded == (version,)
    assert [path.name for path in pure(layout).glob("demo-*")] == ["demo-1.0.dist-info"]
    assert not (pure(layout) / "demo-1.0.dist-info" / "licenses").exists()
    assert (pure(layout) / "mine.py").exists() == (row != "mine.py,,")
    assert (pure(layout) / "other-1.0.dist-info" / "RECORD").exists()
    check_record(layout)
    uninstall("demo", layout)
    assert not list(pure(layout).glob("demo*"))
