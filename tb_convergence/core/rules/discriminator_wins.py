"""The discriminator of a GAN tells every sample apart, so the generator has no gradient to follow.

In balance, the discriminator's loss stays near 2 ln 2 (Goodfellow et al. 2014), or somewhat below.
If it falls to a hundredth of its start and stays there while the generator's loss grows, the
discriminator is sure of every sample. The generator's loss then hardly depends on the samples that
it generates. A learning rate that is too high for both networks ends in the same way, with losses
of 10 and more. Critics whose loss is negative in places (WGAN) have no such floor, and the rule
does not apply.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.onsets import mostly_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.history import RunHistory, Series, Steps, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number

RECORDS: Final = 40
WON: Final = 0.01
CLEAR: Final = 0.001
GREW: Final = 1.5
SATURATED: Final = 10.0
STARTS: Final = (0.2, 3.0)
BALANCED: Final = (0.5, 2.0)


class _Duel(NamedTuple):
    """Both losses `[S]` at the steps that both have."""

    steps: Steps
    generator: Values
    discriminator: Values


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    duel = _duel(history)
    if duel is None:
        return None
    half = len(duel.steps) // 2
    # A discriminator may win within the first ten records.
    began = float(duel.generator[0]), float(duel.discriminator[0])
    ends = float(np.median(duel.generator[half:])), float(np.median(duel.discriminator[half:]))
    if not (STARTS[0] <= began[1] <= STARTS[1] and ends[0] > GREW * began[0]):
        return None
    left = ends[1] / began[1]
    won = left < WON
    saturated = ends[0] > SATURATED and not BALANCED[0] <= left <= BALANCED[1]
    if not (won or saturated):
        return None
    over = duel.discriminator < WON * began[1] if won else duel.generator > SATURATED
    onset = mostly_since(over)
    since = int(duel.steps[half if onset is None else onset])
    grew = (
        f"that of the generator grew from {number(began[0])} to {number(ends[0])} (medians of the "
        "last half)."
    )
    summary = (
        f"The loss of the discriminator fell from {number(began[1])} to {number(ends[1])}, and "
        f"{grew} The discriminator is sure of nearly every sample, so it does not tell the "
        "generator which ones are better."
        if won else
        f"The loss of the discriminator is {number(ends[1])}, and {grew} Such losses mean that the "
        "discriminator is all but certain of its answers, right or wrong."
    )
    return Match(
        "warning" if left < CLEAR else "info", 0.75 if left < CLEAR else 0.5, summary,
        since, int(duel.steps[-1]), (),
        (
            *([Evidence("discriminator_loss_left", left, WON)] if won else []),
            *([Evidence("generator_loss_late", ends[0], SATURATED)] if saturated else []),
            Evidence("generator_loss_growth", ends[0] / max(began[0], 1e-30), GREW),
        ),
        () if won else (
            "Lower the learning rates of both networks by a factor of 10: the usual one is 2e-4 "
            "(Adam, beta_1 = 0.5).",
            *RULE.advice,
        ),
        title="" if won else "The discriminator is saturated",
    )


def _duel(history: RunHistory) -> _Duel | None:
    """Both losses; None unless enough steps have both, finite and never negative."""
    found = [history.scalars.get(name) for name in ("generator_loss", "discriminator_loss")]
    if any(series is None for series in found):
        return None
    generator, discriminator = (_known(series) for series in found if series is not None)
    steps = np.intersect1d(generator[0], discriminator[0])
    if len(steps) < RECORDS:
        return None
    values = [
        known[1][np.searchsorted(known[0], steps)] for known in (generator, discriminator)
    ]
    # Discriminators that join later (VQGAN) log 0 until then.
    begun = int(np.argmax(values[1] > 0))
    duel = _Duel(steps[begun:], values[0][begun:], values[1][begun:])
    if len(duel.steps) < RECORDS or min(duel.generator.min(), duel.discriminator.min()) < 0:
        return None
    return duel


def _known(series: Series) -> tuple[Steps, Values]:
    values = np.asarray(series.values, np.float64)
    finite = np.isfinite(values)
    return series.steps[finite], values[finite]


RULE = Rule(
    id="discriminator-wins",
    kind="symptom",
    title="The discriminator wins",
    needs=("generator_loss", "discriminator_loss"),
    special=True,
    at_least=RECORDS,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "records", high=RECORDS, detail="(of both losses)",
            source="The medians of a half need twenty values.",
        ),
        Threshold(
            "discriminator_loss_left", low=WON,
            source=(
                "In balance, the loss stays near its start (2 ln 2). At a hundredth of it, the "
                "discriminator gives the right answer a probability of 99%. A loss near 0 is the "
                "failure that practitioners look for (Chintala et al. 2016, number 10)."
            ),
        ),
        Threshold(
            "discriminator_loss_left", low=CLEAR, detail="(for a warning)",
            source=(
                "The right answer has a probability of 99.9%. Above that, the generator may still "
                "catch up, and the loss may have a term that the log does not name."
            ),
        ),
        Threshold(
            "generator_loss_growth", high=GREW,
            source=(
                "As long as the generator can still deceive a strong discriminator, its loss does "
                "not grow. This happens with an additional reconstruction loss, for example."
            ),
        ),
        Threshold(
            "generator_loss_late", high=SATURATED,
            source=(
                "As -ln D(G(z)), a loss of 10 means that the discriminator gives a generated "
                "sample a probability of 1 in 20,000 of being real."
            ),
        ),
        Threshold(
            "discriminator_loss_left", low=BALANCED[0], high=BALANCED[1],
            detail="(with a large loss of the generator)",
            source=(
                "A discriminator whose loss stays near its start is in balance. The loss of the "
                "generator then grows because of another term, such as one whose weight is raised."
            ),
        ),
        Threshold(
            "discriminator_loss_first", low=STARTS[1], high=STARTS[0],
            source=(
                "A cross-entropy begins at ln 2 or 2 ln 2, a hinge loss at 2, a squared one at 0.5 "
                "to 1. Other losses have another scale."
            ),
        ),
    ),
    measures=(
        Measure("generator_loss", "loss of the generator"),
        Measure("discriminator_loss", "loss of the discriminator"),
        Measure("discriminator_loss_left", "loss of the discriminator over its start", (),
                "fraction"),
        Measure("discriminator_loss_first", "loss of the discriminator at the start"),
        Measure("generator_loss_growth", "loss of the generator over its start"),
        Measure("generator_loss_late", "loss of the generator in the last half"),
    ),
    shows=("loss",),
    advice=(
        "Slow the discriminator down: a learning rate below the generator's, one step for each "
        "step of the generator, noise on its inputs, labels of 0.9 instead of 1, or dropout.",
        "Or use a loss whose gradient does not vanish when the discriminator is sure: WGAN-GP, or "
        "a hinge loss with spectral normalization.",
        "Look at samples. If they are all alike, the generator has collapsed as well.",
    ),
    falsified_by=(
        "Samples of the generator still improve.",
        "The generator's gradients are as large as at the start.",
    ),
    false_alarms=(
        "A discriminator that only checks a pretrained generator, and is not meant to be beaten.",
    ),
    references=(
        "Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661",
        "Arjovsky & Bottou 2017, Towards Principled Methods for Training GANs, arXiv:1701.04862",
        "Chintala et al. 2016, How to Train a GAN? Tips and tricks to make GANs work",
    ),
)
