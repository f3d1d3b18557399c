"""The command line as a user meets it: real processes, real exit codes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

SUITE = ("--suite", "zh-traps-mini")


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "steelyard", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "STEELYARD_CACHE": str(folder / "cache")},
        timeout=120,
        check=False,
    )


def test_weigh_prints_a_table_and_compare_prints_the_same_from_the_file(tmp_path: Path) -> None:
    weighed = run("weigh", "bm25", "bm25[k1=0.5]", *SUITE, folder=tmp_path)
    assert weighed.returncode == 0
    judged = run("compare", "results/zh-traps-mini.json", folder=tmp_path)
    assert judged.returncode == 0
    table = weighed.stdout.split("\nResult:")[0].rstrip()
    assert table == judged.stdout.rstrip()
    assert "show no significant difference" in table


def test_json_goes_to_standard_output_and_nothing_else_does(tmp_path: Path) -> None:
    done = run("weigh", "bm25", *SUITE, "--json", "--out", "r.json", folder=tmp_path)
    assert json.loads(done.stdout) == json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("weigh", "bm52"), 2, "Did you mean bm25"),
        (("weigh", "bm25", "--suite", "absent"), 2, "no suite and no path"),
        (("weigh", "bm25", *SUITE, "--measures", "goodness"), 2, "what fits"),
        (("weigh", "bm25", *SUITE, "--map", "query"), 2, "query=question"),
        (("weigh", "--dept", "5"), 2, "--depth"),
        (("compare", "absent.json"), 3, "cannot be read"),
        (("compare",), 2, "name one result file"),
        (("weigh", "openai:m@http://127.0.0.1:9/v1", *SUITE), 8, "127.0.0.1:9"),
    ],
)
def test_failures_name_their_mend_and_end_with_their_code(
    arguments: tuple[str, ...], code: int, message: str, tmp_path: Path
) -> None:
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == code
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_failing_system_among_others_ends_with_eight_and_the_rest_is_shown(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/embeddings").respond_with_data("no such key", status=401)
    done = run("weigh", "bm25", f"openai:m@{httpserver.url_for('/v1')}", *SUITE, folder=tmp_path)
    assert done.returncode == 8
    assert "failed" in done.stdout


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_ctrl_c_keeps_what_was_finished_and_the_next_run_goes_on(tmp_path: Path, mute_port: int) -> None:
    hanging = f"openai:m@http://127.0.0.1:{mute_port}/v1"
    command = [sys.executable, "-m", "steelyard", "weigh", "bm25", hanging, *SUITE]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "2/2: " not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    kept = json.loads((tmp_path / "results" / "zh-traps-mini.json").read_text(encoding="utf-8"))
    assert ([s["name"] for s in kept["systems"]], kept["complete"]) == (["bm25"], False)
    again = run("weigh", "bm25", "bm25[k1=0.5]", *SUITE, "--json", folder=tmp_path)
    assert json.loads(again.stdout)["systems"][0] == kept["systems"][0]
