"""The loops between the products: norms with the sum before them, rotary positions, gates and GELU.

Shapes: ``t`` tokens, ``h`` numbers of a state, ``d`` of a head, ``f`` of the feed-forward part. All but ``t`` are
multiples of the registers' width, which is 8 or 16 floats; half of ``d`` is, too. Residual states are float32; what
products read and give is bfloat16 in a narrow module, else float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import log
from typing import Any

from steelyard.engines.torch.kernels.ir import Code

_NORM = ("x", "added", "weight", "bias", "given"), ("t", "h", "eps")
_ROTATE = ("x", "weight", "cos", "sin"), ("row", "t", "heads", "half", "eps")
_GATE = ("gate", "other", "out"), ("gate_row", "other_row", "t", "f")
_STEEP = 126.0


class RowsCode(Code):
    """The module; its functions are named in :mod:`steelyard.engines.torch.fused_rows`.

    Args:
        lanes: floats in a register.
        narrow: whether products read and give bfloat16.
    """

    def __init__(self, lanes: int, *, narrow: bool) -> None:
        super().__init__("the compiled loops of the torch engine", lanes, narrow=narrow)
        self.root = self.declare("llvm.sqrt.f32", self.f32, [self.f32])
        for added in (False, True):
            self._norm("layer_norm", self._centred, added=added)
            self._norm("rms_norm", self._scaled, added=added)
        for weighted in (False, True):
            self._rotate(weighted=weighted)
        self._gate("silu_gate", self._silu)
        self._gate("gelu_gate", self.gelu)
        self._gelu()

    def _each_row(self, name: str, fields: tuple[tuple[str, ...], tuple[str, ...]], body: Callable[..., None]) -> None:
        """A function that runs ``body`` for this thread's share of the tokens."""
        b, function = self.begin(name, [self.pointer])
        job = self.job(b, function.args[0], *fields)
        first, last = self.share(b, job["t"])
        with self.loop(b, first, last, self.whole(1)) as row:
            body(b, job, row)
        b.ret_void()

    def _norm(self, name: str, normed: Callable[..., None], *, added: bool) -> None:
        """``x`` is a sum and is normed; the new residual state replaces it, and products are given theirs."""

        def body(b: Any, job: dict[str, Any], row: Any) -> None:
            place, h = b.mul(row, job["h"]), job["h"]
            x, given = self.at(b, job["x"], place, self.f32), self.at(b, job["given"], place, self.state)
            if added:
                other = self.at(b, job["added"], place, self.state)
                with self._columns(b, h) as i:
                    total = b.fadd(self._float(b, x, i), self.read(b, other, i))
                    b.store(total, self.at(b, x, i, self.f32), align=4)
            normed(b, job, x, given)

        self._each_row(name + ("_of_sum" if added else ""), _NORM, body)

    def _centred(self, b: Any, job: dict[str, Any], x: Any, given: Any) -> None:
        h = job["h"]
        mean = b.fdiv(self._sum(b, h, lambda i, kept: b.fadd(kept, self._float(b, x, i))), b.sitofp(h, self.f32))
        mean = self.everywhere(b, mean, self.floats)

        def squared(i: Any, kept: Any) -> Any:
            apart = b.fsub(self._float(b, x, i), mean)
            return b.call(self.fma, [apart, apart, kept])

        inverse = self._inverse(b, self._sum(b, h, squared), h, job["eps"])
        with self._columns(b, h) as i:
            factor = b.fmul(inverse, self._float(b, job["weight"], i))
            found = b.call(self.fma, [b.fsub(self._float(b, x, i), mean), factor, self._float(b, job["bias"], i)])
            b.store(found, self.at(b, x, i, self.f32), align=4)
            if self.narrow:  # else what products read is the residual state itself
                self.write(b, found, given, i)

    def _scaled(self, b: Any, job: dict[str, Any], x: Any, given: Any) -> None:
        inverse = self._inverse(b, self._squares(b, job["h"], lambda i: self._float(b, x, i)), job["h"], job["eps"])
        with self._columns(b, job["h"]) as i:
            factor = b.fmul(self._float(b, x, i), inverse)
            self.write(b, b.fmul(factor, self._float(b, job["weight"], i)), given, i)

    def _rotate(self, *, weighted: bool) -> None:
        """Heads in place: normed first where there is a weight, then turned by the token's position."""

        def body(b: Any, job: dict[str, Any], row: Any) -> None:
            half = job["half"]
            start, turn = b.mul(row, job["row"]), b.mul(row, half)
            cos, sin = (self.at(b, job[name], turn, self.f32) for name in ("cos", "sin"))
            with self.loop(b, self.whole(0), job["heads"], self.whole(1)) as head:
                place = b.add(start, b.mul(b.mul(head, half), self.whole(2)))
                sides = [self.at(b, job["x"], place, self.state)]
                sides.append(self.at(b, sides[0], half, self.state))
                scale = self._head_scale(b, job, sides) if weighted else None
                with self._columns(b, half) as i:
                    left, right = self._scaled_sides(b, job, sides, (i, scale))
                    c, s = self._float(b, cos, i), self._float(b, sin, i)
                    self.write(b, b.fsub(b.fmul(left, c), b.fmul(right, s)), sides[0], i)
                    self.write(b, b.fadd(b.fmul(right, c), b.fmul(left, s)), sides[1], i)

        self._each_row("rotate_normed" if weighted else "rotate", _ROTATE, body)

    def _head_scale(self, b: Any, job: dict[str, Any], sides: list[Any]) -> Any:
        half = job["half"]
        squares = [self._squares(b, half, partial(self.read, b, side)) for side in sides]
        return self._inverse(b, b.fadd(*squares), b.mul(half, self.whole(2)), job["eps"])

    def _scaled_sides(self, b: Any, job: dict[str, Any], sides: list[Any], at: tuple[Any, Any]) -> list[Any]:
        i, scale = at
        found = [self.read(b, side, i) for side in sides]
        if scale is None:
            return found
        weights = [self._float(b, job["weight"], place) for place in (i, b.add(i, job["half"]))]
        return [b.fmul(b.fmul(x, scale), weight) for x, weight in zip(found, weights, strict=True)]

    def _gate(self, name: str, activation: Callable[[Any, Any], Any]) -> None:
        def body(b: Any, job: dict[str, Any], row: Any) -> None:
            gate, other = (
                self.at(b, job[part], b.mul(row, job[f"{part}_row"]), self.state) for part in ("gate", "other")
            )
            out = self.at(b, job["out"], b.mul(row, job["f"]), self.state)
            with self._columns(b, job["f"]) as i:
                found = b.fmul(activation(b, self.read(b, gate, i)), self.read(b, other, i))
                self.write(b, found, out, i)

        self._each_row(name, _GATE, body)

    def _gelu(self) -> None:
        def body(b: Any, job: dict[str, Any], row: Any) -> None:
            x = self.at(b, job["x"], b.mul(row, job["f"]), self.state)
            with self._columns(b, job["f"]) as i:
                self.write(b, self.gelu(b, self.read(b, x, i)), x, i)

        self._each_row("gelu", (("x",), ("t", "f")), body)

    def _silu(self, b: Any, x: Any) -> Any:
        """x / (1 + exp(-x)); the power is held below 126, behind which the quotient is as good as zero."""
        power = b.fmul(x, self.same(-1.0 / log(2)))
        steep = self.same(_STEEP)
        power = b.select(b.fcmp_ordered("<", steep, power), steep, power)
        (found,) = self.powers_of_two(b, [power])
        return b.fdiv(x, b.fadd(self.same(1.0), found))

    def _columns(self, b: Any, count: Any) -> Any:
        return self.loop(b, self.whole(0), count, self.whole(self.lanes))

    def _float(self, b: Any, pointer: Any, place: Any) -> Any:
        return self.load(b, pointer, place, self.f32, self.floats)

    def _sum(self, b: Any, count: Any, advance: Callable[[Any, Any], Any]) -> Any:
        """One number: what is kept in all places of a register as ``advance`` is applied, added up in order."""
        (kept,) = self.fold(b, count, self.lanes, [self.same(0.0)], lambda i, values: [advance(i, values[0])])
        parts = [b.extract_element(kept, self.ir.Constant(self.i32, i)) for i in range(self.lanes)]
        while len(parts) > 1:
            parts = [b.fadd(*parts[i : i + 2]) for i in range(0, len(parts), 2)]
        return parts[0]

    def _squares(self, b: Any, count: Any, value: Callable[[Any], Any]) -> Any:
        def advance(i: Any, kept: Any) -> Any:
            x = value(i)
            return b.call(self.fma, [x, x, kept])

        return self._sum(b, count, advance)

    def _inverse(self, b: Any, squares: Any, count: Any, eps: Any) -> Any:
        """1 / sqrt(mean of squares + eps), in all places."""
        small = b.bitcast(b.trunc(eps, self.i32), self.f32)
        mean = b.fadd(b.fdiv(squares, b.sitofp(count, self.f32)), small)
        return self.everywhere(b, b.fdiv(self.ir.Constant(self.f32, 1.0), b.call(self.root, [mean])), self.floats)
