"""Every damaged file that once showed a fault: `python -m tests.fuzzing --keep SEED NAME` adds one.

The file's name says what was wrong.
"""

from __future__ import annotations

import pytest

from tests.fuzzing.judge import judge
from tests.fuzzing.kept import all_kept

KEPT = all_kept()


@pytest.mark.filterwarnings("ignore::RuntimeWarning:tensorboard")
@pytest.mark.parametrize("name", KEPT)
def test_what_was_found_stays_mended(name: str) -> None:
    failures = judge([KEPT[name]])
    assert not failures, "\n".join(map(str, failures))
