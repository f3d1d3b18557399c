"""One file from a URL to a disk: resumed where it broke off, checked before it counts."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from steelyard.errors import EndpointError, WeightsError
from steelyard.models.remote import RemoteFile

if TYPE_CHECKING:
    import httpx

Progress = Callable[[str, int, int], None]
"""Called with a path, the bytes there are of it, and the bytes it has."""

_CHUNK = 1 << 20
_ATTEMPTS = 6


class _BrokenError(Exception):
    """The transfer stopped early; what came so far stays."""


def download(
    file: RemoteFile,
    target: Path,
    client: httpx.Client,
    headers: Mapping[str, str],
    progress: Progress,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Fetches a file into ``target``, which appears only when it is whole and has the digest that the hub names.

    What an earlier attempt left in ``target`` + ``.part`` is gone on from.

    Raises:
        EndpointError: the server cannot be reached or keeps breaking off.
        WeightsError: the content is not what the hub says, twice, or it cannot be written.
    """
    if target.is_file() and _fits(target, file):
        progress(file.path, file.size, file.size)
        return
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    for last in (False, True):
        _complete(file, part, client, headers, progress, pause)
        if _fits(part, file):
            os.replace(part, target)
            return
        size = part.stat().st_size
        part.unlink()
        if last:
            raise WeightsError(
                f"{file.url}: {size} bytes whose digest is not {file.digest or file.size}, twice. A proxy or a broken "
                "mirror changes the file; pull from another one"
            )


def digest_of(path: Path, kind: str) -> str:
    """``sha256:...`` of a file, or ``git:...`` as git names a blob.

    Args:
        path: the file.
        kind: ``sha256`` or ``git``.
    """
    found = hashlib.sha256() if kind == "sha256" else hashlib.sha1(usedforsecurity=False)
    if kind == "git":
        found.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as content:
        while block := content.read(_CHUNK):
            found.update(block)
    return f"{kind}:{found.hexdigest()}"


def _fits(path: Path, file: RemoteFile) -> bool:
    if path.stat().st_size != file.size:
        return False
    return not file.digest or digest_of(path, file.digest.partition(":")[0]) == file.digest


def _complete(
    file: RemoteFile,
    part: Path,
    client: httpx.Client,
    headers: Mapping[str, str],
    progress: Progress,
    pause: Callable[[float], None],
) -> None:
    """Tries until ``part`` is as long as it should be; every attempt goes on from the last."""
    import httpx

    for attempt in range(_ATTEMPTS):
        try:
            _attempt(file, part, client, headers, progress)
            return
        except (_BrokenError, httpx.TransportError) as wrong:
            if attempt == _ATTEMPTS - 1:
                raise EndpointError(
                    f"{file.url}: broke off {_ATTEMPTS} times ({wrong!r}); pull again to go on"
                ) from None
            pause(min(0.5 * 2**attempt, 10))
        except OSError as wrong:
            raise WeightsError(f"{part}: cannot be written ({wrong.strerror}); free room and pull again") from None


def _attempt(
    file: RemoteFile, part: Path, client: httpx.Client, headers: Mapping[str, str], progress: Progress
) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have > file.size:
        part.unlink()
        have = 0
    if have == file.size and part.exists():
        return
    ranged = {"accept-encoding": "identity"} | ({"range": f"bytes={have}-"} if have else {})
    with client.stream("GET", file.url, headers={**headers, **ranged}, follow_redirects=True) as answer:
        if answer.status_code in (429, 500, 502, 503, 504):
            raise _BrokenError(f"status {answer.status_code}")
        if answer.status_code not in (200, 206):
            raise EndpointError(f"{file.url}: status {answer.status_code}", answer.status_code)
        resumed = answer.status_code == 206
        _write(answer, part, file, progress, append=resumed)
    if part.stat().st_size < file.size:
        raise _BrokenError(f"{part.stat().st_size} of {file.size} bytes")


def _write(answer: httpx.Response, part: Path, file: RemoteFile, progress: Progress, *, append: bool) -> None:
    with part.open("ab" if append else "wb") as out:
        for block in answer.iter_raw():  # as it came: it was asked for uncompressed, and a digest is checked
            out.write(block[: file.size + 1 - out.tell()])
            if out.tell() > file.size:
                break  # longer than the hub says: not the file
            progress(file.path, out.tell(), file.size)
        out.flush()
        os.fsync(out.fileno())
