"""Token arrays back to texts.

OpenAI's API takes ids of OpenAI's tokenizer; a server of another model cannot know whose ids it is sent, and the wrong
guess gives plausible vectors of nonsense. So ids are taken as the model's own only when they are exactly what its
tokenizer gives for a text, special tokens included. The special tokens matter: without them half of the short arrays
of OpenAI's cl100k_base survive a round trip through XLM-R's tokenizer, as sequences of frequent pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from steelyard.engines.checkpoint.tokenizer import open_tokenizer
from steelyard.engines.lazy import Lazy
from steelyard.engines.packages import require
from steelyard.errors import UsageError
from steelyard.serving.failures import HttpFailure

_HINT = (
    "Send texts instead of token ids (langchain-openai: OpenAIEmbeddings(..., check_embedding_ctx_length=False)), "
    "or start the server with --token-arrays cl100k_base if its clients use OpenAI's tokenizer"
)


class Codec(Protocol):
    """Turns ids into the text they stand for."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text.

        Raises:
            HttpFailure: these are not ids of this tokenizer.
        """


class NoCodec:
    """Refuses token arrays."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def decode(self, tokens: Sequence[int]) -> str:
        """Refused."""
        raise HttpFailure(400, f"{self._reason}. {_HINT}", "input", "token_arrays")


class ModelCodec:
    """The model's own ``tokenizer.json``; takes what it gives for a whole text, special tokens included.

    Args:
        path: the file, read at the first token array.
        model: its name, for messages.
    """

    def __init__(self, path: Path, model: str) -> None:
        self._model = model
        self._tokenizer: Lazy[Any] = Lazy(lambda: self._open(path))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of which these are the ids."""
        tokenizer, ids = self._tokenizer.get(), list(tokens)
        framed = tokenizer.num_special_tokens_to_add(False) > 0
        if framed and max(ids) < tokenizer.get_vocab_size():
            text: str = tokenizer.decode(ids, skip_special_tokens=True)
            if text.strip() and tokenizer.encode(text).ids == ids:
                return text
        said = f"these are not what {self._model}'s tokenizer gives for a text, special tokens included"
        raise HttpFailure(400, f"{said}. {_HINT}", "input", "token_arrays")

    def _open(self, path: Path) -> Any:
        return open_tokenizer(path, f"token arrays of {self._model}", "builtin")


class TiktokenCodec:
    """OpenAI's ids, as langchain-openai and other clients of OpenAI send them.

    Args:
        encoding: e.g. ``cl100k_base``; loaded at once, which may read it from the network.

    Raises:
        UsageError: tiktoken does not know the encoding or cannot get it.
    """

    def __init__(self, encoding: str) -> None:
        tiktoken = require("tiktoken", f"--token-arrays {encoding}", "serve")
        try:
            self._encoding = tiktoken.get_encoding(encoding)
        except Exception as wrong:  # noqa: BLE001 - tiktoken lets the errors of its HTTP client through
            raise UsageError(f"--token-arrays {encoding}: tiktoken cannot load it: {wrong}") from None

    def decode(self, tokens: Sequence[int]) -> str:
        """The text; a character that was cut in two becomes U+FFFD."""
        try:
            text: str = self._encoding.decode(list(tokens), errors="replace")
        except (KeyError, OverflowError):
            message = f"these are not ids of {self._encoding.name}. {_HINT}"
            raise HttpFailure(400, message, "input", "token_arrays") from None
        return text
