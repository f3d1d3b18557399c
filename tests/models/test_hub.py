"""Pulling against a server that speaks both hubs' protocols, with the faults that networks, disks and users have."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from hub_server import COMMIT, HubState, serving

from steelyard.errors import EndpointError, RecipeError, WeightsError
from steelyard.models.download import download
from steelyard.models.hub import MANIFEST, find, pull, verify
from steelyard.models.recipe import Recipe, Sources
from steelyard.models.registry import load_recipe
from steelyard.models.remote import HuggingFace, Listing, ModelScope, RemoteFile, hub_of, needed

WEIGHTS = Random(1).randbytes(3 << 20)
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "tokenizer.json": b"{}" * 1000,
    "1_Pooling/config.json": b'{"pooling_mode": "mean"}',
    "model.safetensors": WEIGHTS,
    "onnx/model.onnx": b"not wanted",
    "onnx/config.json": b"{}",
    "README.md": b"not wanted",
    "pytorch_model.bin": b"not wanted beside safetensors",
}
WANTED = {"config.json", "tokenizer.json", "1_Pooling/config.json", "model.safetensors"}
SOURCES = Sources(huggingface="org/name", huggingface_revision=COMMIT, modelscope="org/name")
RECIPE = load_recipe("bge-small-zh-v1.5").model_copy(update={"sources": SOURCES})


@pytest.fixture
def hub() -> Iterator[HubState]:
    with serving(HubState(dict(FILES))) as state:
        yield state


def source(hub: HubState) -> HuggingFace:
    return HuggingFace("org/name", COMMIT, hub.url)


def files_in(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_a_model_is_pulled_once_and_found_ever_after(hub: HubState, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    assert find(RECIPE, tmp_path) is None
    folder = pull(RECIPE, tmp_path, hub=source(hub), progress=lambda *what: told.append(what))
    assert files_in(folder) == WANTED | {MANIFEST}
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert ("model.safetensors", len(WEIGHTS), len(WEIGHTS)) in told
    asked = len(hub.asked)
    assert pull(RECIPE, tmp_path, hub=source(hub)) == find(RECIPE, tmp_path) == folder
    assert pull(RECIPE, tmp_path, offline=True) == folder
    assert len(hub.asked) == asked
    assert verify(folder) == ()
    (folder / "tokenizer.json").write_bytes(b"{}")
    assert verify(folder) == ("tokenizer.json",)


def test_modelscope_gives_the_same_files(hub: HubState, tmp_path: Path) -> None:
    folder = pull(RECIPE, tmp_path, hub=ModelScope("org/name", "master", hub.url))
    assert files_in(folder) == WANTED | {MANIFEST}
    assert verify(folder) == ()
    assert find(RECIPE, tmp_path) == folder


@pytest.mark.parametrize("ranges", [True, False])
def test_a_transfer_that_breaks_is_gone_on_with(hub: HubState, tmp_path: Path, ranges: bool) -> None:
    hub.break_after["model.safetensors"] = 2 if ranges else 1
    hub.ranges = ranges
    file = next(f for f in source(hub).listing(httpx.Client()).files if f.path == "model.safetensors")
    pauses: list[float] = []
    download(file, tmp_path / "w", httpx.Client(), {}, lambda *_: None, pauses.append)
    assert (tmp_path / "w").read_bytes() == WEIGHTS
    assert len(pauses) == (2 if ranges else 1)
    assert all(asked for _, asked in hub.asked[1:])
    if ranges:
        assert hub.sent <= len(WEIGHTS) + (2 << 16)


def test_a_transfer_that_keeps_breaking_says_so(hub: HubState, tmp_path: Path) -> None:
    hub.break_after["model.safetensors"] = 99
    file = next(f for f in source(hub).listing(httpx.Client()).files if f.path == "model.safetensors")
    with pytest.raises(EndpointError, match="pull again to go on"):
        download(file, tmp_path / "w", httpx.Client(), {}, lambda *_: None, lambda _: None)
    assert not (tmp_path / "w").exists()


def test_content_that_is_not_what_the_hub_says_never_counts(hub: HubState, tmp_path: Path) -> None:
    hub.lies["model.safetensors"] = WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1])
    with pytest.raises(WeightsError, match="digest is not sha256"):
        pull(RECIPE, tmp_path, hub=source(hub))
    assert find(RECIPE, tmp_path) is None
    hub.lies.clear()
    assert verify(pull(RECIPE, tmp_path, hub=source(hub))) == ()


CHILD = """
import sys
from pathlib import Path
from steelyard.models.hub import pull
from steelyard.models.recipe import Sources
from steelyard.models.registry import load_recipe
from steelyard.models.remote import HuggingFace
recipe = load_recipe("bge-small-zh-v1.5").model_copy(update={"sources": Sources(huggingface="org/name",
    huggingface_revision=sys.argv[2])})
