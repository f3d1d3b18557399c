"""``steelyard launch``: the exact command that starts SGLang or vLLM for a model."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from steelyard.cli.output import console, write_json

if TYPE_CHECKING:
    from steelyard.models.recipe import Recipe
    from steelyard.serving.launch.commands import Launch


@Parameter(name="*")
@dataclass(frozen=True)
class LaunchOptions:
    """What to start, where, and whether to start it.

    Attributes:
        checkpoint: folder or hub name of the weights; the model's own when left out.
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
        model: a model of `steelyard models`, or the folder of a checkpoint, such as `./my-model`.
    """
    from steelyard.models.folder import recipe_at
    from steelyard.serving.launch.commands import launch_of

    options = options or LaunchOptions()
    recipe = recipe_at(model)
    found = launch_of(server, recipe, options.port, options.checkpoint)
    if options.run:
        return _run(found, recipe, options)
    if options.json:
        write_json({"server": found.server, "command": list(found.command), "why": found.why, "port": found.port})
        return 0
    console().out(shlex.join(found.command))  # not print, which makes pictures of words between colons
    console(stderr=True).print(f"# {found.why}", markup=False)
    return 0


def _run(found: Launch, recipe: Recipe, options: LaunchOptions) -> int:
    from steelyard.serving.launch.process import STOPS, Patience, check, hold, running
    from steelyard.serving.signals import handled

    err = console(stderr=True)
    err.out(shlex.join(found.command))
    with handled(STOPS, _interrupt), running(found, Patience(options.patience)) as process:
        err.print(check(found, recipe), markup=False)
        if not options.check_only:
            with contextlib.suppress(KeyboardInterrupt):  # being told to stop is no failure
                hold(found, process)
    return 0


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
