"""Every kind of linear layer computes the same; the choice among them says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import gelu, linear

from steelyard.engines.torch.fp32 import Fp32Linear
from steelyard.engines.torch.fp32 import in_panels as fp32_panels
from steelyard.engines.torch.int8 import Int8Linear, make_int8, quantise, whole_numbers_are_there
from steelyard.engines.torch.int16 import Int16Linear, in_panels, norm_limit
from steelyard.engines.torch.kernels.compiled import expect_kernels
from steelyard.engines.torch.kernels.int16 import int16_kernels
from steelyard.engines.torch.linear import (
    Late,
    Linear,
    PackedLinear,
    PlainLinear,
    StoredLinear,
    maker,
    packing_is_there,
)
from steelyard.engines.torch.precision import (
    Machine,
    Precision,
    choose,
    kernels_are_there,
    processor_flags,
    this_machine,
    weight_bytes,
)
from steelyard.errors import EngineError

OLD = Machine(frozenset({"avx2", "fma"}), 0)
NEW = Machine(frozenset({"avx2", "avx512_bf16"}), 0)
COMPILES = Machine(OLD.flags, 0, kernels=True)
GB = 1 << 30


def some(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("tokens", [1, 3, 64, 300])
def test_all_kinds_agree(tokens: int, biased: bool) -> None:
    weight, x = some(40, 24, 1), some(tokens, 24, 2)
    bias = some(1, 40, 3)[0] if biased else None
    wanted = linear(x, weight, bias)
    kinds: dict[str, tuple[Any, float]] = {
        "plain": (PlainLinear(weight, bias, torch.float32), 1e-5),
        "packed": (PackedLinear(weight, bias, torch.float32), 1e-5),
        "fp32": (Fp32Linear(weight, bias), 1e-5),
        "stored": (StoredLinear(weight, bias), 0.1),
        "int16": (Int16Linear(weight, bias), 2e-3),
        "int8": (Int8Linear(weight, bias), 0.5),
    }
    for name, (kind, tolerance) in kinds.items():
        found = kind(x)
        assert found.shape == wanted.shape, name
        torch.testing.assert_close(found.float(), wanted, atol=tolerance, rtol=0, msg=name)


def test_torch_still_has_the_private_operators() -> None:
    """When this fails, the packed kind has lost its operators: linear layers fall back and are slower, not wrong."""
    assert packing_is_there()
    assert isinstance(maker(Precision.FP32, OLD)(some(4, 4), None), PackedLinear)


def test_a_stored_weight_that_is_bf16_already_is_not_copied() -> None:
    weight = some(8, 8).bfloat16()
    assert StoredLinear(weight, None)._weight.data_ptr() == weight.data_ptr()
    make = maker(Precision.BF16, OLD)
    assert make.kind is StoredLinear
    assert not make.joins


def test_a_layer_keeps_nothing_of_the_mapped_file() -> None:
    weight, bias = some(8, 8), some(1, 8)[0]
    kinds: list[Any] = [
        PlainLinear(weight, bias, torch.float32),
        PackedLinear(weight, bias, torch.float32),
        Fp32Linear(weight, bias),
        Int16Linear(weight, bias),
        Int8Linear(weight, bias),
    ]
    x = some(2, 8)
    before = [kind(x).clone() for kind in kinds]
    weight.zero_()
    bias.zero_()
    for kind, wanted in zip(kinds, before, strict=True):
        torch.testing.assert_close(kind(x), wanted)


@pytest.mark.parametrize("machine", [OLD, this_machine()])
def test_int8_sums_are_exact_even_where_every_product_is_the_largest(machine: Machine) -> None:
    """On processors without VNNI a sum of two large products would overflow its 16 bits."""
    x, weight = torch.ones(5, 256), torch.ones(32, 256)
    weight[::3] *= -0.5
    torch.testing.assert_close(make_int8(machine)(weight, None)(x), linear(x, weight), rtol=1e-6, atol=0)


@pytest.mark.parametrize("tokens", [1, 7, 300])
def test_int8_is_the_product_of_what_was_rounded(tokens: int) -> None:
    x, weight = some(tokens, 64, 5), some(16, 64, 6)
    values, scale = quantise(weight, 63)
    step = x.abs().amax(1, keepdim=True) / 127
    wanted = ((x / step + 128.5).floor() - 128).double() @ values.double().T * scale * step
    torch.testing.assert_close(Int8Linear(weight, None, 63)(x).double(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("tokens", "inputs", "outputs"), [(1, 8, 16), (7, 30, 33), (103, 256, 48)])
def test_int16_is_the_product_of_what_was_rounded(tokens: int, inputs: int, outputs: int) -> None:
    x, weight = some(tokens, inputs, 7), some(outputs, inputs, 8)
    short = -inputs % 8
    parts = (torch.nn.functional.pad(part, (0, short)) for part in (x, weight))
    (rows, row_steps), (columns, column_steps) = (
        int16_kernels().quantise(p, norm_limit(inputs + short)) for p in parts
    )
    wanted = rows.double() @ columns.double().T * row_steps[:, None] * column_steps
    torch.testing.assert_close(Int16Linear(weight, None)(x).double(), wanted, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(Int16Linear(weight, None)(x), linear(x, weight), rtol=0, atol=2e-2)


@given(
    st.integers(1, 20),
    st.sampled_from([8, 64, 1024]),
    st.floats(1e-12, 1e12),
    st.booleans(),
)
def test_steps_of_16_bits_are_as_small_as_the_norm_allows(rows: int, columns: int, size: float, spike: bool) -> None:
    x = some(rows, columns) * size
    if spike:
        x[:, 3] *= 1e4
    found, steps = int16_kernels().quantise(x, norm_limit(columns))
    assert ((found * steps[:, None].double() - x).abs() <= steps[:, None] * 0.501).all()
    norms = found.double().norm(dim=1)
    assert (norms <= 46_000).all()
    assert ((norms > 40_000) | (found.abs().amax(1) > 32_700)).all()


def test_the_largest_sums_of_16_bits_do_not_overflow() -> None:
    """Two parallel vectors: the sum is the product of their norms, which nothing exceeds."""
    x = some(1, 4096)
    torch.testing.assert_close(Int16Linear(x, None)(x), x @ x.T, rtol=1e-5, atol=0)
    flat = torch.ones(3, 2048)
    torch.testing.assert_close(Int16Linear(-flat, None)(flat), -flat @ flat.T, rtol=1e-3, atol=0)


def test_int16_of_zeros_and_of_what_is_no_number() -> None:
    layer = Int16Linear(torch.cat([some(4, 8), torch.zeros(1, 8)]), torch.arange(5.0))
    assert layer(torch.zeros(2, 8)).equal(torch.arange(5.0).expand(2, 5))
    x = some(3, 8)
    x[1, 5] = float("nan")
    assert layer(x).isnan().any(1).tolist() == [False, True, False]


@given(st.integers(1, 400), st.sampled_from([4, 30, 512, 516, 1030]), st.integers(1, 40), st.booleans())
def test_fp32_is_as_exact_as_onednn_over_every_edge_of_its_blocks(
    tokens: int, inputs: int, outputs: int, biased: bool
) -> None:
    x, weight = some(tokens, inputs, 1), some(outputs, inputs, 2)
    bias = some(1, outputs, 3)[0] if biased else None
    wanted = linear(x.double(), weight.double(), None if bias is None else bias.double())
    torch.testing.assert_close(Fp32Linear(weight, bias)(x).double(), wanted, rtol=0, atol=5e-7 * inputs)


def test_fp32_keeps_a_value_that_is_no_number_in_its_own_row() -> None:
    x = some(7, 8)
    x[4, 5] = float("nan")
    assert Fp32Linear(some(5, 8), None)(x).isnan().any(1).tolist() == [False] * 4 + [True] + [False] * 2


def test_fp32_is_multiplied_by_our_own_loops_where_they_are_better() -> None:
    assert maker(Precision.FP32, COMPILES).kind is Fp32Linear
    assert not maker(Precision.FP32, COMPILES).rounds
    wider = Machine(OLD.flags | {"avx512f"}, 0, kernels=True)
    assert isinstance(maker(Precision.FP32, wider)(some(4, 4), None), PackedLinear)


@pytest.mark.parametrize("kind", [Int16Linear, Fp32Linear])
def test_two_threads_compute_the_same_as_one(kind: Callable[[torch.Tensor, None], Linear]) -> None:
    x, layer = some(50, 64, 9), kind(some(80, 64), None)
    alone = layer(x)
    torch.set_num_threads(2)
    try:
        assert layer(x).equal(alone)
    finally:
        torch.set_num_threads(1)


def test_panels_hold_pairs_of_inputs_side_by_side() -> None:
    rows = torch.arange(32 * 8, dtype=torch.int16).view(32, 8)
    assert in_panels(rows)[1, 2, 5].equal(rows[16 + 5, 4:6])
    assert fp32_panels(rows.float())[1, 2, 5].equal(rows[16 + 5, 2].float())


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.INT16])
@pytest.mark.parametrize("machine", [OLD, COMPILES])
def test_weights_stored_in_bf16_are_laid_out_when_they_are_used_again(precision: Precision, machine: Machine) -> None:
    make, x = maker(precision, machine), some(5, 16)
    weights, biases = [some(8, 16, 1).bfloat16(), some(24, 16, 2).bfloat16()], [some(1, 8, 3)[0], some(1, 24, 4)[0]]
    layer, inner, branches = (
        make(weights[0], biases[0]),
        make.gelu(weights[0], biases[0]),
        make.branches(weights, biases),
    )
    for allowed in (1e-5, 2e-3, 2e-3):
        wanted = [linear(x, weight.float(), bias) for weight, bias in zip(weights, biases, strict=True)]
        for found, right in zip((layer(x), inner(x), *branches(x)), (wanted[0], gelu(wanted[0]), *wanted), strict=True):
            torch.testing.assert_close(found, right, atol=allowed, rtol=0)
    weights[0].zero_()
    assert all(found.std() > 0.1 for found in (layer(x), inner(x), branches(x)[0]))
    assert not isinstance(make(weights[0].float(), None), Late)


def test_int16_says_at_once_where_it_does_not_run() -> None:
    """Not when a layer is first used, which may be the second text."""
    with pytest.raises(EngineError, match="AVX2 and FMA; use torch-fp32"):
        maker(Precision.INT16, Machine(frozenset({"avx2"}), 0))


def test_only_kinds_that_keep_kernels_have_round_packs() -> None:
    assert [maker(precision, OLD).rounds for precision in Precision] == [True, True, False, True]
    assert not maker(Precision.BF16, OLD, "cuda").rounds


@pytest.mark.parametrize("kind", [Fp32Linear, Int16Linear])
def test_our_own_gelu_is_exact_to_its_arithmetic(kind: Callable[..., Linear]) -> None:
    """Against float64, because torch's own is another approximation on every processor, off by 5 units at 3.5.

    With u = 2**-24, and the error of x * Phi(x) as a multiple of u * abs(x): the series (Abramowitz and Stegun 7.1.26)
    is off by 1.5e-7 of erf, so by half of that of Phi, 1.3; 1 - tail, the product and the last rounding by 3. The sum
    of the series' terms is at most 4.5 and passes through 4 roundings and a product, 0.5 * t * 5 * 4.5 = 12, its
    exponential is off by 2e-7, 2; both shrink as exp(-x**2 / 2).
    """
    bias, weight, x = torch.linspace(-12, 12, 160), some(160, 8) * 0.1, some(9, 8)
    inner = kind(weight, bias)(x).double()
    error = (kind(weight, bias, gelu=True)(x).double() - gelu(inner)).abs()
    assert (error <= 2**-24 * inner.abs() * (4.5 + 14 * (-inner.square() / 2).exp())).all()


@pytest.mark.parametrize("machine", [OLD, COMPILES])
@pytest.mark.parametrize("precision", list(Precision))
def test_gelu_behind_a_layer_is_that_of_torch_where_it_is_not_ours(precision: Precision, machine: Machine) -> None:
    make, bias = maker(precision, machine), torch.linspace(-12, 12, 160)
    weight, x = some(160, 8) * 0.1, some(9, 8)
    if make.kind_gelu is None:
        assert make.gelu(weight, bias)(x).equal(gelu(make(weight, bias)(x).float()))


@pytest.mark.parametrize("machine", [OLD, COMPILES])
@pytest.mark.parametrize("precision", list(Precision))
def test_layers_of_one_input_are_the_same_joined(precision: Precision, machine: Machine) -> None:
    weights, biases = [some(8, 16, 1), some(24, 16, 2)], [some(1, 8, 3)[0], some(1, 24, 4)[0]]
    x, make = some(5, 16), maker(precision, machine)
    for found, weight, bias in zip(make.branches(weights, biases)(x), weights, biases, strict=True):
        assert found.equal(make(weight, bias)(x)) or precision is Precision.FP32
        torch.testing.assert_close(found, linear(x, weight, bias), atol=0.3, rtol=0)


def test_torch_still_has_the_operators_of_whole_numbers() -> None:
    """When this fails, int8 is multiplied in fp32: slower, not wrong."""
    assert whole_numbers_are_there()


@given(st.integers(1, 9), st.integers(1, 9), st.floats(1e-6, 1e6))
def test_quantised_rows_are_within_half_a_step(rows: int, columns: int, size: float) -> None:
    weight = some(rows, columns) * size
    weight[0] = 0
    values, scale = quantise(weight)
    assert values.dtype == torch.int8
    assert ((values * scale[:, None] - weight).abs() <= scale[:, None] * 0.5001).all()


@pytest.mark.parametrize(
    ("parameters", "machine", "device", "precision", "reason"),
    [
        (10**8, NEW, "cpu", Precision.BF16, "the processor has avx512_bf16"),
        (10**8, replace(NEW, kernels=True), "cpu", Precision.BF16, "the processor has avx512_bf16"),
        (10**8, OLD, "cpu", Precision.FP32, "neither avx512_bf16 nor amx_bf16"),
        (10**8, COMPILES, "cpu", Precision.INT16, "torch-fp32 gives the last digit"),
        (4 * 10**9, replace(COMPILES, memory=12 * GB), "cpu", Precision.INT16, "torch-fp32 gives the last digit"),
        (4 * 10**9, Machine(OLD.flags, 12 * GB), "cpu", Precision.BF16, "fp32 does not fit into memory"),
        (8 * 10**9, replace(COMPILES, memory=12 * GB), "cpu", Precision.BF16, "backend=torch-int8 fits"),
        (10**8, COMPILES, "cuda", Precision.BF16, "device cuda"),
    ],
)
def test_the_choice_gives_its_reason(
    parameters: int, machine: Machine, device: str, precision: Precision, reason: str
) -> None:
    choice = choose(parameters, machine, device)
    assert choice.precision is precision
    assert reason in str(choice)


@pytest.mark.parametrize(
    ("memory", "precision", "reason"),
    [(0, Precision.FP32, "neither avx512_bf16"), (12 * GB, Precision.INT16, "fp32 does not fit into memory")],
)
def test_a_reranker_stays_in_fp32_while_it_fits(memory: int, precision: Precision, reason: str) -> None:
    choice = choose(4 * 10**9, replace(COMPILES, memory=memory), kind="reranker")
    assert choice.precision is precision
    assert reason in str(choice)


def test_kernels_are_promised_only_where_they_compile() -> None:
    """The choice is made before torch is loaded, so what it promises is held against what then runs."""
    assert kernels_are_there(processor_flags()) == this_machine().kernels
    assert not kernels_are_there(frozenset({"avx2"}))
    if this_machine().kernels:
        expect_kernels(processor_flags())


def test_this_machine_is_read() -> None:
    assert this_machine().memory > 0
    assert processor_flags() == this_machine().flags
    assert (
        weight_bytes(10**9, Precision.INT8) < weight_bytes(10**9, Precision.BF16) < weight_bytes(10**9, Precision.FP32)
    )
