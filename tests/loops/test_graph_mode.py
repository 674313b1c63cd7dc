"""`v1.health_summary`: the classic loop of graph mode with one line more, without eager execution.

The programs run as processes of their own: graph mode is a switch of the whole process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import event_headers
import numpy as np
import pytest
import records

tf = pytest.importorskip("tensorflow")

PROGRAMS = Path(__file__).parent / "graph_programs.py"


def run(program: str, folder: str) -> list[Any]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, str(PROGRAMS), program, folder],
        capture_output=True, text=True, env=environment, check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("program", ["session", "session-old"])
def test_the_classic_loop(tmp_path: Path, program: str) -> None:
    seen = run(program, str(tmp_path))
    history = records.only(tmp_path)
    assert not history.skipped
    table = history.tables["variables"]
    assert table.steps.tolist() == list(range(len(seen)))
    names = [row.name for row in table.rows]
    assert names == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias",
                     "words/embeddings", "unused/w"]
    assert [row.kind for row in table.rows][-2:] == ["embedding", "other"]
    assert table.rows[0].shape == (5, 8)
    for step, told in enumerate(seen):
        assert records.value(history, "run", "loss", step) == pytest.approx(told["loss"], rel=1e-6)
        assert records.value(history, "run", "learning_rate", step) == pytest.approx(0.05)
        for index, name in enumerate(names):
            expected = told[f"g {name}"]
            found = records.value(history, "variables", "gradient_norm", step, index)
            update = records.value(history, "variables", "update_norm", step, index)
            weight = records.value(history, "variables", "variable_norm", step, index)
            missing = records.value(history, "variables", "gradient_missing", step, index)
            assert weight == pytest.approx(told[f"w {name}"], rel=1e-5)
            if expected is None:
                assert np.isnan(found)
                assert np.isnan(update)
                assert missing == 1.0
            else:
                assert found == pytest.approx(expected, rel=1e-5)
                assert update == pytest.approx(0.05 * expected, rel=1e-5)
                assert missing == 0.0
        everything = [value for key, value in told.items() if key.startswith("g ") and value]
        total = records.value(history, "run", "gradient_global_norm", step)
        assert total == pytest.approx(float(np.linalg.norm(everything)), rel=1e-5)


def test_metadata_is_in_the_file_once_per_tag(tmp_path: Path) -> None:
    steps = len(run("session", str(tmp_path)))
    described, values = event_headers.counted(tmp_path)
    assert sorted(tag.split("/")[1] for tag in described) == ["run", "variables"]
    assert set(described.values()) == {1}
    assert {values[tag] for tag in described} == {steps}


def test_a_monitored_session_writes_it_by_itself(tmp_path: Path) -> None:
    run("monitored", str(tmp_path))
    history = records.only(tmp_path)
    table = history.tables["variables"]
    assert len(table.steps) >= 3
    assert np.isfinite(table.column("gradient_norm")[:, :5]).all()
    assert not table.has("update_norm"), "what was not given is not told"
    assert not history.tables["run"].has("learning_rate")
    needs = {item for missing in not_evaluated(history) for item in missing}
    assert any("update" in item for item in needs)


def not_evaluated(history: Any) -> list[tuple[str, ...]]:
    from tb_convergence.core.diagnosis import diagnose_history  # noqa: PLC0415

    return [item.needs for item in diagnose_history(history).not_evaluated]


@pytest.mark.parametrize("mode", ["weights", "weights-old"])
def test_weights_are_the_same_bit_for_bit(mode: str) -> None:
    assert run(mode, "recorded") == run(mode, "")


def test_wrong_arguments_are_refused_when_the_graph_is_built() -> None:
    from tb_convergence import v1  # noqa: PLC0415

    with tf.Graph().as_default():
        gradient = tf.constant([1.0])
        variable = tf.compat.v1.get_variable("v", [1])
        with pytest.raises(TypeError, match="pairs"):
            v1.health_summary([gradient])
        with pytest.raises(ValueError, match="empty"):
            v1.health_summary([])
        with pytest.raises(ValueError, match="2 updates for 1"):
            v1.health_summary([(gradient, variable)], updates=[gradient, gradient])


def test_eager_code_is_told_what_to_use_instead() -> None:
    from tb_convergence import v1  # noqa: PLC0415

    with pytest.raises(RuntimeError, match="ConvergenceRecorder"):
        v1.health_summary([(tf.constant([1.0]), tf.Variable([1.0]))])


def test_a_fault_of_ours_gives_an_empty_summary(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tb_convergence import v1  # noqa: PLC0415
    from tb_convergence.training.instep import tables  # noqa: PLC0415

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("planted fault")

    monkeypatch.setattr(tables, "part", fail)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        variable = tf.compat.v1.get_variable("v", [1])
        summary = v1.health_summary([(tf.constant([1.0]), variable)])
        assert session.run(summary) == b""
        assert not graph.get_collection(tf.compat.v1.GraphKeys.SUMMARIES)
    assert "planted fault" in caplog.text