print(pull(recipe, Path(sys.argv[3]), hub=HuggingFace("org/name", sys.argv[2], sys.argv[1])))
"""


def child(hub: HubState, cache: Path, **options: Any) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", CHILD, hub.url, COMMIT, str(cache)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def until(condition: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_kill_9_leaves_nothing_that_looks_whole_and_little_to_do_again(hub: HubState, tmp_path: Path) -> None:
    hub.delay = 0.02
    process = child(hub, tmp_path)
    part = tmp_path / "org--name" / f"{COMMIT}.partial" / "model.safetensors.part"
    until(lambda: part.exists() and part.stat().st_size > 1 << 20)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert find(RECIPE, tmp_path) is None
    have = part.stat().st_size
    hub.delay, hub.asked = 0.0, []
    folder = pull(RECIPE, tmp_path, hub=source(hub))
    assert ("model.safetensors", f"bytes={have}-") in hub.asked
    assert [path for path, _ in hub.asked] == ["model.safetensors", "tokenizer.json"]
    assert verify(folder) == ()


def test_two_at_once_pull_once(hub: HubState, tmp_path: Path) -> None:
    hub.delay = 0.01
    first, second = child(hub, tmp_path), child(hub, tmp_path)
    outputs = [p.communicate(timeout=60) for p in (first, second)]
    assert [p.returncode for p in (first, second)] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert sorted(path for path, _ in hub.asked) == sorted(WANTED)


def test_a_full_disk_is_named_and_can_be_gone_on_from(hub: HubState, tmp_path: Path) -> None:
    def small_files() -> None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    process = child(hub, tmp_path, preexec_fn=small_files)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "cannot be written" in errors
    assert "free room and pull again" in errors
    assert find(RECIPE, tmp_path) is None
    assert verify(pull(RECIPE, tmp_path, hub=source(hub))) == ()


def test_what_cannot_fit_is_refused_before_it_is_fetched(tmp_path: Path) -> None:
    class Huge:
        name, repo, revision, headers = "huggingface", "org/name", "x", {}  # type: ignore[var-annotated]

        def listing(self, _: httpx.Client) -> Listing:
            return Listing("x", (RemoteFile("model.safetensors", 1 << 60, "", "http://127.0.0.1:1/"),))

    with pytest.raises(WeightsError, match="GB are free"):
        pull(RECIPE, tmp_path, hub=Huge())  # type: ignore[arg-type]


def test_offline_and_unknown_say_what_to_do(hub: HubState, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="this is offline"):
        pull(RECIPE, tmp_path, offline=True)
    with pytest.raises(WeightsError, match="this is offline"):
        pull(RECIPE, tmp_path, environment={"HF_HUB_OFFLINE": "1"})
    with pytest.raises(WeightsError, match="has no revision nope"):
        pull(RECIPE, tmp_path, hub=HuggingFace("org/name", "nope", hub.url))
    with pytest.raises(EndpointError, match="HF_ENDPOINT"):
        pull(RECIPE, tmp_path, hub=HuggingFace("org/name", COMMIT, "http://127.0.0.1:9"))
    with pytest.raises(RecipeError, match="it is on huggingface and modelscope"):
        hub_of(RECIPE, "elsewhere")  # type: ignore[arg-type]


def test_mirrors_and_tokens_come_from_the_environment() -> None:
    env = {"HF_ENDPOINT": "https://hf-mirror.com/", "HF_TOKEN": "secret"}
    found = hub_of(RECIPE, None, env)
    assert found == HuggingFace("org/name", COMMIT, "https://hf-mirror.com", "secret")
    assert found.headers == {"authorization": "Bearer secret"}
    assert hub_of(RECIPE, "modelscope", {}) == ModelScope("org/name", "master")


def test_a_snapshot_of_the_hugging_face_libraries_is_used(tmp_path: Path) -> None:
    env = {"HF_HUB_CACHE": str(tmp_path)}
    folder = tmp_path / "models--org--name" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    assert find(RECIPE, tmp_path / "own", env) is None
    (folder / "model.safetensors").write_text("")
    assert find(RECIPE, tmp_path / "own", env) == folder


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a\\..\\b"])
def test_a_hub_cannot_write_outside_the_folder(path: str) -> None:
    with pytest.raises(WeightsError, match="leads out of its folder"):
        needed(Listing("x", (RemoteFile(path, 1, "", ""),)), RECIPE)


def test_heads_and_pickles_are_taken_only_where_they_are_needed() -> None:
    def kept(recipe: Recipe, *paths: str) -> list[str]:
        return [f.path for f in needed(Listing("x", tuple(RemoteFile(p, 1, "", "") for p in paths)), recipe)]

    m3 = ("colbert_linear.pt", "config.json", "pytorch_model.bin", "sparse_linear.pt")
    assert kept(load_recipe("bge-m3"), *m3) == list(m3)
    assert kept(load_recipe("e5-base"), *m3, "model.safetensors") == ["config.json", "model.safetensors"]
    with pytest.raises(WeightsError, match=r"no model\.safetensors"):
        kept(load_recipe("e5-base"), "config.json")
