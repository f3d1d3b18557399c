"""Expressions become recipes, typed options and engine names once; nothing is loaded, nothing is read twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import ExpressionError, UsageError
from steelyard.models import registry
from steelyard.retrieval.expression import expand, parse
from steelyard.retrieval.resolve import Resolver, read_system, read_systems
from steelyard.retrieval.system import Endpoint, Fused, Lexical, Reranked, Single, Vectors


def test_a_whole_system_is_typed() -> None:
    system = read_system("bm25[k1=0.9] + e5-small[dim=64, instruction=none, weight=2] >> maxsim[top=7]")
    assert isinstance(system, Reranked)
    assert (system.top, system.reranker.gives, system.reranker.here.name) == (7, "token vectors", "e5-small")
    assert isinstance(system.first, Fused)
    assert system.first.weights == (None, 2.0)
    lexical, dense = system.first.fused
    assert isinstance(dense, Single)
    assert lexical.part == Lexical(k1=0.9)  # type: ignore[attr-defined]
    assert dense.vectors == Vectors(dimension=64, instruction="", instructed=True)
    assert dense.encoder.here.dimension == 384
    assert dense.encoder.engine in dense.encoder.here.backends


def test_an_endpoint_runs_elsewhere_whatever_recipe_its_templates_come_from() -> None:
    (model,) = read_system("openai:m@http://h/v1[batch=2, recipe=qwen3-0.6b]").models
    assert (model.engine, model.endpoint) == ("openai", Endpoint("m", "http://h/v1", batch=2))
    assert model.recipe.name == "qwen3-0.6b"
    assert model.here is None


@given(st.sampled_from(["bm25", "e5-small[dim=64|128]", "bm25 + e5-small[weight=2] >> maxsim[top=5|9]", "bge-m3"]))
def test_the_name_is_the_canonical_expression_and_resolves_to_itself(source: str) -> None:
    systems = read_systems([source])
    assert [s.name for s in systems] == [str(n) for n in expand(parse(source))]
    assert read_systems(systems) == systems
    assert tuple(read_system(s.name) for s in systems) == systems


def test_a_sweep_is_not_one_system() -> None:
    with pytest.raises(UsageError, match="stands for 2"):
        read_system("e5-small[dim=64|128]")


def test_resolving_reads_the_recipes_that_are_named_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(name: str) -> object:
        read.append(name)
        return registry.load_recipe(name)

    monkeypatch.setattr("steelyard.retrieval.resolve.load_recipe", counted)
    assert len(read_systems(["e5-small[dim=32|64|128|384, precision=float32|int8|binary]", "bm25 + e5-small"])) == 13
    assert read == ["e5-small"]


def test_a_published_name_is_known_in_small_letters_and_others_are_not() -> None:
    known = Resolver().known
    assert known("BGE-M3").name == "bge-m3"
    assert known("No such model 9B") is None
    assert known("e5-small[dim=64|128]") is None


def test_a_model_that_no_engine_runs_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(ExpressionError, match="runs on"):
        read_systems(["e5-small[backend=cuda]"])
