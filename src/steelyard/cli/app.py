"""The command line as a whole: which commands there are, and how failures end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Literal

import cyclopts
from cyclopts import App, Parameter

from steelyard.cli.codes import INTERRUPTED
from steelyard.cli.config_file import ConfigFile, read_config
from steelyard.errors import SteelyardError
from steelyard.text.shown import for_terminal

EPILOGUE = (
    "Exit codes: 0 done; 1 failure; 2 wrong usage; 3 bad data; 4 a package is missing; 5 bad model; "
    "6 an engine or endpoint failed; 7 the cache cannot be used; 8 finished, but a system failed; 9 the doctor found "
    "faults; 10 the doctor could not tell; 11 a backend was refused; 130 interrupted (what was finished is kept)."
)

COMMANDS = {
    "weigh": ("steelyard.cli.weigh:weigh", "Weigh systems on a suite and say which of them can be told apart."),
    "compare": ("steelyard.cli.compare:compare", "Judge stored results again, alone or side by side."),
    "report": ("steelyard.cli.report:report", "Make a page, Markdown, CSV or pictures of results."),
    "table": ("steelyard.cli.table:table", "Print the published experiment's table for any models."),
    "power": ("steelyard.cli.power:power", "Say how many queries to label before a comparison."),
    "costs": ("steelyard.cli.costs:costs", "Measure load, memory, latency, throughput and storage."),
    "sweep": ("steelyard.cli.sweep:sweep", "Vary one system: dimensions, bits, instructions, lengths, depths."),
    "features": (
        "steelyard.cli.features:features",
        "Measure vectors as features: a linear probe and clusters on labelled texts.",
    ),
    "claims": ("steelyard.cli.claims:claims", "Test eight published claims on your own systems and texts."),
    "advise": ("steelyard.cli.advise:advise", "Choose a system for a scenario: why, and what that gives up."),
    "models": ("steelyard.cli.models:app", "List the models that are known, or show one recipe."),
    "suites": ("steelyard.cli.suites:app", "List the suites, show one, or check a trap file of your own."),
    "index": ("steelyard.cli.index:app", "Build, change and check an index that answers as the system you weighed."),
    "merge": ("steelyard.cli.merge:merge", "Merge checkpoints of one architecture into one, a tensor at a time."),
    "mcp": ("steelyard.cli.mcp:mcp", "Serve an index to assistants through the Model Context Protocol."),
    "search": ("steelyard.cli.search:search", "Ask an index."),
    "cache": ("steelyard.cli.cache:app", "Show or drop the vectors and scores kept of earlier runs."),
    "serve": ("steelyard.cli.serve:serve", "Serve models for OpenAI's client and others."),
    "doctor": ("steelyard.cli.doctor:doctor", "Say what is wrong with a deployed model, and the mend."),
    "launch": ("steelyard.cli.launch:launch", "Print or run the command that starts SGLang or vLLM."),
}
"""name -> where the command is, imported when it is asked for, and its line in the list of commands."""

TAKES = {
    "weigh": "[SYSTEM ...]",
    "compare": "RESULT ...",
    "report": "RESULT ...",
    "power": "[PILOT ...]",
    "table": "[SYSTEM ...]",
    "costs": "[SYSTEM ...]",
    "features": "SYSTEM ...",
    "claims": "[NUMBER ...]",
    "advise": "RESULT ...",
    "serve": "[MODEL ...]",
    "merge": "CHECKPOINT ... --out FOLDER",
}
"""What stands behind a command that takes any number of things, in its line of usage."""


def build(asked: str = "", config: ConfigFile | None = None) -> App:
    """The command line.

    Args:
        asked: the command that will run; its help then comes from its own docstring, not from the one line that stands
            in the list of commands, which is written here so that listing them imports none.
        config: fills what the command line leaves open.
    """
    app = App(
        name="steelyard",
        help=(
            "Weighs, diagnoses and serves semantic search over Chinese and multilingual texts.\n\n"
            "Start with `steelyard weigh`: it weighs real systems on hard Chinese traps and says which of them "
            "can be told apart."
        ),
        help_epilogue=EPILOGUE,
        version=lambda: _version(),
        version_flags=("--version", "-V"),
        default_parameter=Parameter(
            negative_bool=(), negative_iterable=(), negative_none=(), show_default=_worth_showing
        ),
        config=[config] if config else [],
        suppress_keyboard_interrupt=False,
    )
    for name, (target, line) in COMMANDS.items():
        usage = {"usage": f"Usage: steelyard {name} {TAKES[name]} [OPTIONS]"} if name in TAKES else {}
        if name == asked:
            app.command(target, name=name, **usage)
        else:
            app.command(target, name=name, help=line, **usage)
    app.command(completion, help="Print the completion of a shell: bash, zsh or fish.")
    return app


def completion(shell: Literal["bash", "zsh", "fish"]) -> int:
    """Print the completion of a shell; put it where that shell looks, as in `steelyard completion bash > ...`.

    Args:
        shell: bash, zsh or fish.
    """
    sys.stdout.write(build().generate_completion(prog_name="steelyard", shell=shell) + "\n")
    return 0


def _worth_showing(value: object) -> object:
    """A default as help shows it; nothing for one that says no more than the option's being left out."""
    return None if value in ("", None, False, ()) else value


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and turns every deliberate failure into a message and an exit code."""
    try:
        config = read_config(tuple(COMMANDS))
        config.export(os.environ)
        app = build(arguments[0] if arguments else "", config)
        code = app(list(arguments), exit_on_error=False, print_error=True, result_action="return_value")
    except cyclopts.CycloptsError:
        return 2
    except SteelyardError as wrong:
        return _fail(wrong)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; what was finished is kept\n")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of a pipe went away
        return 0
    return code if isinstance(code, int) else 0


def _fail(wrong: SteelyardError) -> int:
    sys.stderr.write(f"steelyard: {for_terminal(str(wrong))}\n")
    return wrong.exit_code


def _version() -> str:
    from importlib.metadata import version

    return version("steelyard")
