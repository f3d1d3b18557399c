"""A server of the Model Context Protocol: an index as tools for assistants. Extra ``mcp``.

Answers are bounded: so many hits, so many characters of each, so many seconds a search. What is searched and found is
never logged.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from mcp.server.fastmcp import FastMCP
from mcp.server.fastmcp.exceptions import ToolError

from steelyard.errors import SteelyardError
from steelyard.index.entry import Found
from steelyard.index.index import Index


@dataclass(frozen=True)
class Bounds:
    """What one call may take.

    Attributes:
        hits: of a search.
        characters: shown of each document.
        query: characters of a query.
        seconds: until a search is given up; clients give up after 60 to 120.
        ids: documents of one ``get``.
    """

    hits: int = 20
    characters: int = 2_000
    query: int = 2_000
    seconds: float = 30.0
    ids: int = 20


def server(index: Index, bounds: Bounds | None = None, host: str = "127.0.0.1", port: int = 8765) -> FastMCP:
    """The server, to be run by ``.run("stdio")`` or ``.run("streamable-http")``.

    Args:
        index: an open index.
        bounds: of every call.
        host: of the HTTP form.
        port: likewise.
    """
    most = bounds or Bounds()
    made = FastMCP("steelyard", instructions=_instructions(index), host=host, port=port, log_level="WARNING")

    @made.tool()
    async def search(query: str, top: int = 5, where: str = "") -> list[dict[str, Any]]:
        """Find the documents that answer a question, best first.

        Args:
            query: the question, in the words of the person who asks.
            top: documents at the most.
            where: conditions on metadata, such as lang=zh,year>=2020; empty for none.
        """
        if len(query) > most.query:
            raise ToolError(f"the query has {len(query):,} characters; at most {most.query:,} are searched for")
        found = await _within(most.seconds, index.search, query, max(1, min(top, most.hits)), where or None)
        return [_shown(hit, most.characters) for hit in found]

    @made.tool()
    async def get(ids: list[str]) -> list[dict[str, Any]]:
        """Read whole documents by the ids that a search gave.

        Args:
            ids: of the documents.
        """
        if len(ids) > most.ids:
            raise ToolError(f"{len(ids)} ids; at most {most.ids} are read at once")
        return [asdict(entry) for entry in await _within(most.seconds, index.get, ids)]

    return made


async def _within(seconds: float, work: Any, *arguments: Any) -> Any:
    try:
        return await asyncio.wait_for(asyncio.to_thread(work, *arguments), seconds)
    except TimeoutError:
        raise ToolError(f"no answer within {seconds:g} seconds; ask for fewer documents") from None
    except SteelyardError as wrong:
        raise ToolError(str(wrong)) from None


def _shown(hit: Found, characters: int) -> dict[str, Any]:
    whole = asdict(hit)
    if len(hit.text) > characters:
        whole |= {"text": hit.text[:characters], "cut": f"{len(hit.text):,} characters in all; read it with get"}
    return whole


def _instructions(index: Index) -> str:
    return f"Searches {len(index):,} documents by {index.system}. Answer from what it finds and name the ids."
