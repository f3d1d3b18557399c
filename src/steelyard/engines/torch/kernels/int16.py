"""Products of 16-bit whole numbers on x86-64 with AVX2.

A pair of 16-bit products is one instruction there, so that as many are made in a second as of bytes without VNNI, twice
as many as of fp32; torch and oneDNN have no such product.

Shapes: ``m`` tokens, ``n`` outputs (a multiple of :data:`PANEL`), ``k`` inputs (a multiple of :data:`STEP`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from steelyard.engines.torch.kernels.compiled import Compiled
from steelyard.engines.torch.kernels.ir import PANEL, TALL, Code

STEP = 8
"""Inputs are filled up with zeros to a multiple of this."""
_MULTIPLY = ("rows", "row_steps", "panels", "output_steps", "bias", "out"), ("gelu", "m", "n", "k")
_QUANTISE = ("x", "rows", "row_steps"), ("limit", "m", "k")
_BLOCK = 96
"""Tokens that stay in the second-level cache while all panels pass."""
_UNROLLED = 2
_TOP = 32_767.0
_LEAST = 2.0**-60
"""The smallest step: squares of numbers that are far below it are too small for a float, so norms would be wrong."""


class Int16Kernels:
    """The compiled functions; use :func:`int16_kernels`, which compiles once.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the processor or the system is another one.
    """

    def __init__(self) -> None:
        self._compiled = Compiled(Int16Code())

    def quantise(self, x: Tensor, limit: int) -> tuple[Tensor, Tensor]:
        """Numbers of each row in steps of its own, the largest possible within 16 bits and a norm.

        Args:
            x: float32[m, k].
            limit: what the norm of no row of steps exceeds, rounding left out.

        Returns:
            int16[m, k] and float32[m]; a row that holds a value that is not a number has such a step.
        """
        m, k = x.shape
        rows, steps = torch.empty(m, k, dtype=torch.int16), torch.empty(m)
        self._compiled.run("quantise", x.data_ptr(), rows.data_ptr(), steps.data_ptr(), limit, m, k)
        return rows, steps

    def multiply(
        self, rows: tuple[Tensor, Tensor], panels: tuple[Tensor, Tensor], bias: Tensor, *, gelu: bool = False
    ) -> Tensor:
        """float32[m, n]: rows by outputs, plus the bias; and GELU of that where it is asked for.

        Args:
            rows: int16[m, k] and their steps float32[m].
            panels: int16[n / 16, k / 2, 16, 2], pairs of inputs side by side, and the outputs' steps float32[n].
            bias: float32[n].
        """
        (steps, row_scale), (weights, scale) = rows, panels
        (m, k), n = steps.shape, len(bias)
        out = torch.empty(m, n)
        tensors = (steps, row_scale, weights, scale, bias, out)
        self._compiled.run("multiply", *(tensor.data_ptr() for tensor in tensors), int(gelu), m, n, k)
        return out


@cache
def int16_kernels() -> Int16Kernels:
    """The functions, compiled at the first call in about a third of a second.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the processor or the system is another one.
    """
    return Int16Kernels()


class Int16Code(Code):
    """The module with both functions."""

    def __init__(self) -> None:
        super().__init__("the int16 numbers of the torch engine")
        self.pair_sums = self.declare("llvm.x86.avx2.pmadd.wd", self.ints, [self.shorts, self.shorts])
        self.root = self.declare("llvm.sqrt.f32", self.f32, [self.f32])
        self._multiply([self._tile(tall) for tall in range(1, TALL + 1)])
        self._quantise()

    def _tile(self, tall: int) -> Any:
        """Sums of ``tall`` tokens by one panel, kept in registers from the first input to the last."""
        p = self.pointer
        b, function = self.begin(f"tile{tall}", [p, p, self.i64, p, p, p, p, self.i64])
        rows, panel, k, row_steps, output_steps, bias, out, n = function.args
        starts = [self.at(b, rows, b.mul(k, self.whole(i)), self.i16) for i in range(tall)]
        nothing = [self.ir.Constant(self.ints, [0] * 8)] * (2 * tall)
        pairs = b.ashr(k, self.whole(1))
        sums = self.fold(b, pairs, _UNROLLED, nothing, lambda at, sums: self._added(b, sums, starts, panel, at))
        self._put(b, sums, (row_steps, output_steps, bias, out, n))
        b.ret_void()
        return function

    def _added(self, b: Any, sums: Sequence[Any], starts: Sequence[Any], panel: Any, at: Any) -> list[Any]:
        """The sums with the products of the next pairs of inputs."""
        sums = list(sums)
        for step in range(_UNROLLED):
            pair = b.add(at, self.whole(step))
            place = b.mul(pair, self.whole(2 * PANEL))
            halves = [self.load(b, panel, b.add(place, self.whole(16 * i)), self.i16, self.shorts) for i in range(2)]
            for i, start in enumerate(starts):
                both = self.everywhere(b, self.load(b, start, pair, self.i32), self.ints)
                both = b.bitcast(both, self.shorts)
                for j, half in enumerate(halves):
                    sums[2 * i + j] = b.add(sums[2 * i + j], b.call(self.pair_sums, [both, half]))
        return sums

    def _put(self, b: Any, sums: Sequence[Any], where: tuple[Any, ...]) -> None:
        """Writes sums in float, times the steps of token and output, plus the bias."""
        row_steps, output_steps, bias, out, n = where
        columns = [self.whole(8 * j) for j in range(2)]
        scales = [self.load(b, output_steps, column, self.f32, self.floats) for column in columns]
        biases = [self.load(b, bias, column, self.f32, self.floats) for column in columns]
        for i in range(len(sums) // 2):
            step = self.everywhere(b, self.load(b, row_steps, self.whole(i), self.f32), self.floats)
            for j, column in enumerate(columns):
                value = b.fmul(b.sitofp(sums[2 * i + j], self.floats), b.fmul(step, scales[j]))
                place = b.add(b.mul(n, self.whole(i)), column)
                b.store(b.fadd(value, biases[j]), self.at(b, out, place, self.f32), align=4)

    def _multiply(self, tiles: Sequence[Any]) -> None:
        """All tokens by this thread's share of the panels, block of tokens by block."""
        b, function = self.begin("multiply", [self.pointer])
        job = self.job(b, function.args[0], *_MULTIPLY)
        first, last = self.share(b, b.sdiv(job["n"], self.whole(PANEL)))
        with self.loop(b, self.whole(0), job["m"], self.whole(_BLOCK)) as start:
            stop = self.smaller(b, b.add(start, self.whole(_BLOCK)), job["m"])
            with self.loop(b, first, last, self.whole(1)) as panel:
                self._column(b, job, tiles, (start, stop, panel))
            with b.if_then(b.icmp_signed("!=", job["gelu"], self.whole(0))):
                self.all_gelu(b, job, (start, stop), (first, last))
        b.ret_void()

    def _column(self, b: Any, job: dict[str, Any], tiles: Sequence[Any], part: tuple[Any, Any, Any]) -> None:
        """Tokens from start to stop by one panel: tall tiles, then one for what is left."""
        start, stop, panel = part
        column = b.mul(panel, self.whole(PANEL))

        def call(tall: int, row: Any) -> None:
            rows = self.at(b, job["rows"], b.mul(row, job["k"]), self.i16)
            weights = self.at(b, job["panels"], b.mul(column, job["k"]), self.i16)
            steps, scales = self.at(b, job["row_steps"], row, self.f32), job["output_steps"]
            scales, biases = (self.at(b, job[x], column, self.f32) for x in ("output_steps", "bias"))
            out = self.at(b, job["out"], b.add(b.mul(row, job["n"]), column), self.f32)
            b.call(tiles[tall - 1], [rows, weights, job["k"], steps, scales, biases, out, job["n"]])

        self.tiled(b, start, stop, call)

    def _quantise(self) -> None:
        """This thread's share of the tokens: a step for each, then its numbers in steps."""
        b, function = self.begin("quantise", [self.pointer])
        job = self.job(b, function.args[0], *_QUANTISE)
        limit = b.sitofp(job["limit"], self.f32)
        first, last = self.share(b, job["m"])
        eight, zero = self.whole(8), self.whole(0)
        with self.loop(b, first, last, self.whole(1)) as row:
            place = b.mul(row, job["k"])
            x, rows = self.at(b, job["x"], place, self.f32), self.at(b, job["rows"], place, self.i16)
            step = self._step(b, x, job["k"], limit)
            b.store(step, self.at(b, job["row_steps"], row, self.f32), align=4)
            inverse = self.everywhere(b, b.fdiv(self.ir.Constant(self.f32, 1.0), step), self.floats)
            with self.loop(b, zero, job["k"], eight) as i:
                steps = self.rounded(b, b.fmul(self.load(b, x, i, self.f32, self.floats), inverse))
                shorts = b.trunc(steps, self.ir.VectorType(self.i16, 8))
                b.store(shorts, self.at(b, rows, i, self.i16), align=2)
        b.ret_void()

    def _step(self, b: Any, x: Any, k: Any, limit: Any) -> Any:
        """The larger of what the largest number and what the norm ask for; not a number where x holds one."""
        nothing = self.ir.Constant(self.floats, [0.0] * 8)

        def advance(i: Any, kept: list[Any]) -> list[Any]:
            values = self.load(b, x, i, self.f32, self.floats)
            size = b.call(self.magnitude, [values])
            return [self.larger(b, size, kept[0]), b.fadd(kept[1], b.fmul(values, values))]

        largest, squares = self.fold(b, k, 8, [nothing, nothing], advance)
        top, total = (b.extract_element(found, self.ir.Constant(self.i32, 0)) for found in (largest, squares))
        for i in range(1, 8):
            top = self.larger(b, b.extract_element(largest, self.ir.Constant(self.i32, i)), top)
            total = b.fadd(total, b.extract_element(squares, self.ir.Constant(self.i32, i)))
        by_norm = b.fdiv(b.call(self.root, [total]), limit)
        by_top = b.fdiv(top, self.ir.Constant(self.f32, _TOP))
        step = self.larger(b, by_top, by_norm)
        return self.larger(b, self.ir.Constant(self.f32, _LEAST), step)
