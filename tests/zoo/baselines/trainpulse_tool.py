"""trainpulse (Apache-2.0): watches scalars as they are logged. All detectors at their defaults."""

from __future__ import annotations

from tb_convergence.core.history import RunHistory
from zoo.baselines.tool import Report, Tool, scalars

HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"


def run(history: RunHistory) -> list[Report]:
    """Its alerts when loss, rate and gradient norm are logged step by step.

    The validation loss is not logged: it would be taken for another batch of the loss.
    """
    from trainpulse import Monitor  # noqa: PLC0415 - no dependency

    have = scalars(history)
    have.pop("val_loss", None)
    points = sorted(
        (int(step), name, float(value))
        for name, (steps, values) in have.items()
        for step, value in zip(steps, values, strict=True)
    )
    monitor = Monitor()
    for step, name, value in points:
        monitor.log(name, step, value)
    return [Report(_name(alert.detector, alert.message), alert.step) for alert in monitor.alerts]


def _name(detector: str, message: str) -> str:
    """The detector; of the gradient's, which of its two alerts."""
    word = message.split(" ", maxsplit=1)[0].lower()
    return f"{detector}: {word}" if detector == "gradient" else detector


TOOL = Tool(
    "trainpulse 0.4",
    "trainpulse, Monitor at its defaults, fed loss, rate and gradient norm step by step",
    run,
    means={
        "nan_detector": (HIGH, "non-finite-input"),
        "loss_spike": (HIGH,),
        "gradient: gradient": (HIGH, "unnormalized-input", "unscaled-target"),
        "gradient: vanishing": ("wrong-hidden-activation", "too-deep-without-skip"),
        "plateau": (LOW,),
        "learning_rate": (HIGH,),
    },
    why={
        "nan_detector": "names no cause; counts for the usual ones",
        "loss_spike": "names no cause; counts for the usual one",
        "gradient: gradient": "an explosion: names no cause; counts for the usual ones",
        "gradient: vanishing": "names no cause; counts for the usual ones",
        "plateau": "names no cause; counts for the usual one",
        "learning_rate": "the learning rate jumped",
    },
)
