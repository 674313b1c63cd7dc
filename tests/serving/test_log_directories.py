"""Real TensorBoards over log directories as they are: torn, renamed, read-only, empty, bad."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.data import server_ingester

from tests.fuzzing.mutations import mutant
from tests.fuzzing.originals import original
from tests.reading.event_files import EventFile
from tests.serving import contract
from tests.serving.boards import LOADERS, Board, has_fast_loader, started
from tests.serving.contract import PREFIX
from tests.serving.event_logs import write
from tests.serving.samples import trained

pytestmark = pytest.mark.xdist_group("tensorboard")


def small(run: str = "r", records: int = 20) -> Any:
    return trained(run, layers=2, records=records)


def losses(board: Board, run: str) -> list[float]:
    found = board.data("series", run=run, points=2_000)
    return next(line["values"] for line in found["series"] if line["name"] == "loss")


# Files that change --------------------------------------------------------------------------------


@pytest.mark.parametrize("loader", LOADERS)
def test_a_torn_record_is_read_when_it_is_whole(loader: str, tmp_path: Path) -> None:
    logdir = tmp_path / "logs"
    write(logdir, small())
    (file,) = (logdir / "r").iterdir()
    whole = file.read_bytes()
    torn = len(whole) - 7
    file.write_bytes(whole[:torn])
    with started(logdir, f"--load_fast={loader}") as board:
        # The last record of the file is of the last table; the others are there.
        board.until(lambda runs: runs.get("r", {}).get("last_step") == 100)
        before = board.data("findings", run="r")
        assert before["skipped"] == []
        groups = board.data("layers", run="r")["groups"] + [{"group": "epoch", "records": None}]
        with file.open("ab") as rest:
            rest.write(whole[torn:])
        with EventFile(logdir / "r", "events.out.tfevents.1700000001.later") as later:
            later.scalar("unrelated", 1, 1.0)
        end = time.monotonic() + 60
        expected = small().tables["epoch"].column("epoch_loss")[:, 0]
        while time.monotonic() < end:
            lines = {x["name"]: x for x in board.data("series", run="r", points=2_000)["series"]}
            if len(lines["epoch_loss"]["values"]) == len(expected):
                break
            time.sleep(0.3)
        assert np.array_equal(np.float32(lines["epoch_loss"]["values"]), expected)
        assert len(groups) > 1
        assert board.data("findings", run="r")["skipped"] == []


@pytest.mark.parametrize("loader", LOADERS)
def test_a_renamed_run_is_another_run(loader: str, tmp_path: Path) -> None:
    logdir = tmp_path / "logs"
    for run in ("before", "stays"):
        write(logdir, small(run))
    with started(logdir, f"--load_fast={loader}") as board:
        board.until(lambda runs: {"before", "stays"} <= runs.keys()
                    and runs["before"]["last_step"] == 100)
        shown = losses(board, "before")
        (logdir / "before").rename(logdir / "after")
        board.until(lambda runs: runs.keys() == {"after", "stays"}
                    and runs["after"]["last_step"] == 100)
        status, body, _ = board.ask(f"{PREFIX}/findings", run="before")
        assert status == 404
        assert "any more" in contract.strict(body)["error"]["message"]
        assert losses(board, "after") == shown


@pytest.mark.parametrize("loader", LOADERS)
def test_a_long_reload_interval_shows_what_was_there(loader: str, tmp_path: Path) -> None:
    """TensorBoard reads when it wants to; in between replies do not change."""
    logdir = tmp_path / "logs"
    write(logdir, small(), last=10)
    with started(logdir, f"--load_fast={loader}", "--reload_interval=3600") as board:
        board.until(lambda runs: runs.get("r", {}).get("last_step") == 100)
        _, before, headers = board.ask(f"{PREFIX}/series", run="r")
        write(logdir, small(), first=10)
        time.sleep(2.5)
        _, after, again = board.ask(f"{PREFIX}/series", run="r")
        assert (after, again["ETag"]) == (before, headers["ETag"])


# Directories --------------------------------------------------------------------------------------


@pytest.mark.parametrize("loader", LOADERS)
def test_a_read_only_directory_is_read_and_left_as_it_was(loader: str, tmp_path: Path) -> None:
    logdir = tmp_path / "logs"
    write(logdir, small())
    for path in (*logdir.rglob("*"), logdir):
        path.chmod(0o555 if path.is_dir() else 0o444)

    def listing() -> list[tuple[str, int, int]]:
        return [(str(path), path.stat().st_size, path.stat().st_mtime_ns)
                for path in sorted(logdir.rglob("*"))]

    before = listing()
    with started(logdir, f"--load_fast={loader}") as board:
        board.until(lambda runs: runs.get("r", {}).get("last_step") == 100)
        for route in ("findings", "series", "layers"):
            board.data(route, run="r")
    assert listing() == before
    for path in (logdir, logdir / "r"):
        path.chmod(0o755)


@pytest.mark.parametrize("loader", LOADERS)
def test_places_without_a_run(loader: str, tmp_path: Path) -> None:
    """A file, links in circles, what must not be read, other people's files: nothing breaks."""
    logdir = tmp_path / "logs"
    write(logdir, small("good"))
    (logdir / "circle").mkdir()
    (logdir / "circle" / "again").symlink_to(logdir)
    (logdir / "itself").symlink_to(logdir / "itself")
    (logdir / "gone").symlink_to(tmp_path / "nowhere")
    (logdir / "notes.txt").write_text("events.out.tfevents")
    (logdir / "empty").mkdir()
    packed = logdir / "packed"
    packed.mkdir()
    (file,) = (logdir / "good").iterdir()
    (packed / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes() * 100))
    (packed / "bomb.tfevents").write_bytes(gzip.compress(bytes(10**7)))
    secret = logdir / "secret"
    shutil.copytree(logdir / "good", secret)
    secret.chmod(0)
    try:
        with started(logdir, f"--load_fast={loader}") as board:
            runs = board.until(lambda runs: runs.get("good", {}).get("last_step") == 100
                               and not any(e["severity"] == "pending" for e in runs.values()))
            shown = {name for name, entry in runs.items() if entry["last_step"] >= 0}
            # A link in a circle is followed some forty times by one of the loaders.
            assert {Path(name).name for name in shown} <= {"good", "secret"}
            assert "packed" not in shown, "what is compressed is no event file"
            assert os.geteuid() == 0 or "secret" not in shown
            for name in runs:
                assert board.ask(f"{PREFIX}/findings", run=name)[0] == 200
            assert board.process.poll() is None
    finally:
        secret.chmod(0o755)


