"""Every damaged file that once showed a fault: `python -m tests.fuzzing --keep SEED NAME` adds one.

The file's name says what was wrong.
"""

from __future__ import annotations

import pytest

from tests.fuzzing.judge import Failure, judge
from tests.fuzzing.kept import all_kept

KEPT = all_kept()


@pytest.fixture(scope="module")
def failures() -> list[Failure]:
    """What is wrong with any of them, read from one log directory."""
    return judge(list(KEPT.values()))


@pytest.mark.filterwarnings("ignore::RuntimeWarning:tensorboard")
@pytest.mark.parametrize("name", KEPT)
def test_what_was_found_stays_mended(name: str, failures: list[Failure]) -> None:
    about = [failure for failure in failures if failure.run in {KEPT[name].name, ""}]
    assert not about, "\n".join(map(str, about))


def test_sound_runs_beside_them_are_answered_as_alone(failures: list[Failure]) -> None:
    damaged = {mutant.name for mutant in KEPT.values()}
    assert [str(failure) for failure in failures if failure.run not in damaged] == []
