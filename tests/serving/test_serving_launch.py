"""The launch lines, the reranker's template, and a server that is started, checked and stopped."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import jinja2
import pytest

from steelyard.errors import EndpointError, EngineError, UsageError
from steelyard.models.recipe import Recipe
from steelyard.models.registry import load_recipe, recipe_names
from steelyard.serving.launch.commands import Launch, launch_of, template_path
from steelyard.serving.launch.process import Patience, check, hold, running, stop

QUICK = Patience(20, 0.05)
SERVER = """
import json, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

port, log, habit = int(sys.argv[1]), sys.argv[2], sys.argv[3]
class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def do_GET(self): self.answer({"data": [{"id": "m"}]})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        right = ["Beijing" in t or "capital" in t for t in body.get("input", body.get("documents"))]
        if habit == "wrong": right = [r if "query" in body or "?" in t else not r
                                      for r, t in zip(right, body.get("input", body.get("documents")))]
        if "input" in body:
            rows = [[float(r), float(not r)] for r in right]
            self.answer({"data": [{"index": i, "embedding": r} for i, r in enumerate(rows)]})
        else:
            self.answer({"results": [{"index": i, "relevance_score": float(r)} for i, r in enumerate(right)]})
def stop(*_):
    open(log, "a").write("stopped\\n"); sys.exit(0)
signal.signal(signal.SIGTERM, stop)
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "server.py"
    path.write_text(SERVER)
    return path


def fake_launch(script: Path, habit: str = "right") -> Launch:
    port = free_port()
    command = (sys.executable, str(script), str(port), str(script.parent / "log"), habit)
    return Launch("vllm", command, port, "a test", "m")


def two_dimensional(name: str = "qwen3-0.6b") -> Recipe:
    return load_recipe(name).model_copy(update={"dimension": 2, "matryoshka": False})


PUBLISHED = {
    ("vllm", "qwen3-0.6b"): [
        "vllm", "serve", "Qwen/Qwen3-Embedding-0.6B", "--runner", "pooling", "--hf-overrides",
        '{"is_matryoshka": true}',
    ],
    ("vllm", "qwen3-reranker-0.6b"): [
        "vllm", "serve", "Qwen/Qwen3-Reranker-0.6B", "--runner", "pooling", "--hf_overrides",
        '{"architectures":["Qwen3ForSequenceClassification"],"classifier_from_token":["no","yes"],'
        '"is_original_qwen3_reranker":true}',
        "--chat-template", str(template_path()),
    ],
    ("vllm", "bge-m3"): [
        "vllm", "serve", "BAAI/bge-m3", "--runner", "pooling", "--hf-overrides",
        '{"architectures":["BgeM3EmbeddingModel"]}', "--pooler-config.task", "embed",
    ],
    ("sglang", "qwen3-8b"): [
        "python3", "-m", "sglang.launch_server", "--model-path", "Qwen/Qwen3-Embedding-8B", "--is-embedding",
        "--json-model-override-args", '{"is_matryoshka": true}',
    ],
    ("sglang", "qwen3-reranker-4b"): [
        "python3", "-m", "sglang.launch_server", "--model-path", "Qwen/Qwen3-Reranker-4B", "--trust-remote-code",
        "--disable-radix-cache", "--chat-template", str(template_path()),
    ],
    ("sglang", "bge-reranker-v2-m3"): [
        "python3", "-m", "sglang.launch_server", "--model-path", "BAAI/bge-reranker-v2-m3", "--is-embedding",
        "--disable-radix-cache", "--chunked-prefill-size", "-1", "--attention-backend", "triton",
    ],
    ("sglang", "bge-large-zh-v1.5"): [
        "python3", "-m", "sglang.launch_server", "--model-path", "BAAI/bge-large-zh-v1.5", "--is-embedding",
        "--disable-radix-cache", "--chunked-prefill-size", "-1", "--attention-backend", "triton",
    ],
    ("vllm", "gte-multilingual-base"): [
        "vllm", "serve", "Alibaba-NLP/gte-multilingual-base", "--runner", "pooling", "--trust-remote-code",
        "--hf-overrides", '{"architectures": ["GteNewModel"], "is_matryoshka": true}',
    ],
}  # fmt: skip


@pytest.mark.parametrize(("server", "model"), PUBLISHED)
def test_the_published_lines(server: str, model: str) -> None:
    launch = launch_of(server, load_recipe(model), 8123)
    assert launch.command == (*PUBLISHED[server, model], "--port", "8123")


