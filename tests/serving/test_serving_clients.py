"""Other people's clients against the server, over a real socket. They come with `pip install -e '.[compat]'`."""

import asyncio
import os
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import numpy as np
import openai
import pytest
from serving_kit import Serve, recipe

from fake_engines import FakeEncoder
from steelyard.serving.local_service import Loaded, local_service
from steelyard.serving.tokens import ModelCodec, TiktokenCodec
from steelyard.types import Role

pytestmark = pytest.mark.slow
TEXTS = ["如何重置路由器的密码？", "How do I reset it?", "第三段文字，" * 50]


def expected(texts: list[str]) -> np.ndarray:
    return FakeEncoder().encode(texts, Role.DOCUMENT)


@pytest.fixture
def ranks() -> Iterator[None]:
    """tiktoken's own file of cl100k_base, which llama-index ships, so that nothing is downloaded."""
    spec = util.find_spec("llama_index.core")
    assert spec is not None
    assert spec.origin is not None
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(spec.origin).parent / "_static" / "tiktoken_cache")
    yield
    if before is None:
        del os.environ["TIKTOKEN_CACHE_DIR"]
    else:
        os.environ["TIKTOKEN_CACHE_DIR"] = before


def test_langchain_as_its_guides_say(url: str) -> None:
    from langchain_openai import OpenAIEmbeddings

    client = OpenAIEmbeddings(model="fake", base_url=f"{url}/v1", api_key="none", check_embedding_ctx_length=False)
    np.testing.assert_allclose(client.embed_documents(TEXTS), expected(TEXTS), atol=1e-6)
    np.testing.assert_allclose([client.embed_query(TEXTS[0])], expected(TEXTS[:1]), atol=1e-6)
    np.testing.assert_allclose(asyncio.run(client.aembed_documents(TEXTS)), expected(TEXTS), atol=1e-6)


def test_langchain_by_default_sends_ids_of_another_tokenizer(serve: Serve, ranks: None) -> None:
    from langchain_openai import OpenAIEmbeddings

    from steelyard.engines.packages import package_file

    url = serve(local_service({"fake": Loaded(recipe(), FakeEncoder(), TiktokenCodec("cl100k_base"))}))
    client = OpenAIEmbeddings(model="fake", base_url=f"{url}/v1", api_key="none")
    np.testing.assert_allclose(client.embed_documents(TEXTS), expected(TEXTS), atol=1e-6)

    path = package_file("semantra_multilingual", "assets", "multilingual-e5-small", "tokenizer.json")
    url = serve(local_service({"fake": Loaded(recipe(), FakeEncoder(), ModelCodec(path, "fake"))}))
    client = OpenAIEmbeddings(model="fake", base_url=f"{url}/v1", api_key="none")
    for text in TEXTS:
        with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
            client.embed_documents([text])


def test_llama_index(url: str) -> None:
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding

    client = OpenAILikeEmbedding(model_name="fake", api_base=f"{url}/v1", api_key="none", embed_batch_size=2)
    np.testing.assert_allclose(client.get_text_embedding_batch(TEXTS), expected(TEXTS), atol=1e-6)
    np.testing.assert_allclose([client.get_query_embedding(TEXTS[1])], expected(TEXTS[1:2]), atol=1e-6)
    short = OpenAILikeEmbedding(model_name="fake:query", api_base=f"{url}/v1", api_key="none", dimensions=8)
    assert len(short.get_query_embedding("x")) == 8


def test_mteb(url: str, ranks: None) -> None:
    import mteb
    from mteb.models.model_implementations.openai_models import OpenAIModel
    from torch.utils.data import DataLoader

    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        model = OpenAIModel("fake", max_tokens=512, embed_dim=32, client=client)
        metadata = mteb.get_task("STS17").metadata
        batches = DataLoader([{"text": t} for t in [*TEXTS, " "]], batch_size=2)  # type: ignore[arg-type, var-annotated]
        vectors = model.encode(batches, task_metadata=metadata, hf_split="test", hf_subset="default")
    np.testing.assert_allclose(vectors[:3], expected(TEXTS), atol=1e-6)
    assert not vectors[3].any()
