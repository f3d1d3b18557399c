"""A real client of the protocol against the command, over its standard streams."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from steelyard.index.entry import Entry
from steelyard.index.index import Index


async def conversation(folder: Path) -> dict[str, Any]:
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "steelyard", "mcp", str(folder)], env=dict(os.environ)
    )
    async with stdio_client(command) as (reading, writing), ClientSession(reading, writing) as client:
        hello = await client.initialize()
        found = await client.call_tool("search", {"query": "退款", "top": 500, "where": "lang=zh"})
        return {
            "hello": hello.instructions,
            "tools": sorted(t.name for t in (await client.list_tools()).tools),
            "found": [json.loads(c.text) for c in found.content if c.type == "text"],
            "whole": await client.call_tool("get", {"ids": ["long"]}),
            "too long": await client.call_tool("search", {"query": "退" * 5_000}),
            "bad filter": await client.call_tool("search", {"query": "退款", "where": "lang"}),
        }


def test_an_assistant_searches_and_reads(tmp_path: Path) -> None:
    with Index.create(tmp_path / "kb", "bm25") as index:
        index.add([Entry("long", "退款规则。" * 1_000, {"lang": "zh"}), Entry("en", "refund 退款", {"lang": "en"})])
    said = asyncio.run(conversation(tmp_path / "kb"))
    assert said["tools"] == ["get", "search"]
    assert "2 documents by bm25" in said["hello"]
    (hit,) = said["found"]
    assert (hit["id"], len(hit["text"]), hit["cut"]) == ("long", 2_000, "5,000 characters in all; read it with get")
    assert len(json.loads(said["whole"].content[0].text)["text"]) == 5_000
    assert said["too long"].isError
    assert "at most 2,000" in said["too long"].content[0].text
    assert said["bad filter"].isError
    assert "lang=zh" in said["bad filter"].content[0].text
