"""Words of a text, for lexical retrieval."""

from __future__ import annotations

import unicodedata
from functools import partial

from steelyard.text.clean import clean


def segment(text: str) -> list[str]:
    """The words of a text in order, repeats included.

    NFKC, then lower case, then rjieba in search mode, which gives the parts of a long word beside the word
    (``北京大学`` also gives ``北京`` and ``大学``): a query for a part finds the whole. What holds neither a
    letter nor a digit of any script is dropped: spaces, punctuation, symbols.
    """
    import rjieba

    cut = partial(rjieba.cut_for_search, hmm=True)
    plain = unicodedata.normalize("NFKC", clean(text)).lower()
    return [word for word in cut(plain) if any(map(str.isalnum, word))]
