"""Every route over every sample: the contract, methods, caching headers."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from werkzeug.test import Client

from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.rules import (
    dead_relu,
    exploding_gradient,
    update_ratio_out_of_range,
    zero_gradient,
)
from tb_convergence.core.schema import Row
from tb_convergence.serving import lines
from tb_convergence.serving.limits import LIMITS
from tests.serving import contract
from tests.serving.contract import PREFIX, ROUTES, document
from tests.serving.sample_server import build
from tests.serving.samples import SampleSource, all_samples, healthy, trained

RUNS = sorted(all_samples().histories)
GZIP = {"Accept-Encoding": "gzip"}

QUERIES: dict[str, dict[str, Any]] = {
    "runs": {},
    "findings": {"run": "mlp/explodes"},
    "series": {"run": "mlp/explodes"},
    "layers": {"run": "mlp/explodes"},
    "heatmap": {"run": "mlp/explodes", "group": "variables", "metric": "gradient_norm"},
    "layer": {"run": "mlp/explodes", "group": "variables", "row": 3},
    "histogram": {"run": "keras/histograms", "group": "variables", "row": 3},
    "compare": {"run": "mlp/explodes", "with": "mlp/healthy"},
    "experiments": {"run": "mlp/healthy"},
    "landscapes": {"run": "mlp/healthy"},
    "landscape": {"run": "mlp/healthy", "name": "landscape"},
    "difference": {
        "run": "mlp/explodes", "with": "mlp/healthy", "group": "variables",
        "metric": "gradient_norm",
    },
}


def address(route: str, **given: Any) -> str:
    return f"{PREFIX}/{route}?{urlencode(given)}"


def test_runs_lists_all_with_their_state(client: Client, samples: SampleSource) -> None:
    found = contract.examined_runs(client)
    entries = {entry["run"]: entry for entry in found["runs"]}
    assert list(entries) == sorted([*samples.histories, "broken"])
    assert found["total"] == len(entries)
    assert entries["mlp/healthy"]["severity"] == "healthy"
    assert entries["mlp/healthy"]["source_runs"] == ["mlp/healthy/train", "mlp/healthy/validation"]
    assert entries["mlp/explodes"]["severity"] == "critical"
    assert entries["empty"]["severity"] == "unknown"
    assert entries["empty"]["last_step"] == -1
    assert entries["restarted"]["sampled"] == {
        "kept": 250, "total": 1000, "exact": True,
    }
    assert entries["keras/histograms"]["sources"] == ["histograms", "scalars"]
    assert entries["scalars/only"]["last_step"] == str(2**53 + 1)
    assert "ValueError" in entries["broken"]["error"]
    assert "/home/" not in entries["broken"]["error"]


def test_a_configuration_alone_does_not_make_a_run_healthy() -> None:
    source = SampleSource(RunHistory("planned", config={"batch_size": 32}))
    (entry,) = contract.examined_runs(Client(build(source)))["runs"]
    assert entry["severity"] == "unknown"


@pytest.mark.parametrize("run", RUNS)
def test_findings(client: Client, run: str) -> None:
    found = document(client.get(address("findings", run=run)))
    contract.check_findings(found)
    assert found["run"] == run
    assert not found["shortened"]


def test_findings_tell_the_story_and_what_was_skipped(client: Client) -> None:
    explodes = document(client.get(address("findings", run="mlp/explodes")))
    assert "non-finite-values" in [finding["id"] for finding in explodes["findings"]]
    restarted = document(client.get(address("findings", run="restarted")))
    assert restarted["restarts"] == [500, 1200]
    assert [item["step"] for item in restarted["skipped"]] == [870, None]
    assert restarted["config"]["batch_size"] == 32
    empty = document(client.get(address("findings", run="empty")))
    assert empty["config"] is None
    assert empty["not_evaluated"]


@pytest.mark.parametrize("points", [10, 57, 2000])
@pytest.mark.parametrize("run", RUNS)
def test_series(client: Client, run: str, points: int) -> None:
    found = document(client.get(address("series", run=run, points=points)))
    contract.check_series(found, points)


def test_series_keep_non_finite_points(client: Client) -> None:
    found = document(client.get(address("series", run="scalars/only", points=60)))
    (line,) = found["series"]
    marks = {line["steps"][index]: name for index, name in line["nonfinite"]}
    assert {100: "NaN", 109: "NaN", 200: "Infinity", 201: "-Infinity"}.items() <= marks.items()
    assert line["steps"][-1] == str(2**53 + 1)
    recorded = document(client.get(address("series", run="mlp/explodes")))["series"]
    by_name = {line["name"]: line for line in recorded}
    assert {"NaN"} == {name for _, name in by_name["loss"]["nonfinite"]}
    # A norm that is undefined is not a norm that is NaN.
    assert None in by_name["gradient_global_norm"]["values"]
    assert by_name["gradient_global_norm"]["nonfinite"] == []


def test_epochs_without_validation_are_not_nan_validation_losses() -> None:
    nan = np.nan
    steps = np.arange(6, dtype=np.int64)

    def line(**columns: list[float]) -> dict[str, Any]:
        values = np.array(list(columns.values()), dtype=np.float32).T[:, None, :]
        of = Table("epoch", (Row("run", "", "run"),), tuple(columns), steps,
                   steps.astype(float), values, values)
        found = contract.strict(lines.series(RunHistory("r", {"epoch": of}), 100, LIMITS))
        contract.check_series(found, 100)
        return {one["name"]: one for one in found["series"]}

    # Every other epoch validates; then the training diverges.
    found = line(epoch_loss=[3, 2, 2, 1, nan, nan], validation_loss=[nan, 2, nan, 1, nan, nan])
    assert found["validation_loss"]["steps"] == [1, 3, 4, 5]
    assert found["validation_loss"]["nonfinite"] == [[2, "NaN"], [3, "NaN"]]
    assert found["epoch_loss"]["nonfinite"] == [[4, "NaN"], [5, "NaN"]]
    # Without validation there is no line, whatever the training does.
    found = line(epoch_loss=[3, nan, nan, nan, nan, nan], validation_loss=[nan] * 6)
    assert set(found) == {"epoch_loss"}
    # A metric of the validation shows that a NaN loss was measured.
    found = line(epoch_loss=[3, 2, 1, 1, 1, 1], validation_loss=[nan] * 6,
                 **{"validation_metric/accuracy": [nan, 0.1, nan, nan, nan, 0.1]})
    assert found["validation_loss"]["steps"] == [1, 5]
    assert len(found["validation_loss"]["nonfinite"]) == 2
    assert found["validation_metric/accuracy"]["title"] == "Validation accuracy"
    # A training that is NaN from its first epoch on is the most important line there is.
    assert set(line(epoch_loss=[nan] * 6)) == {"epoch_loss"}


def test_series_of_histograms_have_their_own_axis(client: Client) -> None:
    found = document(client.get(address("series", run="keras/histograms")))
    assert {line["name"]: line["axis"] for line in found["series"]} == {
        "epoch_loss": "epoch", "validation_loss": "epoch", "learning_rate": "epoch"
    }


@pytest.mark.parametrize("run", RUNS)
def test_layers_heat_maps_and_every_layer(client: Client, run: str, samples: SampleSource) -> None:
    found = document(client.get(address("layers", run=run)))
    contract.check_layers(found)
    assert found["next_offset"] is None
    for group in found["groups"]:
        assert len(group["rows"]) == group["row_count"]
        table = samples.histories[run].tables[group["group"]]
        for metric in group["metrics"]:
            given = {"run": run, "group": group["group"], "metric": metric["name"]}
            heat = contract.heat_map(client.get(address("heatmap", **given, width=50)))
            assert heat.header["rows"] == group["row_count"]
            assert heat.header["cells"] == min(50, len(table.steps))
            assert heat.header["first_steps"][0] == table.steps[0]
            assert heat.header["last_steps"][-1] == table.steps[-1]
        for row in range(0, group["row_count"], 37):
            given = {"run": run, "group": group["group"], "row": row, "points": 40}
            layer = document(client.get(address("layer", **given)))
            contract.check_layer(layer, 40)
            assert layer["row"] == group["rows"][row]
            given = {"run": run, "group": group["group"], "row": row, "width": 40}
            found_ = document(client.get(address("histogram", **given)))
            contract.check_histogram(found_, 40)
            assert bool(found_["histograms"]) == (table.source == "histograms")


def test_layer_of_histograms_is_a_band(client: Client) -> None:
    given = {"run": "keras/histograms", "group": "variables", "row": 3}
    found = document(client.get(address("layer", **given)))
    assert not found["exact"]
    norm = next(c for c in found["columns"] if c["name"] == "gradient_norm")
    # An open upper end is null beside a lower one; an undefined value is null in both.
    assert norm["high"][60:64] == [None] * 4
    assert None not in norm["low"][60:64]
    pairs = zip(norm["low"], norm["high"], strict=True)
    assert all(high is None or low <= high for low, high in pairs if low is not None)


def test_histograms_pool_records_and_keep_the_worst(client: Client) -> None:
    given = {"run": "keras/histograms", "group": "variables", "row": 3}
    fine = document(client.get(address("histogram", **given, width=600)))["histograms"]
    coarse = document(client.get(address("histogram", **given, width=12)))["histograms"]
    gradient, pooled = fine[0], coarse[0]
    assert (gradient["of"], gradient["records"], len(gradient["codes"])) == ("gradient", 120, 120)
    assert [i for i, code in enumerate(gradient["codes"]) if code] == [70]
    assert gradient["codes"][70] == 2
    assert [band["low"][70] for band in gradient["bands"]] == [None] * 4
    assert [i for i, code in enumerate(pooled["codes"]) if code] == [7], "one NaN step is seen"
    for whole, parts in zip(pooled["bands"], gradient["bands"], strict=True):
        for cell in range(12):
            lows, highs = (
                [end for end in parts[side][10 * cell : 10 * cell + 10] if end is not None]
                for side in ("low", "high")
            )
            assert whole["low"][cell] == min(lows)
            assert whole["high"][cell] == max(highs)
    # Entries are normal, and get narrower: half of them lie within 0.67 standard deviations.
    half = gradient["bands"][2]
    assert half["high"][0] == pytest.approx(0.067, abs=0.03)
    assert half["high"][-1] == pytest.approx(0.067 * np.exp(-2), abs=0.01)


def test_healthy_bands_are_the_rules_thresholds(client: Client) -> None:
    found = document(client.get(address("layers", run="mlp/healthy")))
    bands = {one["name"]: one["healthy"] for group in found["groups"] for one in group["metrics"]}
    assert bands["update_ratio"] == {
        "low": update_ratio_out_of_range.LOW, "high": update_ratio_out_of_range.HIGH,
        "rule": "update-ratio-out-of-range",
    }
    assert bands["activation_dead_fraction"]["high"] == dead_relu.FRACTION
    assert bands["gradient_norm"]["rule"] == "exploding-gradient"
    assert bands["gradient_norm"]["low"] is None
    assert bands["gradient_norm"]["high"] >= exploding_gradient.FLOOR
    assert bands["variable_norm"] is None
    assert bands["gradient_zero_fraction"]["high"] == zero_gradient.FRACTION
    assert bands["feature_rms"] == {"low": None, "high": 10.0, "rule": "unnormalized-input"}
    # Of one row: a bias is not judged by these rules, and of the first kernel only all.
    by_row = {}
    for row in (0, 1, 2):
        given = {"run": "mlp/healthy", "group": "variables", "row": row}
        layer = document(client.get(address("layer", **given)))
        by_row[row] = {column["name"]: column["healthy"] for column in layer["columns"]}
    assert by_row[0]["gradient_zero_fraction"] is None
    assert by_row[2]["gradient_zero_fraction"]["high"] == zero_gradient.FRACTION
    assert by_row[1]["update_ratio"] is None
    assert by_row[1]["gradient_norm"] is None


def test_a_layer_says_how_its_variable_started(client: Client) -> None:
    def start(run: str, group: str, row: int) -> Any:
        given = {"run": run, "group": group, "row": row}
        return document(client.get(address("layer", **given)))["initialization"]

    kernel = start("mlp/healthy", "variables", 0)
    assert kernel["step"] == 0
    assert kernel["low"] == kernel["high"] == pytest.approx(4 / 60, rel=1e-5)
    assert kernel["expected"]["std"] == pytest.approx((2 / 128) ** 0.5)
    assert (kernel["verdict"], kernel["fans"]) == ("narrower", [64, 64])
    assert kernel["healthy"]["low"] == pytest.approx((2 / 128) ** 0.5 / 10)
    assert start("mlp/healthy", "variables", 1)["healthy"] is None
    assert start("mlp/healthy", "activations", 0) is None
    assert start("keras/histograms", "variables", 0) is None, "no spread was recorded"


@pytest.mark.parametrize("exact", [True, False])
def test_a_penalized_kernel_has_a_curve_of_the_penaltys_gradient(exact: bool) -> None:
    base = healthy()
    layers = [{"name": row.layer, "class": "Dense"} for row in base.tables["activations"].rows]
    layers[0]["kernel_regularizer"] = {"class": "L2", "config": {"l2": 0.25}}
    table = base.tables["variables"]
    if not exact:
        table = replace(table, low=table.low, high=table.low * 2)
    history = replace(base, tables={"variables": table}, config={"model": {"layers": layers}})
    curves = []
    for row in range(3):
        layer = json.loads(lines.layer(history, table, row, 50, LIMITS))
        columns = {column["name"]: column for column in layer["columns"]}
        curves.append(columns.get("regularization_gradient_norm"))
    penalized, *others = curves
    assert others == [None, None]
    norm = table.column("variable_norm", "low")[0, 0]
    assert penalized["low"][0] == pytest.approx(norm / 2)
    assert penalized["high"] is None if exact else penalized["high"][0] == pytest.approx(norm)
    assert penalized["title"] == "Regularization gradient"


def test_the_trend_is_offered_where_there_are_records_enough(client: Client) -> None:
    found = document(client.get(address("layers", run="mlp/healthy")))
    metrics = {one["name"]: one for group in found["groups"] for one in group["metrics"]}
    assert metrics["gradient_trend"]["center"] == 0
    assert metrics["gradient_norm"]["center"] is None
    given = {"run": "mlp/healthy", "group": "variables", "metric": "gradient_trend"}
    heat = contract.heat_map(client.get(address("heatmap", **given)))
    assert heat.codes[0][:5] == [1] * 5
    assert heat.header["minimum"] < 0


def test_a_heat_map_names_the_limits_of_each_row_as_the_layer_does(client: Client) -> None:
    run, group = "mlp/explodes", "variables"
    rows = document(client.get(address("layers", run=run)))["groups"][0]["rows"]
    judged = set()
    for metric in ("update_ratio", "gradient_norm", "gradient_zero_fraction", "variable_norm"):
        given = {"run": run, "group": group, "metric": metric}
        head = contract.heat_map(client.get(address("heatmap", **given))).header
        for row in range(len(rows)):
            layer = document(client.get(address("layer", run=run, group=group, row=str(row))))
            (healthy,) = (c["healthy"] for c in layer["columns"] if c["name"] == metric)
            place = head["row_bands"][row] if head["bands"] else -1
            assert (head["bands"][place] if place >= 0 else None) == healthy
            judged.add((metric, rows[row]["kind"], healthy is None))
    assert ("update_ratio", "kernel", False) in judged
    assert ("update_ratio", "bias", True) in judged, "a bias has no limit"
    assert ("variable_norm", "kernel", True) in judged, "nor has what no rule judges by its size"


def test_metrics_known_only_by_their_corruption_are_offered(client: Client) -> None:
    """A gradient that is NaN from the first record on has no value, but must be seen."""
    found = document(client.get(address("layers", run="large/transformer")))
    names = [metric["name"] for metric in found["groups"][0]["metrics"]]
    assert names[0] == "gradient_norm"
    assert "window_gradient_norm_max" not in names


def test_names_of_findings_are_those_of_rows(client: Client) -> None:
    rows = document(client.get(address("layers", run="mlp/dies")))["groups"]
    known = {row[key] for group in rows for row in group["rows"] for key in ("name", "layer")}
    found = document(client.get(address("findings", run="mlp/dies")))
    named = {name for finding in found["findings"] for name in finding["layers"]}
    assert named
    assert named <= known


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_refused(client: Client, route: str, method: str) -> None:
    response = client.open(address(route, **QUERIES[route]), method=method, data=b"x" * 100)
    contract.error(response, 405)
    assert response.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("accept", [{}, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("route", [*ROUTES, "index.js"])
def test_head_is_get_without_a_body(client: Client, route: str, accept: dict[str, str]) -> None:
    get = client.get(address(route, **QUERIES.get(route, {})), headers=accept)
    head = client.head(address(route, **QUERIES.get(route, {})), headers=accept)
    assert head.status_code == get.status_code == 200
    assert head.get_data() == b""
    ignored = {"Date"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in get.headers.items() if k not in ignored
    }
    assert int(get.headers["Content-Length"]) == len(get.get_data())


@pytest.mark.parametrize("route", [*ROUTES, "index.js"])
def test_compressed_where_accepted_and_the_same_bytes(client: Client, route: str) -> None:
    where = address(route, **QUERIES.get(route, {}))
    plain = client.get(where)
    packed = client.get(where, headers=GZIP)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert gzip.decompress(packed.get_data()) == plain.get_data()


@pytest.mark.parametrize("route", [*ROUTES, "index.js"])
def test_unchanged_replies_are_not_sent_again(client: Client, route: str) -> None:
    where = address(route, **QUERIES.get(route, {}))
    etag = client.get(where).headers["ETag"]
    for sent in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        again = client.get(where, headers={"If-None-Match": sent})
        assert again.status_code == 304, sent
        assert again.get_data() == b""
        contract.headers(again)
    assert client.get(where, headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_reply_changes_when_tensorboard_has_read_more(client: Client) -> None:
    source = SampleSource(healthy())
    own = Client(build(source))
    where = address("series", run="mlp/healthy")
    before = own.get(where)
    source.histories["mlp/healthy"] = trained("mlp/healthy", records=500)
    assert own.get(where).get_data() == before.get_data()  # not announced: the cache answers
    source.generation += 1
    after = own.get(where, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert document(after)["series"][0]["steps"][-1] == 4900


def test_context_and_experiment_reach_every_read() -> None:
    source = SampleSource(healthy())
    client = Client(build(source))
    flags = {"tensorBoardFeatureFlags": '{"mark": 7}'}
    for route in ROUTES:
        given = {**QUERIES[route], **flags}
        given.update({name: "mlp/healthy" for name in ("run", "with") if name in given})
        assert client.get(f"/experiment/e1{address(route, **given)}").status_code == 200
    assert source.scopes
    assert {scope.experiment_id for scope in source.scopes} == {"e1"}
    assert {scope.context.client_feature_flags["mark"] for scope in source.scopes} == {7}
    # Another experiment's run of the same name is another run.
    reads = len(source.reads)
    assert client.get(f"/experiment/e2{address('series', run='mlp/healthy')}").status_code == 200
    assert len(source.reads) == reads + 1
