"""Scores against transformers: the published prompt for Qwen3, pairs for XLM-R; only documents are cut."""

from __future__ import annotations

from typing import Any

import checkpoints
import numpy as np
import pytest
import torch
import transformers as hf
from checkpoints import TEXTS

from steelyard.engines.torch.config import TorchConfig
from steelyard.engines.torch.precision import Precision
from steelyard.engines.torch.rerank import TorchReranker
from steelyard.errors import RecipeError, TextError
from steelyard.models.recipe import Recipe

QUERY = "哪家公司发布了新手机？"
TASK = "Given a web search query, retrieve relevant passages that answer the query"
PREFIX = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


@pytest.fixture(scope="module", params=["tied", "untied"])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Recipe, Any]:
    folder = tmp_path_factory.mktemp(f"judge-{request.param}")
    model = checkpoints.qwen3_judge(folder, tied=request.param == "tied")
    tokenizer = hf.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    return model, checkpoints.recipe("qwen3-reranker-0.6b", folder), tokenizer


def published(model: Any, tokenizer: Any, documents: list[str], task: str = TASK) -> list[float]:
    """The reference sample's steps, one document at a time."""
    scores = []
    for document in documents:
        body = f"<Instruct>: {task}\n<Query>: {QUERY}\n<Document>: {document}"
        ids = [i for part in (PREFIX, body, SUFFIX) for i in tokenizer.encode(part, add_special_tokens=False)]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
        scores.append(torch.log_softmax(logits[[2152, 9693]], 0)[1].exp().item())
    return scores


@pytest.mark.parametrize("share", [True, False])
def test_qwen3_gives_the_published_probability(judge: tuple[Any, Recipe, Any], share: bool) -> None:
    model, recipe, tokenizer = judge
    reranker = TorchReranker(recipe, TorchConfig(Precision.FP32, share_prefixes=share))
    wanted = published(model, tokenizer, TEXTS)
    assert np.ptp(wanted) > 0.05
    np.testing.assert_allclose(reranker.score(QUERY, TEXTS), wanted, atol=1e-5)
    own = published(model, tokenizer, TEXTS[:2], "找出同义句")
    np.testing.assert_allclose(reranker.score(QUERY, TEXTS[:2], "找出同义句"), own, atol=1e-5)


def test_a_shared_prefix_changes_nothing(judge: tuple[Any, Recipe, Any]) -> None:
    _, recipe, _ = judge
    whole = TorchReranker(recipe, TorchConfig(Precision.FP32, share_prefixes=False)).score(QUERY, TEXTS)
    for budget in (1, 50, 4096):
        shared = TorchReranker(recipe, TorchConfig(Precision.FP32, budget=budget)).score(QUERY, TEXTS)
        np.testing.assert_allclose(shared, whole, rtol=1e-5)


def test_only_the_document_is_cut(judge: tuple[Any, Recipe, Any]) -> None:
    _, recipe, tokenizer = judge
    limit = 140
    reranker = TorchReranker(recipe.model_copy(update={"max_tokens": limit}))
    short, long = reranker.token_ids(QUERY, ["短", "很长的文章" * 200])
    suffix = tokenizer.encode(SUFFIX, add_special_tokens=False)
    assert len(short) < limit == len(long)
    assert short[-len(suffix) :] == long[-len(suffix) :] == suffix
    assert QUERY in tokenizer.decode(long)
    with pytest.raises(TextError, match="no room for a document"):
        reranker.score(QUERY * 20, ["短"])


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Recipe, Any]:
    folder = tmp_path_factory.mktemp("classifier")
    model = checkpoints.xlmr_classifier(folder)
    tokenizer = hf.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    return model, checkpoints.recipe("bge-reranker-v2-m3", folder), tokenizer


def test_xlmr_gives_the_sigmoid_of_its_logit(classifier: tuple[Any, Recipe, Any]) -> None:
    model, recipe, tokenizer = classifier
    wanted = []
    for document in TEXTS:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([tokenizer(QUERY, document)["input_ids"]])).logits
        wanted.append(torch.sigmoid(logits)[0, 0].item())
    assert np.ptp(wanted) > 0.02
    found = TorchReranker(recipe, TorchConfig(Precision.FP32)).score(QUERY, TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_xlmr_cuts_as_only_second_does(classifier: tuple[Any, Recipe, Any]) -> None:
    _, recipe, tokenizer = classifier
    reranker = TorchReranker(recipe.model_copy(update={"max_tokens": 32}))
    long = "很长的文章，" * 50
    wanted = tokenizer(QUERY, long, truncation="only_second", max_length=32)["input_ids"]
    assert reranker.token_ids(QUERY, [long]) == [wanted]
    with pytest.raises(RecipeError, match="takes no instruction"):
        reranker.score(QUERY, ["短"], "Find code")
    with pytest.raises(TextError, match="shorten the query"):
        reranker.score(QUERY * 9, ["短"])


def test_nothing_to_score_is_no_scores(classifier: tuple[Any, Recipe, Any]) -> None:
    assert TorchReranker(classifier[1]).score(QUERY, []).shape == (0,)
