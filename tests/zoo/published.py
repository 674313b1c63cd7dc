"""An adaptor for published faulty programs that are described as facts: a JSON file and arrays.

`make zoo CASES=cases.json DATA=folder`. The file has `cases`, each with `id, data, layers, loss,
optimizer, batch_size, epochs, fault, fix` and optionally `budget`; `data` names an `.npz` file of
the folder with `x, y` and optionally `xv, yv`, or a variant of `mnist10k.npz`. `fix` overrides the
keys it names. Neither file is part of this project.

Layers are short strings (`layer_dsl`, `init_dsl`): `d:units:activation:init[:l2=...]` dense,
`c:filters:kernel:activation:init:padding` convolution, `mp` pooling, `fl` flatten, `do:rate`
dropout, `bn` batch normalization, `act:name` activation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAMES: dict[str, tuple[str, str]] = {
    "learning_rate_too_high": ("learning-rate-too-high", "the same"),
    "learning_rate_too_low": ("learning-rate-too-low", "the same"),
    "too_few_epochs": ("too-few-steps", "the run ends while the loss still falls"),
    "unnormalised_data": ("unnormalized-input", "the same"),
    "unnormalised_validation": (
        "wrong-labels", "that rule covers training and validation data on different scales"),
    "wrong_labels": ("wrong-labels", "the same"),
    "wrong_output_activation": ("wrong-output-activation", "the same"),
    "wrong_loss": ("wrong-loss", "the same"),
    "missing_activation": (
        "wrong-hidden-activation", "that rule covers missing hidden activations"),
    "wrong_hidden_activation": ("wrong-hidden-activation", "the same"),
    "wrong_activation": ("wrong-hidden-activation", "the fault is in the hidden layers"),
    "dead_relu": ("dead-relu", "the same"),
    "wrong_init": ("poor-initialization", "the same"),
    "symmetry": ("poor-initialization", "that rule covers units with equal initial weights"),
    "over_regularisation": ("over-regularization", "the same"),
    "flipped_gradient_sign": ("optimizer-mismatch", "the optimizer goes uphill"),
    "wrong_optimizer": ("optimizer-mismatch", "the same"),
    "insufficient_capacity": ("insufficient-capacity", "the same"),
    "unscaled_target": ("unscaled-target", "the same"),
    "class_imbalance": ("class-imbalance", "the same"),
    "not_shuffled": ("unshuffled-batches", "the same"),
    "too_deep": ("too-deep-without-skip", "the same"),
}
"""Name of a fault in the file -> our id, and why."""

SYMPTOMS = {
    "nan_inf": "non-finite-values",
    "exploding_gradient": "exploding-gradient",
    "vanishing_gradient": "vanishing-gradient",
    "constant_output": "constant-output",
}
"""Names that say what was observed rather than what was wrong: not counted as a cause."""

HEALTHY = "control_no_fault"


class Cases:
    """The programs of one file.

    Args:
        path: of the JSON file.
        data: folder of the arrays.
    """

    def __init__(self, path: Path, data: Path) -> None:
        self._data = data
        self._cases: dict[str, dict[str, Any]] = {
            f"published/{case['id']}": case for case in json.loads(path.read_text())["cases"]
        }

    def names(self) -> list[str]:
        """Of all cases, in the order of the file."""
        return list(self._cases)

    def content(self, name: str) -> str:
        """Everything the file says of the case, and how it is read."""
        return json.dumps(self._cases[name], sort_keys=True) + Path(__file__).read_text()

    def is_sick(self, name: str) -> bool:
        """Whether the case as published has a fault: some are controls."""
        return self._cases[name]["fault"] != [HEALTHY]

    def has_fix(self, name: str) -> bool:
        """Whether a fixed version is given."""
        return bool(self._cases[name]["fix"])

    def expected(self, name: str) -> tuple[str, ...]:
        """Our ids for its causes.

        Raises:
            KeyError: a name that the table of names does not have.
        """
        faults = [f for f in self._cases[name]["fault"] if f not in SYMPTOMS and f != HEALTHY]
        return tuple(dict.fromkeys(NAMES[fault][0] for fault in faults))

    def why(self, name: str) -> str:
        """What was changed to mend it."""
        return str(self._cases[name].get("fix_description", ""))

    def missing(self, name: str) -> str:
        """What cannot be found that the case needs; empty where nothing is missing."""
        case = self._cases[name]
        for data in {case["data"], case["fix"].get("data", case["data"])}:
            path = self._path(data)
            if not path.is_file():
                return f"no {path.name} in {self._data}"
        unknown = [f for f in case["fault"] if f not in {*NAMES, *SYMPTOMS, HEALTHY}]
        return f"no id for the fault {unknown[0]!r}" if unknown else ""

    def _path(self, data: str) -> Path:
        return self._data / ("mnist10k.npz" if data.startswith("mnist") else f"{data}.npz")

    def training(self, name: str, sick: bool) -> Any:
        """The case as published, or with its fix."""
        from zoo.published_program import build  # noqa: PLC0415 - imports Keras

        case = dict(self._cases[name])
        epochs = case.get("budget", (case["epochs"], case["fix"].get("epochs", case["epochs"])))
        if not sick or not self.is_sick(name):
            case |= case["fix"]
            case["epochs"] = epochs[1]
        else:
            case["epochs"] = epochs[0]
        return build(case, self._path(case["data"]))
