"""Fifty clients at once, in a real TensorBoard, with nothing computed yet: each thing is, once."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reading.event_files import EventFile
from tests.serving import contract
from tests.serving.boards import LOADERS, Board, started
from tests.serving.contract import PREFIX
from tests.serving.event_logs import write
from tests.serving.samples import trained

CLIENTS = 50
RUNS = ("a", "b", "c")


def finish(logdir: Path, run: str) -> None:
    """What TensorBoard reads last of a run, and its own scalars plugin can be asked for."""
    with EventFile(logdir / run, "events.out.tfevents.1800000000.last") as file:
        file.scalar("done", 1, 1.0)


def wait_until_loaded(board: Board, runs: set[str]) -> None:
    """Without asking the plugin, which would begin what is to be counted."""
    end = time.monotonic() + 120
    while set(json.loads(board.ask("/data/plugin/scalars/tags")[1])) < runs:
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.parametrize("loader", LOADERS)
def test_each_thing_is_computed_once(
    loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logdir = tmp_path / "logs"
    for run in (*RUNS, "unasked"):
        write(logdir, trained(run, layers=2, records=60))
        finish(logdir, run)
    counted = tmp_path / "counted"
    monkeypatch.setenv("COUNTED", str(counted))
    start = Path(__file__).with_name("counting_tensorboard.py")
    everyone = threading.Barrier(CLIENTS, timeout=60)

    def client(number: int) -> dict[str, tuple[int, bytes, str]]:
        run = RUNS[number % len(RUNS)]
        heat = {"run": run, "group": "variables", "metric": "gradient_norm"}
        everyone.wait()
        answers = {}
        for route, given in (("findings", {"run": run}), ("series", {"run": run}),
                             ("heatmap", heat), ("runs", {})):
            status, body, headers = board.ask(f"{PREFIX}/{route}", **given)
            answers[f"{route} {run if given else ''}"] = (status, body, headers["ETag"])
        return answers

    with started(logdir, f"--load_fast={loader}", start=start) as board:
        wait_until_loaded(board, {*RUNS, "unasked"})
        with ThreadPoolExecutor(CLIENTS) as clients:
            found = list(clients.map(client, range(CLIENTS)))
        first: dict[str, tuple[int, bytes, str]] = {}
        for answers in found:
            for question, answer in answers.items():
                assert answer[0] == 200
                assert first.setdefault(question, answer) == answer
        contract.check_runs(contract.strict(first["runs "][1]))
        counts = Counter(counted.read_text().splitlines())
        asked = [f"{what} {run}" for what in ("findings", "series", "heatmap") for run in RUNS]
        examined = [f"{what} {run}" for what in ("history", "summary")
                    for run in (*RUNS, "unasked")]
        assert counts == Counter(asked + examined)


@pytest.mark.parametrize("loader", LOADERS)
def test_after_a_reload_only_the_run_that_grew_is_computed_anew(
    loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logdir = tmp_path / "logs"
    grows = trained("a", layers=2, records=60)
    grows = replace(grows, tables={
        group: table for group, table in grows.tables.items() if group != "epoch"
    })
    write(logdir, grows, last=30)
    write(logdir, replace(grows, run="b"))
    counted = tmp_path / "counted"
    monkeypatch.setenv("COUNTED", str(counted))
    start = Path(__file__).with_name("counting_tensorboard.py")
    with started(logdir, f"--load_fast={loader}", start=start) as board:
        board.until(lambda runs: runs.get("a", {}).get("last_step") == 200
                    and runs.get("b", {}).get("last_step") == 500)
        tags = {run: board.ask(f"{PREFIX}/findings", run=run)[2]["ETag"] for run in ("a", "b")}
        before = counted.read_text().count("\n")
        write(logdir, grows, first=30)
        board.until(lambda runs: runs["a"]["last_step"] == 500)
        asked = {run: board.ask(f"{PREFIX}/findings", run=run, etag=tag)
                 for run, tag in tags.items()}
        assert {run: answer[0] for run, answer in asked.items()} == {"a": 200, "b": 304}
        assert asked["b"][1] == b""
        since = counted.read_text().splitlines()[before:]
        assert {line.split()[1] for line in since} == {"a"}
