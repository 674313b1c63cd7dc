"""`tb-convergence demo` around the training: what it refuses, how it serves, how it ends."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tb_convergence.demo
from tb_convergence.demo import serve

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("seed", "prepare", "told"),
    [
        (0, lambda folder: (folder / "run").mkdir(), "is not empty"),
        (0, lambda folder: (folder.rmdir(), folder.write_text("x")), "is not a directory"),
        (-1, lambda folder: None, "seed must be between"),
        (2**32, lambda folder: None, "seed must be between"),
    ],
    ids=["not empty", "a file", "negative seed", "large seed"],
)
def test_what_cannot_work_is_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int, prepare: object, told: str
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    prepare(folder)  # type: ignore[operator]
    assert tb_convergence.demo.run(str(folder), seed=seed, serve=False) == 2
    assert told in capsys.readouterr().err


def test_missing_packages_are_named_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tb_convergence.demo, "find_spec", lambda name: None)
    assert tb_convergence.demo.run() == 2
    assert "-m pip install tensorflow scikit-learn" in capsys.readouterr().err


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve.free_port(port) > port


def test_programs_are_named_as_they_can_be_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = tmp_path / "env" / "bin"
    environment.mkdir(parents=True)
    program = environment / "tensorboard"
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(environment / "python"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(environment))
    assert "  tensorboard --logdir logs " in explained(capsys)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = explained(capsys)
    assert "  env/bin/tensorboard --logdir logs " in said
    assert "  env/bin/tb-convergence diagnose logs" in said


def explained(capsys: pytest.CaptureFixture[str]) -> str:
    """What the demo prints at its end."""
    assert serve.explain(Path("logs"), sys.stdout) == 0
    return capsys.readouterr().out


@pytest.fixture
def served(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The serving half of the demo, on a directory without runs, as a process of its own."""
    program = (
        # A test that runs in the background hands down that interrupts are to be ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import sys; from pathlib import Path; from tb_convergence.demo import serve;"
        "sys.exit(serve.show(Path(sys.argv[1]), serve.free_port(int(sys.argv[2])), sys.stdout))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), str(20_000 + os.getpid() % 20_000)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_the_address_of_the_tab_and_ends_cleanly(
    served: subprocess.Popen[str], ending: signal.Signals
) -> None:
    assert served.stdout is not None
    address = ""
    for line in served.stdout:
        match = re.search(r"http://localhost:(\d+)/#convergence", line)
        if match:
            address = match.group(1)
            break
    assert address, "no address was printed"
    assert listing(int(address)) == http.client.OK
    if ending == signal.SIGINT:
        os.killpg(served.pid, ending)  # as a terminal does, to the whole group
    else:
        served.send_signal(ending)
    assert served.wait(timeout=30) == (0 if ending == signal.SIGINT else 128 + signal.SIGTERM)
    assert served.stderr is not None
    assert "Traceback" not in served.stderr.read()
    deadline = time.monotonic() + 30
    while listing(int(address)) is not None:
        assert time.monotonic() < deadline, "TensorBoard outlives the demo"
        time.sleep(0.1)


def listing(port: int) -> int | None:
    """Status of TensorBoard's list of plugins; None where nobody listens."""
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    try:
        connection.request("GET", "/data/plugins_listing")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def test_a_port_that_is_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve.show(tmp_path, port, sys.stdout) == 1
    assert f"Port {port} is taken" in capsys.readouterr().out


def test_a_tensorboard_that_does_not_start_is_told_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "__init__.py").write_text("raise SystemExit('no board today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    port = serve.free_port(30_000 + os.getpid() % 20_000)
    assert serve.show(tmp_path, port, sys.stdout) == 1
    said = capsys.readouterr().out
    assert f"did not start on port {port}" in said
    assert "no board today" in said
