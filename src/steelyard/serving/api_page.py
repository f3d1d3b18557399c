"""The API page: the OpenAPI document as one HTML page that loads nothing, so that it works without a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""What the page may do: nothing but its own style."""
_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:14px/1.4 ui-monospace,monospace}
pre{overflow-x:auto;padding:.75rem;border:1px solid #8886;border-radius:.25rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8886}
section{margin-top:2.5rem}
"""


def api_page(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI 3.1 document: every path, its fields, and a line to try it with."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    sections = "\n".join(
        _section(document, path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style></head>\n'
        f"<body><main><h1>{title}</h1>\n<p>{escape(info.get('description', ''))}</p>\n"
        f'<p>For programs: <a href="openapi.json">openapi.json</a></p>\n{sections}\n</main></body></html>\n'
    )


def _section(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    name = escape(f"{method.upper()} {path}")
    about = escape(operation.get("description", operation.get("summary", "")))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    shapes = "".join(_table(document, one) for one in _choices(document, body)) if body else ""
    return (
        f"<section><h2><code>{name}</code></h2>\n<p>{escape(operation.get('summary', ''))}. {about}</p>\n"
        f"{shapes}<pre>{escape(_line(path, method, bool(body)))}</pre></section>"
    )


def _line(path: str, method: str, body: bool) -> str:
    sent = " -H 'Content-Type: application/json' -d '{...}'" if body else ""
    return f"curl {'-X POST ' if method == 'post' else ''}http://127.0.0.1:30000{path}{sent}"


def _table(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", ())
    rows = "\n".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(document, field))}</td>"
        f"<td>{'yes' if name in needed else ''}</td><td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    head = "<tr><th>field</th><th>type</th><th>needed</th><th></th></tr>"
    return f"<p>{escape(schema.get('description', ''))}</p>\n<table>{head}\n{rows}</table>\n"


def _choices(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The objects that a body may be."""
    found = _resolved(document, schema)
    branches = found.get("oneOf", found.get("anyOf"))
    if branches is None:
        yield found
    for branch in branches or ():
        yield from _choices(document, branch)


def _kind(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A type in a few words."""
    found = _resolved(document, schema)
    branches = found.get("anyOf", found.get("oneOf"))
    if branches:
        return " or ".join(dict.fromkeys(_kind(document, b) for b in branches if b.get("type") != "null"))
    if "enum" in found:
        return ", ".join(map(str, found["enum"]))
    if found.get("type") == "array":
        return f"list of {_kind(document, found.get('items', {}))}"
    return str(found.get("const", found.get("type", "anything")))


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema
