"""What every module of compiled loops is built with: types, loads, loops, jobs and functions of a register of floats.

The loops are written in LLVM's intermediate code, for x86-64 with AVX2 and FMA, or AVX-512. A function that torch's
OpenMP threads run takes a pointer to its job, a row of 64-bit addresses and numbers, and does the share of the thread
that it finds itself in, which it asks two outer functions for: ``THREAD`` (its number) and ``THREADS`` (how many).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import log
from typing import Any

from steelyard.engines.packages import require

THREAD, THREADS = "steelyard_thread", "steelyard_threads"
PANEL = 16
"""Columns that one tile computes: two registers of eight."""
TALL = 6
"""Rows of a tile: with two registers of columns each, twelve of the sixteen registers hold sums."""
_POWER = (1.0, 0.693146978, 0.240222421, 0.0555073374, 0.00967151264, 0.00132647272)
"""Of 2 to the power of -1/2 to 1/2: the polynomial whose largest relative error is the least, 9e-8; fitted."""

Advance = Callable[[Any, list[Any]], list[Any]]
"""What folds apply: from where it stands and the values so far to the values then."""


class Code:
    """One module of LLVM's code, empty; subclasses put functions into it.

    Args:
        purpose: what llvmlite is needed for, if it is missing.
        lanes: floats in a register: 8, or 16 where the processor has AVX-512.
        narrow: whether states lie in memory as bfloat16 rather than as float32; see :meth:`read`.

    Raises:
        MissingExtraError: llvmlite is not installed.
    """

    def __init__(self, purpose: str, lanes: int = 8, *, narrow: bool = False) -> None:
        self.purpose, self.lanes, self.narrow = purpose, lanes, narrow
        self.ir: Any = (ir := require("llvmlite.ir", purpose, "int16"))
        self.i16, self.i32, self.i64, self.f32 = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
        self.pointer = ir.PointerType()
        self.shorts, self.ints, self.floats = (
            ir.VectorType(kind, count) for kind, count in ((self.i16, 16), (self.i32, lanes), (self.f32, lanes))
        )
        self.halves = ir.VectorType(self.i16, lanes)
        self.state = self.i16 if narrow else self.f32
        self.module = ir.Module("steelyard")
        self.nearest = self.declare(f"llvm.nearbyint.v{lanes}f32", self.floats, [self.floats])
        self.magnitude = self.declare(f"llvm.fabs.v{lanes}f32", self.floats, [self.floats])
        self.fma = self.declare(f"llvm.fma.v{lanes}f32", self.floats, [self.floats] * 3)
        self.thread, self.threads = (self.declare(name, self.i32, []) for name in (THREAD, THREADS))

    def __str__(self) -> str:
        return str(self.module)

    def declare(self, name: str, gives: Any, takes: Sequence[Any]) -> Any:
        """A function that is made elsewhere."""
        return self.ir.Function(self.module, self.ir.FunctionType(gives, takes), name)

    def begin(self, name: str, takes: Sequence[Any], gives: Any = None) -> tuple[Any, Any]:
        """A function, which gives nothing unless told, and the builder of its first block."""
        function = self.declare(name, gives or self.ir.VoidType(), takes)
        return self.ir.IRBuilder(function.append_basic_block()), function

    def whole(self, value: int) -> Any:
        """A 64-bit constant."""
        return self.ir.Constant(self.i64, value)

    def same(self, value: float) -> Any:
        """The same constant in every place; whole numbers are meant for integers."""
        return self.ir.Constant(self.ints if isinstance(value, int) else self.floats, [value] * self.lanes)

    def rounded(self, b: Any, x: Any) -> Any:
        """The nearest whole numbers, of 32 bits."""
        return b.fptosi(b.call(self.nearest, [x]), self.ints)

    def read(self, b: Any, pointer: Any, place: Any) -> Any:
        """States from a place on as float32; bfloat16 is the upper half of the bits of a float32."""
        if not self.narrow:
            return self.load(b, pointer, place, self.f32, self.floats)
        bits = b.zext(self.load(b, pointer, place, self.i16, self.halves), self.ints)
        return b.bitcast(b.shl(bits, self.same(16)), self.floats)

    def write(self, b: Any, value: Any, pointer: Any, place: Any) -> None:
        """States from float32, rounded to the nearest bfloat16 where they are narrow, ties to the even one.

        Whole-number instructions alone, so that every processor with AVX2 gives the same bits.
        """
        at = self.at(b, pointer, place, self.state)
        if not self.narrow:
            b.store(value, at, align=4)
            return
        bits = b.bitcast(value, self.ints)
        odd = b.and_(b.lshr(bits, self.same(16)), self.same(1))
        up = b.lshr(b.add(b.add(bits, odd), self.same(0x7FFF)), self.same(16))
        found = b.select(b.fcmp_unordered("uno", value, value), self.same(0x7FC0), up)
        b.store(b.trunc(found, self.halves), at, align=2)

    def at(self, b: Any, pointer: Any, place: Any, kind: Any) -> Any:
        """The address of the value of that kind at a place."""
        return b.gep(pointer, [place], source_etype=kind)

    def load(self, b: Any, pointer: Any, place: Any, kind: Any, vector: Any = None) -> Any:
        """The value at a place, or a vector of those from there on; aligned as one value is."""
        found = vector or kind
        return b.load(self.at(b, pointer, place, kind), typ=found, align=kind.width // 8 if kind != self.f32 else 4)

    def everywhere(self, b: Any, value: Any, vector: Any) -> Any:
        """The value in all places of a vector."""
        nothing = self.ir.Constant(vector, self.ir.Undefined)
        first = b.insert_element(nothing, value, self.ir.Constant(self.i32, 0))
        return b.shuffle_vector(first, nothing, self.ir.Constant(self.ints, [0] * self.lanes))

    @contextmanager
    def loop(self, b: Any, start: Any, stop: Any, step: Any) -> Iterator[Any]:
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

    def fold(self, b: Any, stop: Any, step: int, values: Sequence[Any], advance: Advance) -> list[Any]:
        """What becomes of the values, kept in registers, as ``advance`` is applied for 0, step, ... below stop."""
        before, body, behind = b.block, b.append_basic_block(), b.append_basic_block()
        b.branch(body)
        b.position_at_end(body)
        i = b.phi(self.i64)
        i.add_incoming(self.whole(0), before)
        kept = [b.phi(value.type) for value in values]
        grown = advance(i, kept)
        following = b.add(i, self.whole(step))
        i.add_incoming(following, b.block)
        for phi, old, new in zip(kept, values, grown, strict=True):
            phi.add_incoming(old, before)
            phi.add_incoming(new, b.block)
        b.cbranch(b.icmp_signed("<", following, stop), body, behind)
        b.position_at_end(behind)
        return list(grown)

    def job(self, b: Any, job: Any, addresses: Sequence[str], numbers: Sequence[str]) -> dict[str, Any]:
        """The fields of a job by name: addresses, then numbers."""
        fields = [self.load(b, job, self.whole(i), self.i64) for i in range(len(addresses) + len(numbers))]
        pointers = [b.inttoptr(field, self.pointer) for field in fields[: len(addresses)]]
        return dict(zip([*addresses, *numbers], pointers + fields[len(addresses) :], strict=True))

    def share(self, b: Any, total: Any) -> tuple[Any, Any]:
        """First and last part of this thread, of so many parts of all threads."""
        number, count = (b.sext(b.call(ask, []), self.i64) for ask in (self.thread, self.threads))
        first = b.sdiv(b.mul(number, total), count)
        return first, b.sdiv(b.mul(b.add(number, self.whole(1)), total), count)

    def tiled(self, b: Any, start: Any, stop: Any, call: Callable[[int, Any], None]) -> None:
        """Rows from start to stop in tiles: ``call`` builds that of so many rows from a row on, tall ones first."""
        tall = self.whole(TALL)
        full = b.add(start, b.mul(b.sdiv(b.sub(stop, start), tall), tall))
        with self.loop(b, start, full, tall) as row:
            call(TALL, row)
        done = b.append_basic_block()
        switch = b.switch(b.sub(stop, full), done)
        for left in range(1, TALL):
            switch.add_case(self.whole(left), block := b.append_basic_block())
            b.position_at_end(block)
            call(left, full)
            b.branch(done)
        b.position_at_end(done)

    def polynomials(self, b: Any, xs: Sequence[Any], factors: Sequence[float]) -> list[Any]:
        """Of each, the constant first; by pairs of factors and powers of x * x, which wait for each other the least."""
        parts = [[self.same(factor) for factor in factors] for _ in xs]
        while len(parts[0]) > 1:
            parts = [
                [b.call(self.fma, [x, *reversed(part[i : i + 2])]) for i in range(0, len(part) - 1, 2)]
                + part[len(part) // 2 * 2 :]
                for x, part in zip(xs, parts, strict=True)
            ]
            xs = [b.fmul(x, x) for x in xs] if len(parts[0]) > 1 else xs
        return [found for (found,) in parts]

    def all_gelu(self, b: Any, job: dict[str, Any], rows: tuple[Any, Any], panels: tuple[Any, Any]) -> None:
        """GELU of what was just written into ``out``, of ``n`` columns, while it is in the cache."""
        first, last = (b.mul(panel, self.whole(PANEL)) for panel in panels)
        with (
            self.loop(b, *rows, self.whole(1)) as row,
            self.loop(b, first, last, self.whole(8)) as column,
        ):
            place = b.add(b.mul(row, job["n"]), column)
            found = self.gelu(b, self.load(b, job["out"], place, self.f32, self.floats))
            b.store(found, self.at(b, job["out"], place, self.f32), align=4)

    def gelu(self, b: Any, x: Any) -> Any:
        """x times the normal distribution function of x, to 1.5e-7: Abramowitz and Stegun, 7.1.26."""
        size = b.call(self.magnitude, [x])
        t = b.fdiv(self.same(1.0), b.call(self.fma, [size, self.same(0.3275911 * 0.5**0.5), self.same(1.0)]))
        (series,) = self.polynomials(b, [t], (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429))
        (bell,) = self.powers_of_two(b, [b.fmul(b.fmul(x, x), self.same(-0.5 / log(2)))])
        tail = b.fmul(b.fmul(b.fmul(series, t), self.same(0.5)), bell)
        share = b.select(b.fcmp_ordered("<", x, self.same(0.0)), tail, b.fsub(self.same(1.0), tail))
        return b.fmul(x, share)

    def powers_of_two(self, b: Any, powers: Sequence[Any]) -> list[Any]:
        """2 to each, up to 127, to 2e-7; 0 below -127, and not a number for what is not one.

        A whole power, made of bits, times one between -1/2 and 1/2.
        """
        powers = [self.larger(b, self.same(-127.0), power) for power in powers]
        wholes = [self.rounded(b, power) for power in powers]
        rests = [b.fsub(power, b.sitofp(whole, self.floats)) for power, whole in zip(powers, wholes, strict=True)]
        small = self.polynomials(b, rests, _POWER)
        bits = [b.shl(b.add(whole, self.same(127)), self.same(23)) for whole in wholes]
        return [b.fmul(x, b.bitcast(scale, self.floats)) for x, scale in zip(small, bits, strict=True)]

    def smaller(self, b: Any, left: Any, right: Any) -> Any:
        """The smaller of two whole numbers."""
        return b.select(b.icmp_signed("<", left, right), left, right)

    def larger(self, b: Any, left: Any, right: Any) -> Any:
        """The larger of two; the right one where either is not a number."""
        return b.select(b.fcmp_ordered(">", left, right), left, right)
