import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import SuiteError
from steelyard.retrieval.dense import calls
from steelyard.suites.longest import BOUND, bounded
from steelyard.suites.suite import Suite
from steelyard.types import Document, Query


def suite(*lengths: int) -> Suite:
    documents = tuple(Document(f"d{i}", "很" * n) for i, n in enumerate(lengths))
    return Suite("s", (Query("q", "怎么退"),), documents, {"q": {"d0": 1}})


def test_texts_within_the_bound_stay_as_they_are() -> None:
    made = suite(BOUND, 3)
    assert bounded(made) is made
    assert bounded(suite(2 * BOUND), 0).documents[0].text == "很" * 2 * BOUND


def test_a_text_beyond_it_is_refused_with_a_choice() -> None:
    with pytest.raises(
        SuiteError, match=r"'d0', 1,000,000.*--longest 100000 keeps so many.*--longest 0 reads them whole"
    ):
        bounded(suite(1_000_000, 3))


def test_the_choice_to_cut_is_kept_and_noted() -> None:
    cut = bounded(suite(1_000_000, 3), 5_000)
    assert [len(d.text) for d in cut.documents] == [5_000, 3]
    assert cut.card.notes == ("1 texts were cut to 5,000 characters, as --longest says",)
    assert cut.checksum != suite(1_000_000, 3).checksum


@given(st.lists(st.integers(0, 300_000), max_size=600))
def test_calls_cover_every_text_once_and_are_bounded(lengths: list[int]) -> None:
    made = list(calls(lengths))
    assert [i for start, stop in made for i in range(start, stop)] == list(range(len(lengths)))
    for start, stop in made:
        assert 1 <= stop - start <= 256
        assert stop - start == 1 or sum(lengths[start:stop]) <= 200_000
