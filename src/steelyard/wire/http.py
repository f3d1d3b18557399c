"""Reading an answer without letting its sender choose how much memory that takes.

``Accept-Encoding: identity`` is sent with every request. A server that compresses all the same is read up to a bound;
one that compresses twice is refused: 5 KB of ``gzip, gzip`` may hold gigabytes.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from steelyard.wire.answer import AnswerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

IDENTITY = {"Accept-Encoding": "identity"}
"""Header of every request."""
NO_PROXY = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
"""For ``mounts`` of an HTTP client: what is on this machine is never asked through a proxy of the environment."""
_STEP = 1 << 20


def kept_headers(raw: Sequence[tuple[bytes, bytes]], *names: bytes) -> list[tuple[bytes, bytes]]:
    """Some headers of an answer as their bytes came: what a server sends need not be ASCII.

    Args:
        raw: ``response.headers.raw``.
        names: in small letters.
    """
    return [(name, value) for name, value in raw if name.lower() in names]


class BoundedBody:
    """The content of an answer, piece by piece.

    Args:
        coding: its ``Content-Encoding``.
        limit: bytes after decoding at the most.

    Raises:
        AnswerError: a coding that was not asked for.
    """

    def __init__(self, coding: str, limit: int) -> None:
        coding = coding.strip().lower() or "identity"
        if coding not in ("identity", "gzip"):
            raise AnswerError(f"answered compressed as {coding[:40]!r}, which was not asked for")
        self._unzip = zlib.decompressobj(wbits=31) if coding == "gzip" else None
        self._limit = limit
        self._content = bytearray()

    def add(self, piece: bytes) -> None:
        """Takes the next piece as it came.

        Raises:
            AnswerError: it is more than the limit, or broken.
        """
        for part in self._decoded(piece):
            if len(self._content) + len(part) > self._limit:
                self._content = bytearray()  # an error keeps its frames, and what is in them
                raise AnswerError(f"answered with more than {self._limit:,} bytes", "ask for smaller batches")
            self._content += part

    def _decoded(self, piece: bytes) -> Iterator[bytes]:
        """What a piece holds, a megabyte at a time at the most."""
        if self._unzip is None:
            yield piece
            return
        while piece:
            try:
                yield self._unzip.decompress(piece, _STEP)
            except zlib.error as wrong:
                raise AnswerError(f"answered with gzip that cannot be read ({wrong})") from None
            piece = self._unzip.unconsumed_tail

    @property
    def content(self) -> bytes:
        """What came."""
        return bytes(self._content)


def read_bounded(pieces: Iterator[bytes], coding: str, limit: int) -> bytes:
    """The decoded content of an answer.

    Args:
        pieces: as they came, ``response.iter_raw()``.
        coding: its ``Content-Encoding``.
        limit: bytes after decoding at the most.

    Raises:
        AnswerError: see :class:`BoundedBody`.
    """
    body = BoundedBody(coding, limit)
    for piece in pieces:
        body.add(piece)
    return body.content


async def read_bounded_async(pieces: AsyncIterator[bytes], coding: str, limit: int) -> bytes:
    """:func:`read_bounded` for ``response.aiter_raw()``."""
    body = BoundedBody(coding, limit)
    async for piece in pieces:
        body.add(piece)
    return body.content
