"""`landscape`: the loss around a model's weights, in numbers and as surfaces."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.landscape import MAX_POINTS
from tb_convergence.experiments.budget import Budget, Progress, chosen
from tb_convergence.experiments.loss_landscape.chance import chance_level
from tb_convergence.experiments.loss_landscape.directions import Directions, Weights
from tb_convergence.experiments.loss_landscape.evaluation import (
    BatchNorm,
    Loss,
    Surface,
    accuracy_for,
    loss_of,
)
from tb_convergence.experiments.loss_landscape.grid import Axis
from tb_convergence.experiments.loss_landscape.isolation import read_only
from tb_convergence.experiments.loss_landscape.journal import Journal, fingerprint
from tb_convergence.experiments.loss_landscape.path import PathPlane
from tb_convergence.experiments.loss_landscape.plane import plane_of
from tb_convergence.experiments.loss_landscape.planes import Plan, Request, planned
from tb_convergence.experiments.loss_landscape.result import Landscape, Plane, Route, Sharpness
from tb_convergence.experiments.loss_landscape.samples import Batches, batches_of
from tb_convergence.experiments.loss_landscape.sharpness import SharpnessError, judge_rate, lanczos
from tb_convergence.experiments.loss_landscape.shipping import Parcel, run_parcel
from tb_convergence.experiments.loss_landscape.statistics import Spread, uphill_share
from tb_convergence.training.keras import compat

CALL_SECONDS: Final = 0.5
"""About how long one compiled call takes, so that progress and budget have their say."""

TOLERANCE: Final = 0.02
"""Of the range of the log loss: what interpolation may be off. Less is not seen in nine colors."""

MOST_PATH_LOSSES: Final = 64
"""Points of a path at which the loss is evaluated."""

CURVATURE_SAMPLES: Final = 512
MOST_BASIS_BYTES: Final = 512 * 2**20
"""Of the Lanczos vectors."""


class LandscapeError(ValueError):
    """Arguments that contradict each other; the message says what to do."""


def landscape(
    model: Any,
    data: Any,
    *,
    validation_data: Any = None,
    directions: str | None = None,
    dimensions: int = 2,
    pairs: int | None = None,
    seed: int = 0,
    path: Any = None,
    other: Any = None,
    third: Any = None,
    radius: float = 1.0,
    points: int | None = None,
    refine_to: float | None = TOLERANCE,
    loss: Any = None,
    metrics: Mapping[str, Loss] | None = None,
    level: float | None = None,
    samples: int = 1024,
    batch_size: int = 512,
    batch_norm: BatchNorm = "batch",
    curvature: bool = True,
    budget: float | None = None,
    progress: bool | Progress = True,
    resume: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
) -> Landscape:
    """Evaluate the loss along a line or on a plane through the model's weights.

    The model is bit-identical afterward, with its optimizer, metrics and random state.

        found = tb_convergence.landscape(model, (x, y), validation_data=(xv, yv))
        print(found.summary())
        found.write("logs/run1")

    Args:
        model: a built Keras model on the TensorFlow backend; compiled, or with `loss`.
        data: samples of the loss: `(x, y)`, `(x, y, sample_weight)`, a batched `tf.data.Dataset`,
            or a `keras.utils.PyDataset`.
        validation_data: the same for `validation_loss`; optional.
        directions: "random" (filter-normalized, the default), "path" (principal components of
            `path`; the default where it is given), "between" (to `other`; likewise), or "hessian"
            (eigenvectors of the largest curvatures).
        dimensions: 2 for a plane, 1 for a line.
        pairs: number of random pairs; 3 by default. Statistics have a spread over the pairs.
        seed: of the first pair, the samples and Lanczos; pair k has the seed `seed + k`.
        path: a run's folder or file with a recorded trajectory, a folder or list of `.keras` or
            `.weights.h5` checkpoints, or a list of `(step, weights)`. Drawn in every plane.
        other, third: further sets of trainable weights, or models of the same architecture.
        radius: distance from the weights to the edge of a random or Hessian plane; 1 is the length
            of each filter.
        points: grid points along each axis: 33 for planes, 51 for lines by default, at most 101.
        refine_to: interpolate where the error is below this fraction of the range; None evaluates
            every point.
        loss: `(y_true, y_pred)` -> values, a Keras loss, or a name; by default that of `compile`.
            Penalties on weights are left out, as in the paper.
        metrics: further functions `(y_true, y_pred)` -> one value per sample. By default the
            accuracy of a classifier.
        level: the loss below which a point belongs to the basin; by default the loss of a constant
            prediction (ln C for C classes, the variance of the targets for squared errors).
        samples: how many samples, the same at each point.
        batch_size: samples per batch; with batch normalization each batch should be large.
        batch_norm: "batch" re-estimates batch normalization at each point; "kept" uses the moving
            statistics, which fit only the model's own weights and cause artifacts elsewhere.
        curvature: also find the extreme eigenvalues of the Hessian.
        budget: seconds after which no further point is evaluated.
        progress: True draws a bar on a terminal; or a function `(done, total, what)`.
        resume: a file for the evaluated points; the same call continues from it after a kill.
        executor: a `concurrent.futures.Executor` on which the pairs run. Processes get a copy of
            the model; threads share it.

    Returns:
        The landscape; `complete` is False if the budget ended it early.

    Raises:
        LandscapeError, EvaluationError, SamplesError, PathError, DirectionError, JournalError:
            arguments that cannot be used; all are ValueErrors and say what to change.
    """
    _check(dimensions, radius, points, pairs, refine_to)
    clock = Budget(budget)
    function, loss_name = loss_of(model, loss)
    shown = accuracy_for(loss_name, function) if metrics is None else dict(metrics)
    with compat.random_state_kept(seeds=True):  # reading a pipeline may draw from it
        training = batches_of(data, samples, batch_size, seed)
        validation = (
            None if validation_data is None
            else batches_of(validation_data, samples, batch_size, seed)
        )
    with read_only(model):
        surface = Surface(model, function, shown, training, validation, batch_norm)
        request = Request(directions, dimensions, pairs, seed, path, other, third, radius)
        found_level, reason = (
            (level, "given") if level is not None
            else chance_level(loss_name, function, training, model)
        )
        work = _Work(surface, training, found_level, refine_to, clock, chosen(progress), seed)
        needs_vectors = directions == "hessian"
        spectrum = work.curvatures(curvature or needs_vectors, dimensions if needs_vectors else 0)
        plans = planned(model, request, surface.weights(), spectrum.vectors)
        count = points or (33 if dimensions == 2 else 51)
        identity = fingerprint([
            *surface.weights(), *(np.asarray(one) for one in model.non_trainable_weights),
            loss_name, *_arrays_of(training), *(_arrays_of(validation) if validation else ()),
            tuple(surface.names), batch_norm, count,
            *(part for plan in plans for v in plan.directions.vectors for part in v),
            [plan.extent for plan in plans],
        ])
        journal = Journal(resume, identity, len(surface.names))
        ship = _parcel_maker(
            model, function, shown, training, validation, batch_norm, executor, found_level,
            refine_to, clock,
        )
        try:
            planes = work.planes(plans, count, journal, executor, ship)
        finally:
            journal.save()
        end = work.loss_at(surface.weights(), plans[0].dimensions)
        sharpness = work.sharpness(model, spectrum)
    result = Landscape(
        planes=tuple(planes),
        settings={
            "model": str(model.name),
            "parameters": int(sum(part.size for part in surface.weights())),
            "loss": loss_name,
            "directions": plans[0].directions.kind,
            "unit": plans[0].unit,
            "batch_norm": "none" if not surface.normalized and batch_norm == "batch"
            else "re-estimated" if batch_norm == "batch" else "kept",
            "samples": training.count,
            "batch": training.batch,
            "validation_samples": 0 if validation is None else validation.count,
            "level": found_level,
            "level_reason": reason,
            "end_loss": end,
            "evaluations": int(sum(plane.known.sum() for plane in planes)),
            "grid_points": int(sum(plane.known.size for plane in planes)),
            "restored": journal.restored,
            "seconds": clock.taken,
            "seed": seed,
        },
        sharpness=sharpness,
        notes=tuple(_notes(surface, spectrum, plans[0].directions.kind, batch_norm, training)),
    )
    if result.complete:
        journal.remove()
    return result


def _arrays_of(batches: Batches) -> list[Any]:
    return list(keras.tree.flatten((batches.x, batches.y, batches.weights)))


def _check(
    dimensions: int, radius: float, points: int | None, pairs: int | None, refine_to: float | None
) -> None:
    if dimensions not in (1, 2):
        raise LandscapeError(f"dimensions is {dimensions!r}; expected 1 (a line) or 2 (a plane)")
    if not (math.isfinite(radius) and radius > 0):
        raise LandscapeError(f"radius is {radius!r}; expected a positive number")
    if points is not None and not 9 <= points <= MAX_POINTS:
        raise LandscapeError(f"points is {points!r}; expected 9 to {MAX_POINTS} along each axis")
    if pairs is not None and not 1 <= pairs <= 20:
        raise LandscapeError(f"pairs is {pairs!r}; expected 1 to 20")
    if refine_to is not None and not 0 < refine_to < 1:
        raise LandscapeError(f"refine_to is {refine_to!r}; expected a fraction below 1, or None")


def _notes(
    surface: Surface, spectrum: _Curvatures, kind: str, batch_norm: str, training: Batches
) -> list[str]:
    notes = []
    if surface.normalized:
        notes.append(
            "Each point re-estimates the statistics of batch normalization from batches of "
            f"{training.batch} samples."
        )
    elif batch_norm == "kept":
        notes.append(
            "Batch normalization keeps its moving statistics. They fit only the model's own "
            "weights, which distorts the surface elsewhere."
        )
    if kind == "random":
        notes.append(
            "Random directions show the surface around the final weights. The training path is "
            "nearly orthogonal to them."
        )
    if spectrum.problem:
        notes.append(f"Sharpness: not evaluated, {spectrum.problem}.")
    return notes


@dataclass(frozen=True, slots=True)
class _Curvatures:
    """Eigenvalues over subsets of the samples, or why there are none."""

    largest: tuple[float, ...] = ()
    smallest: tuple[float, ...] = ()
    samples: int = 0
    vectors: tuple[NDArray[np.float64], ...] = ()
    problem: str = ""


@dataclass
class _Work:
    """One landscape being computed."""

    surface: Surface
    training: Batches
    level: float | None
    tolerance: float | None
    clock: Budget
    progress: Progress
    seed: int

    def curvatures(self, wanted: bool, vectors: int) -> _Curvatures:
        """Lanczos on several random halves of the samples: their spread is that of the estimate."""
        if not wanted:
            return _Curvatures()
        size = int(sum(part.size for part in self.surface.weights()))
        iterations = min(30, MOST_BASIS_BYTES // (4 * size))
        if iterations < 5:
            return _Curvatures(problem=f"{size:,} weights need more memory than is allowed")
        largest: list[float] = []
        smallest: list[float] = []
        samples = 0
        found: tuple[NDArray[np.float64], ...] = ()
        subsets = 1 if vectors else 3
        for number in range(subsets):
            if self.clock.spent and largest:
                break
            self.progress(number, subsets, "curvature")
            subset = subset_of(
                self.training, CURVATURE_SAMPLES, self.seed + number, whole=bool(vectors)
            )
            samples = subset.count
            try:
                result = lanczos(
                    self.surface.hessian_product(subset), size, seed=self.seed + number,
                    iterations=iterations, count=vectors,
                )
            except (LookupError, SharpnessError) as error:
                return _Curvatures(problem=str(error).splitlines()[0].rstrip("."))
            largest.append(result.largest)
            smallest.append(result.smallest)
            found = tuple(result.vectors)
        return _Curvatures(tuple(largest), tuple(smallest), samples, found)

    def sharpness(self, model: Any, found: _Curvatures) -> Sharpness | None:
        """The eigenvalues, compared with the learning rate in use."""
        if not found.largest:
            return None
        rate, plain = _rate_of(getattr(model, "optimizer", None))
        # The cautious one: a rate is acquitted only when it is below the limit of every estimate.
        worst = max(found.largest)
        verdict = judge_rate(worst, rate, plain)
        return Sharpness(
            Spread(found.largest), Spread(found.smallest), verdict.limit, rate,
            verdict.verdict, verdict.text, found.samples,
        )

    def planes(
        self,
        plans: Sequence[Plan],
        points: int,
        journal: Journal,
        executor: Executor | None,
        parcel: Callable[[Plan, int], Parcel] | None,
    ) -> list[Plane]:
        """All planes, one after the other or on the executor."""
        if executor is None or (parcel is None and not isinstance(executor, ThreadPoolExecutor)):
            return [
                self._plane(plan, points, journal, number, len(plans))
                for number, plan in enumerate(plans)
            ]
        if isinstance(executor, ThreadPoolExecutor):
            jobs = {
                executor.submit(self._plane, plan, points, journal, number, len(plans)): number
                for number, plan in enumerate(plans)
            }
            return [job.result() for job in sorted(jobs, key=lambda job: jobs[job])]
        assert parcel is not None
        shipped = {
            executor.submit(run_parcel, parcel(plan, points)): number
            for number, plan in enumerate(plans)
        }
        done: dict[int, Plane] = {}
        for job in as_completed(shipped):
            number = shipped[job]
            done[number] = self._with_route(job.result(), plans[number])
            self.progress(len(done), len(plans), "planes")
        return [done[number] for number in range(len(plans))]

    def _plane(
        self, plan: Plan, points: int, journal: Journal, number: int, of: int
    ) -> Plane:
        report = _PlaneProgress(self.progress, number, of, points ** plan.dimensions)

        def evaluate(axes: tuple[Axis, ...], index: NDArray[np.intp]) -> NDArray[np.float64]:
            return self._evaluate(plan.directions, axes, index, journal, number, report)

        plane = plane_of(
            plan, points, evaluate, self.surface.names, self.level, self.tolerance
        )
        return self._with_route(plane, plan)

    def _with_route(self, plane: Plane, plan: Plan) -> Plane:
        """The plane with the training's path, where there is one."""
        if plan.route is None:
            return plane
        route = self._route(plan.route, plan.dimensions)
        rises = uphill_share([value for value in route.loss if value is not None])
        return replace(
            plane, path=route, statistics={**plane.statistics, "uphill_share": rises}
        )

    def _evaluate(
        self,
        directions: Directions,
        axes: tuple[Axis, ...],
        index: NDArray[np.intp],
        journal: Journal,
        pair: int,
        report: _PlaneProgress,
    ) -> NDArray[np.float64]:
        """Values at grid points `[P, 2]`; fewer rows when the budget is spent."""
        known = {
            tuple(place): journal.known[pair, int(place[0]), int(place[1])]
            for place in index.tolist() if (pair, place[0], place[1]) in journal.known
        }
        fresh = [tuple(place) for place in index.tolist() if tuple(place) not in known]
        chunk = 1
        while fresh and not self.clock.spent:
            now = np.array(fresh[:chunk], np.intp)
            places = np.stack(
                [axis.values[now[:, k]] for k, axis in enumerate(axes)], axis=-1
            )
            begin = time.monotonic()
            values = self.surface.at(places, directions.vectors)
            each = (time.monotonic() - begin) / len(now)
            journal.add(pair, now, values)
            known |= {tuple(place): row for place, row in zip(now.tolist(), values, strict=True)}
            fresh = fresh[len(now) :]
            chunk = max(1, min(2 * len(now), int(CALL_SECONDS / max(each, 1e-4))))
            report(len(now))
        order = []
        for place in index.tolist():
            if tuple(place) not in known:
                break
            order.append(known[tuple(place)])
        return np.array(order).reshape(len(order), len(self.surface.names))

    def loss_at(self, weights: Weights, dimensions: int) -> float:
        """The loss at other weights, by the function that is traced for so many directions."""
        base = self.surface.weights()
        way: Weights = tuple(
            np.subtract(w, b, dtype=np.float64).astype(np.float32)
            for w, b in zip(weights, base, strict=True)
        )
        still: Weights = tuple(np.zeros_like(part) for part in base)
        vectors = (way, *(still,) * (dimensions - 1))
        point = np.zeros((1, dimensions))
        point[0, 0] = 1.0
        return float(self.surface.at(point, vectors)[0, 0])

    def _route(self, route: PathPlane, dimensions: int) -> Route:
        """The path with the loss at some of the weights that were kept, and at the end."""
        kept = sorted(route.points)
        stride = -(-len(kept) // MOST_PATH_LOSSES)
        losses: dict[int, float] = {}
        for step in kept[::stride]:
            if self.clock.spent:
                break
            losses[step] = self.loss_at(route.points[step], dimensions)
        end = self.loss_at(self.surface.weights(), dimensions)
        found = [losses.get(step) for step in route.steps[:-1]] + [end]
        return Route(route.steps, route.x, route.y, tuple(found), route.exact)


class _PlaneProgress:
    """Progress over all planes, in grid points."""

    def __init__(self, progress: Progress, number: int, of: int, points: int) -> None:
        self._progress, self._number, self._of, self._points = progress, number, of, points
        self._done = 0

    def __call__(self, more: int) -> None:
        self._done += more
        done = self._number * self._points + min(self._done, self._points - 1)
        self._progress(done, self._of * self._points, f"pair {self._number + 1} of {self._of}")


def subset_of(batches: Batches, samples: int, seed: int, whole: bool = False) -> Batches:
    """A random half of the samples, at most `samples`, as one batch.

    All of them where `whole`, and where a half would be fewer than 64: eigenvalues of so few
    samples say little of the loss.
    """
    half = batches.count if whole or batches.count < 128 else batches.count // 2
    take = min(samples, half)
    chosen_ = np.sort(np.random.default_rng([seed, 2]).choice(batches.count, take, replace=False))

    def pick(leaf: Any) -> Any:
        return leaf.reshape(-1, *leaf.shape[2:])[chosen_][None]

    return Batches(
        keras.tree.map_structure(pick, batches.x), keras.tree.map_structure(pick, batches.y),
        None if batches.weights is None else pick(batches.weights), take, take,
    )


def _rate_of(optimizer: Any) -> tuple[float | None, bool]:
    """The optimizer's learning rate now, and whether it is gradient descent without momentum."""
    if optimizer is None:
        return None, False
    try:
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    except (AttributeError, TypeError, ValueError):
        return None, False
    plain = type(optimizer) is keras.optimizers.SGD and not optimizer.momentum
    return rate, bool(plain)


def _parcel_maker(
    model: Any,
    function: Loss,
    metrics: Mapping[str, Loss],
    training: Batches,
    validation: Batches | None,
    batch_norm: BatchNorm,
    executor: Executor | None,
    level: float | None,
    refine_to: float | None,
    clock: Budget,
) -> Callable[[Plan, int], Parcel] | None:
    """What makes the work of one plane shippable; None if nothing is shipped."""
    if executor is None or isinstance(executor, ThreadPoolExecutor):
        return None
    archive = Parcel.pack(model)

    def make(plan: Plan, points: int) -> Parcel:
        return Parcel(
            archive, function, dict(metrics), training, validation, batch_norm,
            replace(plan, route=None), points, level, refine_to, clock.left,
        )

    return make

