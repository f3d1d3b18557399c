"""The text form of a system: one grammar, one parser, one canonical form.

::

    system  :=  fused ( ">>" leaf )*                 >> reranks what stands before it
    fused   :=  term ( "+" term )*                   +  fuses; binds tighter than >>
    term    :=  leaf  |  "(" system ")" options?
    leaf    :=  ( model | "maxsim:" model | SCHEME ":" NAME "@" URL ) options?
    model   :=  NAME | "folder:" PATH
    options :=  "[" KEY "=" VALUE ( "|" VALUE )* ( "," KEY "=" VALUE ... )* "]"

A value is a bare word, a number, or a JSON string in double quotes. Several values make a sweep, which
:func:`expand` turns into its grid. ``str(node)`` is the canonical form: options sorted by key, numbers in
their shortest form, one space around operators, no parentheses that are not needed.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from steelyard.engines.remote.presets import PRESETS, preset_url
from steelyard.errors import ExpressionError, UsageError
from steelyard.models.registry import by_hub_name

Value = str | int | float
Options = tuple[tuple[str, tuple[Value, ...]], ...]
"""Sorted by key; every option has at least one value, and more than one makes a sweep."""

_SPACE = re.compile(r"\s*")
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_REMOTE = re.compile(r"(openai|rerank):")
_REMOTE_NAME = re.compile(r"[^\s@\[\]()|,\"]+")
_SERVICE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_URL = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\])?[^\s\[\]()|,\"]*")
_LATE = re.compile(r"maxsim:")
_PATH = re.compile(r"folder:([^\s\[\]()|,\"]+)")
_LOCAL = re.compile(r"(?:\.{1,2}/|/|~/)[^\s\[\]()|,\"]+")
_HUB = re.compile(r"(?=[a-z0-9._-]*[A-Z/])[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9._-]+)?(?![:@])")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD = re.compile(r"[A-Za-z0-9_./:%+-]+")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One named part: a lexical method, a model, a reranker, an endpoint or a folder.

    Attributes:
        name: as typed: ``bm25``, ``e5-small``; the model's name for an endpoint; the path for a folder; the model
            behind ``maxsim:``, which may be ``folder:PATH``.
        scheme: empty, ``openai``, ``rerank``, ``folder`` or ``maxsim``.
        url: base URL of an endpoint, else empty.
        options: see :data:`Options`.
        column: where it stands in the source; not part of its value.
    """

    name: str
    scheme: str = ""
    url: str = ""
    options: Options = ()
    column: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leaf) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return (self.name, self.scheme, self.url, self.options)

    def __str__(self) -> str:
        head = f"{self.scheme}:{self.name}" if self.scheme else self.name
        return head + (f"@{self.url}" if self.url else "") + _print_options(self.options)


@dataclass(frozen=True, slots=True)
class Fuse:
    """Several systems whose rankings become one."""

    parts: tuple[Node, ...]
    options: Options = ()

    def __str__(self) -> str:
        inner = " + ".join(_wrap(p) if isinstance(p, Fuse | Rerank) else str(p) for p in self.parts)
        return f"({inner}){_print_options(self.options)}" if self.options else inner


@dataclass(frozen=True, slots=True)
class Rerank:
    """A system whose first hits a reranker puts in a new order."""

    first: Node
    reranker: Leaf
    options: Options = ()

    def __str__(self) -> str:
        inner = f"{self.first} >> {self.reranker}"
        return f"({inner}){_print_options(self.options)}" if self.options else inner


Node = Leaf | Fuse | Rerank


def parse(source: str) -> Node:
    """Reads one expression.

    Raises:
        ExpressionError: pointing at the column, with what would fit there.
    """
    parser = _Parser(source)
    node = parser.system()
    parser.skip()
    if parser.at < len(source):
        raise parser.error("expected '+', '>>' or the end")
    return node


