"""Nothing that was acknowledged is lost, and nothing half done is seen, after kill -9, torn files and a full disk."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from index_kit import fake_builder
from steelyard.errors import StoreError
from steelyard.index.entry import Entry
from steelyard.index.index import Index
from steelyard.index.writing import SEGMENTS
from steelyard.types import Query

WRITER = Path(__file__).with_name("writer.py")


def run_and_kill(folder: Path, seed: int, commits: int) -> list[str]:
    """What a writer said before it was killed, some work after so many commits."""
    process = subprocess.Popen([sys.executable, str(WRITER), str(folder), str(seed)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if said.count("done") >= commits and line.startswith("try"):
            break
    process.kill()
    said += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.wait()
    return said


def applied(truth: dict[str, str], attempt: str) -> dict[str, str]:
    """The documents after one operation of the writer."""
    kind, turn, *ids = attempt.split()[1:]
    if kind == "add":
        return truth | {i: f"{i} 第{turn}次" for i in ids}
    return {i: text for i, text in truth.items() if i not in ids} if kind == "delete" else truth


def allowed(truth: dict[str, str], said: list[str]) -> list[dict[str, str]]:
    """What may be there: all that was acknowledged, with or without the attempt that was not."""
    attempts = [line for line in said if line.startswith("try")]
    for attempt in attempts[: said.count("done")]:
        truth = applied(truth, attempt)
    return [truth] + [applied(truth, attempt) for attempt in attempts[said.count("done") :]]


def killed_again_and_again(folder: Path, times: int) -> None:
    truth: dict[str, str] = {}
    for seed in range(times):
        said = run_and_kill(folder, seed, random.Random(seed).randrange(1, 25))
        with Index.open(folder) as index:
            assert index.check() == []
            found = {e.id: e.text for e in index}
            assert found in allowed(truth, said)
            assert len(index) == len(found)
            assert {h.id: h.text for h in index.search("次", k=len(found) + 1)} == found
        truth = found


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path / "kb", 4)


@pytest.mark.slow
def test_fifty_kills(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path / "kb", 50)


@pytest.fixture
def kb(tmp_path: Path) -> Path:
    with Index.create(tmp_path / "kb", "bm25 + e5-small", builder=fake_builder()) as index:
        index.add([Entry(f"d{i}", f"第{i}条 退款") for i in range(30)], batch=10)
    return tmp_path / "kb"


@pytest.mark.parametrize("harm", ["cut", "emptied", "one bit", "gone"])
def test_a_damaged_segment_is_named_and_never_answers_wrongly(kb: Path, harm: str) -> None:
    victim = sorted((kb / SEGMENTS).iterdir())[0]
    raw = victim.read_bytes()
    if harm == "gone":
        victim.unlink()
    elif harm == "one bit":
        victim.write_bytes(raw[:-100] + bytes([raw[-100] ^ 1]) + raw[-99:])
    else:
        victim.write_bytes(raw[: len(raw) // 2] if harm == "cut" else b"")
    with Index.open(kb, builder=fake_builder()) as index:
        assert any(victim.name in line for line in index.check())
        if harm != "one bit":  # found by reading every byte alone
            with pytest.raises(StoreError, match="index check"):
                index.search("退款")


def test_what_a_dead_writer_left_is_swept_by_the_next_one(kb: Path) -> None:
    left = kb / SEGMENTS / "0123.safetensors"
    left.write_bytes(b"half a segm")
    with Index.open(kb, builder=fake_builder()) as index:
        assert index.check() == []
        index.add([Entry("new", "新的")])
    assert not left.exists()


def test_a_catalogue_that_is_no_database_is_said(kb: Path) -> None:
    (kb / "index.sqlite").write_bytes(b"no database" * 1000)
    for name in ("index.sqlite-wal", "index.sqlite-shm"):
        (kb / name).unlink(missing_ok=True)
    with pytest.raises(StoreError, match="cannot be used"):
        Index.open(kb, builder=fake_builder())


def test_a_reader_in_another_process_sees_whole_commits_while_one_writes(kb: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    Index.create(folder, "bm25").close()
    process = subprocess.Popen([sys.executable, str(WRITER), str(folder), "7"], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        most = 0
        with Index.open(folder) as index:
            for line in process.stdout:
                if line.startswith("done"):
                    found = index.search("次", k=300)
                    assert len({hit.id for hit in found}) == len(found)
                    assert all(hit.text.startswith(f"{hit.id} 第7.") for hit in found)
                    most = max(most, len(found))
                    if index.info().version > 60:
                        break
        assert most > 10
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_leaves_what_was_committed(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount here")
    try:
        with Index.create(disk / "kb", "bm25", builder=fake_builder()) as index:
            index.add([Entry("first", "退款 " * 20)])
            with pytest.raises(StoreError, match="unharmed"):
                index.add((Entry(f"d{i}", f"第{i}条" * 2_000) for i in range(200)), batch=1)
            kept = {e.id for e in index}
            assert "first" in kept
            assert [h.id for h in index.search("退款")] == ["first"]
        with Index.open(disk / "kb", builder=fake_builder()) as index:
            assert {e.id for e in index} == kept
            assert index.check() == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_one_query_at_one_state(kb: Path) -> None:
    with Index.open(kb, builder=fake_builder()) as index:
        before = index.rankings([Query("q", "退款")], 50)[0]
        with Index.open(kb, builder=fake_builder()) as other:
            other.delete(before.document_ids[:3])
        after = index.rankings([Query("q", "退款")], 50)[0]
    assert set(before.document_ids) - set(after.document_ids) == set(before.document_ids[:3])
