"""Loss landscapes with and without skip connections, on real images: figure, table, and records.

    python demo/landscape.py [--quick] [--logdir DIR] [--seeds N ...] [--docs docs]

Trains residual networks of 20 and of 56 layers on scikit-learn's digits, each also without its
skip connections (the deep one without them twice, the second time three times as long), and
evaluates the loss around each. It takes ten minutes or more on two cores; `--quick` takes the two
networks of 20 layers, few epochs and a coarse grid, which is about a minute. Several seeds train
each network several times: how much a statistic differs between trainings is more than how much it
differs between pairs of directions around one. The log directory keeps what was computed: run it
again, and it goes on where it was.

Then `tensorboard --logdir DIR` shows the surfaces in the tab Convergence, under Landscape.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import Manager, get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Network:
    """One training: depth, with skip connections or without, and for how many epochs."""

    name: str
    depth: int
    skip: bool
    epochs: int


NETWORKS = (
    Network("resnet56", 56, True, 30),
    Network("resnet56-no-skip", 56, False, 30),
    Network("resnet56-no-skip-longer", 56, False, 90),
    Network("resnet20", 20, True, 30),
    Network("resnet20-no-skip", 20, False, 30),
)
SAMPLES = 512


@dataclass(frozen=True)
class Effort:
    """How long each network is trained, in parts of its epochs, and how its surface is evaluated.
    """

    epochs: float = 1.0
    pairs: int = 3
    points: int = 25


WHOLE, QUICK = Effort(), Effort(0.2, 1, 13)


def compute(network: Network, logdir: str, seed: int, effort: Effort, told: Any) -> None:
    """Train one network and evaluate the loss around it; what is already there is kept."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras  # noqa: PLC0415  # in the worker: TensorFlow takes seconds to import
    import landscape_networks as networks  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415
    from landscape_report import folder_of  # noqa: PLC0415

    from tb_convergence.experiments.loss_landscape import (  # noqa: PLC0415
        TrajectoryCallback,
        landscape,
    )

    tf.config.threading.set_intra_op_parallelism_threads(1)
    folder = folder_of(Path(logdir), network.name, seed)
    label = folder.name
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "summary.json").is_file():
        told.put((label, 1.0, "done"))
        return
    data = networks.digits(seed)
    file = folder / "trained.keras"
    if file.is_file():
        model = keras.saving.load_model(file)
    else:
        model = networks.network(network.depth, network.skip, seed)
        epochs = max(1, round(effort.epochs * network.epochs))
        steps = epochs * -(-len(data[0]) // networks.BATCH)

        class Report(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                told.put((label, 0.4 * (epoch + 1) / epochs, "training"))

        networks.train(
            model, data, epochs, [TrajectoryCallback(folder), Report()]
        )
        model.save(file)
        told.put((label, 0.4, f"trained {steps} steps"))
    model.optimizer.learning_rate = networks.RATE  # the rate it began with, not the last: 0

    def progress(begin: float, end: float) -> Any:
        return lambda done, total, what: told.put(
            (label, begin + (end - begin) * done / max(1, total), what)
        )

    common: dict[str, Any] = {"samples": SAMPLES, "points": effort.points, "seed": seed}
    test = data[2], data[3]
    random = landscape(
        model, data[:2], validation_data=test, pairs=effort.pairs, progress=progress(0.4, 0.85),
        resume=folder / "random.points.npz", **common,
    )
    random.save(folder / "random.json", "random directions")
    random.write(folder, "random directions")
    if "longer" not in network.name and not seed:
        path = landscape(
            model, data[:2], path=folder, curvature=False, progress=progress(0.85, 0.98),
            resume=folder / "path.points.npz", **common,
        )
        path.save(folder / "path.json", "path")
        path.write(folder, "path")
    accuracy = {
        part: float(model.evaluate(*xy, batch_size=512, verbose=0, return_dict=True)["accuracy"])
        for part, xy in (("training", data[:2]), ("test", test))
    }
    (folder / "summary.json").write_text(json.dumps({**asdict(network), **accuracy}, indent=1))
    told.put((label, 1.0, "done"))


def draw_bar(state: dict[str, tuple[float, str]], count: int, began: float) -> None:
    """One line on a terminal: all networks together, and what is being done."""
    part = sum(done for done, _ in state.values()) / count
    filled = int(30 * part)
    busy = ", ".join(f"{name}: {what}" for name, (done, what) in state.items() if done < 1)
    bar = f"[{'#' * filled}{' ' * (30 - filled)}] {part:4.0%}"
    line = f"{bar} {time.monotonic() - began:4.0f} s  {busy}"
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{line[:110]}")
        sys.stderr.flush()


def main() -> int:
    """Compute what is missing, then write figure and table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--logdir", default="demo/logs-landscape", help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N",
                        help="trainings of each network: of weights, data split, directions "
                        "(default: 0)")
    parser.add_argument("--docs", help="also write docs/landscape.md's table and figure there")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1),
                        help="processes (default: %(default)s)")
    parser.add_argument("--networks", nargs="+", metavar="NAME",
                        choices=[network.name for network in NETWORKS],
                        help=f"of {', '.join(network.name for network in NETWORKS)}; default: all")
    parser.add_argument("--quick", action="store_true",
                        help="20 layers, few epochs, a coarse grid: about a minute")
    given = parser.parse_args()
    if given.quick and given.docs:
        parser.error("--quick is for a look; the table of the docs needs the whole comparison")
    names = given.networks or ["resnet20", "resnet20-no-skip"] * given.quick
    chosen = [network for network in NETWORKS if network.name in names or not names]
    effort = QUICK if given.quick else WHOLE
    began = time.monotonic()
    state: dict[str, tuple[float, str]] = {}
    with Manager() as manager, ProcessPoolExecutor(
        given.workers, get_context("spawn")
    ) as pool:
        told = manager.Queue()
        jobs = {
            pool.submit(compute, network, given.logdir, seed, effort, told): network
            for seed in given.seeds for network in chosen
        }
        while not all(job.done() for job in jobs):
            time.sleep(0.5)
            while not told.empty():
                name, done, what = told.get()
                state[name] = done, what
            draw_bar(state, len(jobs), began)
        for job in as_completed(jobs):
            job.result()
    sys.stderr.write("\n" if sys.stderr.isatty() else "")
    from landscape_report import report  # noqa: PLC0415

    print(report(Path(given.logdir), [network.name for network in chosen], given.seeds,
                 None if given.docs is None else Path(given.docs)))
    taken = time.monotonic() - began
    print(f"{taken:.0f} s. See the surfaces:  tensorboard --logdir {given.logdir}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
