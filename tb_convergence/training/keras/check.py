"""`tb_convergence.check(model, batch)`: what is wrong with a model before its first step.

One batch goes through the compiled model as a training step would take it, without an update and
without a trace (see `probe`). What it shows becomes a history of one record at step 0, and the same
rules judge it that judge a training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from tb_convergence.core import reductions, statistics
from tb_convergence.core.diagnosis import Finding, RunDiagnosis, diagnose_history
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.schema import Row
from tb_convergence.core.text.severity import SEVERITY_MARKS
from tb_convergence.training.instep import tables
from tb_convergence.training.instep.feature_rows import FEATURE_GROUPS, feature_rows
from tb_convergence.training.keras import introspection, layer_rows
from tb_convergence.training.keras.describe import describe
from tb_convergence.training.keras.probe import Probe, probe

SAMPLES: Final = 1024
"""Samples of a batch that are looked at, at most: a check is a matter of seconds."""


@dataclass(frozen=True, slots=True)
class Check:
    """What `check` found. Prints as text; iterates over its findings.

    Attributes:
        diagnosis: findings and rules that could not be decided, as for a run.
        samples: how many were looked at.
        failure: what the model raised on the batch, where a finding accounts for it; else None.
    """

    diagnosis: RunDiagnosis
    samples: int
    failure: str | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """In the order a person should read them."""
        return self.diagnosis.findings

    @property
    def ok(self) -> bool:
        """Whether nothing needs action before the training starts."""
        return all(finding.severity == "info" for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        count = len(self.findings)
        said = f"{count} finding{'s' * (count != 1)}" if count else "✔ nothing found"
        lines = [f"{self.diagnosis.run}, one batch of {self.samples}: {said}"]
        if self.failure is not None:
            lines.append(f"the model raised an exception on this batch: {self.failure}")
        for finding in self.findings:
            lines += [f"{SEVERITY_MARKS[finding.severity]} {finding.id}: {finding.summary}"]
            lines += [f"    try: {advice}" for advice in finding.advice]
        lines.append("ConvergenceCallback(log_dir) finds problems that appear only during "
                     "training.")
        return "\n".join(lines)

    __repr__ = __str__


def _check_kind(model: Any) -> None:
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(f"Keras uses the backend {backend!r}; check needs 'tensorflow'")
    if not isinstance(model, keras.Model):
        kind = f"{type(model).__module__.partition('.')[0]}.{type(model).__name__}"
        raise TypeError(f"model is a {kind}; check supports only models of keras (Keras 3)")


def check(model: Any, sample_batch: Any) -> Check:
    """Check a compiled model and one batch before the training. The check changes neither.

    Args:
        model: a compiled and built Keras model, nested or not, with one or several inputs and
            outputs. If it has its own `train_step`, this step runs once on the batch. The
            optimizers then only note their gradients and change nothing.
        sample_batch: `(x, y)` or `(x, y, sample_weight)` as `fit` takes them, or a
            `tf.data.Dataset` of batches, whose first is taken. At most 1,024 samples are looked at.

    Raises:
        TypeError: `model` is not a model of Keras 3, but of tf_keras, for example.
        ValueError: the model is not compiled, not built, or the batch is empty; or Keras runs on
            JAX or PyTorch.
        Exception: whatever the model or its loss raises on this batch, as `fit` would, unless a
            critical finding about configuration or data accounts for it.

    ::

        print(tb_convergence.check(model, (x_train[:256], y_train[:256])))
    """
    _check_kind(model)
    if not getattr(model, "compiled", False):
        raise ValueError("the model is not compiled: call model.compile(optimizer, loss) first")
    if not model.built and not model.weights:
        raise ValueError(
            "the model has no weights yet: add keras.Input(shape) as its first layer, or call it "
            "once on a batch"
        )
    x, y, weight = _batch(sample_batch)
    samples = _length(x)
    config = describe(model, {}, {"batch_size": samples})
    try:
        tables_ = _tables(model, x, y, probe(model, x, y, weight))
    except Exception as error:
        # Labels and indices out of range fail here already: say so in words, if it is that.
        data = _inputs(model, x, y, None)
        known = {} if data is None else {data.group: data}
        found = diagnose_history(RunHistory(str(model.name), known, config=config))
        if found.severity != "critical":
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return Check(found, samples, f"{type(error).__name__}: {reason[:200]}")
    return Check(diagnose_history(RunHistory(str(model.name), tables_, config=config)), samples)


def _batch(data: Any) -> tuple[Any, Any, Any]:
    """x, y and sample weights as tensors of at most `SAMPLES` samples, floats as Keras has them."""
    if isinstance(data, tf.data.Dataset):
        data = next(iter(data))
    x, y, weight = keras.utils.unpack_x_y_sample_weight(data)

    def tensor(value: Any) -> Any:
        cut = value[:SAMPLES] if getattr(value, "shape", (0,)) else value
        found = tf.convert_to_tensor(cut)
        return tf.cast(found, keras.config.floatx()) if found.dtype.is_floating else found

    parts = [None if part is None else _mapped(tensor, part) for part in (x, y, weight)]
    if _length(parts[0]) < 1:
        raise ValueError("the batch has no samples")
    return parts[0], parts[1], parts[2]


def _mapped(function: Any, value: Any) -> Any:
    """`function` of every array in a structure; a list of numbers is one array."""
    if isinstance(value, Mapping):
        return {key: _mapped(function, item) for key, item in value.items()}
    if isinstance(value, (tuple, list)) and any(hasattr(item, "shape") for item in value):
        return type(value)(_mapped(function, item) for item in value)
    return function(value if hasattr(value, "shape") else np.asarray(value))


def _length(x: Any) -> int:
    first = tf.nest.flatten(x)[0]
    return int(first.shape[0]) if first.shape.rank else 0


def _tables(model: Any, x: Any, y: Any, seen: Probe) -> dict[str, Table]:
    """The tables of one record at step 0."""
    variables = _variables(model, seen)
    found = [
        variables,
        _activations(seen),
        _inputs(model, x, y, seen.prediction),
        _table("run", (Row("run", "", "run"),), [{"loss": seen.loss}]),
    ]
    return {table.group: table for table in found if table is not None}


def _variables(model: Any, seen: Probe) -> Table | None:
    described = layer_rows.variable_rows(model, seen.variables)
    records = []
    for place, variable in enumerate(seen.variables):
        gradient = seen.gradients[place] if seen.gradients else None
        row = _Row(
            variable=reductions.reduce(_array(variable.value)),
            gradient=None if gradient is None else reductions.reduce(_dense(gradient)),
        )
        record = _columns("variables", row)
        if seen.gradients:
            record["gradient_missing"] = float(gradient is None)
        records.append(record)
    return _table("variables", described, records)


def _activations(seen: Probe) -> Table | None:
    described, records = [], []
    for label, layer, value in seen.outputs:
        described.append(layer_rows.output_row(label, layer, [None, *value.shape[1:]], value.dtype))
        record = _columns("activations", _Row(output=reductions.reduce(_array(value))))
        over_batch = _deviation_over_batch(_array(value))
        if over_batch is not None:
            record["activation_batch_std"] = over_batch
        saturated = tables.saturated_fraction(value, described[-1].activation)
        if saturated is not None:
            record["activation_saturated_fraction"] = float(saturated)
        if described[-1].activation in tables.RELU_LIKE and value.shape.rank > 1:
            active = _array(tables.activity(value))
            record["activation_dead_fraction"] = float(np.mean(active < tables.DEAD_BELOW))
        records.append(record)
    return _table("activations", tuple(described), records)


def _deviation_over_batch(value: np.ndarray) -> float | None:
    """Standard deviation over the samples, averaged over the units; None of fewer than two."""
    if value.ndim < 2 or len(value) < 2:
        return None
    return float(np.mean(np.std(value.astype(np.float64), axis=0)))


def _inputs(model: Any, x: Any, y: Any, prediction: Any) -> Table | None:
    described: list[Row] = []
    records: list[dict[str, float]] = []
    outputs = introspection.output_names(model)
    for kind, data, names in (
        ("input", x, introspection.input_names(model)),
        ("target", y, outputs),
        ("prediction", prediction, outputs),
    ):
        for name, value in introspection.named(kind, data, names) if data is not None else ():
            array = _array(value)
            if array.dtype.kind not in "fiub" or not array.size:
                continue
            shape = [None, *array.shape[1:]]
            own = feature_rows(name, kind, shape, value.dtype, FEATURE_GROUPS)
            flat = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(-1, 1)
            for row in own:
                part = reductions.reduce(flat[:, row.shape[0] : row.shape[1]])
                records.append(_columns("inputs", _Row(feature=part)))
            described += own
    return _table("inputs", tuple(described), records)


@dataclass(frozen=True, slots=True)
class _Row:
    """What the catalogue's formulas see; a part that is None has no value."""

    variable: reductions.ArrayReductions | None = None
    gradient: reductions.ArrayReductions | None = None
    update: None = None
    output: reductions.ArrayReductions | None = None
    feature: reductions.ArrayReductions | None = None

    @staticmethod
    def ratio(numerator: float, denominator: float) -> float:
        return numerator / denominator if denominator > 0 else float("nan")


def _columns(group: statistics.Group, row: _Row) -> dict[str, float]:
    """Every statistic of the catalogue that one step without an update can tell."""
    found = {}
    for statistic in statistics.CATALOGUE[group]:
        if statistic.formula is None:
            continue
        try:
            found[statistic.name] = float(statistic.formula(row))
        except AttributeError:  # of a part that is None
            continue
    return found


def _table(group: str, described: tuple[Row, ...], records: Sequence[Mapping[str, float]]
           ) -> Table | None:
    names = tuple(dict.fromkeys(name for record in records for name in record))
    if not names:
        return None
    undefined = float("nan")
    values = np.array([[[record.get(name, undefined) for name in names] for record in records]])
    return Table(group, described, names, np.zeros(1, np.int64), np.zeros(1), values, values)


def _dense(gradient: Any) -> np.ndarray:
    if isinstance(gradient, tf.IndexedSlices):
        gradient = tf.convert_to_tensor(gradient)
    return _array(gradient)


def _array(value: Any) -> np.ndarray:
    found = np.asarray(keras.ops.convert_to_numpy(value))
    return found if found.dtype.kind in "fiub" else found.astype(np.float64)