@pytest.mark.parametrize("server", ["sglang", "vllm"])
@pytest.mark.parametrize("model", recipe_names())
def test_every_model_has_a_line_or_a_reason(server: str, model: str) -> None:
    recipe = load_recipe(model)
    encoder = recipe.kind == "embedding" and recipe.architecture in ("bert", "xlm-roberta", "new")
    refused = encoder and server == "sglang" and (recipe.pooling == "mean" or recipe.architecture == "new")
    if refused or recipe.architecture == "use-dan":
        with pytest.raises(UsageError, match=f"(sglang cannot serve {model}: it |{model} has no checkpoint)"):
            launch_of(server, recipe, 1)
        return
    launch = launch_of(server, recipe, 1)
    assert "{" not in "".join(w for w in launch.command if not w.startswith('{"'))
    assert launch.model in launch.command


def test_json_in_the_lines_is_json() -> None:
    data = tomllib.loads(template_path().with_name("commands.toml").read_text())
    for entry in (e for entries in data.values() for e in entries):
        for word in entry.get("command", ()):
            if word.startswith('{"'):
                json.loads(word)


def test_a_checkpoint_of_ones_own_and_an_unknown_server() -> None:
    recipe = load_recipe("qwen3-0.6b")
    assert "/models/tuned" in launch_of("vllm", recipe, 1, "/models/tuned").command
    with pytest.raises(UsageError, match="sglang and vllm"):
        launch_of("ollama", recipe, 1)


@pytest.mark.parametrize("trim", [False, True])
@pytest.mark.parametrize(
    ("extra", "task"),
    [({}, None), ({"instruct": "find it"}, "find it"), ({"instruction": "find it"}, "find it"), ("system", "find it")],
)
def test_the_template_gives_the_published_prompt(trim: bool, extra: dict[str, str] | str, task: str | None) -> None:
    environment = jinja2.Environment(trim_blocks=trim, lstrip_blocks=trim)
    messages = [{"role": "query", "content": "谁？"}, {"role": "document", "content": "  a {{b}}\n"}]
    if extra == "system":
        messages = [{"role": "system", "content": "find it"}, *messages]
    values = extra if isinstance(extra, dict) else {}
    prompt = environment.from_string(template_path().read_text()).render(messages=messages, **values)
    recipe = load_recipe("qwen3-reranker-0.6b")
    assert prompt == recipe.render_query("谁？", task) + recipe.render_document("  a {{b}}\n")


def test_a_server_is_started_checked_and_stopped(script: Path) -> None:
    launch = fake_launch(script)
    with running(launch, QUICK) as process:
        assert check(launch, two_dimensional()) == (
            "m answers: 2 dimensions, the right answer scores 1.000, the wrong one 0.000"
        )
        assert "the right answer scores 1.000" in check(launch, load_recipe("qwen3-reranker-0.6b"))
    assert process.poll() == 0
    assert (script.parent / "log").read_text() == "stopped\n"


def test_a_server_that_ranks_wrongly_is_told_apart(script: Path) -> None:
    launch = fake_launch(script, "wrong")
    with running(launch, QUICK), pytest.raises(EndpointError, match="prefers the wrong answer"):
        check(launch, two_dimensional())


def test_a_server_that_does_not_come_up(tmp_path: Path) -> None:
    dies = Launch("vllm", (sys.executable, "-c", "raise SystemExit(3)"), free_port(), "", "m")
    with pytest.raises(EngineError, match="ended with 3"), running(dies, QUICK):
        pass
    sleeps = Launch("vllm", (sys.executable, "-c", "import time; time.sleep(60)"), free_port(), "", "m")
    with pytest.raises(EngineError, match=r"did not answer .* within 0.2 s"), running(sleeps, Patience(0.2, 0.05)):
        pass
    absent = Launch("vllm", (str(tmp_path / "vllm"),), 1, "", "m")
    with pytest.raises(UsageError, match="is not installed here"), running(absent, QUICK):
        pass


def test_the_command_prints_and_runs(tmp_path: Path, script: Path) -> None:
    steelyard = [sys.executable, "-c", "import sys; from steelyard.cli import main; sys.exit(main())"]
    printed = subprocess.run([*steelyard, "launch", "vllm", "bge-m3"], capture_output=True, text=True, check=True)
    assert printed.stdout == (
        "vllm serve BAAI/bge-m3 --runner pooling --hf-overrides "
        """'{"architectures":["BgeM3EmbeddingModel"]}' --pooler-config.task embed --port 30000\n"""
    )
    vllm = tmp_path / "vllm"
    log = tmp_path / "log"
    port = free_port()
    vllm.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {sys.executable} {script} {port} {log} right\n')
    vllm.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HTTP_PROXY": "http://127.0.0.1:9"}
    command = [*steelyard, "launch", "vllm", "qwen3-reranker-0.6b", "--run", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = [process.stderr.readline(), process.stderr.readline()]
    assert "the right answer scores 1.000" in said[1]
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0
    lines = log.read_text().splitlines()
    assert lines[0].startswith("serve Qwen/Qwen3-Reranker-0.6B")
    assert lines[-1] == "stopped"


CLI = [sys.executable, "-c", "import sys; from steelyard.cli import main; sys.exit(main())"]


def as_bash_reads(line: str) -> list[str]:
    read = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True)
    return read.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("server", ["sglang", "vllm"])
