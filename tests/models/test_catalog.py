"""The catalogue against the facts that upstreams publish; each figure is written out here a second time."""

import pytest

from steelyard.errors import RecipeError
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe, recipe_names

TASK = "Given a web search query, retrieve relevant passages that answer the query"
JUDGE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
QWEN = {"qwen3-0.6b": (1024, "0.6B"), "qwen3-4b": (2560, "4B"), "qwen3-8b": (4096, "8B")}
SCORES = {
    "bge-m3": (59.56, 54.60),
    "qwen3-0.6b": (64.33, 64.64, 66.33, 71.03, 62.58),
    "qwen3-4b": (69.45, 69.60, 72.27, 77.03, 66.05),
    "qwen3-8b": (70.58, 70.88, 73.84, 78.21, 66.99),
    "bge-reranker-v2-m3": (72.16, 58.36, 57.03),
    "qwen3-reranker-0.6b": (71.31, 66.36, 65.80),
    "qwen3-reranker-4b": (75.94, 72.74, 69.76),
    "qwen3-reranker-8b": (77.45, 72.94, 69.02),
}


def qwen3_size(hidden: int, inner: int, layers: int, queries: int, vocabulary: int, *, tied: bool) -> int:
    """Parameters of a Qwen3 decoder with 8 key heads of 128."""
    heads = hidden * 128 * (2 * queries + 2 * 8)
    layer = heads + 2 * 128 + 3 * hidden * inner + 2 * hidden
    return layers * layer + hidden + vocabulary * hidden * (1 if tied else 2)


def bert_size(hidden: int, layers: int, vocabulary: int, positions: int, types: int) -> int:
    """Parameters of a BERT encoder with its pooler."""
    layer = 4 * (hidden * hidden + hidden) + 8 * hidden * hidden + 5 * hidden + 4 * hidden
    return (vocabulary + positions + types + 2) * hidden + layers * layer + hidden * hidden + hidden


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads_under_its_own_name(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.backends
    assert recipe.licence
    assert recipe.languages


@pytest.mark.parametrize("name", QWEN)
def test_qwen3_embedding_follows_its_readme(name: str) -> None:
    dimension, size = QWEN[name]
    recipe = load_recipe(name)
    assert (recipe.pooling, recipe.dimension, recipe.min_dimension, recipe.eos_id) == ("last", dimension, 32, 151643)
    assert recipe.max_tokens == 32768
    assert recipe.render_query("天气") == f"Instruct: {TASK}\nQuery:天气"
    assert recipe.render_query("天气", "Find code") == "Instruct: Find code\nQuery:天气"
    assert recipe.render_query("天气", "") == "天气"
    assert recipe.render_document("天气") == "天气"
    assert recipe.check_dimension(512) == 512
    assert recipe.sources.huggingface == f"Qwen/Qwen3-Embedding-{size}"


def test_marks_of_a_template_are_plain_text_inside_texts_and_instructions() -> None:
    recipe = load_recipe("qwen3-0.6b")
    assert recipe.render_query("a {instruction} b", "fill in {text}") == (
        "Instruct: fill in {text}\nQuery:a {instruction} b"
    )
    assert load_recipe("e5-small").render_document("{text}") == "passage: {text}"


def test_a_reranker_that_no_engine_runs_is_refused_as_a_recipe() -> None:
    fields = {"name": "x", "title": "x", "kind": "reranker", "max_tokens": 512, "licence": "MIT", "parameters": 1}
    with pytest.raises(ValueError, match="xlm-roberta and qwen3, not for bert"):
        Recipe.model_validate(fields | {"architecture": "bert"})


@pytest.mark.parametrize("name", ["qwen3-reranker-0.6b", "qwen3-reranker-4b", "qwen3-reranker-8b"])
def test_qwen3_reranker_prompt_is_the_published_one(name: str) -> None:
    recipe = load_recipe(name)
    assert (recipe.kind, recipe.yes_id, recipe.no_id) == ("reranker", 9693, 2152)
    assert recipe.render_query("何为秤") == f"{JUDGE}<Instruct>: {TASK}\n<Query>: 何为秤\n<Document>: "
    assert recipe.render_document("杆秤") == "杆秤<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


def test_bge_m3_has_three_heads_and_no_smaller_vectors() -> None:
    recipe = load_recipe("bge-m3")
    assert recipe.heads == ("dense", "sparse", "colbert")
    assert (recipe.pooling, recipe.max_tokens, recipe.query_template) == ("cls", 8192, "{text}")
    with pytest.raises(RecipeError, match="no MRL"):
        recipe.check_dimension(512)


def test_small_differences_of_templates_are_kept() -> None:
    assert load_recipe("e5-large-instruct").render_query("x").endswith("\nQuery: x")
    assert load_recipe("e5-base").render_query("x") == "query: x"
    assert load_recipe("e5-large").render_document("x") == "passage: x"
    assert load_recipe("bge-base-zh-v1.5").render_query("x") == "为这个句子生成表示以用于检索相关文章：x"
    assert load_recipe("bge-base-zh-v1.5").render_document("x") == "x"


@pytest.mark.parametrize("name", SCORES)
def test_published_scores_are_those_of_the_readme(name: str) -> None:
    assert tuple(p.score for p in load_recipe(name).published) == SCORES[name]


def test_scores_on_data_seen_in_training_say_so() -> None:
    seen: list[Recipe] = [load_recipe(n) for n in QWEN]
    for recipe in seen:
        assert {p.benchmark: p.contaminated for p in recipe.published} == {
            "MTEB multilingual, mean of tasks": False,
            "MTEB multilingual, retrieval": False,
            "C-MTEB, mean of tasks": True,
            "C-MTEB, retrieval": True,
            "C-MTEB, reranking": True,
        }
        assert "C-MTEB" in recipe.trained_on


def test_parameters_are_those_of_the_architecture() -> None:
    sizes = {
        "qwen3-0.6b": qwen3_size(1024, 3072, 28, 16, 151669, tied=True),
        "qwen3-4b": qwen3_size(2560, 9728, 36, 32, 151665, tied=True),
        "qwen3-8b": qwen3_size(4096, 12288, 36, 32, 151665, tied=True),
        "qwen3-reranker-0.6b": qwen3_size(1024, 3072, 28, 16, 151669, tied=True),
        "qwen3-reranker-4b": qwen3_size(2560, 9728, 36, 32, 151669, tied=True),
        "qwen3-reranker-8b": qwen3_size(4096, 12288, 36, 32, 151669, tied=False),
        "bge-m3": bert_size(1024, 24, 250002, 8194, 1),
        "bge-reranker-v2-m3": bert_size(1024, 24, 250002, 8194, 1) + 1025,
        "bge-small-zh-v1.5": bert_size(512, 4, 21128, 512, 2),
        "bge-base-zh-v1.5": bert_size(768, 12, 21128, 512, 2),
        "bge-large-zh-v1.5": bert_size(1024, 24, 21128, 512, 2),
        "e5-base": bert_size(768, 12, 250002, 514, 1),
        "e5-large": bert_size(1024, 24, 250002, 514, 1),
        "e5-large-instruct": bert_size(1024, 24, 250002, 514, 1),
        "all-minilm-l6-v2": bert_size(384, 6, 30522, 512, 2),
    }
    assert {name: load_recipe(name).parameters for name in sizes} == sizes
