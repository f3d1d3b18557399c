"""Which column of a table holds what: the names that are looked for, the user's own mapping, and what stays unread."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from steelyard.errors import UsageError
from steelyard.suites.findings import Findings, Place

Row = Mapping[str, Any]

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "query": (
        "query", "question", "anchor", "查询", "问题", "问", "标准问", "标准问题", "用户问题", "提问", "问句",
        "用户提问",
    ),
    "document": (
        "document", "doc", "passage", "text", "answer", "positive", "context", "content", "response", "reply",
        "文档", "答案", "答", "回答", "标准答案", "标准答", "答复", "回复", "内容", "正文",
    ),
    "query_id": ("query_id", "query-id", "qid", "queryid", "问题id", "查询id"),
    "document_id": ("document_id", "document-id", "doc_id", "docid", "corpus-id", "corpus_id", "pid", "文档id",
                    "答案id"),
    "grade": (
        "grade", "relevance", "rel", "relevant", "is_relevant", "label", "score",
        "相关性", "相关度", "是否相关", "相关", "等级", "标签", "分数", "得分", "评分",
    ),
    "cluster": ("cluster", "cluster_id", "聚类"),
    "category": ("category", "类别", "分类", "类目"),
    "title": ("title", "标题"),
    "positives": ("positives", "pos"),
    "negatives": ("negatives", "neg", "negative"),
}  # fmt: skip
"""field -> the column names it is looked for under, whatever their case, unless a mapping names another."""

COUNTS: Final = frozenset({"clicks", "click", "click_count", "点击", "点击数", "点击量", "点击次数", "次数", "count"})
"""Columns that look like counts: they are not read as grades unless a mapping says so."""

_HEADERS_KEPT = 512
_NAMES_SHOWN = 8


def plain(name: str) -> str:
    """A column's name as it is compared: full-width forms made plain, without case and surrounding blanks."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


class Columns:
    """Where the fields of a table are, and which columns were read.

    Args:
        mapping: field -> column, as the user gave it.
        extra: field -> further names that fit in this kind of table only.

    Raises:
        UsageError: the mapping names a field that does not exist.
    """

    def __init__(
        self, mapping: Mapping[str, str] | None = None, extra: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self.mapping = dict(mapping or {})
        self.extra = dict(extra or {})
        unknown = sorted(set(self.mapping) - set(FIELDS))
        if unknown:
            raise UsageError(f"cannot map {', '.join(unknown)}; the fields are {', '.join(FIELDS)}")
        self.read: dict[str, str] = {}  # column -> the field it was read as
        self._there: dict[str, None] = {}
        self._known: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}

    def names(self, name: str) -> tuple[str, ...]:
        """The columns that a field may be in: the mapped one alone, where there is a mapping."""
        if name in self.mapping:
            return (self.mapping[name],)
        return self.extra.get(name, ()) + FIELDS[name]

    def places(self, row: Row, name: str) -> tuple[str, ...]:
        """The columns of a row that hold a field, the best first."""
        header = tuple(row)
        known = self._known.get(header)
        if known is None:
            self._there.update(dict.fromkeys(header))
            if len(self._known) >= _HEADERS_KEPT:
                self._known.clear()
            by_plain = {plain(column): column for column in reversed(header)}
            known = {
                field: tuple(by_plain[plain(n)] for n in self.names(field) if plain(n) in by_plain) for field in FIELDS
            }
            self._known[header] = known
        return known[name]

    def get(self, row: Row, name: str) -> Any:
        """The field's value in a row; None where the row has none of its columns, or only nulls there."""
        for column in self.places(row, name):
            if row[column] is not None:
                self.read.setdefault(column, name)
                return row[column]
        return None

    def need(self, row: Row, name: str, place: Place, findings: Findings) -> Any:
        """As :meth:`get`, with a finding where there is none."""
        value = self.get(row, name)
        if value is None:
            there = self.places(row, name)
            if there:
                findings.add(f"field {there[0]!r} is null; fill it, or leave this line out", place)
            else:
                findings.add(self.missing(name, tuple(row)), place, once=True)
        return value

    def missing(self, name: str, there: Sequence[str]) -> str:
        """What to say when a field is nowhere."""
        names = tuple(dict.fromkeys(self.names(name)))
        looked = ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
        shown = ", ".join(map(repr, there)) or "nothing"
        named = f"Name the column: --map {name}=COLUMN"
        return f"no field {name!r} (looked for {looked}); there is {shown}. {self._why(there)}{named}"

    @property
    def unread(self) -> tuple[str, ...]:
        """The columns that no field was read from, in the order of the table."""
        return tuple(column for column in self._there if column not in self.read)

    def reading(self, *, whole: bool) -> tuple[str, ...]:
        """How the table was read, in sentences: every column that was not used, and with ``whole`` those that were."""
        used = ", ".join(f"{field} from {column!r}" for column, field in self.read.items())
        lines = [f"read {used}"] if whole and used else []
        graded = {"grade", "positives", "negatives"} & set(self.read.values())
        if whole and used and not graded:
            lines.append("no column of grades: every query-document pair counts as relevant (grade 1)")
        if self.unread:
            lines.append(f"columns that were not used: {', '.join(map(repr, self.unread))}")
        lines += [
            f"{column!r} looks like counts and is not read as grades; with --map grade={column} every count of 1 or "
            "more is relevant, and nDCG weighs a pair by its count"
            for column in self.unread
            if plain(column) in COUNTS
        ]
        return tuple(lines)

    def _why(self, there: Sequence[str]) -> str:
        """A guess at why a header has nothing that is looked for."""
        if len(there) == 1 and any(c in there[0].strip() for c in " |,;"):
            return "The fields of the first line are not separated (.csv: by commas or semicolons; .tsv: by tabs). "
        known = {plain(n) for field in FIELDS for n in self.names(field)}
        if there and not any(plain(column) in known for column in there):
            return "Does the first line name the columns? "
        return ""
