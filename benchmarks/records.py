"""B2 and B3: one recorded step of a large model, its time and its bytes, beside histograms."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from benchmarks import networks, turns
from benchmarks.report import Options, Table, say
from tb_convergence.core import schema, statistics
from tb_convergence.training.host.writer import RunWriter, channel
from tb_convergence.training.instep.gradients import Scaling
from tb_convergence.training.instep.recorder import Recorder
from tb_convergence.training.instep.snapshot import Rows, Trace

TURNS: Final = 5


class Model:
    """Variables of a large model with gradients, and a step that changes them.

    Attributes:
        count: of the variables.
    """

    def __init__(self, shapes: Sequence[Sequence[int]]) -> None:
        random = tf.random.Generator.from_seed(1)
        self.count = len(shapes)
        self.gradients = [random.normal(shape, stddev=1e-3) for shape in shapes]
        self.variables = [tf.Variable(random.normal(shape, stddev=0.05)) for shape in shapes]
        rows = Rows(tuple(
            schema.Row(f"layer_{index}/kernel", f"layer_{index}", "kernel", tuple(shape), "float32")
            for index, shape in enumerate(shapes)
        ))
        self.recorder = Recorder(rows, [True] * self.count, [], 0, compiled=False)

    def tensors(self) -> dict[str, list[Any]]:
        """What both sides look at."""
        values = [variable.read_value() for variable in self.variables]
        return {"gradient": self.gradients, "variable": values, "update": self.gradients}


def _stepper(model: Model, recorded: bool) -> Callable[[], Any]:
    """A step: gradients known, variables changed; recorded or only watched."""
    recorder = model.recorder

    @tf.function(autograph=False)
    def step() -> None:
        plan = recorder.before(
            Trace(), model.gradients, model.variables, lambda: tf.constant(1e-3), Scaling()
        )
        for variable, gradient in zip(model.variables, model.gradients, strict=True):
            variable.assign_sub(1e-3 * gradient)
        recorder.after(plan)

    def call() -> None:
        recorder.next.assign(recorder.step if recorded else recorder.step + 1)
        step()

    return call


def _plain(model: Model) -> Callable[[], Any]:
    @tf.function(autograph=False)
    def step() -> None:
        for variable, gradient in zip(model.variables, model.gradients, strict=True):
            variable.assign_sub(1e-3 * gradient)

    return step


def _floor(model: Model) -> Callable[[], Any]:
    """Reads every number once: sum of squares of gradients, variables and updates."""

    @tf.function(autograph=False)
    def sweep() -> Any:
        return tf.stack([
            tf.nn.l2_loss(tensor) for tensors in model.tensors().values() for tensor in tensors
        ])

    return sweep


def _histograms(model: Model, folder: str) -> Callable[[], Any]:
    writer = tf.summary.create_file_writer(folder)

    def write() -> None:
        with writer.as_default(step=0):
            for part, tensors in model.tensors().items():
                for index, tensor in enumerate(tensors):
                    tf.summary.histogram(f"{part}/{index}", tensor)
        writer.flush()

    return write


def time_of_a_record(options: Options) -> Table:
    """B2. What a record adds to a step, against the same tensors' histograms and one sweep."""
    lines = []
    lists = networks.LISTS if not options.quick else dict(list(networks.LISTS.items())[:1])
    for name, shapes in lists.items():
        say(f"B2: {name}")
        model = Model(shapes)
        with tempfile.TemporaryDirectory() as folder:
            clocks = turns.calls(
                {
                    "plain": _plain(model),
                    "watched": _stepper(model, recorded=False),
                    "recorded": _stepper(model, recorded=True),
                    "floor": _floor(model),
                    "histograms": _histograms(model, folder),
                },
                turns=2 if options.quick else TURNS,
            )
        wall = {key: clock.wall for key, clock in clocks.items()}
        record = [max(a - b, 1e-9) for a, b in zip(wall["recorded"], wall["plain"], strict=True)]
        watch = [max(a - b, 1e-9) for a, b in zip(wall["watched"], wall["plain"], strict=True)]
        lines.append((
            name,
            str(turns.ratio(wall["histograms"], record)),
            str(turns.ratio(record, wall["floor"])),
            str(turns.ratio(watch, wall["floor"])),
        ))
    return Table(
        "Time of a record",
        "Time that recording adds to a step (gradients, variables and updates, including copies of "
        "the variables and the branch). It is compared with `tf.summary.histogram` of the same "
        "tensors. It is also compared with a *sweep*, one `tf.nn.l2_loss` over each tensor, which "
        "is as fast as memory allows. The last column is a step that is watched but not recorded.",
        ("tensors", "histograms / record (target >= 50)", "record / sweep (target <= 5)",
         "watched step / sweep"),
        lines,
    )


