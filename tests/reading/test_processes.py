"""Several processes: the same results in the same order, a death costs one run, an end is clean."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from small_runs import deadly, faulty, name_and_end, write_runs

from tb_convergence.reading import DataUnavailableError, each_run
from tb_convergence.reading.tensorboard import loaders

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("loader", ["fast", "python"])
def test_the_same_in_the_same_order(tmp_path: Path, loader: str) -> None:
    names = write_runs(tmp_path, 30)
    calls: list[tuple[int, int, str]] = []
    several = list(each_run(tmp_path, name_and_end, jobs=3, loader=loader,  # type: ignore[arg-type]
                            progress=lambda *call: calls.append(call)))
    assert several == list(each_run(tmp_path, name_and_end, loader=loader))  # type: ignore[arg-type]
    assert several == [(name, 4 + place, "") for place, name in enumerate(names)]
    assert calls == sorted(calls), "the count only grows"
    assert calls[-1] == (30, 30, "")
    assert {name for _, _, name in calls[:-1]} <= set(names)


def test_a_process_that_dies_costs_the_run_it_was_at(tmp_path: Path) -> None:
    names = write_runs(tmp_path, 24)
    found = list(each_run(tmp_path, deadly, jobs=2))
    assert [name for name, _, _ in found] == names
    lost = {name: reason for name, end, reason in found if end < 0}
    assert set(lost) == {"run-004", "run-017"}
    assert "killed by SIGKILL" in lost["run-004"]
    assert all(end == 4 + place for place, (name, end, _) in enumerate(found) if name not in lost)


def test_work_that_fails_costs_the_run_it_failed_at(tmp_path: Path) -> None:
    write_runs(tmp_path, 12)
    found = list(each_run(tmp_path, faulty, jobs=2))
    assert [name for name, end, _ in found if end < 0] == ["run-004"]
    assert found[4][2] == "the run could not be read: a bug"


def test_a_server_that_is_lost_is_unavailable_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_runs(tmp_path / "logs", 8)
    if loaders.fast_binary() is None:
        pytest.skip("no data server here")
    binary = tmp_path / "server"
    binary.write_text("#!/bin/sh\nexit 3\n")
    binary.chmod(0o700)
    monkeypatch.setenv("TENSORBOARD_DATA_SERVER_BINARY", str(binary))
    with pytest.raises(DataUnavailableError):
        list(each_run(tmp_path / "logs", name_and_end, jobs=2, loader="fast"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, jobs: int) -> None:
    write_runs(tmp_path / "logs", 12)
    room = tmp_path / "temporary"
    room.mkdir()
    script = textwrap.dedent(f"""
        import signal
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from small_runs import slow
        from tb_convergence.reading import each_run
        if __name__ == "__main__":
            # A test that runs in the background hands down that interrupts are to be ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            list(each_run({str(tmp_path / "logs")!r}, slow, jobs={jobs}))
    """)
    (tmp_path / "program.py").write_text(script)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")], start_new_session=True,
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(room), "PYTHONPATH": str(ROOT)},
    )
    end = time.monotonic() + 60
    while len(list(room.glob("**/logs"))) < jobs and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everyone in front of it
    _, error = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert error.count("Traceback") == 1, error
    assert error.startswith("Traceback"), "nobody else has anything to say"
    assert error.rstrip().endswith("KeyboardInterrupt")
    assert list(room.iterdir()) == []
    assert not _about(str(tmp_path))


def _about(path: str) -> set[str]:
    """Processes whose arguments name `path`, once they have had time to go."""
    end = time.monotonic() + 5
    while True:
        found = subprocess.run(
            ["ps", "-eo", "args="], capture_output=True, text=True, check=True
        ).stdout.split("\n")
        left = {line for line in found if path in line}
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.1)
