"""The bar of `diagnose`: on a terminal only, never wider than it, gone at the end."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import reports

from tb_convergence.cli.progress import progress_bar
from tests.serving.event_logs import write


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_where_there_is_no_terminal() -> None:
    assert progress_bar(io.StringIO()) is None


def test_the_bar_fills_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream, now = Terminal(), [0.0]
    show = progress_bar(stream, lambda: now[0])
    assert show is not None
    for done in range(100):
        now[0] += 0.5
        show(done, 100, f"run\x1b[31m-{done}")
    drawn = stream.getvalue().split("\r\x1b[K")[1:]
    assert len(drawn) == 100
    counts = [line.split("]")[0].count("#") for line in drawn]
    assert counts == sorted(counts)
    assert (counts[0], counts[50]) == (0, 12)
    assert "50/100, 26 s left, run" in drawn[50]
    assert all(len(line) < 80 and "\x1b" not in line for line in drawn)
    show(100, 100, "")
    assert stream.getvalue().endswith("\r\x1b[K")


def test_it_is_drawn_ten_times_a_second_at_most() -> None:
    stream, now = Terminal(), [0.0]
    show = progress_bar(stream, lambda: now[0])
    assert show is not None
    for done in range(1_000):
        now[0] += 0.001
        show(done, 1_000, "run")
    assert stream.getvalue().count("reading") <= 11


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_a_real_terminal_gets_the_bar_and_the_pipe_the_report(tmp_path: Path) -> None:
    write(tmp_path, reports.fine("a"))
    write(tmp_path, reports.fine("b"))
    master, slave = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "tb_convergence", "diagnose", str(tmp_path), "--jobs", "2"],
        stdout=subprocess.PIPE, stderr=slave, check=True,
    )
    os.close(slave)
    drawn = os.read(master, 65_536)
    os.close(master)
    assert b"reading [" in drawn
    assert drawn.endswith(b"\r\x1b[K")
    assert done.stdout.startswith(b"a  (")
    assert b"\x1b" not in done.stdout


def test_a_pipe_stays_clean(tmp_path: Path) -> None:
    write(tmp_path, reports.fine("a"))
    done = subprocess.run(
        [sys.executable, "-m", "tb_convergence", "diagnose", str(tmp_path)],
        capture_output=True, check=True,
    )
    assert done.stderr == b""
