"""The route `experiments`, against the records it serves, and against records that lie."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from tb_convergence.core.experiments import KINDS, ExperimentRecord, decode, encode
from tb_convergence.core.history import RunHistory
from tb_convergence.serving.experiments import SHAPES, experiments, shaped
from tb_convergence.serving.limits import LIMITS
from tests.experiment_records import every_kind, range_test
from tests.serving import contract
from tests.serving.contract import PREFIX, document, error


def ask(client: Client, run: str) -> Any:
    found = document(client.get(f"{PREFIX}/experiments", query_string={"run": run}))
    contract.check_experiments(found)
    return found


def served(*records: ExperimentRecord) -> Any:
    """The reply about a run with these experiments, as a strict reader gets it."""
    found = contract.strict(experiments(RunHistory("a", {}, {}, experiments=records), LIMITS))
    contract.check_experiments(found)
    return found


def test_every_kind_is_served_newest_first(client: Client) -> None:
    found = ask(client, "mlp/healthy")
    assert found["total"] == len(KINDS)
    assert [one["kind"] for one in found["experiments"]] == [
        one.kind for one in reversed(every_kind())
    ]
    assert set(SHAPES) == set(KINDS)


def test_numbers_arrive_as_they_were_written(client: Client) -> None:
    found = {one["kind"]: one["data"] for one in ask(client, "mlp/healthy")["experiments"]}
    for record in every_kind():
        written = json.loads(encode(record))["data"]
        for name in ("curves", "rungs", "effects", "layers", "issues", "proofs", "candidates"):
            if name in written:
                assert found[record.kind][name] == written[name], (record.kind, name)
    assert found["lr_range_test"]["unclipped"]["highest_stable"] == 0.04
    assert found["ablate"]["effects"][-1]["mean"] is None, "it diverged"


def test_verdicts_carry_the_title_of_their_finding(client: Client) -> None:
    found = ask(client, "mlp/healthy")["experiments"]
    (ablation,) = (one for one in found if one["kind"] == "ablate")
    assert ablation["verdicts"][0]["title"] == "The input is not normalized"
    assert ablation["verdicts"][0]["outcome"] == "confirmed"


def test_a_run_without_experiments_has_none(client: Client) -> None:
    assert ask(client, "mlp/explodes") == {
        "schema": 1, "run": "mlp/explodes", "total": 0, "experiments": []
    }
    error(client.get(f"{PREFIX}/experiments?run=nobody"), 404)
    error(client.get(f"{PREFIX}/experiments?run=broken"), 503)


def test_the_list_of_runs_counts_them(client: Client) -> None:
    entries = {one["run"]: one for one in contract.examined_runs(client)["runs"]}
    assert entries["mlp/healthy"]["experiments"] == len(KINDS)
    assert entries["mlp/explodes"]["experiments"] == 0


def test_many_large_experiments_fit_into_one_reply() -> None:
    whole = range_test()
    large = {**whole.data, "curves": [whole.data["curves"][0]] * 30}
    found = served(*[replace(whole, data=large, wall_time=float(at)) for at in range(200)])
    assert found["total"] == 200
    kept = [one["data"] is not None for one in found["experiments"]]
    assert any(kept), "the newest is whole"
    assert not all(kept)
    assert kept == sorted(kept, reverse=True)
    assert len(json.dumps(found)) < LIMITS.reply_bytes


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(sorted({name for shape in SHAPES.values() for name in shape})), inner,
        max_size=4),
    max_leaves=12,
)


@given(kind=st.sampled_from(KINDS), data=st.dictionaries(
    st.sampled_from(sorted({name for shape in SHAPES.values() for name in shape})), anything,
    max_size=6))
def test_data_of_any_form_comes_out_in_the_form_that_is_promised(
    kind: str, data: dict[str, Any]
) -> None:
    served(decode(encode(ExperimentRecord(kind, "forged", (), data))))


def test_numbers_that_no_float_holds_are_left_out() -> None:
    assert shaped([10**400, 1, "2", True, float("inf")], ["number"]) == [
        None, 1.0, None, None, None
    ]
    assert shaped(["a", 3, None], ["text"]) == ["a", "", ""]
