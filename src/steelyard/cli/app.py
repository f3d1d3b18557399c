"""The command line as a whole: which commands there are, and how failures end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import cyclopts
from cyclopts import App

from steelyard.errors import SteelyardError

EPILOGUE = (
    "Exit codes: 0 done; 1 failure; 2 wrong usage; 3 bad data; 4 a package is missing; 5 bad model; "
    "6 an engine or endpoint failed; 7 the cache cannot be used; 8 finished, but a system failed; 9 the doctor found "
    "faults; 10 the doctor could not tell; 130 interrupted (what was finished is kept)."
)
INTERRUPTED = 130

app = App(
    name="steelyard",
    help=(
        "Weighs, diagnoses and serves semantic search over Chinese and multilingual texts.\n\n"
        "Start with `steelyard weigh`: it weighs real systems on hard Chinese traps and says which of them "
        "can be told apart."
    ),
    help_epilogue=EPILOGUE,
    version=lambda: _version(),
    suppress_keyboard_interrupt=False,
)
app.command(
    "steelyard.cli.weigh:weigh", name="weigh", help="Weigh systems on a suite and say which of them can be told apart."
)
app.command("steelyard.cli.compare:compare", name="compare", help="Judge stored results again, alone or side by side.")
app.command("steelyard.cli.report:report", name="report", help="Make a page, Markdown, CSV or pictures of results.")
app.command("steelyard.cli.table:table", name="table", help="Print the published experiment's table for any models.")
app.command("steelyard.cli.costs:costs", name="costs", help="Measure load, memory, latency, throughput and storage.")
app.command(
    "steelyard.cli.sweep:sweep", name="sweep", help="Vary one system: dimensions, bits, instructions, lengths, depths."
)
app.command(
    "steelyard.cli.features:features",
    name="features",
    help="Measure vectors as features: a linear probe and clusters on labelled texts.",
)
app.command(
    "steelyard.cli.advise:advise", name="advise", help="Choose a system for a scenario: why, and what that gives up."
)
app.command("steelyard.cli.models:app", name="models", help="List the models that are known, or show one recipe.")
app.command(
    "steelyard.cli.suites:app", name="suites", help="List the suites, show one, or check a trap file of your own."
)
app.command("steelyard.cli.cache:app", name="cache", help="Show or drop the vectors and scores kept of earlier runs.")
app.command("steelyard.cli.serve:serve", name="serve", help="Serve models for OpenAI's client and others.")
app.command("steelyard.cli.doctor:doctor", name="doctor", help="Say what is wrong with a deployed model, and the mend.")
app.command("steelyard.cli.launch:launch", name="launch", help="Print or run the command that starts SGLang or vLLM.")


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and turns every deliberate failure into a message and an exit code."""
    try:
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
    sys.stderr.write(f"steelyard: {wrong}\n")
    return wrong.exit_code


def _version() -> str:
    from importlib.metadata import version

    return version("steelyard")
