"""What a framework reports once an epoch: losses and metrics, as the group "epoch"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tb_convergence.core.schema import Row
from tb_convergence.training.host.writer import RunWriter, channel, single


class Epochs:
    """Writes the epochs of one run. A metric keeps its column once it has been seen."""

    def __init__(self, model: str = "") -> None:
        self._model = model
        self._metrics: list[str] = []

    def write(self, writer: RunWriter, logs: Mapping[str, Any], step: int) -> None:
        """One epoch that ended with `step`. `logs` as Keras has them ("loss", "val_loss", ...);
        what is no number is left out."""
        numbers = {name: value for name, value in map(_number, logs.items()) if value is not None}
        self._metrics += [name for name in numbers if name not in self._metrics]
        columns = _columns(self._metrics)
        values = [[numbers.get(name, float("nan")) for name in columns.values()]]
        model = ": ".join(filter(None, (writer.label, self._model)))
        target = channel("epoch", (Row("run", "", "run"),), tuple(columns), model)
        writer.table(target, single(values), step)


def _number(item: tuple[str, Any]) -> tuple[str, float | None]:
    name, value = item
    try:
        return name, float(value)
    except (TypeError, ValueError):
        return name, None


def _columns(names: list[str]) -> dict[str, str]:
    """Column name -> name in the logs."""
    columns = {"epoch_loss": "loss", "validation_loss": "val_loss"}
    for name in names:
        if name in ("loss", "val_loss"):
            continue
        if name.startswith("val_"):
            columns[f"validation_metric/{name[4:]}"] = name
        else:
            columns[f"metric/{name}"] = name
    return columns
