"""Packs of round numbers of tokens: few kernels, nothing of the texts changed."""

from hypothesis import given
from hypothesis import strategies as st

from steelyard.engines.torch.pack import filler, pack


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=40), min_size=1, max_size=60))
def test_filler_is_short_and_stands_behind_the_texts(rows: list[list[int]]) -> None:
    extra = filler(rows)
    tokens, filled = sum(map(len, rows)), sum(map(len, extra))
    assert filled < max(4, tokens / 8)
    assert all(1 <= len(row) <= max(map(len, rows)) for row in extra)
    packed = pack([*rows, *extra])
    assert packed.ids[:tokens].tolist() == [i for row in rows for i in row]
    assert packed.firsts[: len(rows)].tolist() == pack(rows).firsts.tolist()


def test_a_server_that_reads_texts_as_they_come_meets_few_numbers_of_tokens() -> None:
    met = {n + sum(map(len, filler([[1] * n]))) for n in range(1, 4097)}
    assert len(met) < 130