def bytes_of_a_record(options: Options) -> Table:
    """B3. Bytes of one record in the event file, against those of histograms."""
    lines = []
    lists = networks.LISTS if not options.quick else dict(list(networks.LISTS.items())[:1])
    for name, shapes in lists.items():
        say(f"B3: {name}")
        # The bytes do not depend on the sizes of the tensors, beyond a few thousand entries.
        model = Model([_cut(shape) for shape in shapes])
        ours = _bytes_of_ours(model)
        lines.append((
            name,
            f"{ours:,}",
            f"1/{_bytes_of(_modern, model) / ours:.1f}",
            f"1/{_bytes_of(_classic, model) / ours:.1f}",
        ))
    return Table(
        "Bytes of a record",
        "Size of one recorded step in the event file, with all columns of all variables and of the "
        "run, compared with histograms of the same tensors as TensorFlow 2 and TensorFlow 1 write "
        "them.",
        ("tensors", "bytes", "of TensorFlow 2's (target <= 1/12)",
         "of TensorFlow 1's (target <= 1/36)"),
        lines,
    )


def _cut(shape: Sequence[int]) -> list[int]:
    return [min(extent, 128) for extent in shape]


def _bytes_of_ours(model: Model) -> int:
    """Growth of the file from the first record, which also describes the rows, to the second."""
    shapes = model.recorder.rows.shapes()
    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        writer = RunWriter(folder)
        for step in range(2):
            for group, (height, width) in shapes.items():
                if height:
                    rows = model.recorder.rows.of(group)
                    found = channel(group, rows, statistics.columns(group))
                    writer.table(found, _table(height, width), step, 0.0)
            writer.flush()
            sizes.append(_size(folder))
        writer.close()
    return sizes[1] - sizes[0]


def _table(height: int, width: int) -> Any:
    return tf.random.stateless_normal([height, width], (1, 2)).numpy()


def _bytes_of(write: Callable[[Model, str], Any], model: Model) -> int:
    with tempfile.TemporaryDirectory() as folder:
        write(model, folder)
        return _size(folder)


def _modern(model: Model, folder: str) -> None:
    """The histograms of TensorFlow 2: thirty buckets each."""
    _histograms(model, folder)()


def _classic(model: Model, folder: str) -> None:
    """The histograms of TensorFlow 1: one protocol buffer each, of some hundred buckets."""
    writer = tf.summary.create_file_writer(folder)
    with writer.as_default(step=0):
        for part, tensors in model.tensors().items():
            for index, tensor in enumerate(tensors):
                event = tf.compat.v1.Event(step=0)
                text = tf.raw_ops.HistogramSummary(tag=f"{part}/{index}", values=tensor)
                event.summary.ParseFromString(text.numpy())
                tf.summary.experimental.write_raw_pb(event.summary.SerializeToString())
    writer.close()
    path = next(Path(folder).iterdir())
    if os.path.getsize(path) < 1_000:
        raise RuntimeError("the histograms of TensorFlow 1 were not written")


def _size(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).iterdir())
