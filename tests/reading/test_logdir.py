"""Opening a log directory: clear errors, nothing left behind, no noise, no TensorFlow."""

from __future__ import annotations

import logging
import os
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from both_loaders import LOADERS
from event_files import EventFile
from tensorboard.backend.event_processing import event_file_loader, io_wrapper
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow
from tensorboard.util import tb_logging

import tb_convergence
from tb_convergence.core.schema import Row, layout_of
from tb_convergence.reading import (
    DataUnavailableError,
    LogdirError,
    RunNotFoundError,
    list_runs,
    open_logdir,
    prefetch,
    provider,
    read_run,
)
from tb_convergence.reading.tensorboard import loaders

ROOT = Path(__file__).parents[2]
RUN = layout_of("run", (Row("run", "", "run"),), ("loss",))


def write(path: Path, steps: int = 3) -> None:
    with EventFile(path) as file:
        for step in range(steps):
            file.record(RUN, step, [[1.0 / (step + 1)]])


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# What cannot be opened ----------------------------------------------------------------------------


def test_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(LogdirError, match="does not exist"):
        tb_convergence.diagnose(tmp_path / "nothing")


def test_a_file(tmp_path: Path) -> None:
    write(tmp_path)
    (file,) = tmp_path.iterdir()
    with pytest.raises(LogdirError, match="not a directory"):
        tb_convergence.diagnose(file)


@pytest.mark.parametrize("names", [[], ["model.keras", "a/b/notes.txt"]])
def test_a_directory_without_event_files(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(LogdirError, match="no event files"):
        tb_convergence.diagnose(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    try:
        with pytest.raises(LogdirError, match="cannot be read"):
            tb_convergence.diagnose(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_an_unknown_loader(tmp_path: Path) -> None:
    write(tmp_path)
    with (
        pytest.raises(LogdirError, match="'quick'"),
        open_logdir(tmp_path, "quick"),  # type: ignore[arg-type]
    ):
        pass


# What can -----------------------------------------------------------------------------------------


def test_paths_of_any_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loader: str) -> None:
    write(tmp_path / "with space, and=more" / "ünï")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (
        tmp_path / "with space, and=more", "with space, and=more", "~/with space, and=more",
        b"with space, and=more",
    ):
        (found,) = tb_convergence.diagnose(path, loader=loader)
        assert (found.run, found.last_step) == ("ünï", 2)


def test_symlinks_that_lead_in_circles(tmp_path: Path, loader: str) -> None:
    write(tmp_path / "a")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert "a" in {found.run for found in tb_convergence.diagnose(tmp_path, loader=loader)}


def test_a_link_to_itself_hides_nothing(tmp_path: Path, loader: str) -> None:
    for name in "afmrz":  # whatever the order in which the system lists them
        (tmp_path / f"{name}_loop").symlink_to(f"{name}_loop")
        write(tmp_path / f"{name}_run")
    found = [found.run for found in tb_convergence.diagnose(tmp_path, loader=loader)]
    assert found == [f"{name}_run" for name in "afmrz"]


def test_a_directory_of_links(tmp_path: Path, loader: str) -> None:
    write(tmp_path / "elsewhere" / "run")
    (tmp_path / "logs" / "empty").mkdir(parents=True)
    (tmp_path / "logs" / "empty" / "circle").symlink_to(tmp_path / "logs")
    with pytest.raises(LogdirError, match="no event files"):
        tb_convergence.diagnose(tmp_path / "logs", loader=loader)
    (tmp_path / "logs" / "latest").symlink_to(tmp_path / "elsewhere" / "run")
    found = tb_convergence.diagnose(tmp_path / "logs", loader=loader)
    assert "latest" in {one.run for one in found}


def test_progress_names_each_run(tmp_path: Path, loader: str) -> None:
    for run in ("b", "a", "c/train"):
        write(tmp_path / run)
    calls: list[tuple[int, int, str]] = []
    found = tb_convergence.diagnose(
        tmp_path, loader=loader, progress=lambda *call: calls.append(call)
    )
    assert [diagnosis.run for diagnosis in found] == ["a", "b", "c"]
    assert calls == [(0, 3, "a"), (1, 3, "b"), (2, 3, "c"), (3, 3, "")]


def test_read_run_and_list_runs(tmp_path: Path, loader: str) -> None:
    write(tmp_path / "a" / "train")
    write(tmp_path / "b")
    with open_logdir(tmp_path, loader) as source:
        arguments = (source.provider, source.context, "")
        assert list_runs(*arguments) == ("a", "b")
        assert read_run(*arguments, "a").source_runs == ("a/train",)
        with pytest.raises(RunNotFoundError, match="'a/train'"):
            read_run(*arguments, "a/train")


def test_a_run_that_breaks_the_reader_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loader: str
) -> None:
    for run in ("a", "b", "c"):
        write(tmp_path / run)
    read = provider.read_folded

    def broken(source: object, run: object) -> object:
        if run.name == "b":  # type: ignore[attr-defined]
            raise RuntimeError("a bug")
        return read(source, run)  # type: ignore[arg-type]

    monkeypatch.setattr(prefetch, "read_folded", broken)
    found = tb_convergence.diagnose(tmp_path, loader=loader)
    assert [(one.run, one.last_step) for one in found] == [("a", 2), ("b", -1), ("c", 2)]
    assert found[1].skipped[0].reason == "the run could not be read: a bug"


# Loaders ------------------------------------------------------------------------------------------


def test_auto_takes_the_fast_loader_where_there_is_one(tmp_path: Path) -> None:
    write(tmp_path)
    with open_logdir(tmp_path) as source:
        fast = "Grpc" in str(source.provider)
    assert fast == (loaders.fast_binary() is not None)


def test_without_the_fast_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setattr(loaders, "fast_binary", lambda: None)
    assert len(tb_convergence.diagnose(tmp_path)) == 1
    with pytest.raises(LogdirError, match="not available for this platform"):
        tb_convergence.diagnose(tmp_path, loader="fast")


@pytest.mark.parametrize("script", [
    pytest.param("exit 3", id="ends"),
    pytest.param("echo nonsense >&2; exit 0", id="ends well"),
    pytest.param(None, id="is no program"),
])
def test_auto_falls_back_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    script: str | None,
) -> None:
    write(tmp_path / "logs")
    binary = tmp_path / "server"
    if script is not None:
        binary.write_text(f"#!/bin/sh\n{script}\n")
        binary.chmod(0o700)
    monkeypatch.setattr(loaders, "fast_binary", lambda: str(binary))
    with pytest.raises(DataUnavailableError):
        tb_convergence.diagnose(tmp_path / "logs", loader="fast")
    with caplog.at_level(logging.WARNING, "tb_convergence"):
        (found,) = tb_convergence.diagnose(tmp_path / "logs")
    assert found.last_step == 2
    assert "Python loader instead" in caplog.text


