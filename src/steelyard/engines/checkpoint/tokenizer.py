"""Texts to token ids as the model's own tokenizer gives them, with the end token where the recipe wants one.

Torch is not imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from steelyard.engines.packages import require
from steelyard.errors import WeightsError
from steelyard.models.foreign import TOKENIZER_BYTES, regular_file

Ids = list[int]
T = TypeVar("T")


class Tokenizer:
    """A ``tokenizer.json`` whose cutting and padding are switched off: both are done, and reported, elsewhere.

    Many tokenizers that were packed again have lost the step that appends the end token; the last token's state is
    then that of another token, and nothing else tells. So the end token is appended exactly where the tokenizer does
    not do it by itself.

    Args:
        path: the ``tokenizer.json``.
        rows: rows of the model's embedding table.
        eos_id: the token that must end every text; None for whatever the tokenizer does.

    Raises:
        WeightsError: not a tokenizer, or one of more tokens than the table has rows.
    """

    def __init__(self, path: Path, rows: int, eos_id: int | None = None) -> None:
        self._tokenizer = open_tokenizer(path, "reading a checkpoint", "torch")
        self._path, self._rows = path, rows
        found = self._tokenizer.get_vocab_size(with_added_tokens=True)
        if found > rows:
            raise WeightsError(
                f"{path}: {found} tokens, but the embedding table has {rows} rows; the tokenizer belongs to "
                "another model"
            )
        probe = self._tokenizer.encode("a")
        ends = bool(probe.ids) and probe.ids[-1] == eos_id
        self._append = [] if eos_id is None or ends else [eos_id]
        self._closing = _trailing(probe.special_tokens_mask) + len(self._append)

    @property
    def specials(self) -> int:
        """How many tokens the model's own wrapping adds to one text."""
        return len(self.encode([""])[0])

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Ids of every text with special tokens and the end token, nothing cut."""
        return [e.ids + self._append for e in self._checked(list(texts))]

    def encode_bare(self, texts: Sequence[str]) -> list[Ids]:
        """Ids without any that the text does not hold itself."""
        return [e.ids for e in self._checked(list(texts), specials=False)]

    def encode_pairs(self, first: str, seconds: Sequence[str]) -> list[Ids]:
        """Ids of pairs as the tokenizer joins them."""
        return [e.ids for e in self._checked([(first, second) for second in seconds])]

    def cut(self, row: list[T], limit: int) -> list[T]:
        """At most ``limit`` of what stands for each token: the end of the text goes, what closes it stays."""
        if len(row) <= limit:
            return row
        return row[: limit - self._closing] + row[len(row) - self._closing :]

    def own(self, texts: Sequence[str], before: int, behind: int) -> list[list[bool]]:
        """For each id that :meth:`encode` gives, whether it holds a character of the text itself.

        Args:
            texts: with their templates on.
            before: characters of the template before the text.
            behind: characters of the template behind it.
        """
        encoded = self._checked(list(texts))
        return [
            _own(e, before, len(t) - behind) + [False] * len(self._append) for t, e in zip(texts, encoded, strict=True)
        ]

    def ids_of(self, tokens: Sequence[str]) -> set[int]:
        """Ids of those among the tokens that the vocabulary has."""
        return {i for i in map(self._tokenizer.token_to_id, tokens) if i is not None}

    def _checked(self, texts: list[Any], *, specials: bool = True) -> list[Any]:
        encoded: list[Any] = self._tokenizer.encode_batch(texts, add_special_tokens=specials)
        highest = max((max(e.ids, default=0) for e in encoded), default=0)
        if highest >= self._rows:
            raise WeightsError(
                f"{self._path}: gives token {highest}, but the embedding table has {self._rows} rows; the tokenizer "
                "belongs to another model"
            )
        return encoded


def _own(encoding: Any, start: int, end: int) -> list[bool]:
    spans = zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
    return [not special and right > start and left < end for (left, right), special in spans]


def _trailing(mask: Sequence[int]) -> int:
    count = 0
    for special in reversed(mask):
        if not special:
            break
        count += 1
    return count


def open_tokenizer(path: Path, purpose: str, extra: str) -> Any:
    """The tokenizer of a ``tokenizer.json``, its cutting and padding switched off.

    Args:
        path: the file.
        purpose: what needs it, for the reader of an error.
        extra: of this distribution, that installs package ``tokenizers``.

    Raises:
        MissingExtraError: ``tokenizers`` is not installed.
        WeightsError: there is no such file, or it is no tokenizer.
    """
    package = require("tokenizers", purpose, extra)
    if not path.is_file():
        raise WeightsError(
            f"{path}: not there; download the model again, or write it with AutoTokenizer.save_pretrained"
        )
    with regular_file(path, TOKENIZER_BYTES, WeightsError) as file:
        content = file.read(TOKENIZER_BYTES)
    try:
        tokenizer = package.Tokenizer.from_str(content.decode())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as wrong:  # noqa: BLE001 - bare Exception for a faulty file, a panic of Rust for a regular expression
        said = str(wrong).splitlines()[0][:200] if str(wrong) else type(wrong).__name__
        raise WeightsError(f"{path}: not a tokenizer.json that this version of tokenizers reads: {said}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
