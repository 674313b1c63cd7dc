"""Records of experiments as the product writes them, with numbers from formulas.

`tests/experiments/test_records.py` holds their form against results of the experiments themselves.
"""

from __future__ import annotations

import math

import numpy as np

from tb_convergence.core.experiments import ExperimentRecord, ExperimentVerdict

START = 1_700_000_000.0


def range_test(clipped: bool = True) -> ExperimentRecord:
    """Two sweeps: learning begins at 1e-3, the rate in use lies above the highest stable one."""
    rates = np.geomspace(1e-5, 2.0, 90)
    curves = []
    for seed in range(2):
        smooth = 2.3 - 1.6 / (1 + (0.004 / rates) ** 1.2) + (rates / 0.35) ** 3
        rough = smooth * (1 + 0.04 * np.sin(17 * np.arange(90) + seed))
        curves.append({"rates": rates.tolist(), "losses": rough.tolist(),
                       "smoothed": smooth.tolist(), "diverged": True})
    data = {
        "optimizer": "SGD", "rate_in_use": 0.5, "suggested": 0.02, "interval": [0.014, 0.027],
        "highest_stable": 0.1, "why_none": "", "ended": "finished", "curves": curves,
        "compared": [{"rate": 0.02, "loss": 0.71}, {"rate": 0.05, "loss": 0.84}],
        "compared_steps": 120, "unclipped": None,
    }
    if clipped:
        data["unclipped"] = {**data, "highest_stable": 0.04, "suggested": 0.01}
    return ExperimentRecord(
        "lr_range_test",
        "SGD learns best near a learning rate of 0.02 (seeds: 0.014 to 0.027); the highest stable "
        "rate is 0.1. The model uses 0.5.",
        (ExperimentVerdict("learning-rate-too-high", "confirmed",
                 "The rate in use, 0.5, is 5 times the highest stable rate, 0.1."),
         ExperimentVerdict("learning-rate-too-low", "refuted",
                 "The rate in use, 0.5, is above the highest stable rate, 0.1.")),
        data, 516, START + 60,
    )


def no_answer() -> ExperimentRecord:
    """A range test in which no rate learns."""
    found = range_test(clipped=False)
    why = "no rate lowers the loss"
    data = {**found.data, "suggested": None, "interval": None, "highest_stable": None,
            "rate_in_use": None, "why_none": why}
    return ExperimentRecord("lr_range_test", f"No learning rate for SGD: {why}.", (), data, 0,
                            START + 60)


def ladder() -> ExperimentRecord:
    """32 samples are memorized, 128 are not."""
    return ExperimentRecord(
        "overfit_small_sample",
        "The model memorizes 32 samples but not 128 in that time (accuracy 0.41 on 128 samples "
        "after 300 steps).",
        (ExperimentVerdict(
            "insufficient-capacity", "undecided", "The model memorizes 32 samples."),),
        {"measure": "accuracy", "ended": "finished", "threshold": 0.9, "rungs": [
            {"size": 32, "score": 1.0, "learned": 1.0, "steps": 80, "memorized": True,
             "with_adam": None},
            {"size": 128, "score": 0.41, "learned": 0.34, "steps": 300, "memorized": False,
             "with_adam": 0.97},
        ]}, 516, START + 120,
    )


def ablation() -> ExperimentRecord:
    """One change helps, one hurts, one makes no difference, one diverges."""

    def effect(
        id_: str, title: str, values: list[float], control: bool = False
    ) -> dict[str, object]:
        change = [value - 0.62 for value in values]
        mean = math.fsum(change) / len(change)
        half = 0.03 if all(map(math.isfinite, change)) else math.inf
        return {"id": id_, "title": title, "control": control, "values": values, "mean": mean,
                "low": mean - half, "high": mean + half, "helps": mean - half > 0,
                "hurts": mean + half < 0}

    return ExperimentRecord(
        "ablate",
        "With standardized inputs, accuracy is 0.9 instead of 0.62 (+0.25 to +0.31; 200 "
        "steps, 3 seeds).",
        (ExperimentVerdict("unnormalized-input", "confirmed",
                 "With standardized inputs, accuracy is 0.9 instead of 0.62."),
         ExperimentVerdict(
             "dropout-too-high", "refuted", "Without dropout, accuracy is 0.61.")),
        {"measure": "accuracy", "steps": 200, "baseline": 0.1, "ended": "finished",
         "unchanged": [0.61, 0.62, 0.63], "effects": [
             effect("standardised-inputs", "with standardized inputs", [0.89, 0.9, 0.91]),
             effect("without-dropout", "without dropout", [0.6, 0.61, 0.63]),
             effect("shuffled-labels", "on shuffled labels", [0.1, 0.11, 0.1], control=True),
             effect("without-clipping", "without gradient clipping",
                    [-math.inf, -math.inf, 0.6]),
         ], "left_out": [
             {"id": "without-batch-norm", "reason": "the model has no batch normalization"}]},
        516, START + 180,
    )


