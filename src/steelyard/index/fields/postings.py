"""For every word or token the documents that have it, with a value each.

Shapes: ``v`` words, ``p`` postings. Words are numbered in their own order; ``starts`` int64[v + 1] says where the
postings of each begin, which are in the order of documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard.index.fields.protocol import Arrays, Kept

Whole = NDArray[np.int64]


def sorted_postings(words: Whole, documents: Whole, values: NDArray[Any], count: int) -> Arrays:
    """Postings in any order made ``starts``, ``documents`` and ``values``.

    Args:
        words: int64[p], number of the word, below ``count``.
        documents: int64[p].
        values: [p], of the type that is kept.
        count: v.
    """
    order = np.lexsort((documents, words))
    starts = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(words, minlength=count), out=starts[1:])
    return {"starts": starts, "documents": documents[order].astype(np.int32), "values": values[order]}


def joined_postings(kept: Sequence[Kept], numbers: Sequence[Whole], count: int) -> Arrays:
    """Postings of several segments as one, without the deleted documents.

    Args:
        kept: the segments.
        numbers: for each segment int64[its v], the new number of every word.
        count: words in all.
    """
    words, documents, values = [], [], []
    first = 0
    for part, number in zip(kept, numbers, strict=True):
        renumbered = part.renumbered(first)[part.arrays["documents"]]
        lives = renumbered >= 0
        words.append(np.repeat(number, np.diff(part.arrays["starts"]))[lives])
        documents.append(renumbered[lives])
        values.append(part.arrays["values"][lives])
        first += len(part.places)
    return sorted_postings(np.concatenate(words), np.concatenate(documents), np.concatenate(values), count)
