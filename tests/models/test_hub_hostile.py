"""Hubs and mirrors whose answers would take all memory, or are no lists."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from steelyard.errors import EndpointError, WeightsError
from steelyard.models.download import download
from steelyard.models.remote import HuggingFace, ModelScope, RemoteFile


def client(respond: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(respond))


def answered(content: bytes, coding: str = "") -> httpx.Response:
    return httpx.Response(200, headers={"Content-Encoding": coding} if coding else {}, stream=httpx.ByteStream(content))


TWICE = gzip.compress(gzip.compress(bytes(1 << 25), mtime=0), mtime=0)
HUBS = [HuggingFace("a/b", "main", "http://hub"), ModelScope("a/b", "master", "http://hub")]


@pytest.mark.parametrize("hub", HUBS, ids=["huggingface", "modelscope"])
@pytest.mark.parametrize(
    ("content", "coding", "said"),
    [
        (TWICE, "gzip, gzip", "not asked for"),
        (gzip.compress(bytes(1 << 25), mtime=0), "gzip", "more than"),
        (bytes(1 << 25), "", "more than"),
        (b"[" * 100_000, "", "not JSON"),
        (b'{"sha": "x", "siblings": [1], "Data": {"Files": [1]}}', "", "not a list of files"),
        (b'{"sha": "x", "siblings": [{"rfilename": "a", "size": Infinity}], "Data": []}', "", "not a list of files"),
        (b'{"Data": {"Files": [{"Path": "a", "Size": Infinity}]}}', "", "not a list of files"),
        (b'"\\ud800', "", "not JSON"),
    ],
    ids=["gzip twice", "gzip", "large", "deep", "files of numbers", "infinite", "infinite too", "half an escape"],
)
def test_a_listing_is_bounded_and_checked(hub: Any, content: bytes, coding: str, said: str) -> None:
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        return answered(content, coding)

    with pytest.raises((EndpointError, WeightsError), match=said):
        hub.listing(client(respond))
    assert asked == ["identity"]


def test_a_listing_in_one_gzip_is_read() -> None:
    listed = {"sha": "c", "siblings": [{"rfilename": "config.json", "size": 2}]}
    packed = answered(gzip.compress(json.dumps(listed).encode()), "gzip")
    assert HUBS[0].listing(client(lambda _: packed)).files[0].path == "config.json"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("content", "coding"), [(TWICE, "gzip, gzip"), (bytes(1 << 20), "")])
def test_a_file_that_goes_on_is_not_written_to_its_end(tmp_path: Path, content: bytes, coding: str) -> None:
    sizes: list[int] = []

    def progress(path: str, have: int, size: int) -> None:
        sizes.append(have)

    file = RemoteFile("a.json", 100, "", "http://hub/a.json")
    with pytest.raises(WeightsError, match="101 bytes"):
        download(file, tmp_path / "a.json", client(lambda _: answered(content, coding)), {}, progress)
    assert not list(tmp_path.iterdir())
    assert all(have <= 100 for have in sizes)
