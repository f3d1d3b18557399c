"""``steelyard mcp``: an index as tools for assistants."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def mcp(
    folder: Path, *, transport: Literal["stdio", "http"] = "stdio", host: str = "127.0.0.1", port: int = 8765
) -> int:
    """Serve an index to assistants through the Model Context Protocol: tools to search and to read documents.

    An assistant that starts its servers itself is given this command; `--transport http` serves at http://HOST:PORT/mcp.

    Args:
        folder: of the index.
        transport: stdio, or streamable HTTP.
        host: to bind, for HTTP.
        port: likewise.
    """
    from steelyard.engines.packages import require
    from steelyard.index.index import Index

    require("mcp", "steelyard mcp", "mcp")
    from steelyard.integrations.mcp import server

    with Index.open(folder) as index:
        server(index, host=host, port=port).run("stdio" if transport == "stdio" else "streamable-http")
    return 0
