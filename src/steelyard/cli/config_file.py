"""``steelyard.toml``: what you would otherwise type every time. What stands on the command line comes first.

::

    suite = "faq.csv"
    systems = ["bm25", "e5-small", "openai:text-embedding-v4@dashscope"]
    measures = ["ndcg@10", "top1"]
    margin = 2.0                          # points that do not matter
    cache = "/data/steelyard"             # a folder, or false for none
    lang = "zh"

    [map]                                 # your table's columns
    query = "标准问"
    document = "标准答案"

    [keys]                                # which variable holds the key of which server; never the key itself
    "gpu1:30000" = "GPU1_KEY"

    [weigh]                               # the options of one command
    depth = 50
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard.errors import UsageError

if TYPE_CHECKING:
    from cyclopts import App, ArgumentCollection

FILE = "steelyard.toml"
VARIABLE = "STEELYARD_CONFIG"
"""Names another file, or none where it is empty."""

_PLAIN = ("suite", "systems", "measures", "measure", "margin", "encoding", "split", "seed", "lang", "cache")
_TABLES = ("map", "keys")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TAKE_SYSTEMS = frozenset({"weigh", "costs", "claims", "table"})
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class ConfigFile:
    """What a ``steelyard.toml`` says.

    Attributes:
        path: of the file; None where there is none.
        options: option -> values, for every command that takes it.
        commands: command -> option -> values, for that command.
        environment: variable -> value, set where the environment does not.
    """

    path: Path | None = None
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    commands: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def export(self, environment: MutableMapping[str, str]) -> None:
        """Sets the variables that are not set."""
        for name, value in self.environment.items():
            environment.setdefault(name, value)

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Fills what the command line leaves open; cyclopts calls this before it converts.

        Raises:
            UsageError: an option in a command's own table that the command does not take.
        """
        from cyclopts import Token

        command = commands[0] if commands else ""
        own = self.commands.get(command, {})
        taken = {name.lstrip("-") for argument in arguments for name in argument.names}
        for name in own:
            if name not in taken and name != "systems":
                close = get_close_matches(name, taken, n=1)
                raise UsageError(f"{self.path}: [{command}] has no option {name!r}{_hint(close)}")
        wanted = {**self.options, **own}
        for argument in arguments:
            names = {name.lstrip("-") for name in argument.names}
            if _systems(argument, command):
                names = {"systems"}
            for name in names & wanted.keys():
                if not argument.tokens:
                    for index, value in enumerate(wanted[name]):
                        argument.append(Token(keyword=f"--{name}", value=value, source=str(self.path), index=index))


def _systems(argument: Any, command: str) -> bool:
    """Whether an argument takes the systems of a command."""
    positional = argument.field_info.kind is argument.field_info.VAR_POSITIONAL
    return command in _TAKE_SYSTEMS and positional and argument.field_info.name == "systems"


def read_config(commands: tuple[str, ...], environment: Mapping[str, str] = os.environ) -> ConfigFile:
    """The file of ``$STEELYARD_CONFIG``, else ``steelyard.toml`` in this folder; an empty one where there is none.

    Args:
        commands: that may have a table of their own.
        environment: that names the file.

    Raises:
        UsageError: a file that is no TOML, a key that does not exist, or a value of the wrong kind.
    """
    named = environment.get(VARIABLE)
    path = Path(FILE if named is None else named)
    if named == "" or (named is None and not path.is_file()):
        return ConfigFile()
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path} has more than {_MOST_BYTES >> 20} MB; that is no configuration")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as wrong:
        raise UsageError(f"{path} cannot be read: {wrong}") from wrong
    return _checked(path, content, commands)


def _checked(path: Path, content: Mapping[str, Any], commands: tuple[str, ...]) -> ConfigFile:
    own = tuple(c for c in commands if c not in _PLAIN)
    known = (*_PLAIN, *_TABLES, *own)
    for key, value in content.items():
        if key not in known:
            hint = _hint(get_close_matches(key, known, n=1))
            raise UsageError(f"{path}: no key {key!r}{hint}; known are {', '.join(known)}")
        if isinstance(value, dict) != (key not in _PLAIN):
            wanted = "takes a value, not a table" if key in _PLAIN else f"is a table, written [{key}]"
            raise UsageError(f"{path}: {key!r} {wanted}")
    options = {key: _values(path, key, content[key]) for key in _PLAIN if key in content}
    environment = _keys(path, content.get("keys", {}))
    cache = content.get("cache")
    if isinstance(cache, str):
        environment["STEELYARD_CACHE"] = str(Path(cache).expanduser())
        options.pop("cache")
    if "map" in content:
        options["map"] = (",".join(f"{k}={v}" for k, v in content["map"].items()),)
    tables = {c: {k: _values(path, f"{c}.{k}", v) for k, v in content[c].items()} for c in own if c in content}
    return ConfigFile(path, options, tables, environment)


def _values(path: Path, key: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str | int | float) for v in values):
        raise UsageError(f"{path}: {key!r} takes a text, a number, true or false, or a list of texts")
    texts = tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in values)
    return (",".join(texts),) if key == "measures" else texts


def _keys(path: Path, table: Mapping[str, object]) -> dict[str, str]:
    """The ``[keys]`` as one variable; a value that is no variable's name may be a key and is not shown."""
    from steelyard.engines.remote.presets import VARIABLES

    for host, name in table.items():
        if not isinstance(name, str) or not _ENVIRONMENT_NAME.match(name):
            raise UsageError(f"{path}: [keys] {host!r} takes the name of an environment variable, never the key itself")
    return {VARIABLES: ",".join(f"{host}={name}" for host, name in table.items())} if table else {}


def _hint(close: list[str]) -> str:
    return f"; did you mean {close[0]!r}?" if close else ""
