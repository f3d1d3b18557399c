"""Sparse weights and ColBERT vectors beside the dense one."""

from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pybase64
import pytest
from serving_kit import Serve, recipe

from fake_engines import FakeEncoder
from steelyard.serving.local_service import Loaded, local_service
from steelyard.types import Role, Vectors


class ThreeHeads(FakeEncoder):
    """One token a character: its weight is how often it occurs, its state the character's own vector."""

    def encode_sparse(self, texts: Sequence[str], role: Role) -> list[dict[int, float]]:
        return [{ord(c): float(t.count(c)) for c in t} for t in texts]

    def encode_tokens(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        return [self.encode(list(t), role) for t in texts]


@pytest.fixture
def url(serve: Serve) -> str:
    m3 = recipe("m3", heads=("dense", "sparse", "colbert"), matryoshka=False, min_dimension=0)
    return serve(local_service({"m3": Loaded(m3, ThreeHeads()), "flat": Loaded(m3, FakeEncoder())}))


def ask(url: str, **body: Any) -> list[dict[str, Any]]:
    answer = httpx.post(f"{url}/v1/embeddings", json={"model": "m3"} | body)
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


def test_all_three(url: str) -> None:
    first, second = ask(url, input=["aba", "c"], heads=["dense", "sparse", "colbert"])
    assert first["sparse"] == {"indices": [97, 98], "values": [2.0, 1.0]}
    assert second["sparse"] == {"indices": [99], "values": [1.0]}
    np.testing.assert_allclose(first["colbert"], FakeEncoder().encode(list("aba"), Role.DOCUMENT), atol=1e-6)
    np.testing.assert_allclose([first["embedding"]], FakeEncoder().encode(["aba"], Role.DOCUMENT), atol=1e-6)


def test_base64_and_one_head_only(url: str) -> None:
    (item,) = ask(url, input="ab", heads=["colbert"], encoding_format="base64")
    states = [np.frombuffer(pybase64.b64decode(s), "<f4") for s in item["colbert"]]
    np.testing.assert_allclose(states, FakeEncoder().encode(["a", "b"], Role.DOCUMENT), atol=1e-6)
    assert "sparse" not in item


def test_mixed_sides_keep_their_places(url: str) -> None:
    texts = ["Instruct: x\nQuery:ab", "ccc", "Instruct: x\nQuery:d"]
    data = ask(url, input=texts, heads=["sparse"])
    assert [d["sparse"]["indices"] for d in data] == [[97, 98], [99], [100]]


def test_nothing_of_it_unless_asked_for(url: str) -> None:
    assert set(ask(url, input="ab")[0]) == {"object", "index", "embedding"}


def test_a_head_that_is_not_there_is_refused(url: str) -> None:
    cards = {c["id"]: c["heads"] for c in httpx.get(f"{url}/v1/models").json()["data"]}
    assert cards == {"m3": ["dense", "sparse", "colbert"], "flat": ["dense"]}
    answer = httpx.post(f"{url}/v1/embeddings", json={"model": "flat", "input": "x", "heads": ["sparse", "colbert"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "no_head")
    assert "no colbert and no sparse head; it has dense" in answer.json()["error"]["message"]
