"""Starts one command and tells what the kernel counted of it; a script of its own, run without the package.

``wait4`` of a large process overstates its children: their peak memory begins at that of whoever started them. So the
command is started from here, a process of some 10 MB, as GNU time does it. Standard streams are passed on.

Usage: ``python -I -S launcher.py REPORT COMMAND ARGUMENT...``; the report is JSON.
"""

import json
import os
import sys
import time


def seconds() -> float:
    """A clock that the measured process does not use."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() if boot is None else time.clock_gettime(boot)


def main(report: str, command: list[str]) -> int:
    """Runs the command to its end; returns its exit code, or 128 and the signal that ended it."""
    start = seconds()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    elapsed = seconds() - start
    code = os.waitstatus_to_exitcode(status)
    counted = {
        "seconds": elapsed,
        "peak_rss_bytes": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "exit_code": code,
    }
    with open(report, "w", encoding="ascii") as out:
        json.dump(counted, out)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
