"""tools/check.py: a slow check passes, a check without progress is ended with its children."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import check
import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX")


def test_passes_on_output_and_status(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    script = "import sys; print('seen'); sys.exit(3)"
    assert check.follow([sys.executable, "-c", script], 60) == 3
    assert b"seen" in capfdbinary.readouterr().out


def test_slow_command_that_prints_is_not_ended() -> None:
    script = "import time\nfor _ in range(12): print('.', end=''); time.sleep(0.5)"
    assert check.follow([sys.executable, "-c", script], 4) == 0


def test_silent_command_is_ended_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(child)!r}, 'w').write(str(p.pid))\n"
        "time.sleep(600)"
    )
    with pytest.raises(check.SilentError, match="printed nothing for 5 s"):
        check.follow([sys.executable, "-c", script], 5)
    pid = int(child.read_text())
    for _ in range(100):
        if not _alive(pid):
            return
        time.sleep(0.1)
    pytest.fail(f"child {pid} outlived its parent")


def test_a_child_left_behind_does_not_keep_a_finished_command() -> None:
    script = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'])"
    )
    began = time.monotonic()
    assert check.follow([sys.executable, "-c", script], 60) == 0
    assert time.monotonic() - began < 25


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
    except OSError:
        os.kill(pid, 0)
        return True
