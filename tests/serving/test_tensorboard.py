"""Real TensorBoards, both loaders, over real event files: every route, as a browser asks it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto import summary_pb2

from tests.reading.event_files import EventFile
from tests.serving import contract
from tests.serving.boards import LOADERS, Board, has_fast_loader, started
from tests.serving.contract import PREFIX
from tests.serving.event_logs import write
from tests.serving.samples import explodes, healthy, hostile, large, trained

pytestmark = pytest.mark.xdist_group("tensorboard")  # one TensorBoard serves many tests


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the recorder, of Keras, of nobody we know, and damaged ones."""
    logdir = tmp_path_factory.mktemp("boards") / "logs"
    write(logdir, healthy())
    write(logdir, explodes())
    # A log can only hold names that are UTF-8.
    variables = hostile().tables["variables"]
    rows = tuple(
        replace(row, name=row.name.replace("\ud800", "?"), layer=row.layer.replace("\ud800", "?"))
        for row in variables.rows
    )
    write(logdir, replace(hostile(), tables={"variables": replace(variables, rows=rows)}),
          run="hostile <b>&é")
    for member, offset in (("train", 0.0), ("validation", 0.3)):
        with EventFile(logdir / "keras" / member) as file:
            for epoch in range(10):
                file.scalar("epoch_loss", epoch, 1.0 / (epoch + 1) + offset)
    with EventFile(logdir / "broken") as file:
        file.tensor("convergence/variables/00000000", 1, np.ones((2, 2)), content=b"garbage")
        file.tensor("convergence/activations/00000000", 1, "text", content=b"\x08\x63\x12\x01x")
    with EventFile(logdir / "other") as file:
        file.scalar("accuracy", 1, 0.5)
    (logdir / "torn").mkdir()
    whole = next((logdir / "mlp" / "healthy").iterdir()).read_bytes()
    (logdir / "torn" / "events.out.tfevents.1.x").write_bytes(whole[: len(whole) * 2 // 3])
    return logdir


EXPECTED = {"mlp/healthy", "mlp/explodes", "hostile <b>&é", "keras", "broken", "other", "torn"}


@pytest.fixture(scope="module", params=[("false", "/a/b"), ("true", "")],
                ids=["python-prefix", "rust"])
def board(request: pytest.FixtureRequest, logs: Path) -> Iterator[Board]:
    """TensorBoard over `logs`, loaded."""
    loader, prefix = request.param
    if loader == "true" and not has_fast_loader():
        pytest.skip("no data server here")
    flags = [f"--load_fast={loader}", *([f"--path_prefix={prefix}"] if prefix else [])]
    with started(logs, *flags) as found:
        found.until(lambda runs: set(runs) >= EXPECTED and runs["torn"]["last_step"] > 100
                    and runs["mlp/healthy"]["last_step"] == 3900
                    and runs["mlp/explodes"]["last_step"] == 900
                    and not any(e["severity"] == "pending" for e in runs.values()))
        yield found


def test_tensorboard_lists_the_tab(board: Board) -> None:
    status, body, _ = board.ask("/data/plugins_listing")
    assert status == 200
    listing = json.loads(body)
    tab = listing["convergence"]
    assert tab["enabled"] is True
    assert tab["tab_name"] == "Convergence"
    assert tab["loading_mechanism"]["type"] == "IFRAME"
    path = tab["loading_mechanism"]["module_path"]
    assert board.url.endswith(path.removesuffix("/data/plugin/convergence/index.js"))
    # The page that holds the module, and the module where that page looks for it.
    status, body, _ = board.ask("/data/plugin_entry.html", name="convergence")
    assert status == 200
    assert b'<base href="plugin/convergence/" />' in body
    status, body, headers = board.ask("/data/plugin/convergence/index.js")
    assert status == 200
    assert headers["Content-Type"].startswith("text/javascript")
    assert b"render" in body


def test_runs(board: Board) -> None:
    runs = board.runs()
    assert set(runs) == EXPECTED
    assert runs["mlp/healthy"]["severity"] == "healthy"
    assert runs["mlp/healthy"]["sampled"] is None  # 400 records: all kept, thanks to the loader
    assert runs["mlp/explodes"]["severity"] == "critical"
    assert runs["mlp/explodes"]["first"]["kind"] == "cause"
    assert runs["keras"]["sources"] == ["scalars"]
    assert runs["keras"]["source_runs"] == ["keras/train", "keras/validation"]
    assert runs["other"]["severity"] == "unknown"
    assert [run for run, entry in runs.items() if entry["error"]] == []


def test_findings(board: Board) -> None:
    for run in EXPECTED:
        found = board.data("findings", run=run)
        contract.check_findings(found)
    broken = board.data("findings", run="broken")
    assert len(broken["skipped"]) == 2
    assert board.data("findings", run="mlp/healthy")["config"]["batch_size"] == 32


def test_values_are_those_that_were_recorded(board: Board) -> None:
    history = healthy()
    found = board.data("series", run="mlp/healthy", points=2000)
    contract.check_series(found, 2000)
    loss = next(line for line in found["series"] if line["name"] == "loss")
    assert np.array_equal(np.float32(loss["values"]), history.tables["run"].column("loss")[:, 0])
    assert loss["steps"] == history.tables["run"].steps.tolist()
    layers = board.data("layers", run="mlp/healthy")
    contract.check_layers(layers)
    groups = [group["group"] for group in layers["groups"]]
    assert groups == ["variables", "activations", "inputs"]
    given = {"run": "mlp/healthy", "group": "variables"}
    layer = board.data("layer", **given, row=3, points=2000)
    contract.check_layer(layer, 2000)
    table = history.tables["variables"]
    norm = next(column for column in layer["columns"] if column["name"] == "gradient_norm")
    assert np.array_equal(np.float32(norm["low"]), table.column("gradient_norm")[:, 3])
    status, body, _ = board.ask(f"{PREFIX}/heatmap", **given, metric="gradient_norm")
    assert status == 200
    heat = contract.HeatMap(body)
    assert np.array_equal(np.float32(heat.values), table.column("gradient_norm").T)


def test_nan_is_seen_in_the_heat_map(board: Board) -> None:
    given = {"run": "mlp/explodes", "group": "variables", "metric": "gradient_norm"}
    _, body, _ = board.ask(f"{PREFIX}/heatmap", **given)
    heat = contract.HeatMap(body)
    start = heat.header["first_steps"].index(300)
    for codes in heat.codes:
        assert set(codes[:start]) == {0}
        assert set(codes[start:]) == {2}


def test_hostile_names_travel(board: Board) -> None:
    layers = board.data("layers", run="hostile <b>&é")
    names = [row["layer"] for row in layers["groups"][0]["rows"]]
    assert names[0] == "<img src=x onerror=alert(1)>"
    assert "__proto__" in names
    assert any("\x00" in name for name in names)


def test_refusals(board: Board) -> None:
    for path, given, expected in (
        ("findings", {}, 400),
        ("findings", {"run": "nobody"}, 404),
        ("findings", {"run": "x" * 20_000}, 400),
        ("series", {"run": "keras", "points": "1"}, 400),
        ("layer", {"run": "mlp/healthy", "group": "variables", "row": 10**6}, 404),
    ):
        status, body, headers = board.ask(f"{PREFIX}/{path}", **given)
        assert status == expected
        assert headers["Content-Type"] == "application/json"
        assert contract.strict(body)["error"]["message"]
    for name in ("index.html", "%2e%2e/loader.py", "..%5cloader.py", "loader.py", "static/x"):
        assert board.ask(f"{PREFIX}/{name}")[0] == 404
    for method in ("POST", "DELETE", "OPTIONS"):
        status, _, headers = board.ask(f"{PREFIX}/runs", method)
        assert status == 405
        assert headers["Allow"] == "GET, HEAD"
    status, body, _ = board.ask(f"{PREFIX}/runs", "HEAD")
    assert (status, body) == (200, b"")


@pytest.mark.parametrize("loader", LOADERS)
def test_a_run_that_grows_and_one_that_disappears(loader: str, tmp_path: Path) -> None:
    logdir = tmp_path / "logs"
    history = trained("live", layers=2, records=60)
    tables = {name: table for name, table in history.tables.items() if name != "epoch"}
    history = replace(history, tables=tables)
    write(logdir, history, last=30)
    write(logdir, replace(history, run="gone"), last=5)
    with started(logdir, f"--load_fast={loader}") as board:
        runs = board.until(lambda runs: runs.get("live", {}).get("last_step") == 200
                           and "gone" in runs)
        assert runs["gone"]["last_step"] == 4
        write(logdir, history, first=30)
        for file in (logdir / "gone").iterdir():
            file.unlink()
        (logdir / "gone").rmdir()
        runs = board.until(lambda runs: runs["live"]["last_step"] == 500 and "gone" not in runs)
        found = board.data("series", run="live", points=2000)
        assert found["series"][0]["steps"] == history.tables["run"].steps.tolist()
        assert board.ask(f"{PREFIX}/findings", run="gone")[0] == 404


@pytest.mark.parametrize("loader", LOADERS)
def test_sampling_follows_the_user_and_is_said(loader: str, tmp_path: Path) -> None:
    logdir = tmp_path / "logs"
    write(logdir, trained("r", layers=2, records=300))
    flags = (f"--load_fast={loader}", "--samples_per_plugin=convergence=50")
    with started(logdir, *flags) as board:
        runs = board.until(lambda runs: runs.get("r", {}).get("last_step") == 2900)
        kept = runs["r"]["sampled"]
        assert kept["kept"] == 50
        assert 250 <= kept["total"] <= 300  # what the kept records prove
        layers = board.data("layers", run="r")
        assert {(group["records"], group["total"]) for group in layers["groups"]} == {
            (50, kept["total"])
        }


@pytest.mark.parametrize("loader", LOADERS)
def test_a_log_directory_without_anything(loader: str, tmp_path: Path) -> None:
    with started(tmp_path / "missing", f"--load_fast={loader}") as board:
        found = board.data("runs")
        assert (found["runs"], found["total"], found["pending"]) == ([], 0, 0)
        assert json.loads(board.ask("/data/plugins_listing")[1])["convergence"]["enabled"] is False


def test_the_fast_loader_s_end_is_503_and_nothing_else_breaks(tmp_path: Path) -> None:
    if not has_fast_loader():
        pytest.skip("no data server here")
    logdir = tmp_path / "logs"
    write(logdir, trained("r", layers=2, records=30))
    with started(logdir, "--load_fast=true") as board:
        board.until(lambda runs: runs.get("r", {}).get("last_step") == 200)
        listing = subprocess.run(
            ["ps", "--ppid", str(board.process.pid), "-o", "pid=,comm="],
            capture_output=True, text=True, check=True,
        ).stdout
        (server,) = [line.split()[0] for line in listing.splitlines() if "server" in line]
        subprocess.run(["kill", "-9", server], check=True)
        for route in ("runs", "findings?run=r", "series?run=r"):
            status, body, headers = board.ask(f"{PREFIX}/{route}")
            assert status == 503
            assert headers["Retry-After"]
            assert "try again" in contract.strict(body)["error"]["message"]
        assert board.ask("/data/plugin/convergence/index.js")[0] == 200
        assert board.process.poll() is None


@pytest.mark.parametrize("loader", LOADERS)
def test_a_large_run_cold_and_warm(loader: str, tmp_path: Path) -> None:
    """400 rows: every reply within 1 MB. 2,000 records: all of them are kept."""
    logdir = tmp_path / "logs"
    history = large(400, 600)
    write(logdir, replace(history, tables={"variables": history.tables["variables"]}))
    long = trained("long", layers=1, records=2_000)
    write(logdir, replace(long, tables={"run": long.tables["run"]}))
    run = "large/transformer"
    with started(logdir, f"--load_fast={loader}") as board:
        runs = board.until(lambda runs: runs.get(run, {}).get("last_step") == 5_900
                           and runs.get("long", {}).get("last_step") == 19_900)
        assert (runs[run]["sampled"], runs["long"]["sampled"]) == (None, None)
        loss = board.data("series", run="long", points=2_000)["series"][0]
        assert loss["steps"] == long.tables["run"].steps.tolist()
        (group,) = board.data("layers", run=run)["groups"]
        assert (group["records"], group["row_count"]) == (600, 400)
        _, body, _ = board.ask(f"{PREFIX}/heatmap", run=run, group="variables",
                               metric="gradient_norm", width=2000)
        heat = contract.HeatMap(body)
        assert set(heat.codes[133]) == {2}
        assert max(heat.values[200]) > 1e5
        contract.check_layer(board.data("layer", run=run, group="variables", row=5, points=2000),
                             2000)
        board.data("findings", run=run)


@pytest.mark.parametrize("loader", LOADERS)
def test_histograms_of_others_wake_the_tab(loader: str, tmp_path: Path) -> None:
    logdir = tmp_path / "logs"
    with EventFile(logdir / "r") as file:
        for step in range(8):
            for layer in ("dense", "dense_1"):
                file.tensor(f"gradients/{layer}/kernel", step,
                            np.array([[0.0, 1.0, 5.0], [1.0, 2.0, 3.0]]),
                            plugin="histograms", data_class=summary_pb2.DATA_CLASS_TENSOR)
    with started(logdir, f"--load_fast={loader}") as board:
        runs = board.until(lambda runs: runs.get("r", {}).get("last_step") == 7)
        assert runs["r"]["sources"] == ["histograms"]
        found = board.data("layers", run="r")
        contract.check_layers(found)
        (group,) = found["groups"]
        assert (group["exact"], group["row_count"], group["records"]) == (False, 2, 8)
        given = {"run": "r", "group": "variables"}
        layer_ = board.data("layer", **given, row=1)
        contract.check_layer(layer_, 1000)
        norm = next(column for column in layer_["columns"] if column["name"] == "gradient_norm")
        # Five entries between 0 and 1, three between 1 and 2.
        assert all(3**0.5 <= low < high < 5 for low, high in zip(norm["low"], norm["high"],
                                                                 strict=True))
        spread = board.data("histogram", **given, row=1, width=4)
        contract.check_histogram(spread, 4)
        (gradient,) = spread["histograms"]
        assert (gradient["of"], gradient["axis"], gradient["records"]) == ("gradient", "step", 8)
        assert gradient["last_steps"] == [1, 3, 5, 7]
        assert [(band["low"][0], band["high"][0]) for band in gradient["bands"]] == [
            pytest.approx(ends, abs=1e-5) for ends in ((0, 2), (0, 2), (0, 2), (0, 1))
        ]
        heat = contract.HeatMap(board.ask(f"{PREFIX}/heatmap", **given, metric="gradient_norm")[1])
        assert {code for codes in heat.codes for code in codes} == {0}
        assert json.loads(board.ask("/data/plugins_listing")[1])["convergence"]["enabled"] is True
