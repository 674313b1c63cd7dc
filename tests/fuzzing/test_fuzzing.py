"""Two thousand damaged event files, both loaders, every route; `make fuzz` reads more."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tests.fuzzing.histories import LOADERS, Seen, sound
from tests.fuzzing.judge import judge
from tests.fuzzing.mutations import LEVELS, mutant
from tests.fuzzing.originals import KINDS, original

FILES, BATCH = 2_000, 250

# TensorBoard's own readers warn of numbers in histograms; what counts is what they make of them.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:tensorboard")


@pytest.mark.parametrize("first", range(0, FILES, BATCH))
def test_whatever_a_file_holds(first: int) -> None:
    failures = judge([mutant(seed) for seed in range(first, first + BATCH)])
    assert not failures, "\n".join(map(str, failures))


@pytest.mark.parametrize("kind", KINDS)
def test_the_sound_files_are_sound(kind: str) -> None:
    for loader in LOADERS:
        assert sound(kind, loader).history.last_step > 0
        assert sound(kind, loader).history.tables


@pytest.mark.parametrize("loader", LOADERS)
def test_histograms_come_from_the_file_and_as_they_are_told(loader: str) -> None:
    assert _roles(sound("torch", loader)) == {"gradient", "variable"}
    assert _roles(sound("keras", loader)) == {"variable"}
    assert _roles(sound("recorder", loader)) == set()
    assert _roles(sound("torch", loader, "neither=gradients/{v}")) == {"variable"}
    assert _roles(sound("keras", loader, "gradients={v}/histogram")) == {"gradient"}


def _roles(seen: Seen) -> set[str]:
    return {one.role for recorded in seen.recorded.values() for one in recorded}


def test_a_seed_is_one_file_and_most_are_damaged() -> None:
    mutants = [mutant(seed) for seed in range(300)]
    again = [mutant(seed) for seed in range(300)]
    assert [one.content for one in mutants] == [one.content for one in again]
    assert {one.level for one in mutants} == set(LEVELS)
    assert {one.level for one in mutants if one.told} == set(LEVELS)
    assert {one.level for one in mutants if one.compared} == set(LEVELS)
    changed = {hashlib.sha256(one.content).digest() for one in mutants
               if one.content != original(one.origin.kind).content}
    assert len(changed) > 280


@pytest.mark.parametrize("seed", [10, 11])
def test_the_judge_sees_a_wrong_number(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checksum that is not looked at lets damage through, and that is seen."""
    from tb_convergence.reading import streams  # noqa: PLC0415

    monkeypatch.setattr(streams, "intact", lambda values, checks: np.ones(len(values), bool))
    damaged = [
        one for one in map(mutant, range(seed * 600, seed * 600 + 600)) if one.level == "tensors"
    ]
    assert any("not written" in failure.what for failure in judge(damaged, ("python",)))
