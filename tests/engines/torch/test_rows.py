"""What stands between the products, compared with torch's own operators in float64, on every width of register."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from steelyard.engines.torch.fused_rows import WIDTHS, FusedRows, best_rows
from steelyard.engines.torch.precision import Machine, processor_flags, this_machine
from steelyard.engines.torch.rows import Activation, PlainRows, Rows

pytestmark = pytest.mark.skipif(
    isinstance(best_rows(this_machine()), PlainRows), reason="no loops of our own on this machine"
)
PLAIN = PlainRows()
LANES = st.sampled_from([lanes for lanes in WIDTHS if lanes == 8 or "avx512f" in processor_flags()])
KINDS = st.sampled_from([torch.float32, torch.bfloat16])
TOKENS = st.integers(1, 40)
SIZES = st.sampled_from([8, 24, 32, 384])
U = 2.0**-24
"""Half of the distance of two float32 behind 1; of bfloat16 it is 2**-8."""


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + shape[0]))


def close(found: Tensor, wanted: Tensor, units: float) -> None:
    """Within so many units of float32 of the row's largest number, and of bfloat16's last rounding."""
    assert found.shape == wanted.shape
    last = 2.0**-8 if found.dtype == torch.bfloat16 else 0.0
    allowed = units * U * wanted.abs().amax(dim=-1, keepdim=True).clamp(min=1.0) + last * wanted.abs()
    assert ((found.double() - wanted).abs() <= allowed).all()


@settings(max_examples=40, deadline=None)
@given(LANES, TOKENS, SIZES, KINDS, st.booleans(), st.floats(-3, 3))
def test_layer_norm_of_a_sum(lanes: int, t: int, h: int, kind: torch.dtype, added: bool, middle: float) -> None:
    """The sum is off by U, the mean by log2(h) * U of the row's size, and both by that over the deviation (about 1)."""
    x, other = some(t, h) * 2 + middle, some(t, h, seed=1).to(kind) if added else None
    weight, bias = some(h, seed=2), some(h, seed=3)
    total = x.double() + (0 if other is None else other.double())
    norm = weight.double(), bias.double(), 1e-5
    wanted, _ = PLAIN.layer_norm(total, None, norm, torch.float64)
    units = float(16 * total.abs().max() / total.std(dim=-1, unbiased=False).min() * weight.abs().max())
    state, read = FusedRows(lanes).layer_norm(x.clone(), other, (weight, bias, 1e-5), kind)
    close(state, wanted, units)
    close(read, wanted, units)
    assert read.equal(state.to(kind))


@settings(max_examples=40, deadline=None)
@given(LANES, TOKENS, SIZES, KINDS, st.booleans())
def test_rms_norm_of_a_sum(lanes: int, t: int, h: int, kind: torch.dtype, added: bool) -> None:
    """Squares have no signs, so nothing cancels: a handful of roundings of U each."""
    x, other = some(t, h) * 5, some(t, h, seed=1).to(kind) if added else None
    weight = some(h, seed=2)
    state, read = FusedRows(lanes).rms_norm(x.clone(), other, (weight, 1e-6), kind)
    assert state.equal(x if other is None else x + other.float())
    wanted = PLAIN.rms_norm(state.double(), None, (weight.double(), 1e-6), torch.float64)[1]
    close(read, wanted, 16)