def gradients() -> ExperimentRecord:
    """Forty variables whose gradients shrink only without batch norm; one gradient is wrong."""
    layers = [
        {"name": f"dense_{at // 2}/{'bias' if at % 2 else 'kernel'}", "norm": 0.3 + 0.01 * at,
         "norm_without": 10.0 ** (-at / 8), "error": 0.4 if at == 3 else 0.001}
        for at in range(40)
    ]
    return ExperimentRecord(
        "gradient_check",
        "40 variables: the gradient of dense_1/bias is off by 40% against finite differences; "
        "batch normalization hides gradients that change a thousandfold over depth.",
        (ExperimentVerdict(
            "batch-norm-masks-gradients", "confirmed", "Batch normalization hides it."),),
        {"batch_norm": True, "tolerance": 0.1, "layers": layers}, 516, START + 200,
    )


def data_check() -> ExperimentRecord:
    """One critical issue and one warning."""
    return ExperimentRecord(
        "check_data", "x: the columns differ 2,000-fold in scale and 1 more (all 1400 samples).",
        (ExperimentVerdict(
            "unnormalized-input", "confirmed", "x: the columns differ 2,000-fold in scale."),),
        {"samples": 1400, "whole": True, "checked": ["finite", "scale", "order", "balance"],
         "issues": [
             {"id": "scale-spread", "severity": "critical", "where": "x",
              "message": "the columns differ 2,000-fold in scale",
              "advice": "put a Normalization layer first, and adapt it to the training data",
              "finding": "unnormalized-input"},
             {"id": "constant-columns", "severity": "info", "where": "x",
              "message": "3 of 64 columns are constant", "advice": "leave them out",
              "finding": ""}]},
        0, START + 20,
    )


def prescription(helped: bool = True) -> ExperimentRecord:
    """The doctor's verdict: one change proven, or nothing."""
    proof = {
        "title": "with standardized inputs", "changes": ["standardised-inputs"],
        "lines": ["normalization = keras.layers.Normalization()",
                  "normalization.adapt(x_train)",
                  "x_train, x_val = normalization(x_train), normalization(x_val)"],
        "steps": 516, "before": [0.61, 0.62, 0.63], "after": [0.94, 0.95, 0.95],
        "separate": True, "proven": helped, "chosen": helped,
    }
    summary = ("With standardized inputs, accuracy is 0.94 to 0.95 instead of 0.61 to 0.63 "
               "(516 steps, 3 seeds each)." if helped else
               "Nothing helped: none of the 2 tried changes is proven to be better.")
    return ExperimentRecord(
        "doctor", summary,
        (ExperimentVerdict("unnormalized-input", "confirmed", summary),
         ExperimentVerdict("learning-rate-too-high", "refuted", "At 0.02, accuracy is 0.61."))
        if helped else (),
        {"measure": "accuracy", "unchanged": 0.6, "short_steps": 129, "planned_steps": 516,
         "steps": 2064, "seconds": 84.2, "findings": ["unnormalized-input"], "diff": "",
         "candidates": [
             {"id": "standardised-inputs", "title": "with standardized inputs",
              "because": ["unnormalized-input"], "value": 0.9, "not_tried": ""},
             {"id": "learning-rate", "title": "at learning rate 0.02", "because": [],
              "value": 0.61, "not_tried": ""},
             {"id": "without-batch-norm", "title": "without batch normalization", "because": [],
              "value": None, "not_tried": "the model has no batch normalization"}],
         "proofs": [proof]}, 516, START + 300,
    )


def every_kind() -> tuple[ExperimentRecord, ...]:
    """One of each kind."""
    return (data_check(), range_test(), ladder(), ablation(), gradients(), prescription())
