"""Ctrl-C while a server takes its time: the process ends soon, and asks for nothing more."""

import signal
import subprocess
import sys
import threading
import time
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Response

SCRIPT = """
import sys
from steelyard.engines.remote.openai import OpenAIConfig, OpenAIEncoder
from steelyard.types import Role
encoder = OpenAIEncoder(OpenAIConfig("m", sys.argv[1], batch=1, concurrency=2), {})
try:
    encoder.encode([f"t{i}" for i in range(60)], Role.QUERY)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupt_ends_the_call_and_the_process() -> None:
    asked, two = [], threading.Event()

    def respond(request: Any) -> Response:
        asked.append(time.monotonic())
        if len(asked) >= 2:
            two.set()
        time.sleep(0.3)
        return Response("{}", 503, {"Retry-After": "60"})

    with HTTPServer(threaded=True) as server:
        server.expect_request("/v1/embeddings").respond_with_handler(respond)
        command = [sys.executable, "-c", SCRIPT, server.url_for("/v1")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert two.wait(30)
        time.sleep(0.6)  # both requests have been told to wait for a minute
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert out == "interrupted\n", err
        assert time.monotonic() - started < 10
        assert len(asked) == 2