@settings(max_examples=40, deadline=None)
@given(LANES, TOKENS, st.sampled_from([1, 3]), st.sampled_from([16, 48, 64, 128]), KINDS, st.booleans())
def test_heads_are_turned_in_place_within_the_joined_product(
    lanes: int, t: int, heads: int, d: int, kind: torch.dtype, normed: bool
) -> None:
    joined, angles = (some(t, (heads + 2) * d) * 3).to(kind), some(t, 1, d // 2, seed=1) * 9
    turn, norm = (angles.cos(), angles.sin()), (some(d, seed=2), 1e-6) if normed else None
    x = joined[:, : heads * d].unflatten(1, (heads, d))
    double = tuple(part.double() for part in turn)
    wide = norm and (norm[0].double(), norm[1])
    wanted = PLAIN.rotate(x.double().float().double(), (double[0], double[1]), wide)
    behind = joined[:, heads * d :].clone()
    found = FusedRows(lanes).rotate(x, turn, norm)
    last = 2.0**-8 if kind == torch.bfloat16 else 0.0
    allowed = 16 * U * wanted.abs().amax(dim=-1, keepdim=True).clamp(min=1) + last * wanted.abs()
    assert ((found.double() - wanted).abs() <= allowed).all()
    assert joined[:, heads * d :].equal(behind)


@settings(max_examples=40, deadline=None)
@given(LANES, TOKENS, SIZES, KINDS, st.sampled_from(["silu", "gelu"]), st.floats(0.1, 40))
def test_gates(lanes: int, t: int, f: int, kind: torch.dtype, activation: Activation, size: float) -> None:
    """Exponential and quotient are off by 8 units; GELU by 18, as counted in test_linear."""
    joined = (some(t, 2 * f) * size).to(kind)
    gate, other = joined.split(f, dim=1)
    wanted = PLAIN.gated(gate.double(), other.double(), activation)
    close(FusedRows(lanes).gated(gate, other, activation), wanted, 24 * size)


@settings(max_examples=20, deadline=None)
@given(LANES, TOKENS, SIZES, KINDS)
def test_gelu(lanes: int, t: int, f: int, kind: torch.dtype) -> None:
    x = (some(t, f) * 3).to(kind)
    wanted = PLAIN.gelu(x.double())
    close(FusedRows(lanes).gelu(x), wanted, 24)


def everything(rows: Rows, x: Tensor, kind: torch.dtype) -> list[Tensor]:
    """All of it of one tensor, [t, 128]."""
    weight, half = some(128, seed=1), x[:, :32]
    turn = half.cos()[:, None], half.sin()[:, None]
    narrow = x.to(kind)
    return [
        *rows.layer_norm(x.clone(), narrow, (weight, weight, 1e-5), kind),
        *rows.rms_norm(x.clone(), narrow, (weight, 1e-5), kind),
        rows.rotate(narrow.clone().unflatten(1, (2, 64)), (turn[0].contiguous(), turn[1].contiguous())),
        rows.gated(narrow, narrow, "silu"),
        rows.gated(narrow, narrow, "gelu"),
        rows.gelu(narrow.clone()),
    ]


@given(LANES, st.integers(1, 9), KINDS)
def test_a_token_gives_the_same_bits_in_any_company_and_by_any_number_of_threads(
    lanes: int, t: int, kind: torch.dtype
) -> None:
    x, rows, threads = some(t, 128), FusedRows(lanes), torch.get_num_threads()
    together = everything(rows, x, kind)
    try:
        torch.set_num_threads(3 - min(threads, 2))
        for i in range(t):
            for whole, alone in zip(together, everything(rows, x[i : i + 1], kind), strict=True):
                assert whole[i : i + 1].equal(alone)
    finally:
        torch.set_num_threads(threads)


@given(LANES, KINDS, st.sampled_from([float("nan"), float("inf")]))
def test_what_is_no_number_stays_in_its_token(lanes: int, kind: torch.dtype, value: float) -> None:
    x, rows = some(3, 128), FusedRows(lanes)
    wanted = everything(rows, x, kind)
    x[1, 5] = value
    for found, before in zip(everything(rows, x, kind), wanted, strict=True):
        assert found[0].equal(before[0])
        assert found[2].equal(before[2])
        assert not found[1].isfinite().all()


def test_what_is_rounded_to_bfloat16_is_rounded_as_torch_does() -> None:
    """Ties to even, what is not a number kept as such, the largest numbers to infinity."""
    edges = torch.tensor([1.0, 1 + 2**-8, 1 + 3 * 2**-8, 3.4e38, -3.4e38, float("inf"), -float("inf"), 1e-40])
    x = torch.cat([edges, some(1000)]).reshape(-1, 8)
    weight = torch.ones(8)
    state, read = FusedRows(8).rms_norm(x.clone(), None, (weight, 0.0), torch.bfloat16)
    assert state.equal(x)
    squares = (x * x).sum(dim=1)
    plain = squares.isfinite()
    inverse = 1 / (squares / 8).sqrt()
    apart = (read.float() - (x * inverse[:, None]).bfloat16().float()).abs()[plain]
    assert (apart <= 2**-8 * x[plain].abs().clamp(min=1)).all()


def test_other_sizes_and_devices_are_left_to_torch() -> None:
    odd = some(4, 12)
    assert FusedRows(8).gelu(odd.clone()).equal(PLAIN.gelu(odd))
    assert isinstance(best_rows(this_machine(), "cuda"), PlainRows)
    assert isinstance(best_rows(Machine(frozenset({"asimd", "bf16"}), 0)), PlainRows)
