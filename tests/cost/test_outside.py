"""The process watched from outside: clock, memory, failure; and the same run watched by GNU time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from steelyard.cost import memory
from steelyard.cost.gpu import gpu_memory, read_nvml
from steelyard.cost.outside import watch
from steelyard.cost.pagecache import evict, resident_share
from steelyard.errors import EngineError
from waiting import until

EATER = """
import sys, time
sys.path[:0] = {path!r}
from steelyard.cost import memory
held = bytearray(120_000_000)
held[::4096] = bytes(len(held[::4096]))
start = time.perf_counter()
time.sleep(0.4)
print(time.perf_counter() - start, memory.peak_rss(), flush=True)
"""


def eater() -> list[Any]:
    return [sys.executable, "-c", EATER.format(path=sys.path)]


def test_what_is_seen_from_outside_agrees_with_what_is_counted_inside() -> None:
    ballast = bytearray(400_000_000)  # a large parent must not make its small child seem large
    ballast[::4096] = bytes(len(ballast[::4096]))
    seen = watch(eater())
    _, inside_peak = seen.lines[0][1].split()
    assert seen.exit_code == 0
    assert seen.peak_rss_bytes == pytest.approx(int(inside_peak), rel=0.05)
    assert min(seen.lines[0][0], seen.seconds) > 0.4


@pytest.mark.slow  # on a busy machine a process waits between the two
def test_two_clocks_agree_on_a_stage() -> None:
    code = "import time; print(1, flush=True); t = time.perf_counter(); time.sleep(0.5); print(time.perf_counter() - t)"
    lines = watch([sys.executable, "-c", code]).lines
    assert lines[1][0] - lines[0][0] == pytest.approx(float(lines[1][1]), rel=0.05)


@pytest.mark.skipif(not Path("/usr/bin/time").exists(), reason="GNU time is not installed")
def test_gnu_time_agrees(tmp_path: Path) -> None:
    report = tmp_path / "time"
    done = subprocess.run(["/usr/bin/time", "-v", "-o", report, *eater()], capture_output=True, check=True)
    _, inside_peak = done.stdout.split()
    line = next(x for x in report.read_text().splitlines() if "Maximum resident" in x)
    assert int(line.split()[-1]) * 1024 == pytest.approx(int(inside_peak), rel=0.05)


def test_input_is_passed_and_errors_are_kept() -> None:
    seen = watch([sys.executable, "-c", "import sys; sys.stderr.write(sys.stdin.read()); sys.exit(3)"], b"given")
    assert (seen.exit_code, seen.complaint, seen.lines) == (3, "given", ())


def test_a_process_that_is_killed() -> None:
    with pytest.raises(EngineError, match=r"was killed at .* GB"):
        watch([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])


def test_a_process_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "open(sys.argv[1], 'w').write(str(p.pid)); time.sleep(600)"
    )
    with pytest.raises(EngineError, match=r"not done after 5 s"):
        watch([sys.executable, "-c", code, str(tmp_path / "child")], timeout=5)
    until(lambda: not _runs(int((tmp_path / "child").read_text())))


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(EngineError, match="could not be started"):
        watch(["/nowhere/program"])


def test_an_interrupted_watch_leaves_no_process_behind() -> None:
    children = []

    def stop(line: Any) -> None:
        children.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"], on_line=stop)
    until(lambda: not _runs(children[0]))


def _runs(pid: Any) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_own_memory_grows_with_what_is_held() -> None:
    before = memory.peak_rss()
    assert memory.current_rss() <= before
    held = b"x" * (before - memory.current_rss() + 60_000_000)
    assert memory.peak_rss() - before > 50_000_000
    assert len(held) > 0


def test_mapped_files_are_named() -> None:
    assert any("python" in p.name or "libc" in p.name for p in memory.mapped_files())


def test_files_leave_the_page_cache(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    with path.open("wb") as out:
        out.write(os.urandom(3_000_001))
        os.fsync(out.fileno())  # a dirty page cannot be dropped
    assert path.read_bytes()
    assert resident_share(path) > 0.9
    if evict([path]):
        assert resident_share(path) < 0.05
        assert path.read_bytes()
        assert resident_share(path) > 0.9
    else:
        assert resident_share(path) > 0  # a file system in memory: said, not claimed


def test_nothing_to_evict_is_not_cold(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    assert not evict([])
    assert not evict([empty, tmp_path / "missing"])
    assert resident_share(empty) == 0


class Process:
    def __init__(self, pid: Any, used: Any) -> None:
        self.pid, self.usedGpuMemory = pid, used


class Nvml:
    """Two cards; behaves like pynvml as far as it is asked."""

    class NVMLError(Exception):
        pass

    def __init__(self, *, broken: bool = False) -> None:
        self.broken, self.open = broken, 0

    def nvmlInit(self) -> None:
        if self.broken:
            raise self.NVMLError("no driver")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: Any) -> Any:
        return index

    def nvmlDeviceGetComputeRunningProcesses(self, card: Any) -> list[Any]:
        return [Process(7, 1000 + card), Process(8, 5), Process(9, None)]


def test_gpu_memory_is_that_of_one_process_on_all_cards() -> None:
    nvml = Nvml()
    assert [read_nvml(nvml, pid) for pid in (7, 9, 10)] == [2001, 0, 0]
    assert nvml.open == 0
    assert read_nvml(Nvml(broken=True), 7) is None


def test_a_machine_without_a_card_says_so() -> None:
    assert gpu_memory() is None or isinstance(gpu_memory(), int)


def test_the_launcher_needs_nothing_of_the_package(tmp_path: Path) -> None:
    launcher = Path(memory.__file__).with_name("launcher.py")
    report = tmp_path / "report"
    code = subprocess.run([sys.executable, "-I", "-S", launcher, report, sys.executable, "-c", "exit(5)"], check=False)
    assert code.returncode == 5
    assert json.loads(report.read_text())["exit_code"] == 5
