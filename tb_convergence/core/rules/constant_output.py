"""The model ignores its input: every sample gets the same output."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.end_states import ONE_OUTPUT, EndState
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.onsets import lasting_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number

STD_RATIO: Final = 1e-6
RECORDS: Final = 5


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("inputs")
    if table is None or len(table.steps) < RECORDS:
        return None
    rows, size = table.rows_of("prediction"), configuration(history).batch_size
    if not rows or size is None or size < 2:
        return None
    last = slice(-RECORDS, None)
    std = table.column("feature_std")[:, rows]
    scale = np.hypot(table.column("feature_mean")[:, rows], std)
    # Comparisons with NaN are false.
    onset = lasting_since((std <= STD_RATIO * np.maximum(scale, STD_RATIO)).all(axis=1))
    # A constant output is correct for a constant target.
    targets = table.rows_of("target")
    varied = not targets or bool((table.column("feature_std")[last][:, targets] > 0).any())
    if not varied or onset > len(table.steps) - RECORDS:
        return None
    mean, since = float(table.column("feature_mean")[-1, rows[0]]), int(table.steps[onset])
    return Match(
        "warning", 0.85,
        f"The model gives the same output ({number(mean, 4)}) for all samples of a batch.",
        since, int(table.steps[-1]), (),
        (Evidence("prediction_std", float(std[last].max()), STD_RATIO,
                  int(table.steps[-1])),),
        state=EndState(ONE_OUTPUT, since),
    )


RULE = Rule(
    id="constant-output",
    kind="symptom",
    title="The output is the same for every input",
    needs=("feature_std", "feature_mean", "config"),
    at_least=RECORDS,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "prediction_std", low=STD_RATIO, detail="(relative to its size)",
            source="Relative std over the batch that counts as zero (AutoTrainer, DeepDiagnosis).",
        ),
        Threshold(
            "records", high=RECORDS, detail="in a row at the end of the run",
            source="One unusual batch must not trigger the finding.",
        ),
    ),
    measures=(
        Measure(
            "prediction_std", "std of the output over the batch", ("feature_std",),
            kind="prediction",
        ),
    ),
    shows=("activation_batch_std", "feature_std"),
    of_sound=True,
    advice=("Compare the std of the activations layer by layer to find where it drops to zero.",),
    falsified_by=("Two different samples give two different predictions.",),
    references=("Wardat et al. 2022, DeepDiagnosis, ICSE",),
)
