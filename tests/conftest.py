"""Settings and fixtures shared by every test; the helper modules beside this file are on the path because of it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-dev-shm-usage",
)  # fmt: skip

# A shell that starts this in the background makes it ignore Ctrl-C, nohup makes it ignore hang-ups, and so would the
# processes that tests interrupt: what is ignored is inherited, what is handled is not.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# Workers of pytest-xdist share the processor: with all threads in each they would wait for one another.
if (workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))) > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

settings.register_profile(
    "steelyard",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)
settings.load_profile("steelyard")


@pytest.fixture(scope="module")  # playwright's event loop runs in this thread until it is closed; asyncio tests follow
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it tests are skipped, unless STEELYARD_BROWSER says that it must be there."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing = "no chromium on PATH: apt-get install chromium fonts-noto-cjk"
        pytest.fail(missing) if os.environ.get("STEELYARD_BROWSER") == "required" else pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield running
        running.close()
