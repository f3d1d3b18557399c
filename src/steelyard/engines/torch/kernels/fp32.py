"""Products of fp32 on x86-64 with AVX2 and FMA, by weights that are laid out once.

oneDNN reaches a half to three quarters of what such a processor can do; a tile of six tokens by sixteen outputs, whose
sums stay in registers, and blocks that stay in the caches reach more, most of all for few tokens.

Shapes: ``m`` tokens, ``n`` outputs (a multiple of :data:`PANEL`), ``k`` inputs (a multiple of :data:`UNROLLED`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from steelyard.engines.torch.kernels.compiled import Compiled
from steelyard.engines.torch.kernels.ir import PANEL, TALL, Code

UNROLLED = 4
"""Inputs are filled up with zeros to a multiple of this."""
_MULTIPLY = ("x", "panels", "bias", "out"), ("gelu", "m", "n", "k")
_BLOCK = 192
"""Tokens that stay in the second-level cache, so many inputs of each, while all panels pass."""
_DEPTH = 512
"""Inputs whose part of a panel stays in the first-level cache while a block of tokens passes."""


class Fp32Kernels:
    """The compiled function; use :func:`fp32_kernels`, which compiles once.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the processor or the system is another one.
    """

    def __init__(self) -> None:
        self._compiled = Compiled(Fp32Code())

    def multiply(self, x: Tensor, panels: Tensor, bias: Tensor, *, gelu: bool = False) -> Tensor:
        """float32[m, n]: tokens by outputs, plus the bias; and GELU of that where it is asked for.

        Args:
            x: float32[m, k], contiguous.
            panels: float32[n / 16, k, 16].
            bias: float32[n].
        """
        (m, k), n = x.shape, len(bias)
        out = torch.empty(m, n)
        addresses = (tensor.data_ptr() for tensor in (x, panels, bias, out))
        self._compiled.run("multiply", *addresses, int(gelu), m, n, k)
        return out


@cache
def fp32_kernels() -> Fp32Kernels:
    """The function, compiled at the first call in about a fifth of a second.

    Raises:
        MissingExtraError: llvmlite is not installed.
        EngineError: the processor or the system is another one.
    """
    return Fp32Kernels()


class Fp32Code(Code):
    """The module with its one function."""

    def __init__(self) -> None:
        super().__init__("the compiled products of the torch engine")
        self._multiply([self._tile(tall) for tall in range(1, TALL + 1)])

    def _tile(self, tall: int) -> Any:
        """Sums of ``tall`` tokens by one panel over some inputs, added to what stands at ``sofar``."""
        p = self.pointer
        b, function = self.begin(f"tile{tall}", [p, p, self.i64, self.i64, p, self.i64, p, self.i64])
        x, panel, depth, k, sofar, sofar_row, out, n = function.args
        starts = [self.at(b, x, b.mul(k, self.whole(i)), self.f32) for i in range(tall)]
        nothing = [self.same(0.0)] * (2 * tall)
        sums = self.fold(b, depth, UNROLLED, nothing, lambda at, sums: self._added(b, sums, starts, panel, at))
        for i in range(tall):
            for j in range(2):
                column = self.whole(8 * j)
                before = self.load(b, sofar, b.add(b.mul(sofar_row, self.whole(i)), column), self.f32, self.floats)
                place = self.at(b, out, b.add(b.mul(n, self.whole(i)), column), self.f32)
                b.store(b.fadd(before, sums[2 * i + j]), place, align=4)
        b.ret_void()
        return function

    def _added(self, b: Any, sums: Sequence[Any], starts: Sequence[Any], panel: Any, at: Any) -> list[Any]:
        """The sums with the products of the next inputs."""
        sums = list(sums)
        for step in range(UNROLLED):
            i = b.add(at, self.whole(step))
            place = b.mul(i, self.whole(PANEL))
            halves = [self.load(b, panel, b.add(place, self.whole(8 * j)), self.f32, self.floats) for j in range(2)]
            for row, start in enumerate(starts):
                both = self.everywhere(b, self.load(b, start, i, self.f32), self.floats)
                for j, half in enumerate(halves):
                    sums[2 * row + j] = b.call(self.fma, [both, half, sums[2 * row + j]])
        return sums

    def _multiply(self, tiles: Sequence[Any]) -> None:
        """All tokens by this thread's share of the panels: block of tokens by block, depth of inputs by depth."""
        b, function = self.begin("multiply", [self.pointer])
        job = self.job(b, function.args[0], *_MULTIPLY)
        first, last = self.share(b, b.sdiv(job["n"], self.whole(PANEL)))
        with self.loop(b, self.whole(0), job["m"], self.whole(_BLOCK)) as start:
            stop = self.smaller(b, b.add(start, self.whole(_BLOCK)), job["m"])
            with self.loop(b, self.whole(0), job["k"], self.whole(_DEPTH)) as begun:
                depth = self.smaller(b, self.whole(_DEPTH), b.sub(job["k"], begun))
                with self.loop(b, first, last, self.whole(1)) as panel:
                    self._column(b, job, tiles, (start, stop, begun, depth, panel))
            with b.if_then(b.icmp_signed("!=", job["gelu"], self.whole(0))):
                self.all_gelu(b, job, (start, stop), (first, last))
        b.ret_void()

    def _column(self, b: Any, job: dict[str, Any], tiles: Sequence[Any], part: tuple[Any, ...]) -> None:
        """Tokens from start to stop by one panel, over some inputs; the first of them begin with the bias."""
        start, stop, begun, depth, panel = part
        column = b.mul(panel, self.whole(PANEL))
        weights = self.at(b, job["panels"], b.add(b.mul(column, job["k"]), b.mul(begun, self.whole(PANEL))), self.f32)
        is_first = b.icmp_signed("==", begun, self.whole(0))
        sofar_row = b.select(is_first, self.whole(0), job["n"])
        bias = self.at(b, job["bias"], column, self.f32)

        def call(tall: int, row: Any) -> None:
            x = self.at(b, job["x"], b.add(b.mul(row, job["k"]), begun), self.f32)
            out = self.at(b, job["out"], b.add(b.mul(row, job["n"]), column), self.f32)
            sofar = b.select(is_first, bias, out)
            b.call(tiles[tall - 1], [x, weights, depth, job["k"], sofar, sofar_row, out, job["n"]])

        self.tiled(b, start, stop, call)
