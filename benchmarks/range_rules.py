"""Learning rates that range tests suggest, against a grid (B11).

    python -m benchmarks rates [--quick]
    python -m benchmarks.range_rules [--quick] [--output FILE]     # keeps the figures of each task

For each task (network x data x optimizer) a grid of rates, half a decade apart, is trained in full.
A rate's regret is (its loss - the best loss) / (loss at the start - the best loss). Every rule
reads the same sweeps of 100 steps; "suggested" then compares neighboring rates in short trainings,
as `lr_range_test` does. Beside each rule stands what it costs in training steps.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Options, Table, say

STEPS = 200
COMPARED = 100
GRID = 10.0 ** np.arange(-5, 1.01, 0.5)
SEEDS = (2, 3)
FACTOR = 3.2
"""Within this factor of the best rate of a grid of half decades, whose neighbors are 3.16 away."""


def digits() -> tuple[Any, Any]:
    """1,437 handwritten digits, pixels from 0 to 1."""
    from tb_convergence.demo.digits import pixels  # noqa: PLC0415

    data = pixels(0)
    return data.x_train, data.y_train


def friedman() -> tuple[Any, Any]:
    """Friedman 1991, first problem: ten inputs, five of which matter."""
    random = np.random.default_rng(0)
    x = random.uniform(size=(2000, 10))
    y = (10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3]
         + 5 * x[:, 4] + 0.5 * random.normal(size=2000))
    y = (y - y.mean()) / y.std()
    return ((x - 0.5) / 0.29).astype("float32"), y.astype("float32")[:, None]


def sums() -> tuple[Any, Any]:
    """Whether a sequence of 12 numbers sums to more than 0."""
    x = np.random.default_rng(0).normal(size=(1500, 12, 1)).astype("float32")
    return x, (x.sum((1, 2)) > 0).astype("int32")


def networks() -> Iterator[tuple[str, Any, Any, str]]:
    """(name, builder, data, loss) of every network."""
    from keras import Input, Sequential, layers  # noqa: PLC0415

    def mlp(inputs: int, outputs: int, depth: int, width: int, activation: str = "relu",
            norm: bool = False, drop: float = 0.0) -> Any:
        def build() -> Any:
            model = Sequential([Input((inputs,))])
            for _ in range(depth):
                model.add(layers.Dense(width))
                if norm:
                    model.add(layers.BatchNormalization())
                model.add(layers.Activation(activation))
                if drop:
                    model.add(layers.Dropout(drop))
            model.add(layers.Dense(outputs, activation="softmax" if outputs > 1 else None))
            return model

        return build

    def cnn() -> Any:
        return Sequential([
            Input((64,)), layers.Reshape((8, 8, 1)), layers.Conv2D(8, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"), layers.Flatten(),
            layers.Dense(10, activation="softmax")])

    def lstm() -> Any:
        return Sequential([Input((12, 1)), layers.LSTM(16, unroll=True),
                           layers.Dense(2, activation="softmax")])

    classes = "sparse_categorical_crossentropy"
    yield "mlp 2x64, digits", mlp(64, 10, 2, 64), digits, classes
    yield "mlp 2x64 tanh, digits", mlp(64, 10, 2, 64, "tanh"), digits, classes
    yield "mlp 6x48 batch norm, digits", mlp(64, 10, 6, 48, norm=True), digits, classes
    yield "mlp 2x64 dropout, digits", mlp(64, 10, 2, 64, drop=0.3), digits, classes
    yield "cnn, digits", cnn, digits, classes
    yield "lstm, sums", lstm, sums, classes
    yield "mlp 2x64, Friedman", mlp(10, 1, 2, 64), friedman, "mse"
    yield "mlp 4x32 elu, Friedman", mlp(10, 1, 4, 32, "elu"), friedman, "mse"


def optimizers() -> dict[str, Any]:
    """By name; each makes a new one."""
    import keras  # noqa: PLC0415

    kinds = keras.optimizers
    return {
        "SGD": lambda: kinds.SGD(0.1), "momentum": lambda: kinds.SGD(0.1, momentum=0.9),
        "Adam": lambda: kinds.Adam(1e-3), "RMSprop": lambda: kinds.RMSprop(1e-3),
    }


def task(name: str, build: Any, data: Any, loss: str, optimizer: Any, steps: int
         ) -> dict[str, Any]:
    """Regret of every rule on one task."""
    import keras  # noqa: PLC0415

    from tb_convergence.experiments import range_curve  # noqa: PLC0415
    from tb_convergence.experiments.learning_rate import sweep_subject  # noqa: PLC0415
    from tb_convergence.experiments.sample import order_of  # noqa: PLC0415
    from tb_convergence.experiments.session import subject  # noqa: PLC0415
    from tb_convergence.experiments.state import all_variables, values_of  # noqa: PLC0415
    from tb_convergence.experiments.trials import assign  # noqa: PLC0415

    keras.utils.set_random_seed(0)
    model = build()
    model.compile(optimizer(), loss)
    with subject(model, *data()) as found:
        model.optimizer.build(model.trainable_variables)
        variables = all_variables(model)
        begin = values_of(variables)
        runner = found.runner()
        start = runner.loss(found.sample)
        order = order_of(len(found.sample), 32, steps, 1)
        known: dict[float, float] = {}

        def final(rate: float) -> float:
            rounded = float(10 ** (np.round(np.log10(rate) * 8) / 8))
            if rounded not in known:
                assign(variables, begin)
                trace = runner.train(order, np.full(steps, rounded))
                end = float("inf") if trace.diverged else runner.loss(found.sample)
                known[rounded] = end if np.isfinite(end) else float("inf")
            return known[rounded]

        grid = np.array([final(rate) for rate in GRID])
        best, best_rate = float(grid.min()), float(GRID[int(grid.argmin())])
        assign(variables, begin)
        results = [sweep_subject(found, seeds=(seed,), compare=COMPARED) for seed in SEEDS]
        pairs = zip(map(float, GRID), map(float, grid), strict=True)
        row: dict[str, Any] = {"task": name, "best_rate": best_rate, "best": best, "start": start,
                               "grid": {str(rate): loss for rate, loss in pairs}}
        rates = {rule: [range_curve.suggest(one.curves[0], rule) for one in results]
                 for rule in range_curve.RULES}
        rates["sweep alone"] = rates.pop("suggested")
        rates["suggested"] = [one.suggested for one in results]
        row["trained"] = [len(one.compared) for one in results]
        for rule, suggestions in rates.items():
            row[rule] = [None if rate is None else [
                rate, min(9.99, max(0.0, (final(rate) - best) / (start - best)))]
                for rate in suggestions]
    return row


RULES = ("suggested", "sweep alone", "valley", "minimum/10", "steepest")
TITLE = "Learning rates that a range test suggests"


def table(rows: list[dict[str, Any]]) -> Table:
    """Regret and closeness to the best rate, for each rule."""
    head = ("rule", "steps", "median regret", "90th percentile", "largest", "regret at most 0.1",
            "within a factor of 3.2 of the best rate", "of a rate as good as the best", "no answer")
    trained = float(np.mean([count for row in rows for count in row["trained"]]))
    lines = []
    for rule in RULES:
        pairs = [(one, row) for row in rows for one in row[rule]]
        told = [(one, row) for one, row in pairs if one is not None]
        regret = np.array([one[1] for one, _ in told])
        close = np.mean([_near(one[0], row["best_rate"]) for one, row in told])
        equal = np.mean([any(_near(one[0], rate) for rate in as_good(row)) for one, row in told])
        steps = 100 + (COMPARED * trained if rule == "suggested" else 0)
        lines.append((
            rule, f"{steps:.0f}", f"{np.median(regret):.3f}", f"{np.percentile(regret, 90):.2f}",
            f"{regret.max():.2f}", f"{np.mean(regret <= 0.1):.2f}", f"{close:.2f}",
            f"{equal:.2f}", f"{len(pairs) - len(told)} of {len(pairs)}"))
    flat = np.mean([len(as_good(row)) for row in rows])
    text = (f"{len(rows)} tasks (networks x data x optimizers), two sweeps each, trainings of "
            f"{STEPS} steps. The reference is a grid of rates that are a factor of 3.2 apart. "
            "*Regret* is the loss at a rate minus the loss at the best rate of the grid, as a "
            f"fraction of the improvement at the best rate. On average, {flat:.1f} rates of the "
            "grid are as good as the best one (regret at most 0.02). *Steps* are the steps of one "
            "range test. Goal: within a factor of 3.2 of the best rate in 90%, and better than "
            "each published rule.")
    return Table(TITLE, text, head, lines)


def _near(rate: float, best: float) -> bool:
    return bool(1 / FACTOR <= rate / best <= FACTOR)


def as_good(row: dict[str, Any]) -> list[float]:
    """Rates of the grid that no one would tell from the best one: regret at most .02."""
    gain = row["start"] - row["best"]
    return [float(rate) for rate, loss in row["grid"].items()
            if np.isfinite(loss) and loss - row["best"] <= 0.02 * gain]


def measured(steps: int, tasks: int | None, output: Path | None) -> list[dict[str, Any]]:
    """Figures of the first `tasks`; those in `output` are not measured again."""
    rows: list[dict[str, Any]] = []
    if output is not None and output.exists():
        rows = json.loads(output.read_text())
    known = {row["task"]: row for row in rows}
    rows = []
    for name, build, data, loss in networks():
        for kind, optimizer in optimizers().items():
            full = f"{name}, {kind}"
            say(f"range test: {full}")
            rows.append(known.get(full) or task(full, build, data, loss, optimizer, steps))
            if output is not None:
                rest = [row for row in known.values() if row not in rows]
                output.write_text(json.dumps([*rows, *rest], indent=1))
            if tasks is not None and len(rows) >= tasks:
                return rows
    return rows


def rates(options: Options) -> Table:
    """The table of the page."""
    return table(measured(60 if options.quick else STEPS, 1 if options.quick else None, None))


def main() -> int:
    """Run all tasks and print the table; what the output file holds is not trained again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.range_rules", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one task, few steps")
    parser.add_argument("--tasks", type=int, help="only so many")
    parser.add_argument("--output", type=Path, help="JSON file of all figures; goes on from it")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rows = measured(60 if options.quick else STEPS, 1 if options.quick else options.tasks,
                    options.output)
    print(table(rows).as_markdown())  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
