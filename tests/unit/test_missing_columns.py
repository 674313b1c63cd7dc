"""Whatever a run lacks, rules say what they need; none of them fails for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.rules import RULES
from tests.fuzzing.originals import CONFIG
from tests.serving.samples import all_samples

SAMPLES = {
    name: history for name, history in all_samples().histories.items()
    if name != "large/transformer"
}
HISTORIES = {
    **SAMPLES,
    # A configuration as the recorder writes it: rules that ask for one go further.
    **{f"{name}, configured": replace(history, config=CONFIG) for name, history in SAMPLES.items()},
}


def with_columns(table: Table, wanted: Callable[[str], bool]) -> Table:
    kept = [index for index, name in enumerate(table.columns) if wanted(name)]
    low = table.low[:, :, kept]
    return replace(
        table, columns=tuple(table.columns[index] for index in kept), low=low,
        high=low if table.exact else table.high[:, :, kept],
    )


def poorer(history: RunHistory) -> Iterator[tuple[str, RunHistory]]:
    """The run without one column, one table, one series, without all rows of a table."""
    for group, table in history.tables.items():
        rest = {name: other for name, other in history.tables.items() if name != group}
        yield group, replace(history, tables=rest)
        low = table.low[:, :0]
        rowless = replace(table, rows=(), low=low, high=low if table.exact else table.high[:, :0])
        yield f"rows of {group}", replace(history, tables={**rest, group: rowless})
        for column in table.columns:
            without = with_columns(table, lambda name, gone=column: name != gone)  # type: ignore[misc]
            yield f"{group} {column}", replace(history, tables={**rest, group: without})
            alone = with_columns(table, lambda name, kept=column: name == kept)  # type: ignore[misc]
            yield f"{group} but {column}", replace(history, tables={**rest, group: alone})
            yield f"all but {group} {column}", replace(history, tables={group: alone}, scalars={})
    for name in history.scalars:
        rest_of = {other: series for other, series in history.scalars.items() if other != name}
        yield f"scalar {name}", replace(history, scalars=rest_of)
    yield "configuration", replace(history, config={})


@pytest.mark.parametrize("name", sorted(HISTORIES))
def test_no_rule_fails_for_what_is_missing(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        for missing, history in poorer(HISTORIES[name]):
            diagnosis = diagnose_history(history)
            assert caplog.messages == [], missing
            assert len(diagnosis.not_evaluated) <= len(RULES)
            known = {need for item in diagnosis.not_evaluated for need in item.needs}
            assert not [need for need in known if "failed" in need], missing
