"""The public way to the data: arrays with names and units, as they were written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.event_file_writer import EventFileWriter

import tb_convergence
from tb_convergence.core.schema import Row
from tests.histories import history, kernels, run_table, table
from tests.serving.event_logs import write

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data.md"
STEPS = 6
NORM = np.arange(STEPS * 2, dtype=float).reshape(STEPS, 2) + 1
LOSS = np.linspace(2.0, 1.0, STEPS)


@pytest.fixture
def logdir(tmp_path: Path) -> Path:
    variables = table("variables", kernels("a", "b"), {"gradient_norm": NORM, "mine": NORM * 2})
    recorded = history(variables, run_table(LOSS, learning_rate=np.full(STEPS, 0.5)))
    write(tmp_path, recorded, "lr-0.1")
    return tmp_path


def test_arrays_come_back_with_names_and_units(logdir: Path) -> None:
    runs = tb_convergence.load(logdir, loader="python")
    assert list(runs) == ["lr-0.1"]
    loss = runs["lr-0.1"].series["loss"]
    assert (loss.title, loss.unit, loss.axis) == ("Batch loss", "loss", "step")
    np.testing.assert_allclose(loss.values, LOSS, rtol=1e-6)
    assert loss.steps.tolist() == list(range(STEPS))
    variables = runs["lr-0.1"].tables["variables"]
    assert variables.rows == ("a/kernel", "b/kernel")
    assert variables.layers == ("a", "b")
    assert variables.exact
    np.testing.assert_allclose(variables.column("gradient_norm"), NORM, rtol=1e-6)
    units = dict(zip(variables.columns, variables.units, strict=True))
    assert units["gradient_norm"] == "loss per unit of the variable"
    assert units["mine"] == "", "a column that the catalogue does not know"
    with pytest.raises(KeyError, match="no 'nothing' in 'variables'; there are gradient_norm"):
        variables.column("nothing")


def test_plain_scalars_are_series(tmp_path: Path) -> None:
    writer = EventFileWriter(str(tmp_path / "run"))
    for step, value in enumerate(LOSS.tolist()):
        event = Event(step=step, wall_time=1e9 + step)
        event.summary.value.add(tag="loss", simple_value=value)
        writer.add_event(event)
    writer.close()
    series = tb_convergence.load(tmp_path, loader="python")["run"].series["loss"]
    np.testing.assert_allclose(series.values, LOSS, rtol=1e-6)
    assert series.wall_times.tolist() == [1e9 + step for step in range(STEPS)]


def test_intervals_keep_both_ends() -> None:
    from tb_convergence.reading.load import _table  # noqa: PLC0415

    wide = table("variables", (Row("a/kernel", "a", "kernel"),), {"gradient_norm": [1.0]},
                 high={"gradient_norm": [3.0]})
    found = _table(wide)
    assert not found.exact
    assert found.column("gradient_norm").tolist() == [[2.0]]


def test_the_documented_example_runs(
    logdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    logdir.rename(logdir.parent / "logs")
    monkeypatch.chdir(logdir.parent)
    exec(compile(code, "data.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "Batch loss loss 5 1.0", "a/kernel 11.0", "b/kernel 12.0"
    ]


def test_to_pandas_has_steps_and_rows_as_index(logdir: Path) -> None:
    pytest.importorskip("pandas")
    run = tb_convergence.load(logdir, loader="python")["lr-0.1"]
    frame = run.tables["variables"].to_pandas()
    assert list(frame.index.names) == ["step", "row"]
    assert frame.loc[(3, "b/kernel"), "gradient_norm"] == NORM[3, 1]
    series = run.series["loss"].to_pandas()
    assert series.index.name == "step"
    assert series.name == "loss"
    assert series.loc[0] == 2.0


def test_without_pandas_the_error_says_what_to_install(
    logdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tb_convergence.load(logdir, loader="python")["lr-0.1"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        run.tables["variables"].to_pandas()
