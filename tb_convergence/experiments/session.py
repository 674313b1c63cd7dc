"""The common frame of every experiment: its model and data, its budget, and its record."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tb_convergence.core.experiments import ExperimentRecord
from tb_convergence.core.schema import SchemaError
from tb_convergence.experiments import state
from tb_convergence.experiments.budget import Budget, Progress, chosen
from tb_convergence.experiments.records import write_record
from tb_convergence.experiments.sample import MOST_SAMPLES, DataError, Sample, for_keras, gather
from tb_convergence.experiments.stepping import Runner, fixed_batch
from tb_convergence.experiments.task import Task, from_logits, task_of
from tb_convergence.experiments.training_log import TrainingLog, identity_of

PROBED = 2048
"""Samples from which the task is told."""


@dataclass(frozen=True)
class Settings:
    """Settings that all experiments share.

    Attributes:
        seconds: time limit; None for no limit. An experiment that reaches it returns its results so
            far.
        steps: limit of training steps; None for no limit.
        progress: True for a bar on a terminal, False for none, or a function `(done, total, what)`.
        log_dir: folder of the run to which the result is written; None writes nothing.
        resume: file in which finished trainings are kept until the experiment ends, so that one
            that was killed does not repeat them; by default `EXPERIMENT.trainings.jsonl` in
            `log_dir`. Steps of kept trainings count, seconds do not. They are found again only if
            the program begins with the same weights: set a seed.
    """

    seconds: float | None = None
    progress: bool | Progress = True
    log_dir: str | os.PathLike[str] | None = None
    steps: int | None = None
    resume: str | os.PathLike[str] | None = None

    def trainings_of(self, experiment: str) -> str | os.PathLike[str] | None:
        """Where the trainings of `experiment` are kept; None for nowhere."""
        if self.resume is not None or self.log_dir is None or "://" in os.fspath(self.log_dir):
            return self.resume
        return os.path.join(self.log_dir, f"{experiment}.trainings.jsonl")


@dataclass
class Subject:
    """A compiled model with weights, and the data it is trained on."""

    model: Any
    sample: Sample
    held_out: Sample | None = None
    budget: Budget = field(default_factory=Budget)
    progress: Progress = field(default_factory=lambda: chosen(False))
    task: Task | None = None
    log: TrainingLog = field(default_factory=TrainingLog)

    def runner(self, sample: Sample | None = None) -> Runner:
        """A new trainer of the model as it is now edited."""
        return Runner(self.model, self.sample if sample is None else sample)

    @property
    def step(self) -> int:
        """Steps that the user's optimizer has made."""
        try:
            return int(self.model.optimizer.iterations)
        except Exception:
            return 0


@contextmanager
def subject(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    validation_data: Any = None,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    batch_size: int | None = None,
    settings: Settings | None = None,
    most: int = MOST_SAMPLES,
    experiment: str = "",
) -> Iterator[Subject]:
    """The model and its data for one experiment; restores the model afterward.

    Args:
        model: compiled, or a function without arguments that makes a compiled model.
        most: samples to keep at most.
        experiment: whose trainings are kept, see `Settings.resume`; "" keeps none.

    Raises:
        UnsupportedModelError, DataError: they cannot be experimented on.
        TrainingLogError: the file to resume from is something else.
    """
    settings = settings or Settings()
    budget = Budget(settings.seconds, steps=settings.steps)
    model = made(model)
    state.require_model(model)
    sample = x if isinstance(x, Sample) else gather(
        x, y, sample_weight=sample_weight, class_weight=class_weight, batch_size=batch_size,
        most=most)
    held_out = held_out_of(validation_data, most)
    fixed = fixed_batch(model)
    if fixed is not None:
        if len(sample) < fixed:
            raise DataError(
                f"the model has a fixed batch size of {fixed}, but there are {len(sample)} samples")
        sample = sample.with_(batch_size=fixed)
    state.build(model, for_keras(first_rows(sample, 2).x))
    state.require_finite(model)
    with state.untouched(model):
        found = Subject(model, sample, held_out, budget, chosen(settings.progress))
        path = settings.trainings_of(experiment) if experiment else None
        if path is not None:
            found.log = TrainingLog(path, identity_of(model, sample, held_out))
        found.task = told(found)
        yield found


def made(model: Any) -> Any:
    """The model itself, or the result of a function that builds one."""
    return model() if callable(model) and not isinstance(model, keras.layers.Layer) else model


def held_out_of(validation_data: Any, most: int = MOST_SAMPLES) -> Sample | None:
    """`validation_data` as `fit` takes it, as a sample."""
    if validation_data is None or isinstance(validation_data, Sample):
        return validation_data
    if isinstance(validation_data, (tuple, list)):
        x, y, *weight = validation_data
        return gather(x, y, sample_weight=weight[0] if weight else None, most=most)
    return gather(validation_data, most=most)


def first_rows(sample: Sample, count: int) -> Sample:
    """The first `count` samples, or all."""
    return sample.take(np.arange(min(count, len(sample))))


def told(found: Subject) -> Task | None:
    """The task of the subject's data and outputs."""
    probe = first_rows(found.sample, PROBED)
    try:
        predicted = Runner(found.model, probe).predict()
    except tf.errors.OpError as error:
        raise DataError(
            f"the model fails on the first {len(probe)} samples: {str(error.message)[:300]}"
        ) from error
    return task_of(probe.y, predicted, from_logits(found.model.loss))


def keep(settings: Settings, record: Callable[[], ExperimentRecord]) -> None:
    """Write the record where a run's folder was given; where that fails, warn: the result stands.
    """
    if settings.log_dir is None:
        return
    try:
        write_record(settings.log_dir, record())
    except (OSError, SchemaError) as error:
        warnings.warn(f"the result is not written to {os.fspath(settings.log_dir)!r}: {error}",
                      RuntimeWarning, stacklevel=3)