def expand(node: Node) -> tuple[Node, ...]:
    """The grid that a sweep stands for; the node alone where nothing is swept."""
    if isinstance(node, Leaf):
        return tuple(replace(node, options=o) for o in _grid(node.options))
    if isinstance(node, Fuse):
        combos = itertools.product(*(expand(p) for p in node.parts))
        return tuple(Fuse(c, o) for c in combos for o in _grid(node.options))
    pairs = itertools.product(expand(node.first), expand(node.reranker))
    return tuple(Rerank(f, r, o) for f, r in pairs if isinstance(r, Leaf) for o in _grid(node.options))


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf, left to right."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Fuse):
        for part in node.parts:
            yield from leaves(part)
    else:
        yield from leaves(node.first)
        yield node.reranker


def single_options(node: Node) -> dict[str, Value]:
    """The options of a node without sweeps, as a mapping."""
    return {key: values[0] for key, values in node.options}


def instruction_of(node: Node) -> str | None:
    """The first instruction that a part names, ``none`` and ``default`` as they stand; None where there is none."""
    given = (dict(leaf.options).get("instruction") for leaf in leaves(node))
    return next((str(values[0]) for values in given if values), None)


def _grid(options: Options) -> Iterator[Options]:
    keys = [k for k, _ in options]
    for combo in itertools.product(*(v for _, v in options)):
        yield tuple((k, (v,)) for k, v in zip(keys, combo, strict=True))


def _wrap(node: Node) -> str:
    text = str(node)
    return text if node.options else f"({text})"


def _print_options(options: Options) -> str:
    if not options:
        return ""
    return "[" + ", ".join(f"{k}={'|'.join(map(_print_value, vs))}" for k, vs in options) + "]"


def _print_value(value: Value) -> str:
    if isinstance(value, str):
        plain = _WORD.fullmatch(value) and not _NUMBER.fullmatch(value)
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def _read_number(word: str) -> Value:
    if _INTEGER.fullmatch(word):
        return int(word)
    number = float(word)
    if number in (float("inf"), float("-inf")):
        raise OverflowError(word)
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


