"""The loss is read under names and layouts that nobody listed, and nothing false is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from event_files import EventFile
from naming_variants import VARIANTS, Variant

import tb_convergence
from tb_convergence.core.history import RunHistory
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs

EPOCHS = np.arange(40)
PER_EPOCH = 10
FALLING = 0.05 + 2.25 * np.exp(-EPOCHS / 8)
OVERFIT = 0.55 + 1.75 * np.exp(-EPOCHS / 4) + 0.9 * np.clip((EPOCHS - 10) / 29, 0, None)
HEALTHY = 0.15 + 2.15 * np.exp(-EPOCHS / 8)

MISSED = {"add_scalars split first"}
"""Names that leave open which scalar is which; the report asks."""


def write(folder: Path, variant: Variant, validation: np.ndarray) -> None:
    """The variant's event files: epochs of ten steps."""
    runs = {run for run, _ in (*variant.train, *variant.val, *variant.others)}
    files = {run: EventFile(folder / run) for run in runs}
    clock = 1.6e9
    for epoch in EPOCHS.tolist():
        for k in range(PER_EPOCH if variant.pace == "step" else 1):
            clock += 1
            at = epoch * PER_EPOCH + k if variant.pace == "step" else epoch
            loss = float(np.interp(epoch + k / PER_EPOCH, EPOCHS, FALLING))
            for run, tag in variant.train:
                files[run].simple(tag, at, loss / len(variant.train), clock)
        for run, tag in variant.val:
            files[run].simple(
                tag, epoch if (variant.val_pace or variant.pace) == "epoch" else at,
                float(validation[epoch]) / len(variant.val), clock + 0.5,
            )
        for run, tag in variant.others:
            files[run].simple(tag, at, 0.5 + 0.01 * epoch, clock + 0.5)
    for file in files.values():
        file.__exit__(None, None, None)


def histories(logdir: Path) -> dict[str, RunHistory]:
    with open_logdir(logdir, "python") as source:
        return {run.name: read_folded(source, run) for run in fold_runs(source.runs())}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunHistory]:
    """All variants, by name; the run that holds most scalars where there are several."""
    logdir = tmp_path_factory.mktemp("variants")
    for number, variant in enumerate(VARIANTS.values()):
        write(logdir / f"v{number:03}", variant, OVERFIT)
    found = histories(logdir)
    result = {}
    for number, name in enumerate(VARIANTS):
        mine = [one for run, one in found.items() if run.split("/")[0].startswith(f"v{number:03}")]
        result[name] = max(mine, key=lambda one: len(one.scalars))
    return result


def right(variant: Variant, history: RunHistory) -> bool:
    """Whether exactly the losses that the variant means were read."""
    training = history.series("loss") or history.series("epoch_loss")
    if training is None or not np.allclose(training.values[0], FALLING[0]):
        return False
    validation = history.series("validation_loss")
    if not variant.val:
        return validation is None
    return validation is not None and np.allclose(validation.values, OVERFIT)


def test_the_loss_is_read_under_nearly_all_names(read: dict[str, RunHistory]) -> None:
    wrong = {name for name, history in read.items() if not right(VARIANTS[name], history)}
    assert len(VARIANTS) >= 60
    assert wrong <= MISSED, sorted(wrong - MISSED)


def test_what_is_missed_is_asked_about(read: dict[str, RunHistory]) -> None:
    for name, history in read.items():
        if not right(VARIANTS[name], history):
            known = {one.tag for one in history.scalar_tags}
            assert known & {tag for _, tag in (*VARIANTS[name].train, *VARIANTS[name].val)}, name


def test_an_overfit_is_found_under_each_and_a_healthy_run_is_left_in_peace(tmp_path: Path) -> None:
    for kind, curve in (("sick", OVERFIT), ("healthy", HEALTHY)):
        for number, variant in enumerate(VARIANTS.values()):
            write(tmp_path / kind / f"v{number:03}", variant, curve)
    names = list(VARIANTS)
    loud: dict[str, set[str]] = {"sick": set(), "healthy": set()}
    for kind, found in loud.items():
        for one in tb_convergence.diagnose(tmp_path / kind, loader="python"):
            name = names[int(one.run[1:4])]
            if any(finding.severity != "info" for finding in one.findings):
                found.add(name)
    both = {name for name, variant in VARIANTS.items() if variant.val} - MISSED
    assert loud["healthy"] == set()
    assert both - loud["sick"] == set()
