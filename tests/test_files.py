"""Files and folders appear whole or not at all: whatever fails, whoever else writes, and after kill -9."""

import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.files import atomic_folder, atomic_path, write_atomic


@given(content=st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.binary()))
def test_what_was_written_is_read(content: str | bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("files") / "文件.json"
    file.write_bytes(b"old")
    write_atomic(file, content)
    assert file.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def _half(part: Path) -> None:
    part.write_text("half")
    raise ValueError("half way")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    with pytest.raises(ValueError, match="half way"), atomic_path(file) as part:
        _half(part)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "old"}
    with pytest.raises(OSError, match="nowhere"):
        write_atomic(tmp_path / "nowhere" / "a", "new")


def test_it_may_be_read_by_whom_the_umask_allows(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    write_atomic(tmp_path / "atomic", "x")
    assert stat.S_IMODE((tmp_path / "atomic").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_kill_9_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom steelyard.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(file)], check=False).returncode == -9
    assert file.read_text() == "old"


def _make(final: Path, name: str) -> None:
    with atomic_folder(final) as part:
        for i in range(50):
            (part / f"{i}").write_text(name)


def test_of_several_processes_one_makes_the_whole_folder(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "folder"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_make, args=(final, name)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [w.exitcode for w in writers] == [0, 0, 0]
    assert len({f.read_text() for f in final.iterdir()}) == 1
    assert len(list(final.iterdir())) == 50
    assert list(final.parent.iterdir()) == [final]


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half way"), atomic_folder(tmp_path / "f") as part:
        _half(part / "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("age", "stays"), [(60, True), (7200, False)])
def test_what_killed_processes_left_is_removed_and_live_work_is_not(tmp_path: Path, age: float, stays: bool) -> None:
    left = tmp_path / ".f.0123456789abcdef"
    left.mkdir()
    then = left.stat().st_mtime - age
    os.utime(left, (then, then))
    with atomic_folder(tmp_path / "f"):
        pass
    assert left.exists() == stays
