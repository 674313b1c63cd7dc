"""What experiments say moves the confidence of causes, and is read from hostile logs with care."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import histories as draw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.core.diagnosis import Match, Rule, diagnose_history
from tb_convergence.core.diagnosis.finding import as_json
from tb_convergence.core.diagnosis.tested import MAX_REMEDY, remedy_of
from tb_convergence.core.experiments import (
    KINDS,
    MAX_BYTES,
    ExperimentRecord,
    ExperimentVerdict,
    Outcome,
    decode,
    encode,
)
from tb_convergence.core.schema import SchemaError


def rule(id_: str, kind: str = "cause", confidence: float = 0.6, **more: object) -> Rule:
    match = Match("warning", confidence, f"{id_} happened", 5, 99)
    return Rule(id_, kind, id_, ("loss",), lambda history, signs: match, **more)  # type: ignore[arg-type]


def record(outcome: Outcome, finding: str = "guess", time: float = 0.0) -> ExperimentRecord:
    verdict = ExperimentVerdict(finding, outcome, "0.9, not 0.1")
    return ExperimentRecord("ablate", "it was tried", (verdict,), wall_time=time)


def diagnosed(*records: ExperimentRecord, rules: list[Rule] | None = None):
    history = replace(draw.history(draw.run_table(draw.flat())), experiments=records)
    return diagnose_history(history, rules or [rule("guess", experiment="LR range test")])


@pytest.mark.parametrize(
    ("outcome", "confidence", "experiment"),
    [("confirmed", 0.97, ""), ("refuted", 0.1, ""), ("undecided", 0.6, "LR range test")],
)
def test_confidence_follows_the_experiment(outcome, confidence: float, experiment: str) -> None:
    (found,) = diagnosed(record(outcome)).findings
    assert found.confidence == pytest.approx(confidence)
    assert found.experiment == experiment
    assert found.tested is not None
    assert (found.tested.outcome, found.tested.experiment) == (outcome, "ablate")
    (told,) = as_json(diagnosed(record(outcome)))["findings"]
    assert told["tested"]["outcome"] == outcome
    json.dumps(told, allow_nan=False)


def test_a_refuted_cause_gives_way_to_the_one_that_is_left() -> None:
    rules = [rule("first", confidence=0.8, explains=("symptom",)),
             rule("second", confidence=0.5, explains=("symptom",)), rule("symptom", "symptom")]
    before = diagnosed(rules=rules).findings
    assert before[0].id == "first"
    after = diagnosed(record("refuted", "first"), rules=rules).findings
    assert after[0].id == "second"
    assert {one.id: one.explained_by for one in after}["symptom"] == "second"
    refuted = next(one for one in after if one.id == "first")
    assert refuted.severity == "info"


def test_a_symptom_was_observed_whatever_was_tried() -> None:
    (found,) = diagnosed(record("refuted", "seen"), rules=[rule("seen", "symptom")]).findings
    assert found.confidence == pytest.approx(0.6)
    assert found.tested is not None


def test_the_newest_word_that_decides_counts() -> None:
    (found,) = diagnosed(record("refuted", time=9), record("confirmed", time=5),
                         record("undecided", time=10)).findings
    assert found.tested is not None
    assert found.tested.outcome == "refuted"


def doctored(outcome: Outcome, data: dict, time: float = 0.0) -> ExperimentRecord:
    return replace(record(outcome, time=time), kind="doctor", data=data)


DIFF = "--- train.py\n+++ train.py\n@@ -1 +1 @@\n-SGD(0.3)\n+SGD(0.003)"


def test_a_confirmed_cause_carries_the_change_that_was_proven() -> None:
    lines = {"proofs": [{"chosen": False, "lines": ["no()"]},
                        {"chosen": True, "lines": ["a = 1", "b(a)"]}]}
    for data, remedy in (({"diff": DIFF, **lines}, DIFF), (lines, "+ a = 1\n+ b(a)")):
        # A later experiment that confirms as well says nothing of the change: the doctor's stays.
        for more in ((), (record("confirmed", time=9),)):
            found = diagnosed(doctored("confirmed", data), *more)
            assert found.findings[0].tested is not None
            assert found.findings[0].tested.remedy == remedy
            (told,) = as_json(found)["findings"]
            assert told["tested"]["remedy"] == remedy
    for records in (
        (doctored("refuted", {"diff": DIFF}),),
        (doctored("undecided", {"diff": DIFF}),),
        (doctored("confirmed", {"diff": DIFF}), record("refuted", time=9)),
        (replace(record("confirmed"), data={"diff": DIFF}),),
        (doctored("confirmed", {"diff": "x" * (MAX_REMEDY + 1)}),),
    ):
        (told,) = as_json(diagnosed(*records))["findings"]
        assert told["tested"]["remedy"] is None


@given(st.dictionaries(
    st.sampled_from(["diff", "proofs"]),
    st.deferred(lambda: json_values) | st.lists(st.fixed_dictionaries(
        {"chosen": st.booleans(), "lines": st.deferred(lambda: json_values)}))))
def test_a_remedy_is_a_bounded_text_whatever_a_record_holds(data: dict) -> None:
    remedy = remedy_of(ExperimentRecord("doctor", "", data=data))
    assert isinstance(remedy, str)
    assert len(remedy) <= MAX_REMEDY


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(text: bytes) -> None:
    with suppress(SchemaError):
        assert decode(text).kind in KINDS


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner,
                                                                max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(
    st.sampled_from(["schema", "kind", "summary", "verdicts", "data"]),
    json_values | st.just(1) | st.just("ablate") | st.lists(json_values, max_size=2)))
def test_any_document_is_refused_or_read(document: dict) -> None:
    with suppress(SchemaError):
        found = decode(json.dumps(document).encode())
        assert found.kind in KINDS
        assert decode(encode(found)).data == found.data


def test_what_is_too_large_or_newer_is_refused() -> None:
    with pytest.raises(SchemaError, match="refused"):
        decode(b" " * (MAX_BYTES + 1))
    with pytest.raises(SchemaError, match="at most"):
        encode(ExperimentRecord("ablate", "x" * MAX_BYTES))
    newer = json.loads(encode(record("refuted"))) | {"schema": 99}
    with pytest.raises(SchemaError, match="upgrade"):
        decode(json.dumps(newer).encode())
    with pytest.raises(SchemaError, match="strict JSON"):
        decode(b'{"schema": 1, "kind": "ablate", "data": {"a": NaN}}')