class _Parser:
    """Recursive descent over one source line; ``at`` is the next unread column."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.depth = 0

    def error(self, message: str, column: int | None = None) -> ExpressionError:
        return ExpressionError(message, self.source, self.at if column is None else column)

    def skip(self) -> None:
        match = _SPACE.match(self.source, self.at)
        self.at = match.end() if match else self.at

    def take(self, literal: str) -> bool:
        self.skip()
        if self.source.startswith(literal, self.at):
            self.at += len(literal)
            return True
        return False

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.source, self.at)
        if found and found.end() > self.at:
            self.at = found.end()
            return found
        return None

    def system(self) -> Node:
        node = self.fused()
        while self.take(">>"):
            self.skip()
            node = Rerank(node, self.leaf("a reranker, such as maxsim or qwen3-reranker-0.6b"))
        return node

    def fused(self) -> Node:
        parts = [self.term()]
        while self.take("+"):
            parts.append(self.term())
        return parts[0] if len(parts) == 1 else Fuse(tuple(parts))

    def term(self) -> Node:
        if not self.take("("):
            return self.leaf("a system, such as bm25, e5-small or openai:NAME@URL")
        self.depth += 1
        if self.depth > 20:
            raise self.error("parentheses nest deeper than 20")
        node = self.system()
        if not self.take(")"):
            raise self.error("expected ')', '+' or '>>'")
        self.depth -= 1
        options = self.options()
        if not options:
            return node
        if isinstance(node, Leaf) or node.options:
            return self._merge(node, options)
        return replace(node, options=options)

    def _merge(self, node: Node, options: Options) -> Node:
        merged = dict(node.options)
        for key, values in options:
            if key in merged:
                raise self.error(f"option {key!r} is given twice")
            merged[key] = values
        return replace(node, options=tuple(sorted(merged.items())))

    def leaf(self, wanted: str) -> Leaf:
        self.skip()
        column = self.at
        if self.match(_REMOTE):
            return self.remote(column)
        if self.match(_LATE):
            return self.late(column)
        path = self.match(_PATH)
        if path:
            return Leaf(path[1], "folder", "", self.options(), column)
        local = self.match(_LOCAL)
        if local:
            return Leaf(local[0], "folder", "", self.options(), column)
        hub = self.match(_HUB)
        if hub:
            return Leaf(self.known(hub[0], column), "", "", self.options(), column)
        name = self.match(_NAME)
        if not name:
            raise self.error(f"expected {wanted}")
        if self.source.startswith(":", self.at):
            raise self.error("a scheme is openai:, rerank:, folder: or maxsim:", column)
        return Leaf(name[0], "", "", self.options(), column)

    def known(self, name: str, column: int) -> str:
        """The name here of a model that is called as on a hub."""
        found = by_hub_name(name)
        if found is None:
            raise self.error(
                f"no model is called {name!r} here: steelyard models lists those that are; for a folder of yours write "
                "folder:./PATH",
                column,
            )
        return found

    def late(self, column: int) -> Leaf:
        model = self.match(_PATH) or self.match(_NAME)
        if not model:
            raise self.error("expected a model, as in maxsim:bge-m3 or maxsim:folder:./my-model")
        return Leaf(model[0], "maxsim", "", self.options(), column)

    def remote(self, column: int) -> Leaf:
        scheme = self.source[column : self.at - 1]
        name = self.match(_REMOTE_NAME)
        if not name:
            raise self.error(f"expected the model's name, as in {scheme}:NAME@http://localhost:30000/v1")
        if not self.source.startswith("@", self.at):
            raise self.error(f"expected '@' and a URL, as in {scheme}:{name[0]}@http://localhost:30000/v1")
        self.at += 1
        url = self.match(_URL)
        if url:
            return Leaf(name[0], scheme, url[0].rstrip("/"), self.options(), column)
        at = self.at
        service = self.match(_SERVICE)
        if not service:
            raise self.error(f"expected a URL that begins with http:// or https://, or one of {', '.join(PRESETS)}")
        try:
            found = preset_url(service[0])
        except UsageError as wrong:
            raise self.error(str(wrong), at) from None
        return Leaf(name[0], scheme, found, self.options(), column)

    def options(self) -> Options:
        if not self.source.startswith("[", self.at):
            return ()
        self.at += 1
        found: dict[str, tuple[Value, ...]] = {}
        while True:
            self.skip()
            column = self.at
            key = self.match(_KEY)
            if not key:
                raise self.error("expected an option, as in [dim=256]")
            if key[0] in found:
                raise self.error(f"option {key[0]!r} is given twice", column)
            if not self.take("="):
                raise self.error(f"expected '=' after {key[0]!r}")
            found[key[0]] = self.values()
            if self.take("]"):
                return tuple(sorted(found.items()))
            if not self.take(","):
                raise self.error("expected ',', '|' or ']'")

    def values(self) -> tuple[Value, ...]:
        values = [self.value()]
        while self.take("|"):
            values.append(self.value())
        if len(set(map(_print_value, values))) < len(values):
            raise self.error("a sweep names the same value twice")
        return tuple(values)

    def value(self) -> Value:
        self.skip()
        column = self.at
        quoted = self.match(_QUOTED)
        if quoted:
            return self._unquote(quoted[0], column)
        word = self.match(_WORD)
        if not word:
            raise self.error('expected a value: a word, a number or "quoted text"')
        if not _NUMBER.fullmatch(word[0]):
            return word[0]
        try:
            return _read_number(word[0])
        except OverflowError:
            raise self.error("this number is too large", column) from None

    def _unquote(self, literal: str, column: int) -> str:
        try:
            text: str = json.loads(literal)
        except json.JSONDecodeError as wrong:
            raise self.error(f"this quoted text has a bad escape: {wrong.msg}", column) from None
        return text
