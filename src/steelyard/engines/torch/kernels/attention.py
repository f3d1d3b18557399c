"""The loops of attention: scores, softmax and mixed values of some rows of one text and head at a time.

Shapes: ``d`` size of a head (a multiple of :data:`STEP`), ``p`` tokens of the shared prefix, ``n`` keys that a unit of
work sees, the prefix among them.

A unit is some rows of one text, for all query heads of one key head; a thread takes the next one as it is done with
one. Keys are first laid in panels of 16, so that scores are made as matrix products are: six rows by sixteen columns in
registers. All scores of six rows are kept, so that a row is summed in the same order whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log
from typing import Any

from steelyard.engines.torch.kernels.ir import PANEL, TALL, Code

STEP = 8
"""Sizes of heads are multiples of this."""
_ADDRESSES = ("query", "key", "value", "shared_key", "shared_value", "blocks", "scratch", "out")
_NUMBERS = (
    *("query_row", "key_row", "value_row", "shared_key_row", "shared_value_row", "out_row"),
    *("p", "units", "key_heads", "group", "d", "growth", "longest", "next"),
)
"""Distances of rows; then counts. ``longest`` is a multiple of 16 that no text exceeds, ``next`` the next unit."""
_BLOCK = ("first", "rows", "first_key", "seen")
"""Rows of one text: the first row of queries, how many, the first row of the text's keys, and how many keys of its text
the first row sees; each row sees ``growth`` more than the one before."""
_UNROLLED = 4
_TRANSPOSED = (
    ((0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15)),
    ((0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)),
    ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)),
)


class AttentionCode(Code):
    """The module, with one function to run: ``attend``.

    Args:
        narrow: queries, keys, values and what is mixed are bfloat16, else float32. Panels, scores and sums are float32.
    """

    def __init__(self, *, narrow: bool = False) -> None:
        super().__init__("attention of the torch engine", narrow=narrow)
        self.least = self.declare("llvm.x86.avx.min.ps.256", self.floats, [self.floats] * 2)
        self.root = self.declare("llvm.sqrt.f32", self.f32, [self.f32])
        self.pack_keys, self.pack_values = (
            self._pack("keys", self._eight_keys),
            self._pack("values", self._eight_values),
        )
        self.softmax = self._softmax()
        self.tiles = [self._tile(tall) for tall in range(1, TALL + 1)]
        self._attend()

    def _pack(self, name: str, eight: Any) -> Any:
        """A function that lays the rows of one head, those of the prefix first, into panels."""
        p, n = self.pointer, self.i64
        b, function = self.begin(f"pack_{name}", [p, n, p, n, n, n, n, p])
        own, own_row, shared, shared_row, before, count, d, panels = function.args
        own = self.at(b, own, b.neg(b.mul(before, own_row)), self.state)
        last = b.sub(count, self.whole(1))
        with self.loop(b, self.whole(0), count, self.whole(8)) as j:
            rows = []
            for i in range(8):
                k = self.smaller(b, b.add(j, self.whole(i)), last)
                ways = ((shared, shared_row), (own, own_row))
                places = [self.at(b, at, b.mul(k, row), self.state) for at, row in ways]
                rows.append(b.select(b.icmp_signed("<", k, before), *places))
            with self.loop(b, self.whole(0), d, self.whole(8)) as c:
                eight(b, [self.read(b, row, c) for row in rows], (j, c), (count, d, panels))
        b.ret_void()
        return function

    def _eight_keys(self, b: Any, rows: list[Any], place: tuple[Any, Any], panel: tuple[Any, Any, Any]) -> None:
        """Eight rows by eight columns into [n / 16, d, 16]."""
        (j, c), (_, d, panels) = place, panel
        low, high, final = _TRANSPOSED
        rows = [self._mixed(b, rows[i], rows[i + 1], order) for i in (0, 2, 4, 6) for order in low]
        rows = [self._mixed(b, rows[i + k], rows[i + k + 2], order) for i in (0, 4) for k in (0, 1) for order in high]
        rows = [self._mixed(b, rows[i], rows[i + 4], order) for order in final for i in range(4)]
        half = b.and_(j, self.whole(8))
        start = b.add(b.mul(b.sub(j, half), d), half)
        for i, row in enumerate(rows):
            at = b.add(start, b.mul(b.add(c, self.whole(i)), self.whole(PANEL)))
            b.store(row, self.at(b, panels, at, self.f32), align=4)

    def _eight_values(self, b: Any, rows: list[Any], place: tuple[Any, Any], panel: tuple[Any, Any, Any]) -> None:
        """Eight rows by eight columns into [d / 16, n + 7, 16]; what is behind the last row is never read."""
        (j, c), (count, _, panels) = place, panel
        half = b.and_(c, self.whole(8))
        start = b.add(b.mul(b.sub(c, half), self._spaced(b, count)), half)
        for i, row in enumerate(rows):
            at = b.add(start, b.mul(b.add(j, self.whole(i)), self.whole(PANEL)))
            b.store(row, self.at(b, panels, at, self.f32), align=4)

    def _mixed(self, b: Any, left: Any, right: Any, order: Sequence[int]) -> Any:
        return b.shuffle_vector(left, right, self.ir.Constant(self.ints, list(order)))

    def _spaced(self, b: Any, count: Any) -> Any:
        """The next multiple of 16."""
        return b.and_(b.add(count, self.whole(PANEL - 1)), self.whole(-PANEL))

    def _softmax(self) -> Any:
        """Makes two rows of scores powers of two, those behind what is seen zeros; gives the inverses of their sums."""
        pair = self.ir.LiteralStructType([self.f32] * 2)
        b, function = self.begin("softmax", [self.pointer, self.i64, self.i64, self.i64, self.f32], pair)
        first, columns, seen, growth, scale = function.args
        rows = [first, self.at(b, first, columns, self.f32)]
        self._hide(b, rows[0], seen, columns)
        self._hide(b, rows[1], b.add(seen, growth), columns)
        tops = self._fold_rows(b, rows, columns, self.same(-inf), self._largest)
        tops = self._reduced(b, tops, lambda x, y: self.larger(b, x, y))
        factor = self.everywhere(b, scale, self.floats)
        shifts = [b.fneg(b.fmul(top, factor)) for top in tops]

        def powers(b: Any, scores: list[Any], kept: list[Any], places: list[Any]) -> list[Any]:
            shifted = [b.call(self.fma, [x, factor, shifts[i // 2]]) for i, x in enumerate(scores)]
            found = self.powers_of_two(b, shifted)
            for place, power in zip(places, found, strict=True):
                b.store(power, place, align=4)
            return [b.fadd(old, power) for old, power in zip(kept, found, strict=True)]

        sums = self._reduced(b, self._fold_rows(b, rows, columns, self.same(0.0), powers), b.fadd)
        found = self.ir.Constant(pair, self.ir.Undefined)
        for i, total in enumerate(sums):
            total = b.extract_element(total, self.ir.Constant(self.i32, 0))
            found = b.insert_value(found, b.fdiv(self.ir.Constant(self.f32, 1.0), total), i)
        b.ret(found)
        return function

    def _hide(self, b: Any, row: Any, seen: Any, columns: Any) -> None:
        """Makes scores from ``seen`` on negative without bound."""
        limit = self.everywhere(b, b.trunc(seen, self.i32), self.ints)
        with self.loop(b, b.and_(seen, self.whole(-8)), columns, self.whole(8)) as j:
            places = self.everywhere(b, b.trunc(j, self.i32), self.ints)
            places = b.add(places, self.ir.Constant(self.ints, list(range(8))))
            found = self.load(b, row, j, self.f32, self.floats)
            most = b.select(b.icmp_signed("<", places, limit), self.same(inf), self.same(-inf))
            found = b.call(self.least, [found, most])  # a select would become a masked store, which is slow
            b.store(found, self.at(b, row, j, self.f32), align=4)

    def _fold_rows(self, b: Any, rows: list[Any], columns: Any, start: Any, advance: Any) -> list[Any]:
        """Sixteen columns of each row at a time; the values of both halves of a row."""

        def step(j: Any, kept: list[Any]) -> list[Any]:
            places = [self.at(b, row, b.add(j, self.whole(8 * i)), self.f32) for row in rows for i in range(2)]
            found = [b.load(place, typ=self.floats, align=4) for place in places]
            return list(advance(b, found, kept, places))

        return self.fold(b, columns, PANEL, [start] * (2 * len(rows)), step)

    def _largest(self, b: Any, scores: list[Any], kept: list[Any], _: list[Any]) -> list[Any]:
        return [self.larger(b, x, old) for x, old in zip(scores, kept, strict=True)]

    def _reduced(self, b: Any, halves: list[Any], join: Any) -> list[Any]:
        """What both halves of each row are together, in each place."""
        found = [join(halves[i], halves[i + 1]) for i in range(0, len(halves), 2)]
        for distance in (4, 2, 1):
            found = [join(x, self._mixed(b, x, x, [i ^ distance for i in range(8)])) for x in found]
        return found

    def _tile(self, tall: int) -> Any:
        """Some rows of one text and head, from queries to what they see."""
        p, n = self.pointer, self.i64
        b, function = self.begin(f"tile{tall}", [p, n, p, p, p, p, n, n, n, n, p, n, self.f32])
        query, query_row, keys, values, strip, wide, count, d, seen, growth, out, out_row, scale = function.args
        last = b.add(seen, b.mul(growth, self.whole(tall - 1)))
        columns = self._spaced(b, last)
        rows = [self.at(b, strip, b.mul(columns, self.whole(i)), self.f32) for i in range(tall)]
        queries = [self.at(b, query, b.mul(query_row, self.whole(i)), self.state) for i in range(tall)]
        queries = self._widened(b, queries, d, wide) if self.narrow else queries
        self._put_scores(b, queries, keys, d, rows, columns)
        inverses = []
        for i in range(0, tall, 2):
            sees = b.add(seen, b.mul(growth, self.whole(i)))
            both = b.call(self.softmax, [rows[i], columns, sees, growth, scale])
            inverses += [self.everywhere(b, b.extract_value(both, k), self.floats) for k in range(min(2, tall - i))]
        outs = [self.at(b, out, b.mul(out_row, self.whole(i)), self.state) for i in range(tall)]
        self._put_mixed(b, (rows, inverses), values, (last, self._spaced(b, count), d), outs)
        b.ret_void()
        return function

    def _widened(self, b: Any, rows: list[Any], d: Any, wide: Any) -> list[Any]:
        """The same rows as float32, side by side: each number is then put into a whole register by one instruction."""
        found = [self.at(b, wide, b.mul(d, self.whole(i)), self.f32) for i in range(len(rows))]
        with self.loop(b, self.whole(0), d, self.whole(8)) as c:
            for row, place in zip(rows, found, strict=True):
                b.store(self.read(b, row, c), self.at(b, place, c, self.f32), align=4)
        return found

    def _put_scores(self, b: Any, queries: list[Any], keys: Any, d: Any, rows: list[Any], columns: Any) -> None:
        with self.loop(b, self.whole(0), columns, self.whole(PANEL)) as column:
            panel = self.at(b, keys, b.mul(column, d), self.f32)
            sums = self._product(b, queries, panel, d, _UNROLLED)
            for i, row in enumerate(rows):
                for half in range(2):
                    place = b.add(column, self.whole(8 * half))
                    b.store(sums[2 * i + half], self.at(b, row, place, self.f32), align=4)

    def _put_mixed(
        self, b: Any, rows: tuple[list[Any], list[Any]], values: Any, sizes: tuple[Any, Any, Any], outs: list[Any]
    ) -> None:
        last, spaced, d = sizes
        powers, inverses = rows
        with self.loop(b, self.whole(0), d, self.whole(PANEL)) as column:
            panel = self.at(b, values, b.mul(column, spaced), self.f32)
            sums = self._product(b, powers, panel, last, 1)

            def put(half: int, column: Any = column, sums: Any = sums) -> None:
                for i, out in enumerate(outs):
                    self.write(b, b.fmul(sums[2 * i + half], inverses[i]), out, b.add(column, self.whole(8 * half)))

            put(0)
            with b.if_then(b.icmp_signed("<", b.add(column, self.whole(8)), d)):
                put(1)

    def _product(self, b: Any, rows: list[Any], panel: Any, count: Any, unrolled: int) -> list[Any]:
        """Sums over ``count`` of each row by the panel, two registers a row."""

        def advance(at: Any, sums: list[Any]) -> list[Any]:
            sums = list(sums)
            for step in range(unrolled):
                k = b.add(at, self.whole(step))
                place = b.mul(k, self.whole(PANEL))
                halves = [self.load(b, panel, b.add(place, self.whole(8 * i)), self.f32, self.floats) for i in range(2)]
                for i, row in enumerate(rows):
                    value = self.everywhere(b, self.load(b, row, k, self.f32), self.floats)
                    for j, half in enumerate(halves):
                        sums[2 * i + j] = b.call(self.fma, [value, half, sums[2 * i + j]])
            return sums

        return self.fold(b, count, unrolled, [self.same(0.0)] * (2 * len(rows)), advance)

    def _attend(self) -> None:
        """Takes units until none is left."""
        b, function = self.begin("attend", [self.pointer])
        job = self.job(b, function.args[0], _ADDRESSES, _NUMBERS)
        following = self.at(b, function.args[0], self.whole(len(_ADDRESSES) + _NUMBERS.index("next")), self.i64)
        size = self.ir.Constant(self.f32, log(2))
        scale = b.fdiv(self.ir.Constant(self.f32, 1.0), b.fmul(b.call(self.root, [b.sitofp(job["d"], self.f32)]), size))
        scratch = self._own_scratch(b, job)
        take, work, done = (b.append_basic_block() for _ in range(3))
        b.branch(take)
        b.position_at_end(take)
        unit = b.atomic_rmw("add", following, self.whole(1), "monotonic")
        b.cbranch(b.icmp_signed("<", unit, job["units"]), work, done)
        b.position_at_end(work)
        self._unit(b, job, unit, scratch, scale)
        b.branch(take)
        b.position_at_end(done)
        b.ret_void()

    def _own_scratch(self, b: Any, job: dict[str, Any]) -> list[Any]:
        """Where this thread puts panels of keys, panels of values, scores and widened queries."""
        longest, d = job["longest"], job["d"]
        sizes = [b.mul(longest, x) for x in (d, self._spaced(b, d), self.whole(TALL))]
        total = b.add(b.add(b.add(*sizes[:2]), sizes[2]), b.mul(d, self.whole(TALL)))
        places = [b.mul(b.sext(b.call(self.thread, []), self.i64), total)]
        for size in sizes:
            places.append(b.add(places[-1], size))
        return [self.at(b, job["scratch"], place, self.f32) for place in places]

    def _unit(self, b: Any, job: dict[str, Any], unit: Any, scratch: list[Any], scale: Any) -> None:
        keys, values, strip, wide = scratch
        place, head = b.sdiv(unit, job["key_heads"]), b.srem(unit, job["key_heads"])
        place = b.mul(place, self.whole(len(_BLOCK)))
        first, rows, first_key, seen = (
            self.load(b, job["blocks"], b.add(place, self.whole(i)), self.i64) for i in range(len(_BLOCK))
        )
        seen = b.add(seen, job["p"])
        count = b.add(seen, b.mul(job["growth"], b.sub(rows, self.whole(1))))
        column = b.mul(head, job["d"])
        for name, pack, panels in (("key", self.pack_keys, keys), ("value", self.pack_values, values)):
            own_row, shared_row = job[f"{name}_row"], job[f"shared_{name}_row"]
            own = self.at(b, job[name], b.add(b.mul(first_key, own_row), column), self.state)
            shared = self.at(b, job[f"shared_{name}"], column, self.state)
            b.call(pack, [own, own_row, shared, shared_row, job["p"], count, job["d"], panels])
        with self.loop(b, self.whole(0), job["group"], self.whole(1)) as member:
            column = b.mul(b.add(b.mul(head, job["group"]), member), job["d"])

            def call(tall: int, row: Any) -> None:
                place = b.add(first, row)
                query, out = (
                    self.at(b, job[name], b.add(b.mul(place, job[f"{name}_row"]), column), self.state)
                    for name in ("query", "out")
                )
                sees = b.add(seen, b.mul(job["growth"], row))
                behind = (job["growth"], out, job["out_row"], scale)
                b.call(
                    self.tiles[tall - 1],
                    [query, job["query_row"], keys, values, strip, wide, count, job["d"], sees, *behind],
                )

            self.tiled(b, self.whole(0), rows, call)
