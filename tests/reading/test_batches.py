"""Runs are loaded a few at a time: what is held at once does not grow with their number."""

from __future__ import annotations

import gc
import os
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest
from both_loaders import LOADERS
from event_files import EventFile
from small_runs import LAYOUT, name_and_end, write_runs

from tb_convergence.core.schema import Row, layout_of
from tb_convergence.reading import each_run, examine, examining, logdir
from tb_convergence.reading.batches import BATCH_BYTES, SAMPLES, batches, samples_of, shown
from tb_convergence.reading.folders import EventFile as File
from tb_convergence.reading.folders import RunFolder, local_folders
from tb_convergence.reading.runs import fold_runs


def plan(sizes: dict[str, int], most: int = 100) -> list[tuple[int, list[str]]]:
    folders = [RunFolder(run, (File(f"/{run}", "tfevents", size),)) for run, size in sizes.items()]
    cut = batches(fold_runs(sizes), folders, most)
    for batch in cut:
        members = [name for run in batch.runs for name in run.members]
        assert members == [folder.run for folder in batch.folders]
    return [(batch.first, [run.name for run in batch.runs]) for batch in cut]


def test_batches_keep_the_order_and_their_bounds() -> None:
    small, large = BATCH_BYTES // 4, BATCH_BYTES + 1
    assert plan({"a": 1, "b": 1, "c": 1}, most=2) == [(0, ["a", "b"]), (2, ["c"])]
    assert plan({"a": small, "b": small, "c": large, "d": small}) == [
        (0, ["a", "b"]), (2, ["c"]), (3, ["d"])
    ]
    assert plan({"a/train": small * 3, "a/validation": small * 2, "b": 1}) == [
        (0, ["a"]), (1, ["b"])
    ]
    assert plan({}) == []


def test_a_batch_can_be_read_singly() -> None:
    folders = [RunFolder(run, ()) for run in ("a/train", "a/validation", "b", "c")]
    (batch,) = batches(fold_runs(folder.run for folder in folders), folders)
    assert [(one.first, one.runs[0].name, len(one.folders)) for one in batch.singly()] == [
        (0, "a", 2), (1, "b", 1), (2, "c", 1)
    ]
    assert [one.first for one in batch.singly(done=2)] == [2]


def test_a_batch_shows_its_runs_and_no_others(tmp_path: Path) -> None:
    write_runs(tmp_path, 5)
    folders = local_folders(tmp_path)
    listed = folders.runs()
    runs = fold_runs(folder.run for folder in listed)
    second = batches(runs, listed, most=2)[1]
    os.unlink(next((tmp_path / "run-003").iterdir()))
    with shown(folders, second) as (place, missing):
        assert sorted(os.listdir(place)) == ["run-002", "run-003"]
        assert not missing, "a link to a file that has gone is no failure: the loader finds nothing"
    assert not place.exists()


@pytest.mark.parametrize("loader", LOADERS)
def test_few_runs_are_in_memory_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loader: str
) -> None:
    """However many runs there are: histories by reference, loaders by the batches that are open."""
    monkeypatch.setattr(logdir, "BATCH_RUNS", 8)
    open_now: set[int] = set()
    most_open = 0
    show = examining.shown

    def counted(folders, batch):  # type: ignore[no-untyped-def]
        nonlocal most_open
        context = show(folders, batch)
        open_now.add(batch.first)
        most_open = max(most_open, len(open_now))
        weakref.finalize(context, open_now.discard, batch.first)
        return context

    monkeypatch.setattr(examining, "shown", counted)
    write_runs(tmp_path, 60)
    gc.collect()
    gc.freeze()  # what other tests left in this process, TensorFlow above all, is no run
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0
    for diagnosis, history in examine(tmp_path, loader=loader):  # type: ignore[arg-type]
        assert history is not None, diagnosis
        alive.append(weakref.ref(history.tables["variables"].low))
        del history
        gc.collect()
        most = max(most, sum(reference() is not None for reference in alive))
    gc.unfreeze()
    assert len(alive) == 60
    assert most <= 2
    assert most_open <= 2 + 1, "the one that is read, the one that is loaded ahead, and its end"


def test_memory_does_not_grow_with_the_number_of_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the Python loader, which holds what it has loaded in this process."""
    monkeypatch.setattr(logdir, "BATCH_RUNS", 5)
    for count in (10, 40):
        write_runs(tmp_path / str(count), 1)
        for index in range(count):
            with EventFile(tmp_path / str(count) / f"run-{index:03d}") as file:
                for step in range(100):
                    file.record(LAYOUT, step, [[float(index)]] * 50)
    peaks = {}
    for count in (10, 10, 40):  # the first time warms caches up
        gc.collect()
        tracemalloc.start()
        for _ in each_run(tmp_path / str(count), name_and_end, loader="python"):
            pass
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[40] < 1.3 * peaks[10]


def test_of_large_records_fewer_are_kept(tmp_path: Path) -> None:
    layout = layout_of("variables", tuple(Row(f"w{i}", "w", "kernel") for i in range(4_000)),
                       tuple(f"c{i}" for i in range(15)))
    values = np.ones((4_000, 15), np.float32)
    with EventFile(tmp_path / "large") as file:
        for step in range(4):
            file.record(layout, step, values)
    path = file.path
    with path.open("ab") as tail:
        tail.truncate(BATCH_BYTES + 1)
    folders = local_folders(tmp_path)
    listed = folders.runs()
    (batch,) = batches(fold_runs(["large"]), listed)
    assert not batch.small
    with shown(folders, batch) as (place, _):
        kept = samples_of(place, batch)
    assert kept["scalars"] == SAMPLES["scalars"]
    assert 1_000 <= kept["convergence"] < 1_000 + 128 * 2**20 / (4 * 4_000 * 16)
    assert kept["convergence"] * values.nbytes < 2 * 128 * 2**20
