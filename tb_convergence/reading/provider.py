"""A run, as TensorBoard's data provider has it -> `RunHistory`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from tb_convergence.core.gaps import Skipped
from tb_convergence.core.history import RunHistory
from tb_convergence.reading.axis_alignment import aligned, all_aligned, clock_of
from tb_convergence.reading.histograms import HistogramData, read_histograms
from tb_convergence.reading.hparams import read_hparams
from tb_convergence.reading.patterns import TagRule
from tb_convergence.reading.reasons import summed
from tb_convergence.reading.records import read_records
from tb_convergence.reading.runs import FoldedRun, fold_run, fold_runs
from tb_convergence.reading.sampling import MOST_KEPT, Sampling
from tb_convergence.reading.scalars import read_scalars
from tb_convergence.reading.tensorboard.data_source import DataSource

CLOCK_TAG: Final = "wall_time"
"""What is named in place of a tag where wall times are wrong."""
BAD_CLOCKS: Final = (
    "{:,} records have an invalid wall time: their order follows the steps, and the displayed "
    "times may be wrong"
)


class RunNotFoundError(LookupError):
    """There is no run of that name (any more)."""


def list_runs(provider: Any, ctx: Any, experiment_id: str) -> tuple[str, ...]:
    """Names of the runs a person sees, sorted; see `runs.fold_runs`.

    Raises:
        DataUnavailableError: the loader does not answer.
    """
    return tuple(run.name for run in fold_runs(DataSource(provider, ctx, experiment_id).runs()))


def read_run(
    provider: Any,
    ctx: Any,
    experiment_id: str,
    run: str,
    *,
    patterns: Sequence[TagRule] = (),
    most_kept: Mapping[str, Collection[int]] = MOST_KEPT,
) -> RunHistory:
    """Everything known of `run`, one of the names that `list_runs` gives.

    `patterns` say which histograms are gradients and which variables where their names do not,
    `most_kept` how many points of a series the loader keeps, by plugin (see `sampling`).
    Data that cannot be read is listed in the history's `skipped`; it costs nothing else.

    Raises:
        RunNotFoundError: there is no such run.
        DataUnavailableError: the loader does not answer.
    """
    return read_named(
        DataSource(provider, ctx, experiment_id, most_kept=most_kept, patterns=patterns), run
    )


def read_named(source: DataSource, run: str) -> RunHistory:
    """As `read_run`, from `source`."""
    folded = fold_run(run, source.runs())
    if folded is None:
        raise RunNotFoundError(f"no run {run[:200]!r}")
    source.prefetch(folded.members)
    return read_folded(source, folded)


def read_folded(source: DataSource, run: FoldedRun) -> RunHistory:
    """As `read_run`, for a run whose members are known."""
    problems = [
        Skipped("", None, reason)
        for member in run.members
        for reason in source.problems.get(member, ())
    ]
    clocks = sum(source.bad_clocks.get(member, 0) for member in run.members)
    if clocks:
        problems.append(Skipped(CLOCK_TAG, None, BAD_CLOCKS.format(clocks)))
    recorder = read_records(source, run.members)
    sampling = Sampling(source.most_kept)
    scalars = read_scalars(source, run, recorder.tables, sampling)
    histograms = HistogramData()
    if "variables" not in recorder.tables:
        histograms = read_histograms(
            source, run.training, sampling, scalars.framework, scalars.span
        )
    clock = clock_of(scalars.series.values())
    tables = dict(recorder.tables)
    if histograms.table is not None:
        tables[histograms.table.group] = aligned(histograms.table, clock)
    return RunHistory(
        run=run.name,
        tables=tables,
        scalars=all_aligned(scalars.series, clock),
        config=recorder.config,
        experiments=recorder.experiments,
        hparams=read_hparams(source, run.members),
        skipped=summed(
            (*problems, *recorder.skipped, *histograms.skipped, *scalars.skipped)
        ),
        scalar_tags=scalars.tags,
        earlier_trainings=scalars.earlier,
        framework=scalars.framework,
        restarts=tuple(sorted({*recorder.restarts, *histograms.restarts})),
        source_runs=run.members,
        tag_families=histograms.families,
        summaries_sampled=sampling.found,
    )
