"""Long texts in windows: everything is read, short texts are left alone, and the mean is the one written here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_engines import FakeEncoder
from steelyard.engines.load import open_encoder
from steelyard.errors import ExpressionError, UsageError
from steelyard.models.registry import load_recipe
from steelyard.retrieval.builder import SystemBuilder
from steelyard.retrieval.chunk import OVERLAP, ChunkEncoder
from steelyard.retrieval.resolve import read_system, read_systems
from steelyard.types import Document, Query, Role


class Margin(FakeEncoder):
    """One token a character, and two of the template."""

    def count_tokens(self, texts: Sequence[str], role: Role, instruction: Any = None) -> list[Any]:
        return [len(t) + 2 for t in texts]


@given(st.text(min_size=1, max_size=200), st.integers(3, 40))
def test_windows_cover_the_text_overlap_and_keep_the_limit(text: str, limit: int) -> None:
    windows = ChunkEncoder(Margin(), limit).windows(text, Role.DOCUMENT)
    assert windows[0].start == 0
    assert windows[-1].stop == len(text)
    for window in windows:
        assert window.tokens == window.stop - window.start + 2 <= limit
    for before, after in pairwise(windows):
        assert before.start < after.start <= before.stop < after.stop
        assert before.stop - after.start == (before.stop - before.start) // OVERLAP or after.start == before.start + 1


@given(st.lists(st.text(max_size=60), max_size=5), st.integers(4, 30))
def test_the_vector_is_the_mean_of_the_windows_by_their_tokens(texts: list[str], limit: int) -> None:
    chunker, inner = ChunkEncoder(Margin(), limit), Margin()
    rows = chunker.encode(texts, Role.DOCUMENT)
    assert rows.shape == (len(texts), inner.info.dimension)
    for text, row in zip(texts, rows, strict=True):
        if len(text) + 2 <= limit:
            assert (row == inner.encode([text], Role.DOCUMENT)[0]).all()
            continue
        total = np.zeros(inner.info.dimension)
        for w in chunker.windows(text, Role.DOCUMENT):
            vector = inner.encode([text[w.start : w.stop]], Role.DOCUMENT)[0]
            total += w.tokens * vector / np.linalg.norm(vector)
        np.testing.assert_allclose(row, total / np.linalg.norm(total), atol=1e-5)


def test_what_cannot_be_cut_into_windows_is_refused() -> None:
    class Silent(FakeEncoder):
        def count_tokens(self, texts: Sequence[str], role: Role, instruction: Any = None) -> None:  # type: ignore[override]
            return None

    with pytest.raises(UsageError, match="long=chunk"):
        ChunkEncoder(Silent(), 9).encode(["abc"], Role.QUERY)
    with pytest.raises(UsageError, match="no room beside the template"):
        ChunkEncoder(Margin(), 2).encode(["abc"], Role.QUERY)


@pytest.mark.filterwarnings("error:.*were cut")
def test_a_real_model_reads_the_end_of_a_long_text_without_cutting_it() -> None:
    minilm = open_encoder(load_recipe("minilm-en"))
    chunker = ChunkEncoder(minilm)
    filler = "The committee discussed the minutes of the last meeting. " * 60
    plain, moon = chunker.encode([filler, filler + "The moon is full tonight. " * 20], Role.DOCUMENT)
    query = minilm.encode(["a full moon"], Role.QUERY)[0]
    assert query @ moon > query @ plain + 0.05
    for window in chunker.windows(filler, Role.DOCUMENT):
        assert window.tokens <= 256


def test_an_expression_asks_for_it() -> None:
    read_systems(["minilm-en[long=chunk|cut]"])
    with pytest.raises(ExpressionError, match="takes one of cut, chunk"):
        read_systems(["minilm-en[long=fold]"])
    with pytest.raises(ExpressionError, match="no option 'long'"):
        read_systems(["openai:m@http://h/v1[long=chunk]"])
    head = "one two three four five six "
    documents = [Document("a", head + "apple"), Document("b", head + "moon")]
    ranked = []
    for typed in ("minilm-en[max_tokens=8]", "minilm-en[long=chunk, max_tokens=8]"):
        system = SystemBuilder().build(read_system(typed))
        system.index(documents)
        ranked += system.search([Query("q", "moon")], 2)
    assert ranked[0].scores[0] == ranked[0].scores[1]
    assert ranked[1].document_ids == ("b", "a")
    assert ranked[1].scores[0] > ranked[1].scores[1] + 0.05
