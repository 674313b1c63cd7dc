"""The baselines of the comparison: each threshold fires on a drawn series, and not beside it."""

from __future__ import annotations

from dataclasses import replace

import histories
import numpy as np
import pytest

from tb_convergence.core.history import RunHistory
from zoo.baselines import losslint_tool, sagemaker, thedeepchecker, trainpulse_tool
from zoo.baselines.tool import Report, Tool, first_reports, scalars
from zoo.ids import CAUSES

TOOLS = (losslint_tool.TOOL, trainpulse_tool.TOOL, sagemaker.TOOL, thedeepchecker.TOOL)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_report_has_a_meaning_and_a_reason(tool: Tool) -> None:
    assert set(tool.means) == set(tool.why)
    granted = {id_ for ids in tool.means.values() for id_ in ids}
    assert granted - set(CAUSES) == set()


def drawn(column: str, value: float, rows: slice = slice(None)) -> RunHistory:
    """A healthy history whose `column` is `value` in the second half."""
    history = histories.healthy()
    group, table = next((g, t) for g, t in history.tables.items() if t.has(column))
    values = table.low.copy()
    values[len(values) // 2 :, rows, table.columns.index(column)] = value
    return replace(history, tables={**history.tables, group: replace(table, low=values,
                                                                     high=values)})


def names(tool: Tool, history: RunHistory) -> set[str]:
    return {report.name for report in tool.run(history)}


@pytest.mark.parametrize(
    ("column", "fires", "silent", "name"),
    [
        ("gradient_mean_abs", 5e-8, 2e-7, "VanishingGradient"),
        ("update_ratio", 11.0, 9.0, "WeightUpdateRatio: large"),
        ("update_ratio", 5e-9, 2e-8, "WeightUpdateRatio: small"),
        ("update_ratio", 5e-6, 2e-5, "UnchangedTensor"),
        ("gradient_zero_fraction", 1.0, 0.99, "AllZero"),
        ("gradient_nan_fraction", 0.01, 0.0, "ExplodingTensor"),
        ("activation_dead_fraction", 0.51, 0.49, "DeadRelu"),
        ("activation_saturated_fraction", 0.51, 0.49, "SaturatedActivation"),
        ("loss", np.nan, 0.1, "ExplodingTensor"),
        ("validation_loss", 100.0, 0.0, "Overfit"),
    ],
)
def test_sagemaker(column: str, fires: float, silent: float, name: str) -> None:
    assert name in names(sagemaker.TOOL, drawn(column, fires))
    quiet = drawn(column, silent)
    beside = names(sagemaker.TOOL, quiet)
    if column == "validation_loss":
        # The drawn healthy run has a small gap of its own late in training.
        beside = set()
    assert name not in beside


@pytest.mark.parametrize(
    ("column", "fires", "silent", "name"),
    [
        ("gradient_zero_fraction", 0.71, 0.69, "zero gradients"),
        ("update_ratio", 0.2, 0.05, "updates too large"),
        ("update_ratio", 5e-5, 2e-4, "updates too small"),
        ("activation_dead_fraction", 0.51, 0.49, "dead layer"),
        ("activation_saturated_fraction", 0.51, 0.49, "saturated layer"),
        ("feature_mean", 50.0, 0.0, "unnormalized features"),
        ("loss", np.inf, 0.1, "non-finite loss"),
    ],
)
def test_thedeepchecker(column: str, fires: float, silent: float, name: str) -> None:
    draw = _with_edges
    assert name in names(thedeepchecker.TOOL, draw(drawn(column, fires)))
    assert name not in names(thedeepchecker.TOOL, draw(drawn(column, silent)))


def _with_edges(history: RunHistory) -> RunHistory:
    """The same with what the drawn tables leave out: spread of the weights, range of features."""
    variables, inputs = history.tables["variables"], history.tables["inputs"]
    steps = len(variables.steps)
    spread = np.full((steps, len(variables.rows), 1), 0.35)
    low = np.concatenate([variables.low, spread], axis=2)
    edges = np.stack([np.full((len(inputs.steps), 2), -3.0), np.full((len(inputs.steps), 2), 3.0)],
                     axis=2)
    seen = np.concatenate([inputs.low, edges], axis=2)
    return replace(history, tables={
        **history.tables,
        "variables": replace(variables, columns=(*variables.columns, "variable_std"), low=low,
                             high=low),
        "inputs": replace(inputs, columns=(*inputs.columns, "feature_min", "feature_max"),
                          low=seen, high=seen),
    })


def test_reports_are_read_in_the_order_of_their_first_step() -> None:
    said = [Report("late", 9), Report("early", 3), Report("early", 1)]
    assert first_reports(said) == [Report("early", 1), Report("late", 9)]


def test_scalars_are_what_a_person_would_have_logged() -> None:
    have = scalars(histories.healthy())
    assert set(have) == {"loss", "val_loss", "learning_rate"}
    steps, values = have["loss"]
    assert len(steps) == len(values) == 200


def test_losslint_reads_our_scalars() -> None:
    pytest.importorskip("losslint")
    rising = histories.history(histories.run_table(np.linspace(1, 50, 100)))
    assert "divergence" in names(losslint_tool.TOOL, rising)
    assert names(losslint_tool.TOOL, histories.healthy()) <= {"stagnation"}


def test_trainpulse_reads_our_scalars() -> None:
    pytest.importorskip("trainpulse")
    loss = np.concatenate([np.ones(80), [np.nan], np.ones(5)])
    assert "nan_detector" in names(trainpulse_tool.TOOL,
                                   histories.history(histories.run_table(loss)))
    assert "nan_detector" not in names(trainpulse_tool.TOOL, histories.healthy())
