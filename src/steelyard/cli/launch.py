"""``steelyard launch``: the exact command that starts SGLang or vLLM for a model."""

from __future__ import annotations

import shlex
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from steelyard.cli.output import console, write_json

if TYPE_CHECKING:
    from subprocess import Popen

    from steelyard.models.recipe import Recipe
    from steelyard.serving.launch.commands import Launch


@Parameter(name="*")
@dataclass(frozen=True)
class LaunchOptions:
    """What to start, where, and whether to start it.

    Attributes:
        checkpoint: folder or hub name of the weights; the recipe's own when left out.
        port: port to listen on.
        run: start it, wait until it answers, check its answer, and stop it at Ctrl-C or SIGTERM.
        check_only: with --run, stop it after the check.
        patience: seconds it may take to load.
        json: print the command as a JSON document.
    """

    checkpoint: str | None = None
    port: int = 30000
    run: bool = False
    check_only: bool = False
    patience: float = 1800.0
    json: bool = False


def launch(server: Literal["sglang", "vllm"], model: str, *, options: LaunchOptions | None = None) -> int:
    """Print the command that starts SGLang or vLLM for a model so that its vectors mean what they should.

    The options that are easily forgotten (dimensions, pooling, the reranker's template) are in it.

    Args:
        server: what runs the model.
        model: a model of `steelyard models`.
    """
    from steelyard.models.registry import load_recipe
    from steelyard.serving.launch.commands import launch_of

    options = options or LaunchOptions()
    recipe = load_recipe(model)
    found = launch_of(server, recipe, options.port, options.checkpoint)
    if options.run:
        return _run(found, recipe, options)
    if options.json:
        write_json({"server": found.server, "command": list(found.command), "why": found.why, "port": found.port})
        return 0
    console().print(shlex.join(found.command), markup=False, soft_wrap=True)
    console(stderr=True).print(f"# {found.why}", markup=False)
    return 0


def _run(found: Launch, recipe: Recipe, options: LaunchOptions) -> int:
    from steelyard.serving.launch.process import Patience, check, running

    err = console(stderr=True)
    err.print(shlex.join(found.command), markup=False, soft_wrap=True)
    before = signal.signal(signal.SIGTERM, _interrupt)  # so that the server is stopped too
    try:
        with running(found, Patience(options.patience)) as process:
            err.print(check(found, recipe), markup=False)
            return 0 if options.check_only else _hold(process)
    finally:
        signal.signal(signal.SIGTERM, before)


def _hold(process: Popen[bytes]) -> int:
    """Waits for the server's end; being told to stop is no failure."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 0


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
