"""Log directories behind a URL: read as local ones, with fsspec's own implementations."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from both_loaders import LOADERS
from small_runs import name_and_end, write_runs

import tb_convergence
from tb_convergence import cli
from tb_convergence.reading import LogdirError, each_run
from tb_convergence.reading.folders import EventFile
from tb_convergence.reading.tensorboard import remote
from tb_convergence.reading.tensorboard.remote import RemoteFolders


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[str]:
    """Three runs in fsspec's memory, one of them a pair as Keras writes it."""
    write_runs(tmp_path / "local", 2)
    os.renames(tmp_path / "local" / "run-001", tmp_path / "local" / "deep" / "er" / "train")
    files = fsspec.filesystem("memory")
    for path in (tmp_path / "local").rglob("*tfevents*"):
        files.pipe(f"/bucket/logs/{path.relative_to(tmp_path / 'local')}", path.read_bytes())
    files.pipe("/bucket/logs/run-000/notes.txt", b"no event file")
    yield "memory://bucket/logs"
    files.rm("/bucket", recursive=True)


@pytest.mark.parametrize("loader", LOADERS)
def test_a_bucket_is_read_as_a_directory(memory: str, tmp_path: Path, loader: str) -> None:
    local = tb_convergence.diagnose(tmp_path / "local", loader=loader)
    for url in (memory, memory + "/", f"file://{tmp_path / 'local'}"):
        assert tb_convergence.diagnose(url, loader=loader) == local
    assert [run.run for run in local] == ["deep/er", "run-000"]
    assert [run.last_step for run in local] == [5, 4]


def test_several_processes_read_what_all_of_them_see(tmp_path: Path, memory: str) -> None:
    names = write_runs(tmp_path / "many", 8)
    found = list(each_run(f"file://{tmp_path / 'many'}", name_and_end, jobs=2))
    assert [name for name, _, _ in found] == names
    # The memory of this process is nobody else's, so it is read here.
    assert [end for _, end, _ in each_run(memory, name_and_end, jobs=2)] == [5, 4]


def test_nothing_is_left_of_what_was_fetched(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "temporary"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    assert len(tb_convergence.diagnose(memory)) == 2
    assert list(room.iterdir()) == []


def test_a_file_that_cannot_be_fetched_costs_its_run(
    memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring = RemoteFolders.bring

    def fails(self: RemoteFolders, file: EventFile, target: Path) -> None:
        if "run-000" in file.path:
            fsspec.filesystem("memory").rm("/bucket/logs/run-000", recursive=True)
        bring(self, file, target)

    monkeypatch.setattr(RemoteFolders, "bring", fails)
    good, lost = tb_convergence.diagnose(memory)
    assert (good.run, good.last_step) == ("deep/er", 5)
    assert lost.last_step == -1
    assert "could not be downloaded" in lost.skipped[0].reason


@pytest.mark.parametrize("run", ["../outside", "a/../../outside", "..", "a\\..\\b", "a//b"])
def test_names_in_a_bucket_lead_nowhere_else(monkeypatch: pytest.MonkeyPatch, run: str) -> None:
    class Bucket:
        @staticmethod
        def walk(root: str) -> Iterator[tuple[str, list[str], list[str]]]:
            yield f"{root}/{run}", [], ["events.out.tfevents.1"]
            yield f"{root}/fine", [], ["events.out.tfevents.1", "..\\tfevents"]
            yield f"{root}/good", [], ["events.out.tfevents.1"]

        @staticmethod
        def stat(path: str) -> object:
            return type("Status", (), {"length": 1})

    monkeypatch.setattr(remote, "_file_system", lambda url: Bucket)
    assert [folder.run for folder in RemoteFolders("x://bucket").runs()] == ["good"]


# Errors -------------------------------------------------------------------------------------------


@pytest.fixture
def _no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    find = remote.find_spec
    monkeypatch.setattr(
        remote, "find_spec", lambda name: None if name == "tensorflow" else find(name)
    )
    remote._file_system.cache_clear()


@pytest.mark.usefixtures("_no_tensorflow")
@pytest.mark.parametrize(
    ("url", "install"),
    [("s3://bucket/logs", "fsspec s3fs"), ("gs://bucket/logs", "fsspec gcsfs"),
     ("unheard-of://bucket", "")],
)
def test_what_is_missing_is_named(url: str, install: str, capsys: pytest.CaptureFixture[str],
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        remote.without_tensorflow, "get_filesystem",
        lambda url: (_ for _ in ()).throw(ImportError("not installed")),
    )
    assert cli.main(["diagnose", url]) == 2
    said = capsys.readouterr().err
    assert f"no installed package can read {url.partition('://')[0]}://" in said
    assert ("pip install" in said) == bool(install)
    assert install in said


def test_a_bucket_without_runs() -> None:
    with pytest.raises(LogdirError, match="no event files"):
        tb_convergence.diagnose("memory://nothing/here")


def test_a_file_system_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @staticmethod
        def walk(root: str) -> Iterator[object]:
            raise PermissionError("no credentials")

    monkeypatch.setattr(remote, "_file_system", lambda url: Broken)
    with pytest.raises(LogdirError, match="cannot be listed: no credentials"):
        tb_convergence.diagnose("memory://bucket")