def test_every_line_is_read_by_a_shell_as_it_is_meant(server: str) -> None:
    launches = []
    for model in recipe_names():
        try:
            launches.append(launch_of(server, load_recipe(model), 1, '/m/it\'s $HOME `x` "y"/:smile:/模型 \\n'))
        except UsageError:
            continue
    words = [word for launch in launches for word in launch.command]
    assert as_bash_reads(" ".join(shlex.join(launch.command) for launch in launches)) == words
    assert len(launches) > 5


def test_the_printed_line_is_the_command_to_the_letter() -> None:
    odd = "/m/it's :smile: [bold]x[/bold] $HOME 模型" + "x" * 200
    printed = subprocess.run(
        [*CLI, "launch", "vllm", "qwen3-0.6b", "--checkpoint", odd], capture_output=True, text=True
    )
    assert as_bash_reads(printed.stdout) == list(launch_of("vllm", load_recipe("qwen3-0.6b"), 30000, odd).command)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none(port: int) -> None:
    with pytest.raises(UsageError, match="--port must be from 1 to 65535"):
        launch_of("vllm", load_recipe("qwen3-0.6b"), port)


def test_the_checkpoint_of_a_recipe_that_was_read_from_a_folder() -> None:
    recipe = load_recipe("qwen3-0.6b")
    own = recipe.model_copy(update={"sources": recipe.sources.model_copy(update={"folder": "/models/tuned"})})
    assert launch_of("vllm", own, 1).model == "/models/tuned"


def test_a_port_that_another_server_has_is_refused(script: Path) -> None:
    launch = fake_launch(script)
    with (
        socket.create_server(("127.0.0.1", launch.port)),
        pytest.raises(UsageError, match="something listens on port"),
        running(launch, QUICK),
    ):
        pass
    assert not (script.parent / "log").exists()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    ends = time.monotonic() + 5
    while alive(pid) and time.monotonic() < ends:
        time.sleep(0.02)
    return not alive(pid)


def with_worker(script: Path, number: str) -> Launch:
    """A launch whose server leaves a worker behind that heeds no SIGTERM, its number in a file."""
    worker = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    start = f"import subprocess, sys; worker = subprocess.Popen([sys.executable, '-c', {worker!r}])"
    script.write_text(f"{start}\nopen({number!r}, 'w').write(str(worker.pid))\n{SERVER}")
    return fake_launch(script)


def test_workers_that_a_server_leaves_behind_are_stopped(script: Path) -> None:
    number = script.parent / "worker"
    with running(with_worker(script, str(number)), QUICK):
        worker = int(number.read_text())
        assert alive(worker)
    assert gone(worker)


def test_a_server_that_does_not_heed_sigterm_is_killed(script: Path) -> None:
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", ignore]
    with subprocess.Popen(command, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout is not None
        process.stdout.readline()
        stop(process, 0.2)
        assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("end", "said"), [("sys.exit(3)", "vllm ended with 3"), ("os.kill(os.getpid(), 9)", "was killed by SIGKILL")]
)
def test_a_server_that_ends_by_itself_has_failed(end: str, said: str) -> None:
    launch = Launch("vllm", (sys.executable, "-c", f"import os, sys; {end}"), 1, "", "m")
    with subprocess.Popen(launch.command) as process, pytest.raises(EngineError, match=said):
        hold(launch, process)


@pytest.mark.parametrize("number_of_signal", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_told_to_stop_while_the_server_loads(tmp_path: Path, number_of_signal: int) -> None:
    number, vllm = tmp_path / "pid", tmp_path / "vllm"
    vllm.write_text(f"#!/bin/sh\necho $$ > {number}.new && mv {number}.new {number}\nexec sleep 60\n")
    vllm.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [*CLI, "launch", "vllm", "qwen3-0.6b", "--run", "--port", str(free_port())]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    while not number.exists():
        time.sleep(0.02)
    process.send_signal(number_of_signal)  # it may still be inside Popen
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert gone(int(number.read_text()))
