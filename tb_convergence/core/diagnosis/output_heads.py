"""Views of a model with several outputs, one output at a time.

Whether an activation, a loss and its targets fit each other is a question about one output. Each
output therefore gets a history of its own: its targets and predictions, its loss (the epoch means
of `<output>_loss` if they were recorded), and a configuration with only that output and that loss.
Rules about outputs then read every model in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.diagnosis.rule import Match, Signs, strongest
from tb_convergence.core.history import RunHistory, Table

MAX_HEADS: Final = 32
"""Maximum number of outputs to check; detectors have a few, but a document may list any number."""
SIDES: Final = ("target", "prediction")
LOSSES: Final = ("loss", "epoch_loss", "validation_loss")


@memoized
def output_heads(history: RunHistory) -> tuple[RunHistory, ...]:
    """One history per output, in the order of the targets; `history` itself with one output.

    Histories of outputs lack the loss of the whole model, which says nothing about one of them.
    """
    table = history.table("inputs")
    if table is None:
        return (history,)
    names = tuple(dict.fromkeys(table.rows[row].layer for row in table.rows_of(*SIDES)))
    outputs = dict.fromkeys(table.rows[row].layer for row in table.rows_of("prediction"))
    if len(outputs) < 2 or not outputs.keys() >= set(names):
        return (history,)
    return tuple(
        _head(history, table, name, position)
        for position, name in enumerate(outputs) if position < MAX_HEADS
    )


def at_any_head(
    history: RunHistory, signs: Signs, check: Callable[[RunHistory, Signs], Match | None]
) -> Match | None:
    """The best match that `check` finds at one of the outputs; None if it finds nothing."""
    return strongest(*(check(head, signs) for head in output_heads(history)))


def _head(history: RunHistory, inputs: Table, name: str, position: int) -> RunHistory:
    kept = [
        index for index, row in enumerate(inputs.rows)
        if row.kind not in SIDES or row.layer == name
    ]
    tables = {group: table for group, table in history.tables.items() if group != "run"}
    tables["inputs"] = _rows_of(inputs, kept)
    tables.pop("labels", None)  # written for models with one output
    epoch, own = history.tables.get("epoch"), f"metric/{name}_loss"
    if epoch is not None and epoch.has(own):
        tables["epoch"] = _only_column(epoch, own, "epoch_loss")
    else:
        tables.pop("epoch", None)
    scalars = {key: one for key, one in history.scalars.items() if key not in LOSSES}
    model = configuration(history)
    layer = name if model.layer(name) is not None else ""
    config = {
        **history.config, "output": layer, "loss": _loss_of(history.config, name, position),
    }
    return replace(history, tables=tables, scalars=scalars, config=config)


def _loss_of(document: Mapping[str, Any], name: str, position: int) -> Any:
    """The configured loss of one output, by its name or else by its position."""
    losses = document.get("loss")
    if isinstance(losses, list):
        return losses[position] if position < len(losses) else {}
    if isinstance(losses, Mapping) and not isinstance(losses.get("name"), str):
        return losses.get(name, {})
    return losses


def _rows_of(table: Table, kept: list[int]) -> Table:
    low = table.low[:, kept]
    return replace(
        table, rows=tuple(table.rows[index] for index in kept), low=low,
        high=low if table.exact else table.high[:, kept],
    )


def _only_column(table: Table, name: str, new: str) -> Table:
    index = table.columns.index(name)
    low = table.low[:, :, index : index + 1]
    return replace(
        table, columns=(new,), low=low,
        high=low if table.exact else table.high[:, :, index : index + 1],
    )
