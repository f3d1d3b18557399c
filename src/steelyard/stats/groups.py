"""Systems that cannot be told apart, as groups: the compact letter display (Piepho 2004, insert and absorb).

Two systems share a letter exactly when their difference is not significant. A system may be in several groups: a, b
and c can form two groups {a, b} and {b, c} where a and c do differ.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


def groups(names: Sequence[str], different: Collection[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """The largest groups in which no two systems differ.

    Args:
        names: best first.
        different: pairs of names, in either order, whose difference is real.

    Returns:
        Groups ordered by their best members, names in the order given; every name is in at least one.
    """
    columns = [frozenset(names)]
    for one, other in different:
        split: list[frozenset[str]] = []
        for column in columns:
            split += [column - {one}, column - {other}] if one in column and other in column else [column]
        columns = _absorbed(split)
    place = {name: i for i, name in enumerate(names)}
    sets = [tuple(sorted(column, key=place.__getitem__)) for column in columns if column]
    return tuple(sorted(sets, key=lambda group: [place[name] for name in group]))


def _absorbed(columns: list[frozenset[str]]) -> list[frozenset[str]]:
    unique = list(dict.fromkeys(columns))
    return [c for c in unique if not any(c < other for other in unique)]


def letters(names: Sequence[str], different: Collection[tuple[str, str]]) -> dict[str, str]:
    """name -> its groups' letters, ``a`` for the best group; after ``z`` come ``aa``, ``ab``, ... joined by commas.

    Args:
        names: best first.
        different: pairs of names whose difference is real.
    """
    found = groups(names, different)
    joint = "" if len(found) <= 26 else ","
    return {name: joint.join(_letter(i) for i, group in enumerate(found) if name in group) for name in names}


def _letter(index: int) -> str:
    text = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        text = chr(ord("a") + digit) + text
    return text
