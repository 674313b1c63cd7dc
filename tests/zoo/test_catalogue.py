"""The table of programs: complete, of several architectures, each with a label that is an id."""

from __future__ import annotations

from typing import Any

import pytest

from tb_convergence.core.rules import RULES
from zoo.ids import CAUSES, NOT_TRAINED
from zoo.program import ARCHITECTURES

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def programs() -> dict[str, Any]:
    from zoo.catalogue import PROGRAMS  # noqa: PLC0415 - imports Keras

    return PROGRAMS


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_has_two_programs_of_different_architecture(
    programs: dict[str, Any], cause: str
) -> None:
    own = [p for p in programs.values() if cause in p.expected]
    assert len(own) >= 2
    assert len({p.architecture for p in own}) >= 2


def test_every_cause_that_a_rule_names_has_a_place_in_the_zoo() -> None:
    named = {rule.id for rule in RULES if rule.kind != "symptom"}
    assert named == {*CAUSES, *NOT_TRAINED}


def test_labels_are_ids_of_the_catalogue(programs: dict[str, Any]) -> None:
    named = {id_ for p in programs.values() for id_ in (*p.expected, *p.also)}
    # Where no cause can be told, as of an overfit, the symptom is the diagnosis.
    assert named - {rule.id for rule in RULES} == set()


def test_names_are_unique_and_each_says_what_is_wrong(programs: dict[str, Any]) -> None:
    from zoo.catalogue import FAMILIES  # noqa: PLC0415

    assert sum(map(len, FAMILIES.values())) == len(programs)
    for program in programs.values():
        assert program.why.endswith((".", ";", ":")), program.name
        assert program.architecture in ARCHITECTURES
