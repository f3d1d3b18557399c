"""Many texts through an endpoint: batches side by side, what came back kept, a refused batch split."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from steelyard.errors import EndpointError

if TYPE_CHECKING:
    from steelyard.engines.remote.endpoint import Endpoint

R = TypeVar("R")
Ask = Callable[[Sequence[str]], Sequence[R]]
"""One request: as many answers as texts, in their order."""

_REFUSED = frozenset({400, 413, 422})


def ask_all(
    endpoint: Endpoint, ask: Ask[R], texts: Sequence[str], answers: MutableMapping[str, R], batch: int, workers: int
) -> None:
    """Asks for every text that ``answers`` lacks and puts what comes into it.

    A batch that the server refuses as such (400, 413, 422) is halved until the text that it will not take stands alone;
    the others of the batch are kept. At the first failure no further batch is begun, those under way are finished, and
    ``answers`` holds all that succeeded: the same call again asks for the rest only.

    Args:
        endpoint: stopped when the caller is interrupted.
        ask: one request.
        texts: distinct texts.
        answers: filled in place.
        batch: texts a request at the most.
        workers: requests under way at once.

    Raises:
        EndpointError: the first failure, in the order of the texts.
    """
    left = [t for t in texts if t not in answers]
    if not left:
        return
    size = max(1, min(batch, -(-len(left) // workers)))
    parts = [left[i : i + size] for i in range(0, len(left), size)]
    endpoint.go()
    pool = ThreadPoolExecutor(min(workers, len(parts)), thread_name_prefix="steelyard-endpoint")
    try:
        futures = [pool.submit(_ask_or_split, endpoint, ask, part, answers) for part in parts]
        wait(futures, return_when=FIRST_EXCEPTION)
        pool.shutdown(cancel_futures=True)
    except BaseException:
        endpoint.stop()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    for future in futures:
        if not future.cancelled():
            future.result()


def _ask_or_split(endpoint: Endpoint, ask: Ask[R], texts: Sequence[str], answers: MutableMapping[str, R]) -> None:
    try:
        answers.update(zip(texts, ask(texts), strict=True))
    except EndpointError as error:
        if error.status not in _REFUSED:
            raise
        if len(texts) == 1:
            raise _refused(error, texts[0]) from error
        middle = len(texts) // 2
        _ask_or_split(endpoint, ask, texts[:middle], answers)
        _ask_or_split(endpoint, ask, texts[middle:], answers)


def _refused(error: EndpointError, text: str) -> EndpointError:
    short = text if len(text) <= 60 else f"{text[:60]}..."
    return EndpointError(f"{error}\nIt was asked for one text of {len(text)} characters: {short!r}", error.status)