def children() -> set[int]:
    """Data servers that this process has started, also those that ended unobserved."""
    pids = {
        int(pid)
        for file in Path("/proc/self/task").glob("*/children")
        for pid in _text(file).split()
    }
    return {pid for pid in pids if "server" in _text(Path(f"/proc/{pid}/comm"))}


def _text(file: Path) -> str:
    """What a file of /proc says; empty when its thread or process has just ended."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("fails", [False, True])
def test_no_child_is_left(tmp_path: Path, fails: bool) -> None:
    write(tmp_path)
    before = children()
    try:
        with open_logdir(tmp_path, "fast") as source:
            assert children() - before
            assert source.runs() == (".",)
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert not children() - before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_server_that_dies_is_unavailable_data(tmp_path: Path) -> None:
    write(tmp_path)
    before = children()
    with open_logdir(tmp_path, "fast") as source:
        (child,) = children() - before
        os.kill(child, 9)
        with pytest.raises(DataUnavailableError, match="does not answer"):
            read_run(source.provider, source.context, "", ".")


def test_the_python_loader_leaves_tensorboard_as_it_was(tmp_path: Path) -> None:
    write(tmp_path)
    theirs = tb_logging.get_logger()

    def state() -> tuple[object, ...]:
        return (event_file_loader.tf, io_wrapper.tf, pywrap_tensorflow.masked_crc32c,
                theirs.level, list(theirs.filters))

    before = state()
    with open_logdir(tmp_path, "python"), open_logdir(tmp_path, "python"):
        pass
    assert state() == before


@pytest.mark.tensorflow
def test_a_forged_length_does_not_end_a_process_with_tensorflow_in_it(tmp_path: Path) -> None:
    write(tmp_path)
    (file,) = tmp_path.iterdir()
    length = struct.pack("<Q", 2**40)
    with file.open("ab") as tail:
        tail.write(length + struct.pack("<I", pywrap_tensorflow.masked_crc32c(length)) + b"x" * 99)
    script = textwrap.dedent(f"""
        import tensorflow
        import tb_convergence
        (found,) = tb_convergence.diagnose({str(tmp_path)!r}, loader="python")
        assert found.last_step == 2
        assert "loading stopped" in found.skipped[0].reason
        with tensorflow.summary.create_file_writer({str(tmp_path / "after")!r}).as_default():
            assert tensorflow.summary.scalar("loss", 1.0, step=0)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_reading_loads_no_tensorflow_and_prints_nothing(tmp_path: Path, loader: str) -> None:
    write(tmp_path / "good")
    write(tmp_path / "bad")
    (file,) = (tmp_path / "bad").iterdir()
    file.write_bytes(file.read_bytes()[:-10] + b"0123456789")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "events.out.tfevents.1").touch()
    script = textwrap.dedent(f"""
        import sys
        import tb_convergence
        found = tb_convergence.diagnose({str(tmp_path)!r}, loader={loader!r})
        assert {{"good", "bad"}} <= {{one.run for one in found}}
        loaded = [name for name in ("tensorflow", "keras", "jax", "torch") if name in sys.modules]
        assert not loaded, loaded
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_the_package_loads_no_tensorboard() -> None:
    script = (
        "import sys, tb_convergence, tb_convergence.reading\n"
        "assert not [m for m in sys.modules if m.startswith(('tensorboard', 'grpc', 'tensorflow'))]"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
