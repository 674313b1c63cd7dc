"""No reply is larger than 1 MB, whatever a run holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tb_convergence.core.diagnosis import Evidence, Finding, NotEvaluated, RunDiagnosis
from tb_convergence.core.gaps import Skipped
from tb_convergence.core.history import RunHistory, Series, Table
from tb_convergence.core.schema import Row
from tb_convergence.serving import lines, payloads
from tb_convergence.serving.heatmap import heatmap
from tb_convergence.serving.limits import LIMITS
from tb_convergence.serving.service import Service
from tb_convergence.serving.source import Scope
from tests.serving import contract
from tests.serving.samples import SampleSource, large

HOSTILE = "\U0001f99c" * 10_000  # twelve bytes of JSON each
WIDE = -1.2345678901234567e-300


def small(body: bytes) -> Any:
    assert len(body) <= contract.MOST_BYTES
    return contract.strict(body)


@pytest.mark.parametrize(("rows", "records"), [(400, 2_000), (2_000, 1_000)])
def test_large_runs(rows: int, records: int) -> None:
    history = large(rows, records)
    for points in (10, 1_000, 2_000):
        contract.check_series(small(lines.series(history, points, LIMITS)), points)
        for group in ("variables", "activations", "inputs"):
            body = lines.layer(history, history.tables[group], 1, points, LIMITS)
            contract.check_layer(small(body), points)
    found = small(payloads.layers(history, 0, LIMITS))
    contract.check_layers(found)
    assert found["next_offset"] is None
    for width in (1, 600, 2_000):
        body = heatmap(history, history.tables["variables"], "gradient_norm", width, LIMITS)
        heat = contract.HeatMap(body)
        assert heat.header["rows"] * heat.header["cells"] <= 200_000
        assert set(heat.codes[rows // 3]) == {2}
        spiked = [value for value in heat.values[rows // 2] if value > 1e5]
        assert len(spiked) == 1


def hostile_table(group: str, rows: int, columns: int, records: int, exact: bool = True) -> Table:
    """Long names, many columns, numbers that take the most room, at steps beyond 2^53."""
    described = tuple(
        Row(f"{i}{HOSTILE}", f"{i}{HOSTILE}", HOSTILE, tuple([2**62] * 200), HOSTILE, HOSTILE,
            HOSTILE)
        for i in range(rows)
    )
    names = tuple(f"{i}{HOSTILE[:1_000]}" for i in range(columns))
    low = np.full((records, rows, columns), WIDE)
    low[1::2] = -np.inf
    high = low if exact else low + 1.0
    steps = 2**53 + 1 + np.arange(records, dtype=np.int64)
    return Table(group, described, names, steps, steps * 1e-4, low, high)


@pytest.mark.parametrize("exact", [True, False])
def test_hostile_layers(exact: bool) -> None:
    table = hostile_table("mine", 2, 1_000, 300, exact)
    for points in (10, 2_000):
        small(lines.layer(RunHistory(HOSTILE[:8_000]), table, 1, points, LIMITS))


def test_hostile_series() -> None:
    table = hostile_table("run", 40, 100, 50)
    steps = table.steps
    scalars = {
        f"{i}": Series(HOSTILE, steps, table.low[:, 0, 0], table.wall_times, HOSTILE)
        for i in range(200)
    }
    history = RunHistory("r", {"run": table}, scalars)
    for points in (10, 2_000):
        small(lines.series(history, points, LIMITS))


def test_hostile_rows_are_paged_and_all_reached() -> None:
    tables = {f"g{i}": hostile_table(f"g{i}", 60 + i, 1, 1) for i in range(30)}
    tables[HOSTILE] = hostile_table(HOSTILE, 1, 1, 1)
    history = RunHistory("r", tables)
    offset, seen = 0, 0
    while offset is not None:
        found = small(payloads.layers(history, offset, LIMITS))
        contract.check_layers(found)
        assert len(found["groups"]) == LIMITS.groups
        seen += sum(len(group["rows"]) for group in found["groups"])
        assert found["next_offset"] is None or found["next_offset"] > offset
        offset = found["next_offset"]
    assert seen == sum(60 + i for i in range(20))


def test_100_000_rows_are_paged_and_all_reached() -> None:
    row = Row("block_1/attention/query/kernel", "block_1/attention/query", "kernel", (768, 768))
    values = np.zeros((1, 100_000, 1), dtype=np.float32)
    one = np.zeros(1, dtype=np.int64)
    table = Table("variables", (row,) * 100_000, ("gradient_norm",), one, one.astype(float),
                  values, values)
    history = RunHistory("r", {"variables": table})
    offset, seen = 0, 0
    while offset is not None:
        (group,) = (found := small(payloads.layers(history, offset, LIMITS)))["groups"]
        assert group["row_count"] == 100_000
        seen += len(group["rows"])
        offset = found["next_offset"]
    assert seen == 100_000


def nested(depth: int, width: int) -> Any:
    return {f"k{i}": nested(depth - 1, width) for i in range(width)} if depth else "leaf" * 20


@pytest.mark.parametrize(
    "config",
    [
        {"text": HOSTILE * 10},
        {f"{i}": float("nan") for i in range(100_000)},
        {HOSTILE: HOSTILE},
        nested(16, 2),
        nested(9, 4),
        {"deep": [[[[[2**80, -(2**80), 1e400, True, None]]]]]},
    ],
    ids=["text", "many", "key", "deep", "wide", "numbers"],
)
def test_hostile_configuration(config: dict[str, Any]) -> None:
    history = RunHistory("r", config=config)
    found = small(payloads.findings(history, RunDiagnosis("r", -1, (), (), ()), LIMITS))
    contract.check_findings(found)


def test_configuration_nested_beyond_recursion() -> None:
    config: Any = {}
    for _ in range(900):
        config = {"a": [config]}
    small(payloads.findings(RunHistory("r", config=config), RunDiagnosis("r", -1, (), (), ()),
                            LIMITS))


def test_hostile_findings() -> None:
    evidence = Evidence(HOSTILE, float("nan"), float("inf"), 2**62, HOSTILE)
    finding = Finding(
        HOSTILE, "cause", "critical", 0.5, HOSTILE, HOSTILE, 2**60, 2**62, (HOSTILE,) * 50,
        (evidence,) * 50, (HOSTILE,) * 50, HOSTILE, (HOSTILE,) * 9, (HOSTILE,) * 9,
        (HOSTILE,) * 9,
    )
    skipped = tuple(Skipped(HOSTILE, 2**62, HOSTILE) for _ in range(5_000))
    diagnosis = RunDiagnosis(
        "r", 2**62, (finding,) * 20, (NotEvaluated(HOSTILE, (HOSTILE,) * 20),) * 60, skipped
    )
    history = RunHistory("r", restarts=tuple(range(100_000)))
    found = small(payloads.findings(history, diagnosis, LIMITS))
    assert found["shortened"]
    assert found["findings"]


def test_names_are_cut_alike_in_rows_and_findings() -> None:
    name = "block/" + "x" * 900 + "/kernel"
    history = RunHistory("r", {"variables": hostile_table("variables", 1, 1, 1)})
    history = replace(history, tables={
        "variables": replace(history.tables["variables"], rows=(Row(name, name, "kernel"),))
    })
    finding = Finding("f", "cause", "critical", 0.5, "t", "s", 0, 1, (name,),
                      (Evidence("n", 1.0, layer=name),))
    said = small(payloads.findings(history, RunDiagnosis("r", 1, (finding,), (), ()), LIMITS))
    (row,) = small(payloads.layers(history, 0, LIMITS))["groups"][0]["rows"]
    assert said["findings"][0]["layers"] == [row["layer"]] == [row["name"]]
    assert said["findings"][0]["evidence"][0]["layer"] == row["layer"]
    assert len(row["name"]) == 500
    assert row["name"].endswith("/kernel")


def test_ten_thousand_runs_are_paged_and_all_reached() -> None:
    source = SampleSource(*(RunHistory(f"{i:05d}/{'long' * 50}") for i in range(10_000)))
    service = Service(source)
    seen: list[str] = []
    offset, pages = 0, 0
    while offset is not None:
        body = contract.gzip.decompress(service.runs(Scope(None, ""), offset).packed)
        found = small(body)
        contract.check_runs(found)
        assert found["total"] == 10_000
        seen += [entry["run"] for entry in found["runs"]]
        offset = found["next_offset"]
        pages += 1
    assert seen == sorted(source.histories)
    assert pages > 1


def test_runs_of_hostile_names() -> None:
    source = SampleSource(*(RunHistory(f"{i}{HOSTILE[:8_000]}") for i in range(100)),
                          RunHistory(HOSTILE))
    found = small(contract.gzip.decompress(Service(source).runs(Scope(None, "")).packed))
    contract.check_runs(found)
    assert found["next_offset"] is not None
    rest = small(contract.gzip.decompress(Service(source).runs(Scope(None, ""), 100).packed))
    assert "too long" in rest["runs"][-1]["error"]


def test_a_run_whose_name_is_not_text_is_listed_with_a_reason() -> None:
    source = SampleSource(RunHistory("bad\udcff"))
    (entry,) = small(contract.gzip.decompress(Service(source).runs(Scope(None, "")).packed))["runs"]
    assert "UTF-8" in entry["error"]
    assert source.reads == []
