"""What the recorder adds to a training, counted: operations, traces, calls, bytes. No clock."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_convergence.core.schema import Row
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs

tf = pytest.importorskip("tensorflow")

from tb_convergence.training.instep.gradients import Scaling  # noqa: E402 - needs TensorFlow
from tb_convergence.training.instep.recorder import Recorder  # noqa: E402
from tb_convergence.training.instep.snapshot import Rows, Trace  # noqa: E402


def graph_of(count: int, size: int = 50, compiled: bool = False) -> Any:
    """Graph of a step that changes `count` variables of `size` entries, observed."""
    rows = tuple(Row(f"v{i}", "layer", "kernel", (size,), "float32") for i in range(count))
    recorder = Recorder(Rows(rows), [True] * count, [], 0, compiled)
    variables = [tf.Variable(tf.ones([size])) for _ in range(count)]

    @tf.function(autograph=False)
    def step(gradients: list[Any]) -> None:
        plan = recorder.before(
            Trace(loss=tf.reduce_sum(gradients[0])), gradients, variables,
            lambda: tf.constant(0.1), Scaling(),
        )
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(0.1 * gradient)
        recorder.after(plan)

    spec = [tf.TensorSpec([size], tf.float32)] * count
    return step.get_concrete_function(spec).graph.as_graph_def()


def sizes(graph: Any) -> tuple[int, int]:
    """(operations that run at every step, operations of all functions)."""
    return len(graph.node), sum(len(function.node_def) for function in graph.library.function)


def test_the_graph_grows_slowly_with_the_variables() -> None:
    (few, few_within), (many, many_within) = sizes(graph_of(5)), sizes(graph_of(45))
    # Of these, four are the step's own: placeholder, product, constant and assignment.
    assert (many - few) / 40 <= 7
    assert (many_within - few_within) / 40 <= 20
    assert many_within < 1_500


def test_large_variables_cost_a_few_calls_each() -> None:
    (_, few), (_, many) = (sizes(graph_of(n, size=20_000)) for n in (5, 45))
    assert (many - few) / 40 <= 30


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
def test_no_branch_is_spread_over_the_step(compiled: bool) -> None:
    branches = [node for node in graph_of(5, compiled=compiled).node if "If" in node.op]
    # XLA reads the old values in the open.
    assert len(branches) == (1 if compiled else 2)
    assert not any(node.attr["_lower_using_switch_merge"].b for node in branches)


def test_what_is_recorded_is_left_to_no_optimizer() -> None:
    """Every call out of a branch goes to a function that stays as it is."""
    library = {function.signature.name: function for function in graph_of(3).library.function}
    called = {
        node.attr["f"].func.name
        for function in library.values()
        for node in function.node_def
        if node.op in ("PartitionedCall", "StatefulPartitionedCall")
    }
    assert called
    for name in called:
        assert library[name].attr["_noinline"].b
        assert library[name].attr["_tf_data_function"].b


def test_a_thousand_steps_are_traced_once(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Counter[str] = Counter()
    for name in ("before", "after"):
        original = getattr(Recorder, name)

        def counted(self: Any, *args: Any, _original: Any = original, _name: str = name) -> Any:
            seen[_name] += 1
            return _original(self, *args)

        monkeypatch.setattr(Recorder, name, counted)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    x, y = np.zeros((2_000, 3), "float32"), np.zeros((2_000, 2), "float32")
    callback = ConvergenceCallback(tmp_path, watch_every_step=True)
    model.fit(x, y, batch_size=2, verbose=0, callbacks=[callback])
    assert callback.disabled_reason is None
    assert seen == {"before": 1, "after": 1}


def test_bytes_of_a_record(keras: Any, tmp_path: Path) -> None:
    """A record is its numbers and little else; the rows are described once, not in each."""
    written = []
    for records in (20, 60):
        model = keras.Sequential(
            [keras.Input((3,)), *(keras.layers.Dense(8) for _ in range(20)), keras.layers.Dense(2)]
        )
        model.compile("sgd", "mse")
        x, y = np.zeros((records, 3), "float32"), np.zeros((records, 2), "float32")
        folder = tmp_path / str(records)
        callback = ConvergenceCallback(folder, every_n_steps=1)
        model.fit(x, y, batch_size=1, verbose=0, callbacks=[callback])
        written.append(sum(path.stat().st_size for path in folder.iterdir()))
    with open_logdir(folder, "python") as source:
        (found,) = fold_runs(source.runs())
        run = read_folded(source, found)
    numbers = sum(
        table.low.shape[1] * table.low.shape[2]
        for group, table in run.tables.items()
        if group != "epoch"
    )
    each = (written[1] - written[0]) / 40
    assert 4 * numbers <= each <= 4 * numbers * 1.1 + 1_000