@pytest.mark.parametrize("loader", LOADERS)
def test_a_file_in_place_of_the_directory(loader: str, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no directory")
    with started(tmp_path / "logs", f"--load_fast={loader}") as board:
        found = board.data("runs")
        assert (found["runs"], found["total"]) == ([], 0)


@pytest.mark.parametrize("loader", LOADERS)
def test_damaged_files_beside_a_sound_one(loader: str, tmp_path: Path) -> None:
    """As `tests/fuzzing`, through whole TensorBoards: whose data server checks fewer checksums."""
    logdir = tmp_path / "logs"
    for name, content in {
        **{f"damaged/{seed}": mutant(seed).content for seed in range(30_000, 30_060)},
        "sound": original("recorder").content,
    }.items():
        (logdir / name).mkdir(parents=True)
        (logdir / name / "events.out.tfevents.1.x").write_bytes(content)
    with started(logdir, f"--load_fast={loader}") as board:
        runs = board.until(lambda runs: runs.get("sound", {}).get("last_step") == 140
                           and len(runs) >= 61
                           and not any(e["severity"] == "pending" for e in runs.values()))
        assert [name for name, entry in runs.items() if entry["error"]] == []
        for name in runs:
            contract.check_findings(board.data("findings", run=name))
            contract.check_series(board.data("series", run=name, points=50), 50)
            contract.check_layers(board.data("layers", run=name))
        table = trained("r", layers=2, records=24).tables["run"]
        assert np.array_equal(np.float32(losses(board, "sound")), table.column("loss")[:, 0])
        assert board.data("findings", run="sound")["skipped"] == []


# Routes and clients -------------------------------------------------------------------------------


@pytest.mark.parametrize("loader", LOADERS)
def test_experiments_prefixes_and_clients_that_vanish(loader: str, tmp_path: Path) -> None:
    logdir = tmp_path / "logs"
    write(logdir, small())
    flags = (f"--load_fast={loader}", "--path_prefix=/a/b/")
    with started(logdir, *flags) as board:
        board.until(lambda runs: runs.get("r", {}).get("last_step") == 100)
        assert board.url.endswith("/a/b")
        status, body, _ = board.ask(f"/experiment/any/{PREFIX.lstrip('/')}/findings", run="r")
        assert status == 200
        assert contract.strict(body) == board.data("findings", run="r")
        for outside in ("", "/a", "/a/b/b"):
            root = Board(board.url.removesuffix("/a/b"), board.process, board.log)
            assert root.ask(f"{outside}{PREFIX}/runs")[0] == 404
        vanishing_clients(board)
        assert losses(board, "r")


def vanishing_clients(board: Board) -> None:
    """Some hang up in the middle, some never read, some send a byte now and then: nobody waits."""
    host, port = board.url.split("/")[2].split(":")
    before = memory(board.process.pid)
    request = (
        f"GET /a/b{PREFIX}/heatmap?run=r&group=variables&metric=gradient_norm HTTP/1.1\r\n"
        f"Host: {host}\r\nConnection: close\r\n\r\n"
    ).encode()
    idle = []
    for number in range(90):
        client = socket.create_connection((host, int(port)), timeout=20)
        if number % 3 == 0:
            client.sendall(request)
            reset = struct.pack("ii", 1, 0)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            client.close()
        elif number % 3 == 1:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.sendall(request)
            idle.append(client)
        else:
            client.sendall(request[:5])
            idle.append(client)
    for step in range(10):
        for client in idle[1::2]:
            client.sendall(request[5 + step : 6 + step])
        begin = time.monotonic()
        board.data("findings", run="r")
        assert time.monotonic() - begin < 20
    grown = memory(board.process.pid) - before
    for client in idle:
        client.close()
    assert grown < 100 * 2**20, f"{grown / 2**20:.0f} MiB for 90 clients"


def memory(pid: int) -> int:
    """Resident bytes of a process; 0 where the system does not say."""
    status = Path(f"/proc/{pid}/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else 0


# The data server ----------------------------------------------------------------------------------


@contextmanager
def data_server(logdir: Path, port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """TensorBoard's data server by itself, on a port of ours."""
    chosen = folder / "port"
    chosen.unlink(missing_ok=True)
    process = subprocess.Popen(
        [str(server_ingester.get_server_binary().path), f"--logdir={logdir}", f"--port={port}",
         f"--port-file={chosen}", "--reload=1", "--die-after-stdin"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 30
        while not chosen.exists() and time.monotonic() < end:
            assert process.poll() is None
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.skipif(not has_fast_loader(), reason="no data server here")
def test_a_data_server_that_comes_back_is_read_again(tmp_path: Path) -> None:
    logdir = tmp_path / "logs"
    write(logdir, small())
    port = free_port()
    with data_server(logdir, port, tmp_path) as server, started(
        logdir, f"--grpc_data_provider=localhost:{port}"
    ) as board:
        board.until(lambda runs: runs.get("r", {}).get("last_step") == 100)
        before = losses(board, "r")
        server.kill()
        server.wait()
        for route in ("runs", "series?run=r"):
            status, body, headers = board.ask(f"{PREFIX}/{route}")
            assert status == 503
            assert headers["Retry-After"]
            assert "try again" in contract.strict(body)["error"]["message"]
        with data_server(logdir, port, tmp_path):
            end = time.monotonic() + 60
            while board.ask(f"{PREFIX}/runs")[0] != 200:
                assert time.monotonic() < end, "it is not read again"
                time.sleep(0.5)
            board.until(lambda runs: runs.get("r", {}).get("last_step") == 100)
            assert losses(board, "r") == before
