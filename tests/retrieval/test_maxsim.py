from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from retrieval_fakes import info

from steelyard.engines.load import open_token_encoder
from steelyard.engines.maxsim import MaxSimReranker, max_sim
from steelyard.engines.protocol import Reranker
from steelyard.errors import UsageError
from steelyard.models.registry import load_recipe
from steelyard.types import Role


class LetterEncoder:
    """One unit vector a letter; records the size of its calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    @property
    def info(self) -> Any:
        return info("letters", 26)

    def encode_tokens(self, texts: Sequence[str], role: Role) -> list[Any]:
        self.calls.append((len(texts), role))
        return [np.eye(26, dtype=np.float32)[[ord(c) - 97 for c in t]].reshape(len(t), 26) for t in texts]

    def close(self) -> None:
        pass


def test_the_share_of_query_letters_in_the_document() -> None:
    reranker = MaxSimReranker(LetterEncoder())
    assert isinstance(reranker, Reranker)
    assert list(reranker.score("abca", ["abc", "xa", "xyz", "", "xa"])) == [1, 0.5, 0, -1, 0.5]


def test_an_empty_query_tells_no_documents_apart() -> None:
    assert list(MaxSimReranker(LetterEncoder()).score("", ["a", ""])) == [0, 0]
    assert MaxSimReranker(LetterEncoder()).score("a", []).shape == (0,)


def test_an_instruction_has_no_place() -> None:
    with pytest.raises(UsageError, match="takes no instruction"):
        MaxSimReranker(LetterEncoder()).score("a", ["a"], "find")


def test_documents_come_in_parts() -> None:
    encoder = LetterEncoder()
    scores = MaxSimReranker(encoder).score("a", ["a" * (i + 1) for i in range(70)])
    assert (scores == 1).all()
    assert encoder.calls == [(1, Role.QUERY), (32, Role.DOCUMENT), (32, Role.DOCUMENT), (6, Role.DOCUMENT)]


def test_documents_that_come_again_are_encoded_once_while_there_is_room() -> None:
    encoder = LetterEncoder()
    reranker = MaxSimReranker(encoder, kept_bytes=2 * 3 * 26 * 4)
    for query in ("a", "b", "c"):
        assert list(reranker.score(query, ["abc", "bcd"])) == [1, query != "a"]
    documents = [count for count, role in encoder.calls if role is Role.DOCUMENT]
    assert documents == [2]
    reranker.score("a", ["abc", "xyz"])  # bcd was used least recently and goes
    reranker.score("a", ["abc", "bcd"])
    reranker.score("a", ["a" * 99])  # larger than the bound: never kept, nothing lost for it
    assert [count for count, role in encoder.calls if role is Role.DOCUMENT] == [2, 1, 1, 1]
    assert reranker.score("a", ["abc"])[0] == 1
    reranker.close()
    reranker.score("a", ["bcd"])
    assert [count for count, role in encoder.calls if role is Role.DOCUMENT] == [2, 1, 1, 1, 1]


def test_nothing_is_kept_where_nothing_may_be() -> None:
    encoder = LetterEncoder()
    reranker = MaxSimReranker(encoder, kept_bytes=0)
    for _ in range(2):
        reranker.score("a", ["abc"])
    assert len(encoder.calls) == 4


def test_its_fingerprint_is_not_its_encoders() -> None:
    encoder = LetterEncoder()
    assert MaxSimReranker(encoder).info.fingerprint != encoder.info.fingerprint
    assert MaxSimReranker(encoder).info.model == "maxsim(letters)"


def test_max_sim_against_the_definition() -> None:
    rng = np.random.default_rng(0)
    query, document = (rng.standard_normal((n, 8)).astype(np.float32) for n in (5, 9))
    wanted = sum(max(float(q @ d) for d in document) for q in query) / 5
    assert max_sim(query, document) == pytest.approx(wanted, rel=1e-5)


def test_real_token_states_prefer_the_answer() -> None:
    reranker = MaxSimReranker(open_token_encoder(load_recipe("minilm-en")))
    scores = reranker.score("how do I get my money back", ["ways to request a refund", "the moon is full tonight"])
    assert scores[0] > scores[1] + 0.1
    reranker.close()
