"""`tb-convergence landscape`: the loss around a saved model's weights, from files."""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tb_convergence.cli.progress import progress_bar

FORMATS = (".html", ".svg", ".png", ".json")


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "landscape",
        help="evaluate and draw the loss around a saved model's weights",
        description=(
            "Evaluate the loss of MODEL.keras on DATA.npz along a plane (or line) through its "
            "weights. The command prints statistics with their spread over several pairs of "
            "directions, and writes the surface for the tab and to files. It needs TensorFlow."
        ),
        epilog=(
            "DATA.npz contains the arrays x and y, or x_train and y_train. The optional arrays "
            "x_val and y_val, or x_test and y_test, give the validation loss."
        ),
    )
    parser.add_argument("model", metavar="MODEL.keras", help="a saved Keras model")
    parser.add_argument("data", metavar="DATA.npz", help="its samples: arrays x and y")
    parser.add_argument("--logdir", metavar="RUN",
                        help="also write the landscape into this run's folder, for the tab")
    parser.add_argument(
        "--name", default="landscape",
        help="name of the landscape in the tab (default: %(default)s)"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", action="append", default=[],
        help="write a picture (.html, .svg, or .png, which needs matplotlib) or the record "
        "(.json); may be repeated",
    )
    parser.add_argument("--directions", choices=("random", "path", "between", "hessian"), help=(
        "directions of the plane or line (default: random, or path or between if --path or "
        "--other is given)"
    ))
    parser.add_argument("--path", metavar="DIR",
                        help="draw the training's path from a run's folder (trajectory.npz) or a "
                        "folder of checkpoints")
    parser.add_argument("--other", metavar="MODEL.keras", help="draw the line to these weights")
    parser.add_argument("--dimensions", type=int, choices=(1, 2), default=2,
                        help="1 for a line, 2 for a plane (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=3,
                        help="pairs of random directions (default: %(default)s)")
    parser.add_argument("--points", type=int, help="grid points along each axis")
    parser.add_argument("--radius", type=float, default=1.0,
                        help="distance from the weights to the edge; 1 is the length of each "
                        "filter (default: 1)")
    parser.add_argument("--samples", type=int, default=1024,
                        help="number of samples (default: %(default)s)")
    parser.add_argument("--batch-norm", choices=("batch", "kept"), default="batch",
                        help="batch normalization: re-estimate its statistics from the batch at "
                        "each point (batch, the default), or keep the moving statistics (kept)")
    parser.add_argument("--loss", help="a Keras loss (default: the model's loss)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help=(
        "evaluate no further points after this time"
    ))
    parser.add_argument("--resume", metavar="FILE", help=(
        "save evaluated points in this file, and continue from it"
    ))
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """The command. Returns the exit status."""
    for name in options.output:
        if Path(name).suffix.lower() not in FORMATS:
            return _fail(f"--output {name}: expected a name that ends in one of "
                         f"{', '.join(FORMATS)}", 2)
        if name.lower().endswith(".png") and find_spec("matplotlib") is None:
            return _fail(f"--output {name}: a PNG needs matplotlib: pip install matplotlib (.svg "
                         "and .html do not)", 2)
    try:
        training, validation = _samples(options.data)
        surface = import_module("tb_convergence.experiments.loss_landscape")
        files = import_module("tb_convergence.experiments.loss_landscape.checkpoints")
    except ImportError as error:
        return _fail(f"needs TensorFlow: pip install tensorflow ({error})", 2)
    except ValueError as error:
        return _fail(str(error), 1)
    try:
        model = files.model_from_file(options.model, compiled=True)
        bar = progress_bar()
        found = surface.landscape(
            model, training, validation_data=validation, directions=options.directions,
            dimensions=options.dimensions, pairs=options.pairs, seed=options.seed,
            path=options.path, other=options.other, radius=options.radius, points=options.points,
            loss=options.loss, samples=options.samples, batch_norm=options.batch_norm,
            budget=options.budget, resume=options.resume, progress=bar or False,
        )
        document = found.document(options.name)
        sys.stdout.write(found.summary() + "\n")
        if options.logdir:
            found.write(options.logdir, options.name)
    except (ValueError, OSError) as error:
        return _fail(str(error), 1)
    status = 0
    for name in options.output:
        try:
            _write(Path(name), document)
        except OSError as error:  # the others may still be written
            status = _fail(f"--output {name}: {error.strerror or error}", 1)
    return status


def _write(file: Path, document: dict[str, Any]) -> None:
    picture = import_module("tb_convergence.experiments.loss_landscape.picture")
    titled = [(str(document["name"]), document)]
    kind = file.suffix.lower()
    if kind == ".png":
        charts = import_module("tb_convergence.experiments.loss_landscape.charts")
        file.write_bytes(charts.png(document))
        return
    if kind == ".json":
        text = json.dumps(document, allow_nan=False, ensure_ascii=False) + "\n"
    else:
        text = picture.figure(titled) if kind == ".svg" else picture.page(titled)
    file.write_text(text, encoding="utf-8")


def _samples(name: str) -> tuple[tuple[Any, Any], tuple[Any, Any] | None]:
    """Training and validation samples of a file.

    Raises:
        ValueError: it cannot be read, or lacks x or y.
    """
    try:
        with open(name, "rb") as file, np.load(file, allow_pickle=False) as data:
            arrays = {key: data[key] for key in data.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{name!r} cannot be read as .npz: {error}") from error
    training = _pair(arrays, ("x", "y"), ("x_train", "y_train"))
    if training is None:
        raise ValueError(
            f"{name!r} contains {', '.join(sorted(arrays)) or 'nothing'}; expected x and y, or "
            "x_train and y_train"
        )
    return training, _pair(arrays, ("x_val", "y_val"), ("x_test", "y_test"))


def _pair(arrays: dict[str, Any], *names: tuple[str, str]) -> tuple[Any, Any] | None:
    return next(
        ((arrays[x], arrays[y]) for x, y in names if x in arrays and y in arrays), None
    )


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"tb-convergence: {message}\n")
    return status
