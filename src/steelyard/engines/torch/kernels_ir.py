"""The loops of :mod:`steelyard.engines.torch.kernels` as LLVM's intermediate code, for x86-64 with AVX2.

Shapes: ``m`` tokens, ``n`` outputs (a multiple of :data:`PANEL`), ``k`` inputs (a multiple of :data:`STEP`).

Two functions come out, ``multiply`` and ``quantise``. Each takes a pointer to its job, a row of 64-bit numbers and
addresses in the order of ``MULTIPLY`` or ``QUANTISE``, and does the share of the OpenMP thread that it finds itself in,
which it asks two outer functions for: ``THREAD`` (its number) and ``THREADS`` (how many there are).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import factorial, log
from typing import Any

from steelyard.engines.packages import require

THREAD, THREADS = "steelyard_thread", "steelyard_threads"
PANEL = 16
"""Outputs that one tile computes: two registers of eight."""
STEP = 8
"""Inputs are filled up with zeros to a multiple of this."""
MULTIPLY = ("rows", "row_steps", "panels", "output_steps", "bias", "out", "gelu", "m", "n", "k")
QUANTISE = ("x", "rows", "row_steps", "limit", "m", "k")
_TALL = 6
"""Tokens of a tile: with two registers of outputs each, twelve of the sixteen registers hold sums."""
_BLOCK = 96
"""Tokens that stay in the second-level cache while all panels pass."""
_UNROLLED = 2
_TOP = 32_767.0
_LEAST = 2.0**-60
"""The smallest step: squares of numbers that are far below it are too small for a float, so norms would be wrong."""

Advance = Callable[[Any, list[Any]], list[Any]]


def source() -> str:
    """The module as text."""
    return _Source().text()


class _Source:
    """Types of llvmlite's builder, and the functions made with them."""

    def __init__(self) -> None:
        ir = require("llvmlite.ir", "the int16 numbers of the torch engine", "int16")
        self.ir: Any = ir
        self.i16, self.i32, self.i64, self.f32 = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
        self.pointer = ir.PointerType()
        self.shorts, self.ints, self.floats = (
            ir.VectorType(kind, count) for kind, count in ((self.i16, 16), (self.i32, 8), (self.f32, 8))
        )
        self.module = ir.Module("steelyard")
        self.pair_sums = self._declare("llvm.x86.avx2.pmadd.wd", self.ints, [self.shorts, self.shorts])
        self.rounded = self._declare("llvm.x86.avx.cvt.ps2dq.256", self.ints, [self.floats])
        self.magnitude = self._declare("llvm.fabs.v8f32", self.floats, [self.floats])
        self.fma = self._declare("llvm.fma.v8f32", self.floats, [self.floats] * 3)
        self.root = self._declare("llvm.sqrt.f32", self.f32, [self.f32])
        self.thread, self.threads = (self._declare(name, self.i32, []) for name in (THREAD, THREADS))

    def text(self) -> str:
        tiles = [self._tile(tall) for tall in range(1, _TALL + 1)]
        self._multiply(tiles)
        self._quantise()
        return str(self.module)

    def _declare(self, name: str, gives: Any, takes: Sequence[Any]) -> Any:
        return self.ir.Function(self.module, self.ir.FunctionType(gives, takes), name)

    def _begin(self, name: str, takes: Sequence[Any]) -> tuple[Any, Any]:
        function = self._declare(name, self.ir.VoidType(), takes)
        return self.ir.IRBuilder(function.append_basic_block()), function

    def _whole(self, value: int) -> Any:
        return self.ir.Constant(self.i64, value)

    def _at(self, b: Any, pointer: Any, place: Any, kind: Any) -> Any:
        return b.gep(pointer, [place], source_etype=kind)

    def _load(self, b: Any, pointer: Any, place: Any, kind: Any, vector: Any = None) -> Any:
        found = vector or kind
        return b.load(self._at(b, pointer, place, kind), typ=found, align=kind.width // 8 if kind != self.f32 else 4)

    def _everywhere(self, b: Any, value: Any, vector: Any) -> Any:
        """The value in all eight places of a vector."""
        nothing = self.ir.Constant(vector, self.ir.Undefined)
        first = b.insert_element(nothing, value, self.ir.Constant(self.i32, 0))
        return b.shuffle_vector(first, nothing, self.ir.Constant(self.ints, [0] * 8))

    @contextmanager
    def _loop(self, b: Any, start: Any, stop: Any, step: Any) -> Iterator[Any]:
        """Runs what is built inside for start, start + step, ... below stop."""
        before = b.block
        head, body, behind = (b.append_basic_block() for _ in range(3))
        b.branch(head)
        b.position_at_end(head)
        i = b.phi(self.i64)
        i.add_incoming(start, before)
        b.cbranch(b.icmp_signed("<", i, stop), body, behind)
        b.position_at_end(body)
        yield i
        i.add_incoming(b.add(i, step), b.block)
        b.branch(head)
        b.position_at_end(behind)

    def _fold(self, b: Any, stop: Any, step: int, values: Sequence[Any], advance: Advance) -> list[Any]:
        """What becomes of the values, kept in registers, as ``advance`` is applied for 0, step, ... below stop."""
        before, body, behind = b.block, b.append_basic_block(), b.append_basic_block()
        b.branch(body)
        b.position_at_end(body)
        i = b.phi(self.i64)
        i.add_incoming(self._whole(0), before)
        kept = [b.phi(value.type) for value in values]
        grown = advance(i, kept)
        following = b.add(i, self._whole(step))
        i.add_incoming(following, b.block)
        for phi, old, new in zip(kept, values, grown, strict=True):
            phi.add_incoming(old, before)
            phi.add_incoming(new, b.block)
        b.cbranch(b.icmp_signed("<", following, stop), body, behind)
        b.position_at_end(behind)
        return list(grown)

    def _job(self, b: Any, job: Any, names: Sequence[str]) -> dict[str, Any]:
        """The fields of a job; all but the last counts and the limit are addresses."""
        numbers = {"m", "n", "k", "limit", "gelu"}
        found = {name: self._load(b, job, self._whole(i), self.i64) for i, name in enumerate(names)}
        return {k: v if k in numbers else b.inttoptr(v, self.pointer) for k, v in found.items()}

    def _share(self, b: Any, total: Any) -> tuple[Any, Any]:
        """First and last part of this thread, of so many parts of all threads."""
        number, count = (b.sext(b.call(ask, []), self.i64) for ask in (self.thread, self.threads))
        first = b.sdiv(b.mul(number, total), count)
        return first, b.sdiv(b.mul(b.add(number, self._whole(1)), total), count)

    def _tile(self, tall: int) -> Any:
        """Sums of ``tall`` tokens by one panel, kept in registers from the first input to the last."""
        p = self.pointer
        b, function = self._begin(f"tile{tall}", [p, p, self.i64, p, p, p, p, self.i64])
        rows, panel, k, row_steps, output_steps, bias, out, n = function.args
        starts = [self._at(b, rows, b.mul(k, self._whole(i)), self.i16) for i in range(tall)]
        nothing = [self.ir.Constant(self.ints, [0] * 8)] * (2 * tall)
        pairs = b.ashr(k, self._whole(1))
        sums = self._fold(b, pairs, _UNROLLED, nothing, lambda at, sums: self._added(b, sums, starts, panel, at))
        self._put(b, sums, (row_steps, output_steps, bias, out, n))
        b.ret_void()
        return function

    def _added(self, b: Any, sums: Sequence[Any], starts: Sequence[Any], panel: Any, at: Any) -> list[Any]:
        """The sums with the products of the next pairs of inputs."""
        sums = list(sums)
        for step in range(_UNROLLED):
            pair = b.add(at, self._whole(step))
            place = b.mul(pair, self._whole(2 * PANEL))
            halves = [self._load(b, panel, b.add(place, self._whole(16 * i)), self.i16, self.shorts) for i in range(2)]
            for i, start in enumerate(starts):
                both = self._everywhere(b, self._load(b, start, pair, self.i32), self.ints)
                both = b.bitcast(both, self.shorts)
                for j, half in enumerate(halves):
                    sums[2 * i + j] = b.add(sums[2 * i + j], b.call(self.pair_sums, [both, half]))
        return sums

    def _put(self, b: Any, sums: Sequence[Any], where: tuple[Any, ...]) -> None:
        """Writes sums in float, times the steps of token and output, plus the bias."""
        row_steps, output_steps, bias, out, n = where
        columns = [self._whole(8 * j) for j in range(2)]
        scales = [self._load(b, output_steps, column, self.f32, self.floats) for column in columns]
        biases = [self._load(b, bias, column, self.f32, self.floats) for column in columns]
        for i in range(len(sums) // 2):
            step = self._everywhere(b, self._load(b, row_steps, self._whole(i), self.f32), self.floats)
            for j, column in enumerate(columns):
                value = b.fmul(b.sitofp(sums[2 * i + j], self.floats), b.fmul(step, scales[j]))
                place = b.add(b.mul(n, self._whole(i)), column)
                b.store(b.fadd(value, biases[j]), self._at(b, out, place, self.f32), align=4)

    def _multiply(self, tiles: Sequence[Any]) -> None:
        """All tokens by this thread's share of the panels, block of tokens by block."""
        b, function = self._begin("multiply", [self.pointer])
        job = self._job(b, function.args[0], MULTIPLY)
        first, last = self._share(b, b.sdiv(job["n"], self._whole(PANEL)))
        with self._loop(b, self._whole(0), job["m"], self._whole(_BLOCK)) as start:
            stop = b.add(start, self._whole(_BLOCK))
            stop = b.select(b.icmp_signed("<", stop, job["m"]), stop, job["m"])
            with self._loop(b, first, last, self._whole(1)) as panel:
                self._column(b, job, tiles, (start, stop, panel))
            with b.if_then(b.icmp_signed("!=", job["gelu"], self._whole(0))):
                self._all_gelu(b, job, (start, stop), (first, last))
        b.ret_void()

    def _all_gelu(self, b: Any, job: dict[str, Any], rows: tuple[Any, Any], panels: tuple[Any, Any]) -> None:
        """GELU of what was just written, while it is in the cache."""
        first, last = (b.mul(panel, self._whole(PANEL)) for panel in panels)
        with (
            self._loop(b, *rows, self._whole(1)) as row,
            self._loop(b, first, last, self._whole(8)) as column,
        ):
            place = b.add(b.mul(row, job["n"]), column)
            found = self._gelu(b, self._load(b, job["out"], place, self.f32, self.floats))
            b.store(found, self._at(b, job["out"], place, self.f32), align=4)

    def _gelu(self, b: Any, x: Any) -> Any:
        """x times the normal distribution function of x, to 1.5e-7: Abramowitz and Stegun, 7.1.26."""
        size = b.call(self.magnitude, [x])
        t = b.fdiv(self._same(1.0), b.call(self.fma, [size, self._same(0.3275911 * 0.5**0.5), self._same(1.0)]))
        series = self._polynomial(b, t, (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592))
        tail = b.fmul(b.fmul(b.fmul(series, t), self._same(0.5)), self._bell(b, x))
        share = b.select(b.fcmp_ordered("<", x, self._same(0.0)), tail, b.fsub(self._same(1.0), tail))
        return b.fmul(x, share)

    def _bell(self, b: Any, x: Any) -> Any:
        """exp(-x * x / 2) as a whole power of two, made of bits, times one between -1/2 and 1/2."""
        power = b.fmul(b.fmul(x, x), self._same(-0.5 / log(2)))
        power = self._larger(b, power, self._same(-126.0))
        whole = b.call(self.rounded, [power])
        rest = b.fsub(power, b.sitofp(whole, self.floats))
        small = self._polynomial(b, rest, [log(2) ** i / factorial(i) for i in reversed(range(7))])
        bits = b.shl(b.add(whole, self._same(127)), self._same(23))
        return b.fmul(small, b.bitcast(bits, self.floats))

    def _polynomial(self, b: Any, x: Any, factors: Sequence[float]) -> Any:
        """By Horner's rule, the highest power first."""
        found = self._same(factors[0])
        for factor in factors[1:]:
            found = b.call(self.fma, [found, x, self._same(factor)])
        return found

    def _same(self, value: float) -> Any:
        """Eight times the same constant; whole numbers are meant for integers."""
        return self.ir.Constant(self.ints if isinstance(value, int) else self.floats, [value] * 8)

    def _column(self, b: Any, job: dict[str, Any], tiles: Sequence[Any], part: tuple[Any, Any, Any]) -> None:
        """Tokens from start to stop by one panel: tall tiles, then one for what is left."""
        start, stop, panel = part
        tall = self._whole(_TALL)
        full = b.add(start, b.mul(b.sdiv(b.sub(stop, start), tall), tall))
        column = b.mul(panel, self._whole(PANEL))

        def call(tile: Any, row: Any) -> None:
            rows = self._at(b, job["rows"], b.mul(row, job["k"]), self.i16)
            weights = self._at(b, job["panels"], b.mul(column, job["k"]), self.i16)
            steps, scales = self._at(b, job["row_steps"], row, self.f32), job["output_steps"]
            scales, biases = (self._at(b, job[x], column, self.f32) for x in ("output_steps", "bias"))
            out = self._at(b, job["out"], b.add(b.mul(row, job["n"]), column), self.f32)
            b.call(tile, [rows, weights, job["k"], steps, scales, biases, out, job["n"]])

        with self._loop(b, start, full, tall) as row:
            call(tiles[-1], row)
        done = b.append_basic_block()
        switch = b.switch(b.sub(stop, full), done)
        for left, tile in enumerate(tiles[:-1], start=1):
            switch.add_case(self._whole(left), block := b.append_basic_block())
            b.position_at_end(block)
            call(tile, full)
            b.branch(done)
        b.position_at_end(done)

    def _quantise(self) -> None:
        """This thread's share of the tokens: a step for each, then its numbers in steps."""
        b, function = self._begin("quantise", [self.pointer])
        job = self._job(b, function.args[0], QUANTISE)
        limit = b.sitofp(job["limit"], self.f32)
        first, last = self._share(b, job["m"])
        eight, zero = self._whole(8), self._whole(0)
        with self._loop(b, first, last, self._whole(1)) as row:
            place = b.mul(row, job["k"])
            x, rows = self._at(b, job["x"], place, self.f32), self._at(b, job["rows"], place, self.i16)
            step = self._step(b, x, job["k"], limit)
            b.store(step, self._at(b, job["row_steps"], row, self.f32), align=4)
            inverse = self._everywhere(b, b.fdiv(self.ir.Constant(self.f32, 1.0), step), self.floats)
            with self._loop(b, zero, job["k"], eight) as i:
                steps = b.call(self.rounded, [b.fmul(self._load(b, x, i, self.f32, self.floats), inverse)])
                shorts = b.trunc(steps, self.ir.VectorType(self.i16, 8))
                b.store(shorts, self._at(b, rows, i, self.i16), align=2)
        b.ret_void()

    def _step(self, b: Any, x: Any, k: Any, limit: Any) -> Any:
        """The larger of what the largest number and what the norm ask for; not a number where x holds one."""
        nothing = self.ir.Constant(self.floats, [0.0] * 8)

        def advance(i: Any, kept: list[Any]) -> list[Any]:
            values = self._load(b, x, i, self.f32, self.floats)
            size = b.call(self.magnitude, [values])
            return [self._larger(b, size, kept[0]), b.fadd(kept[1], b.fmul(values, values))]

        largest, squares = self._fold(b, k, 8, [nothing, nothing], advance)
        top, total = (b.extract_element(found, self.ir.Constant(self.i32, 0)) for found in (largest, squares))
        for i in range(1, 8):
            top = self._larger(b, b.extract_element(largest, self.ir.Constant(self.i32, i)), top)
            total = b.fadd(total, b.extract_element(squares, self.ir.Constant(self.i32, i)))
        by_norm = b.fdiv(b.call(self.root, [total]), limit)
        by_top = b.fdiv(top, self.ir.Constant(self.f32, _TOP))
        step = self._larger(b, by_top, by_norm)
        return self._larger(b, self.ir.Constant(self.f32, _LEAST), step)

    def _larger(self, b: Any, left: Any, right: Any) -> Any:
        """The larger of two; the right one where either is not a number."""
        return b.select(b.fcmp_ordered(">", left, right), left, right)
