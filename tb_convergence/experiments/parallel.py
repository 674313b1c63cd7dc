"""Ablations in other processes, through any `concurrent.futures.Executor`.

Each job is plain data: how to build the model, its weights, and the samples. It contains the
weights and the seeds, so the results do not depend on the process that trains it. Threads are not
supported, because they share one random state.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import keras

from tb_convergence.experiments.ablation import Ablation, compared
from tb_convergence.experiments.bench import Bench
from tb_convergence.experiments.budget import Ended
from tb_convergence.experiments.changes import BY_ID, Change
from tb_convergence.experiments.edits import NotApplicableError
from tb_convergence.experiments.sample import Sample, for_keras
from tb_convergence.experiments.session import Subject, first_rows, subject
from tb_convergence.experiments.state import UnsupportedModelError
from tb_convergence.experiments.trials import Trial


@dataclass(frozen=True)
class Job:
    """One variant of a training, for another process.

    Attributes:
        build: a function at the top level of a module that makes the compiled model; else None.
        config: Keras' own description of the compiled model, where there is no `build`.
        weights: values of all its variables, in the order of `model.variables`.
        train, held_out: samples.
        change: id; "" for the unchanged program.
    """

    build: Callable[[], Any] | None
    config: Any
    weights: Sequence[Any]
    train: Sample
    held_out: Sample | None
    change: str
    steps: int
    seeds: tuple[int, ...]


def perform(job: Job) -> list[Trial] | str:
    """The trials of a job, or why the change leaves nothing to change. Runs in the worker."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if job.build is not None:
        model = job.build()
    else:
        model = keras.saving.deserialize_keras_object(job.config)
    if not model.built:
        model(for_keras(first_rows(job.train, 2).x), training=False)
    model.set_weights(list(job.weights))
    with subject(model, job.train, validation_data=job.held_out) as found:
        changes = (BY_ID[job.change],) if job.change else ()
        try:
            return Bench(found).run(changes, job.seeds, job.steps)
        except NotApplicableError as reason:
            return str(reason)


def ablated_by(executor: Executor, model: Any, found: Subject, wanted: Sequence[Change],
               steps: int, seeds: Sequence[int]) -> Ablation:
    """The ablation, one job for each change.

    Raises:
        UnsupportedModelError: threads, or a model that cannot be described to another process.
    """
    if isinstance(executor, ThreadPoolExecutor):
        raise UnsupportedModelError(
            "threads share one random state: give a ProcessPoolExecutor with the start method "
            "'spawn'")
    bench = Bench(found)
    build, config = _described(model, found.model)
    weights = found.model.get_weights()
    variants: list[tuple[Change, ...]] = [(), *((change,) for change in wanted)]
    results: list[list[Trial] | str | None] = []
    jobs: dict[Future[list[Trial] | str], int] = {}
    for place, changes in enumerate(variants):
        made = [bench.known(changes, seed, steps, found.budget) for seed in seeds]
        results.append([trial for trial in made if trial is not None])
        missing = tuple(seed for seed, trial in zip(seeds, made, strict=True) if trial is None)
        if missing:
            id_ = changes[0].id if changes else ""
            jobs[executor.submit(perform, Job(
                build, config, weights, bench.train, bench.held_out, id_, steps, missing))] = place
    ended: Ended = "finished"
    waiting = set(jobs)
    try:
        while waiting:
            left = None if math.isinf(found.budget.left) else found.budget.left
            done, waiting = wait(waiting, left, FIRST_COMPLETED)
            if not done:
                ended = "out of time"
                break
            for future in done:
                place = jobs[future]
                results[place] = _joined(bench, variants[place], steps, results[place],
                                         future.result())
            found.progress(len(jobs) - len(waiting), len(jobs), "variants")
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        for future in jobs:
            future.cancel()
    unfinished = {jobs[future] for future in waiting}
    first = results[0]
    unchanged = first if isinstance(first, list) and 0 not in unfinished else []
    rest = [(change, one) for place, (change, one) in enumerate(
        zip(wanted, results[1:], strict=True), 1) if place not in unfinished]
    return compared(
        found, unchanged, [(change, one) for change, one in rest if isinstance(one, list)],
        [(change.id, one) for change, one in rest if isinstance(one, str)], steps, ended,
        len(bench.held_out))


def _joined(bench: Bench, changes: tuple[Change, ...], steps: int, known: list[Trial] | str | None,
            made: list[Trial] | str) -> list[Trial] | str:
    """Trials that were known and those that a worker made, which are kept, by seed."""
    if isinstance(made, str):
        return made
    for trial in made:
        bench.keep(changes, steps, trial)
    return sorted([*(known if isinstance(known, list) else ()), *made], key=lambda one: one.seed)


def _described(model: Any, live: Any) -> tuple[Callable[[], Any] | None, Any]:
    if callable(model) and not isinstance(model, keras.layers.Layer):
        return model, None
    try:
        config = keras.saving.serialize_keras_object(live)
        keras.saving.deserialize_keras_object(config)
    except Exception as error:
        raise UnsupportedModelError(
            f"the model cannot be described to another process ({type(error).__name__}: {error}); "
            "give a function at the top level of a module that builds and compiles it"
        ) from error
    return None, config
