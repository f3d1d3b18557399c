"""Attention in one call for all texts, held to torch's own."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from steelyard.engines.plan import runs
from steelyard.engines.torch.attention import KeyValue, attend
from steelyard.engines.torch.fused_attention import best_attention, fused_attend
from steelyard.engines.torch.precision import Machine, this_machine

pytestmark = pytest.mark.skipif(best_attention(this_machine()) is attend, reason="no loops of our own here")
LENGTHS = st.lists(st.one_of(st.integers(1, 20), st.sampled_from([31, 48, 97, 130])), min_size=1, max_size=5)
HEADS = st.sampled_from([(1, 1), (3, 3), (4, 2), (6, 1)])
ORDERS = st.tuples(st.booleans(), st.booleans())  # causal; only the last row of each text
KINDS = st.sampled_from([torch.float32, torch.bfloat16])


def some(tokens: int, heads: tuple[int, int], d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values side by side in one tensor, as joined products give them."""
    query, key = heads
    joined = torch.randn(tokens, (query + 2 * key) * d, generator=torch.Generator().manual_seed(tokens + d))
    parts = joined.split([query * d, key * d, key * d], dim=1)
    return tuple(part.unflatten(1, (-1, d)) for part in parts)


def lasts(lengths: Sequence[int]) -> Tensor:
    return torch.tensor(lengths).cumsum(0) - 1


@settings(max_examples=60, deadline=None)
@given(LENGTHS, HEADS, st.sampled_from([8, 24, 32, 64, 128]), ORDERS, st.integers(0, 40), KINDS)
@example([500], (2, 2), 32, (True, False), 0, torch.float32)
@example([130, 5, 1], (4, 2), 64, (True, True), 33, torch.float32)
@example([130, 5, 1], (4, 2), 64, (True, False), 33, torch.bfloat16)
def test_it_equals_torchs(
    lengths: list[int], heads: tuple[int, int], d: int, order: tuple[bool, bool], before: int, kind: torch.dtype
) -> None:
    """In bfloat16 what is read is exact and what is computed is float32, so only the last rounding is added: 2**-8."""
    causal, single = order
    query, key, value = (x.to(kind) for x in some(sum(lengths) + before, heads, d))
    prefix = KeyValue(key[:before], value[:before]) if before else None
    query, key, value = query[before:], key[before:], value[before:]
    query = query[lasts(lengths)] if single else query
    q, k, v = query.double(), key.double(), value.double()
    wanted = attend(q, k, v, runs(lengths), causal=causal, prefix=_double(prefix))
    found = fused_attend(query, key, value, runs(lengths), causal=causal, prefix=prefix)
    assert found.dtype == kind
    relative = 2**-8 + 2e-6 if kind == torch.bfloat16 else 2e-6
    torch.testing.assert_close(found.double(), wanted, rtol=relative, atol=2e-6)


def _double(prefix: KeyValue | None) -> KeyValue | None:
    return prefix and KeyValue(prefix.key.double(), prefix.value.double())


@settings(max_examples=20, deadline=None)
@given(LENGTHS, HEADS, st.booleans(), KINDS)
def test_a_text_gives_the_same_bits_in_any_company_and_by_any_number_of_threads(
    lengths: list[int], heads: tuple[int, int], causal: bool, kind: torch.dtype
) -> None:
    query, key, value = (x.to(kind) for x in some(sum(lengths), heads, 32))
    threads = torch.get_num_threads()
    packed = fused_attend(query, key, value, runs(lengths), causal=causal)
    try:
        torch.set_num_threads(3 - min(threads, 2))
        alone = [
            fused_attend(q, k, v, runs([len(q)]), causal=causal)
            for q, k, v in zip(*(x.split(lengths) for x in (query, key, value)), strict=True)
        ]
    finally:
        torch.set_num_threads(threads)
    assert packed.equal(torch.cat(alone))


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_number_stays_in_its_text(part: int, value: float) -> None:
    lengths = [9, 9, 9]
    parts = some(27, (2, 2), 32)
    wanted = fused_attend(*parts, runs(lengths), causal=False)
    parts[part][13, 1, 5] = value
    found = fused_attend(*parts, runs(lengths), causal=False)
    assert not found[9:18].isfinite().all()
    assert found[:9].equal(wanted[:9])
    assert found[18:].equal(wanted[18:])


def test_scores_far_apart_overflow_nothing() -> None:
    query, key, value = some(30, (1, 1), 32)
    found = fused_attend(query * 1e3, key * 1e3, value, runs([30]), causal=False)
    torch.testing.assert_close(found, attend(query * 1e3, key * 1e3, value, runs([30]), causal=False))


def test_what_it_does_not_cover_is_left_to_torch() -> None:
    q, k, v = (x.double() for x in some(10, (2, 2), 32))
    assert fused_attend(q, k, v, runs([10]), causal=True).equal(attend(q, k, v, runs([10]), causal=True))
    odd = some(10, (2, 2), 12)
    assert fused_attend(*odd, runs([10]), causal=True).equal(attend(*odd, runs([10]), causal=True))


def test_torchs_stays_where_ours_cannot_be_had() -> None:
    assert best_attention(Machine(frozenset({"avx2"}), 0)) is attend
    assert best_attention(this_machine(), "cuda") is attend
    assert best_attention(this_machine()) is fused_attend
