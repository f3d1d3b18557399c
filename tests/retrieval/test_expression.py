"""Expressions: what is typed builds it, what is built prints as typed."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from steelyard.errors import ExpressionError
from steelyard.retrieval.expression import Fuse, Leaf, Node, Rerank, expand, leaves, parse

names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,12}", fullmatch=True)
values = st.one_of(
    st.integers(-(10**14), 10**14),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.text(max_size=20),
)
option_values = st.lists(
    values, min_size=1, max_size=3, unique_by=lambda v: str(float(v)) if not isinstance(v, str) else v
)
options = st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True), option_values, max_size=3).map(
    lambda d: tuple(sorted((k, tuple(v)) for k, v in d.items()))
)
urls = st.sampled_from(["http://localhost:30000/v1", "https://[::1]:8080/v1", "http://h/a+b", "http://h"])
leaf_nodes = st.one_of(
    st.builds(Leaf, name=names, options=options),
    st.builds(
        Leaf,
        name=st.sampled_from(["Qwen/Qwen3-Embedding-4B", "bge-m3"]),
        scheme=st.sampled_from(["openai", "rerank"]),
        url=urls,
        options=options,
    ),
    st.builds(Leaf, name=st.sampled_from(["./model", "/data/my+model"]), scheme=st.just("folder"), options=options),
)


def _compound(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(Fuse, parts=st.lists(children, min_size=2, max_size=3).map(tuple), options=options),
        st.builds(Rerank, first=children, reranker=leaf_nodes, options=options),
    )


nodes = st.recursive(leaf_nodes, _compound, max_leaves=6)


def _all_nodes(node: Node) -> list[Node]:
    if isinstance(node, Leaf):
        return [node]
    below = node.parts if isinstance(node, Fuse) else (node.first, node.reranker)
    return [node, *(n for part in below for n in _all_nodes(part))]


@given(nodes)
def test_what_prints_parses_back_to_itself(node: Node) -> None:
    assert parse(str(node)) == node
    assert str(parse(str(node))) == str(node)


@given(nodes)
def test_a_grid_has_no_sweeps_and_as_many_members_as_the_product(node: Node) -> None:
    assume(math.prod(len(v) for part in _all_nodes(node) for _, v in part.options) < 2000)
    members = expand(node)
    assert len(set(map(str, members))) == len(members)
    for member in members:
        assert expand(member) == (member,)
        assert len(list(leaves(member))) == len(list(leaves(node)))


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("bm25", "bm25"),
        (" bm25+e5-small ", "bm25 + e5-small"),
        ("e5-small[ dim = 128 ]", "e5-small[dim=128]"),
        ("e5-small[weight=2.0,dim=64|128]", "e5-small[dim=64|128, weight=2]"),
        ("bm25 + e5-small[weight=2] >> maxsim[top=20]", "bm25 + e5-small[weight=2] >> maxsim[top=20]"),
        ("((bm25 + e5-small)) >> maxsim", "bm25 + e5-small >> maxsim"),
        ("bm25 + (e5-small >> maxsim)", "bm25 + (e5-small >> maxsim)"),
        ("(bm25 + e5-small)[depth=200] + x", "(bm25 + e5-small)[depth=200] + x"),
        ("openai:Qwen3-Embedding-4B@http://localhost:30000/v1/", "openai:Qwen3-Embedding-4B@http://localhost:30000/v1"),
        ('q[instruction="检索 相关"|none]', 'q[instruction="检索 相关"|none]'),
        ("folder:./my-model[dim=64] + bm25", "folder:./my-model[dim=64] + bm25"),
    ],
)
def test_canonical_form(typed: str, canonical: str) -> None:
    assert str(parse(typed)) == canonical


def test_plus_binds_tighter_than_rerank() -> None:
    node = parse("a + b >> c >> d")
    assert node == Rerank(Rerank(Fuse((Leaf("a"), Leaf("b"))), Leaf("c")), Leaf("d"))


@pytest.mark.parametrize(
    ("typed", "column", "hint"),
    [
        ("", 0, "bm25"),
        ("bm25 +", 6, "openai:NAME@URL"),
        ("bm25 >> ", 8, "reranker"),
        ("e5-small[dim]", 12, "'='"),
        ("e5-small[dim=64", 15, "']'"),
        ("e5-small[dim=64,dim=32]", 16, "twice"),
        ("e5-small[dim=64|64]", 18, "twice"),
        ("(bm25 + x", 9, "')'"),
        ("bm25 e5", 5, "'+'"),
        ("openai:x", 8, "'@'"),
        ("openai:x@localhost", 9, "http://"),
        ("cohere:x@http://h", 0, "scheme"),
        ('a[b="\\q"]', 4, "escape"),
        ("a[b=1e999]", 4, "too large"),
        ("Ünknown", 0, "expected"),
    ],
)
def test_an_error_points_at_its_column_and_says_what_would_fit(typed: str, column: int, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(typed)
    assert caught.value.column == column
    assert hint in str(caught.value)


def test_deep_nesting_is_refused_not_a_crash() -> None:
    with pytest.raises(ExpressionError, match="deeper"):
        parse("(" * 5000 + "a" + ")" * 5000)


@given(st.text(max_size=40))
def test_any_text_parses_or_is_refused_with_a_column_inside_it(text: str) -> None:
    try:
        node = parse(text)
    except ExpressionError as wrong:
        column = wrong.column
    else:
        column = 0
        assert parse(str(node)) == node
    assert 0 <= column <= len(text)
