"""Two runs side by side: the routes `compare` and `difference` against the runs themselves."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from werkzeug.test import Client

from tb_convergence.core.comparison import compare
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.schema import Row
from tb_convergence.serving import comparing
from tb_convergence.serving.limits import LIMITS
from tests.serving import contract
from tests.serving.contract import PREFIX, document
from tests.serving.sample_server import build
from tests.serving.samples import SAMPLES, SampleSource, edited, healthy, large, steps_of, trained

ALL = {history.run: history for history in (sample() for sample in SAMPLES)}


def address(route: str, **given: Any) -> str:
    return f"{PREFIX}/{route}?{urlencode(given)}"


def served(*histories: RunHistory) -> Client:
    return Client(build(SampleSource(*histories)))


def told(client: Client, run: str, other: str) -> Any:
    found = document(client.get(address("compare", run=run, **{"with": other})))
    contract.check_compare(found)
    return found


def difference(client: Client, run: str, other: str, metric: str = "gradient_norm",
               group: str = "variables", width: int = 2_000) -> contract.DifferenceMap:
    given = {"run": run, "with": other, "group": group, "metric": metric, "width": width}
    return contract.difference_map(client.get(address("difference", **given)))


@pytest.mark.parametrize(("run", "other"), list(itertools.combinations(sorted(ALL), 2)))
def test_any_two_runs_can_be_compared(client: Client, run: str, other: str) -> None:
    found = told(client, run, other)
    assert (found["run"], found["with"]) == (run, other)
    layers = [document(client.get(address("layers", run=name)))["groups"]
              for name in (run, other)]
    groups = {group["group"]: group for group in layers[1]}
    for group, described in zip(found["groups"], layers[0], strict=True):
        assert group["group"] == described["group"]
        assert len(group["partners"]) == described["row_count"]
        rows = groups.get(group["group"], {"rows": []})["rows"]
        for row, partner in zip(described["rows"], group["partners"], strict=True):
            if partner is not None and group["paired_by"] == "name":
                assert row["name"] == rows[partner]["name"]
    for metric in layers[0][0]["metrics"][:2] if layers[0] and layers[1] else ():
        given = {"run": run, "with": other, "group": layers[0][0]["group"],
                 "metric": metric["name"]}
        response = client.get(address("difference", **given))
        if response.status_code == 404:
            contract.error(response, 404)
        else:
            contract.difference_map(response)


def test_what_steps_count_is_said(client: Client) -> None:
    assert told(client, "mlp/healthy", "keras/histograms")["axes"] == ["step", "step"]
    only = RunHistory("epochs", {}, dict(ALL["keras/histograms"].scalars))
    assert told(served(healthy(), only), "mlp/healthy", "epochs")["axes"] == ["step", "epoch"]


def test_a_run_does_not_differ_from_itself(client: Client) -> None:
    found = told(client, "mlp/explodes", "mlp/explodes")
    assert found["settings"] == found["findings"] == found["differences"] == []
    assert found["diverges_at"] is None
    assert found["shared"]
    heat = difference(client, "mlp/explodes", "mlp/explodes")
    plain = [value for values, codes in zip(heat.values, heat.codes, strict=True)
             for value, code in zip(values, codes, strict=True) if code == 0]
    assert set(plain) == {0.0}


def test_every_value_is_the_ratio_of_the_two_runs() -> None:
    first = trained("first", records=90, seed=1)
    second = trained("second", records=140, seed=2)
    heat = difference(served(first, second), "first", "second")
    tables = first.tables["variables"], second.tables["variables"]
    at = [{int(step): i for i, step in enumerate(table.steps)} for table in tables]
    norm = tables[0].columns.index("gradient_norm")
    assert heat.header["scale"] == "log10"
    assert heat.header["paired_by"] == "name"
    # Steps of the longer run without a record of the other are in no cell.
    assert heat.header["first_steps"] == sorted(at[0].keys() & at[1].keys())
    for row, values in enumerate(heat.values):
        for step, value in zip(heat.header["first_steps"], values, strict=True):
            pair = [float(table.low[where[step], row, norm])
                    for table, where in zip(tables, at, strict=True)]
            assert value == pytest.approx(math.log10(pair[1] / pair[0]), abs=1e-5)
    swapped = difference(served(first, second), "second", "first")
    assert np.allclose(heat.values, -np.array(swapped.values))


def test_fractions_differ_by_their_difference() -> None:
    first = healthy()
    second = replace(
        edited(first, "activations", 0, {"activation_dead_fraction": 0.5}, [2]), run="second"
    )
    heat = difference(served(first, second), first.run, "second", "activation_dead_fraction",
                      "activations")
    assert heat.header["scale"] == "linear"
    assert heat.values[2] == pytest.approx([0.48] * len(heat.values[2]), abs=1e-6)
    assert set(heat.values[1]) == {0.0}


def test_what_is_not_finite_in_either_and_zero_in_one() -> None:
    first = healthy()
    second = edited(first, "variables", 50, {"gradient_nan_fraction": 0.5,
                                             "gradient_norm": np.nan}, [3])
    second = edited(second, "variables", 60, {"gradient_norm": 0.0}, [4])
    second = replace(edited(second, "variables", 0, {"gradient_norm": np.nan}, [5]), run="second")
    client = served(first, second)
    for run, other, sign in ((first.run, "second", -1), ("second", first.run, 1)):
        heat = difference(client, run, other)
        assert set(heat.codes[3][:50]) == {0}
        assert set(heat.codes[3][50:]) == {2}
        assert set(heat.values[4][60:]) == {sign * math.inf}
        assert set(heat.codes[4]) == {0}
        assert set(heat.codes[5]) == {1}
        assert heat.header["minimum"] == heat.header["maximum"] == 0.0


def test_a_cell_shows_the_largest_difference_in_it() -> None:
    first = trained("first", records=1_000)
    spike = edited(first, "variables", 0, {})
    table = spike.tables["variables"]
    column = table.columns.index("gradient_norm")
    table.low[503, 1, column] *= 1e-4
    table.low[504, 1, column] *= 1e2
    heat = difference(served(first, replace(spike, run="spike")), "first", "spike", width=10)
    assert min(heat.values[1]) == pytest.approx(-4, abs=1e-3)
    assert sum(value != 0 for row in heat.values for value in row) == 1


def test_rows_without_partner_hold_no_data_and_are_named() -> None:
    first, second = healthy(), replace(healthy(), run="second")
    table = second.tables["variables"]
    rows = (replace(table.rows[0], name="other/kernel"), *table.rows[1:-1],
            replace(table.rows[-1], shape=(77,)))
    second = replace(second, tables={**second.tables, "variables": replace(table, rows=rows)})
    client = served(first, second)
    (group, *others) = told(client, first.run, "second")["groups"]
    assert group["partners"] == [None, *range(1, len(rows))]
    assert group["paired_by"] == "name"
    assert all(None not in other["partners"] for other in others)
    heat = difference(client, first.run, "second")
    assert set(heat.codes[0]) == {1}
    assert 1 not in heat.codes[1]


def test_models_built_twice_are_paired_by_place_and_it_is_said() -> None:
    first, second = healthy(), replace(healthy(), run="second")
    tables = {
        name: replace(table, rows=tuple(replace(row, name=f"again_{row.name}")
                                        for row in table.rows))
        for name, table in second.tables.items()
    }
    client = served(first, replace(second, tables=tables))
    group = told(client, first.run, "second")["groups"][0]
    assert group["paired_by"] == "place"
    assert group["partners"] == list(range(len(group["partners"])))
    assert difference(client, first.run, "second").header["paired_by"] == "place"


def test_intervals_that_overlap_do_not_differ() -> None:
    known = ALL["keras/histograms"]
    table = known.tables["variables"]
    wider = replace(table, low=table.low * 0.5, high=table.high * 2)
    above = replace(table, low=table.low * 100, high=table.high * 100)
    others = [replace(known, run=name, tables={"variables": other})
              for name, other in (("wider", wider), ("above", above))]
    client = served(known, *others)
    same = difference(client, known.run, "wider")
    assert {v for values in same.values for v in values if not math.isnan(v)} == {0.0}
    gap = difference(client, known.run, "above")
    assert max(gap.values[0]) == pytest.approx(math.log10(95 / 1.06), abs=1e-4)


def test_epochs_are_not_compared_with_steps() -> None:
    first = healthy()
    tables = {**first.tables, "variables": replace(first.tables["variables"], axis="epoch")}
    client = served(first, replace(first, run="epochs", tables=tables))
    given = {"run": first.run, "with": "epochs", "group": "variables", "metric": "gradient_norm"}
    message = contract.error(client.get(address("difference", **given)), 404)
    assert "epochs" in message


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"run": "mlp/healthy"}, 400, "with"),
        ({"run": "mlp/healthy", "with": ""}, 400, "empty"),
        ({"run": "mlp/healthy", "with": "gone"}, 404, "gone"),
        ({"run": "gone", "with": "mlp/healthy"}, 404, "gone"),
        ({"run": "mlp/healthy", "with": "broken"}, 503, "broken"),
        ({"run": "broken", "with": "mlp/healthy"}, 503, "broken"),
    ],
)
@pytest.mark.parametrize("route", ["compare", "difference"])
def test_refusals_say_which_run(
    client: Client, route: str, given: dict[str, str], status: int, said: str
) -> None:
    more = {"group": "variables", "metric": "gradient_norm"} if route == "difference" else {}
    assert said in contract.error(client.get(address(route, **given, **more)), status)


@pytest.mark.parametrize(
    ("group", "metric", "said"),
    [("nope", "gradient_norm", "no group"), ("variables", "nope", "no metric"),
     ("activations", "activation_dead_fraction", "no group")],
)
def test_what_only_one_run_has_is_404(
    client: Client, group: str, metric: str, said: str
) -> None:
    given = {"run": "mlp/healthy", "with": "keras/histograms", "group": group, "metric": metric}
    assert said in contract.error(client.get(address("difference", **given)), 404)


def test_computed_once_and_again_when_either_run_has_grown() -> None:
    source = SampleSource(healthy(), replace(healthy(), run="second"))
    client = Client(build(source))
    where = address("compare", run="mlp/healthy", **{"with": "second"})
    before = client.get(where)
    reads = len(source.reads)
    assert client.get(where).get_data() == before.get_data()
    assert len(source.reads) == reads == 2
    source.histories["second"] = trained("second", records=500)
    source.generation += 1
    after = client.get(where, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert document(after)["last_steps"] == [3900, 4900]


def test_replies_are_bounded_whatever_the_runs_hold() -> None:
    first = large(2_000, 300)
    second = replace(edited(first, "variables", 0, {"gradient_norm": 7e5, "update_ratio": 0.5}),
                     run="second")
    body = comparing.comparison(first, second, compare(first, second), LIMITS)
    assert len(body) <= contract.MOST_BYTES
    found = contract.strict(body)
    contract.check_compare(found)
    assert found["difference_count"] > 1_000
    assert len(found["differences"]) == 200
    assert not found["shortened"]
    tables = first.tables["variables"], second.tables["variables"]
    heat = contract.DifferenceMap(
        comparing.difference(first, second, tables, "gradient_norm", 2_000, LIMITS)
    )
    assert heat.header["cells"] == 100
    # The row that is NaN in both runs stays so.
    assert set(heat.codes[2_000 // 3]) == {2}


def test_more_rows_than_numbers_are_listed_in_part() -> None:
    rows = tuple(Row(f"{'x' * 400}{i}", f"{i}", "kernel", (2, 2)) for i in range(3_000))
    steps = steps_of(2)
    values = np.ones((2, len(rows), 1))
    tables = {name: Table(name, rows, ("gradient_norm",), steps, steps.astype(float), values,
                          values) for name in ("variables", "other")}
    first, second = (RunHistory(run, tables) for run in ("first", "second"))
    limits = replace(LIMITS, numbers=4_000)
    found = contract.strict(comparing.comparison(first, second, compare(first, second), limits))
    assert [group["partners"] for group in found["groups"]] == [list(range(3_000)),
                                                               list(range(1_000))]
