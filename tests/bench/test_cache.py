"""The cache survives what machines do to it: kill -9, two writers, a broken file, a size bound."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fake_engines import FakeEncoder, FakeReranker
from steelyard.bench.evaluation.cache import VectorCache
from steelyard.bench.evaluation.cached import CachedEncoder, CachedReranker, CacheUse
from steelyard.errors import StoreError
from steelyard.text.key import key_of
from steelyard.types import Role

WRITER = """
import sys, numpy as np
from pathlib import Path
from steelyard.bench.evaluation.cache import VectorCache
from steelyard.text.key import key_of
cache = VectorCache(Path(sys.argv[1]))
for i in range(int(sys.argv[3])):
    keys = [key_of(sys.argv[2], str(i), str(j)) for j in range(20)]
    cache.put_many(sys.argv[2], [(k, np.full(64, i, np.float32)) for k in keys])
    print(i, flush=True)
"""


def _writer(path: Path, name: str, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_what_was_put_comes_back_to_the_bit(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "deep" / "v.sqlite")
    rows = np.random.default_rng(0).standard_normal((1000, 7)).astype(np.float32)
    keys = [key_of(str(i)) for i in range(1000)]
    cache.put_many("m", zip(keys, rows, strict=True))
    found = cache.get_many([*keys, key_of("absent")])
    assert len(found) == 1000
    assert np.array_equal(np.stack([found[k] for k in keys]), rows)
    stats = cache.stats()
    assert (stats.entries, dict(stats.models)) == (1000, {"m": 1000})
    assert stats.bytes > rows.nbytes


def test_key_parts_cannot_be_confused() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")
    assert key_of("a", "") != key_of("a")


def test_killed_writer_leaves_whole_batches_behind(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    writer = _writer(path, "m", 100_000)
    assert writer.stdout is not None
    seen = [int(writer.stdout.readline()) for _ in range(30)]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    cache = VectorCache(path)
    for i in seen:
        found = cache.get_many([key_of("m", str(i), str(j)) for j in range(20)])
        assert len(found) == 20
        assert all((v == i).all() for v in found.values())
    assert cache.stats().entries % 20 == 0


def test_two_processes_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    writers = [_writer(path, name, 50) for name in ("a", "b")]
    assert [w.wait(timeout=60) for w in writers] == [0, 0]
    assert dict(VectorCache(path).stats().models) == {"a": 1000, "b": 1000}


def test_size_bound_drops_the_oldest(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "v.sqlite", max_bytes=1_000_000)
    for i in range(40):
        cache.put_many("m", [(key_of(str(i), str(j)), np.zeros(256, np.float32)) for j in range(50)])
    stats = cache.stats()
    assert 300 < stats.entries < 1000
    assert not cache.get_many([key_of("0", "0")])
    assert len(cache.get_many([key_of("39", str(j)) for j in range(50)])) == 50
    cache.close()
    assert cache.path.stat().st_size < 1_300_000


def test_clear_one_model_or_all(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "v.sqlite")
    for model in ("a", "b"):
        cache.put_many(model, [(key_of(model), np.ones(3, np.float32))])
    assert cache.clear("a") == 1
    assert dict(cache.stats().models) == {"b": 1}
    assert cache.clear() == 1
    assert cache.stats().entries == 0


def test_a_broken_file_is_an_error_that_names_it_and_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match=r"v\.sqlite.*STEELYARD_CACHE"):
        VectorCache(path).get_many([key_of("a")])


def test_a_broken_cache_does_not_cost_the_run(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    use = CacheUse()
    encoder = CachedEncoder(FakeEncoder(), VectorCache(path), use)
    assert encoder.encode(["a", "b"], Role.QUERY).shape == (2, FakeEncoder().info.dimension)
    assert "v.sqlite" in use.trouble


def test_second_run_computes_nothing(tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(700)] + ["text 1"]
    first, second = CacheUse(), CacheUse()
    cache = VectorCache(tmp_path / "v.sqlite")
    a = CachedEncoder(FakeEncoder(), cache, first).encode(texts, Role.DOCUMENT)
    cache.close()
    b = CachedEncoder(FakeEncoder(), VectorCache(tmp_path / "v.sqlite"), second).encode(texts, Role.DOCUMENT)
    assert np.array_equal(a, b)
    assert (first.found, first.computed) == (0, 700)
    assert (second.found, second.computed) == (700, 0)


def test_role_and_instruction_are_part_of_the_key(tmp_path: Path) -> None:
    use = CacheUse()
    encoder = CachedEncoder(FakeEncoder(), VectorCache(tmp_path / "v.sqlite"), use)
    for role, instruction in ((Role.QUERY, None), (Role.DOCUMENT, None), (Role.QUERY, ""), (Role.QUERY, "default")):
        encoder.encode(["a"], role, instruction)
    assert use.computed == 4


def test_reranker_scores_are_cached_by_pair(tmp_path: Path) -> None:
    use = CacheUse()
    reranker = CachedReranker(FakeReranker(), VectorCache(tmp_path / "v.sqlite"), use)
    plain = FakeReranker().score("q", ["a", "b", "c"])
    assert np.array_equal(reranker.score("q", ["a", "b"]), plain[:2])
    assert np.array_equal(reranker.score("q", ["c", "a", "b"]), plain[[2, 0, 1]])
    assert (use.found, use.computed) == (2, 3)


def test_a_fork_opens_its_own_connection(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "v.sqlite")
    cache.put_many("m", [(key_of("parent"), np.ones(2, np.float32))])
    child = os.fork()
    if child == 0:
        cache.put_many("m", [(key_of("child"), np.ones(2, np.float32))])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert cache.stats().entries == 2
