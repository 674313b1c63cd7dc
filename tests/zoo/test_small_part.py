"""The part of the zoo that runs with every test: four programs and their twins, one seed.

`make zoo` trains the rest. These are chosen to be short and clear: where one of them is not named,
or a twin is accused, a rule or the recorder is broken.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from zoo.cache import Cache
from zoo.judging import judge
from zoo.listing import Listing
from zoo.outcome import Outcome
from zoo.runner import record_all
from zoo.task import Task

pytestmark = pytest.mark.tensorflow

PROGRAMS = (
    "rate-high-dense",
    "scaled-labels-convolutional",
    "large-recurrent",
    "single-softmax-dense",
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What was said of each, by task; trained by a child process as `make zoo` does it."""
    listing = Listing(None, None)
    cache = Cache(Path(tmp_path_factory.mktemp("zoo")), listing.content)
    tasks = [Task(name, sick, 0) for name in PROGRAMS for sick in (True, False)]
    failed = record_all(tasks, cache, jobs=1, where=[], out=io.StringIO())
    assert not failed
    # A second time nothing is left to train, so nothing is written to the progress bar.
    again = io.StringIO()
    assert record_all(tasks, cache, jobs=1, where=[], out=again) == {}
    assert again.getvalue() == ""
    return {str(o.task): o for o in judge(tasks, cache, listing.programs, moments=False)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_cause_is_named_first(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[f"{name}:sick:0"]
    assert outcome.at_fault == ""
    assert outcome.first in outcome.expected, [f.summary for f in outcome.findings]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_twin_is_not_accused(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[f"{name}:healthy:0"]
    assert outcome.at_fault == ""
    assert not outcome.alarms, [f.summary for f in outcome.alarms]
