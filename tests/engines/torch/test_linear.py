"""Every kind of linear layer computes the same; the choice among them says why."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import linear

from steelyard.engines.torch.int8 import Int8Linear, make_int8, quantise, whole_numbers_are_there
from steelyard.engines.torch.linear import PackedLinear, PlainLinear, StoredLinear, maker, packing_is_there
from steelyard.engines.torch.precision import Machine, Precision, choose, processor_flags, this_machine, weight_bytes

OLD = Machine(frozenset({"avx2", "fma"}), 0)
NEW = Machine(frozenset({"avx2", "avx512_bf16"}), 0)
GB = 1 << 30


def some(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("tokens", [1, 3, 64, 300])
def test_all_kinds_agree(tokens: int, biased: bool) -> None:
    weight, x = some(40, 24, 1), some(tokens, 24, 2)
    bias = some(1, 40, 3)[0] if biased else None
    wanted = linear(x, weight, bias)
    kinds = {
        "plain": (PlainLinear(weight, bias, torch.float32), 1e-5),
        "packed": (PackedLinear(weight, bias, torch.float32), 1e-5),
        "stored": (StoredLinear(weight, bias), 0.1),
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
    assert maker(Precision.BF16, OLD) is StoredLinear


def test_a_layer_keeps_nothing_of_the_mapped_file() -> None:
    weight, bias = some(8, 8), some(1, 8)[0]
    kinds = [
        PlainLinear(weight, bias, torch.float32),
        PackedLinear(weight, bias, torch.float32),
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
        (10**8, OLD, "cpu", Precision.FP32, "neither avx512_bf16 nor amx_bf16"),
        (4 * 10**9, Machine(OLD.flags, 12 * GB), "cpu", Precision.BF16, "fp32 does not fit into memory"),
        (8 * 10**9, Machine(OLD.flags, 12 * GB), "cpu", Precision.BF16, "backend=torch-int8 fits"),
        (10**8, OLD, "cuda", Precision.BF16, "device cuda"),
    ],
)
def test_the_choice_gives_its_reason(
    parameters: int, machine: Machine, device: str, precision: Precision, reason: str
) -> None:
    choice = choose(parameters, machine, device)
    assert choice.precision is precision
    assert reason in str(choice)


def test_this_machine_is_read() -> None:
    assert this_machine().memory > 0
    assert processor_flags() == this_machine().flags
    assert (
        weight_bytes(10**9, Precision.INT8) < weight_bytes(10**9, Precision.BF16) < weight_bytes(10**9, Precision.FP32)
    )
