"""Edits of scripts that could break them, or reach a line that nobody examined."""

from __future__ import annotations

import ast
import shutil
import subprocess
import textwrap
from dataclasses import replace
from pathlib import Path

import keras
import pytest

from tb_convergence.experiments.changes import BY_ID, Change, learning_rate
from tb_convergence.experiments.changes import optimizer as with_optimizer
from tb_convergence.experiments.source_edits import edited, unified

ADAM = with_optimizer(keras.optimizers.Adam, 0.001)
OUTPUT = replace(BY_ID["suitable-output"], settings={
    "activation": "softmax", "loss": "sparse_categorical_crossentropy"})


@pytest.mark.parametrize(
    ("script", "change"),
    [
        ("opt = LossScaleOptimizer(keras.optimizers.Adam())\nm.compile(opt, 'mse')\n",
         learning_rate(0.1)),
        ("m.compile(make_optimizer('adam', 3), 'mse')\n", learning_rate(0.1)),
        ("m.compile(keras.optimizers.get('sgd'), 'mse')\n", learning_rate(0.1)),
        ("m.compile(keras.optimizers.Adam(**options), 'mse')\n", learning_rate(0.1)),
        ("generator.compile('sgd', 'mse')\ncritic.compile('sgd', 'mse')\n", ADAM),
        ("import regex\nword = regex.compile('a+')\n", ADAM),
        ("selector.fit(x, y)\n", BY_ID["standardised-inputs"]),
        ("m.fit(x, y, epochs=2)\nm.fit(x2, y2, epochs=2)\n", BY_ID["standardised-inputs"]),
        ("m.fit(load(), y, epochs=2)\n", BY_ID["standardised-inputs"]),
        ("m.fit([left, right], y, epochs=2)\n", BY_ID["standardised-inputs"]),
        ("m.fit(x, y, validation_data=(held,), epochs=2)\n", BY_ID["standardised-targets"]),
        ("m.fit(x, y, validation_split=0.1, **options)\n", BY_ID["early-stopping"]),
        ("def head(x):\n    return Dense(1, activation='sigmoid')(x)\n\n\n"
         "def body(x):\n    return Dense(64, activation='sigmoid')(x)\n", BY_ID["relu"]),
        ("def head(x):\n    return Dense(1)(x)\n\n\ndef body(x):\n    return Dense(64)(x)\n",
         BY_ID["with-dropout"]),
        ("m = Sequential([Dense(3), Activation('relu')])\nm.compile('adam', 'mse')\n", OUTPUT),
    ],
)
def test_what_an_edit_could_break_is_left_to_the_person(script: str, change: Change) -> None:
    after, by_hand = edited(script, [change])
    assert after == script
    assert by_hand == [change]


@pytest.mark.parametrize("change", [ADAM, BY_ID["with-penalty"], BY_ID["early-stopping"],
                                    BY_ID["with-dropout"]], ids=lambda change: change.id)
@pytest.mark.parametrize(
    "imports",
    ["from keras.models import Sequential\nfrom keras.layers import Dense, Input",
     "from tensorflow.keras.models import Sequential\n"
     "from tensorflow.keras.layers import Dense, Input",
     "from __future__ import annotations\nimport tensorflow.keras as K\n"
     "Sequential, Dense, Input = K.Sequential, K.layers.Dense, K.Input",
     "def main():\n    import keras\n\nfrom keras import Sequential\n"
     "from keras.layers import Dense, Input"],
)
@pytest.mark.tensorflow
def test_edits_name_keras_as_the_script_can(imports: str, change: Change) -> None:
    """The edited script runs, whatever it imports of Keras."""
    script = imports + textwrap.dedent('''
        model = Sequential([Input((2,)), Dense(4), Dense(1)])
        model.compile("sgd", "mse")
        class Seen:
            def fit(self, x, y, **options):
                self.options = options
        seen = Seen()
        seen.fit(None, None, validation_data=(None, None))
    ''')
    after, by_hand = edited(script, [change])
    assert by_hand == []
    found: dict[str, object] = {}
    exec(compile(after, "train.py", "exec", dont_inherit=True), found)
    assert after != script


def test_callbacks_given_by_place_are_not_given_twice() -> None:
    after, _ = edited("import keras\nm.fit(x, y, 32, 5, 0, [mine], validation_split=0.1)\n",
                      [BY_ID["early-stopping"]])
    call = ast.parse(after).body[1].value  # type: ignore[attr-defined]
    assert [one.arg for one in call.keywords] == ["validation_split"]
    assert "[*([mine] or []), keras.callbacks.EarlyStopping(" in after


@pytest.mark.parametrize(
    ("script", "expected"),
    [("AdamW(0.1, weight_decay=0.1)", "AdamW(0.1, weight_decay=0.0)"),
     ("AdamW(0.1)", "AdamW(0.1, weight_decay=0.0)"),
     ("AdamW()", "AdamW(weight_decay=0.0)"),
     ("SGD(0.1, weight_decay=0.1)", "SGD(0.1)")],
)
def test_without_its_argument_adamw_would_still_decay(script: str, expected: str) -> None:
    assert edited(script, [BY_ID["without-penalties"]])[0] == expected


def test_inputs_of_one_axis_and_lists_are_scaled() -> None:
    after, _ = edited("class Net:\n    def fit(self, x, y, epochs):\n        self.seen = x\n"
                      "x = [1.0, 2.0, 6.0]\nnet = Net()\nnet.fit(x, x, epochs=1)\n",
                      [BY_ID["standardised-inputs"]])
    found: dict[str, object] = {}
    exec(after, found)
    seen = found["net"].seen  # type: ignore[attr-defined]
    assert abs(seen.mean()) < 1e-9
    assert abs(seen.std() - 1) < 1e-9


def test_the_output_and_loss_that_fit_are_written() -> None:
    after, by_hand = edited(
        "m = Sequential([Dense(9, 'relu'), Dense(3)])\nm.compile('adam', loss='mse')\n", [OUTPUT])
    assert by_hand == []
    assert after == ("m = Sequential([Dense(9, 'relu'), Dense(3, activation=\"softmax\")])\n"
                     "m.compile('adam', loss=\"sparse_categorical_crossentropy\")\n")


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
@pytest.mark.parametrize("end", ["", "\n"])
def test_the_diff_can_be_applied(tmp_path: Path, end: str) -> None:
    script = f"import keras\ntext = 'a\x0cb\u2028c'\nm.compile('sgd', 'mse'){end}"
    after, _ = edited(script, [ADAM])
    (tmp_path / "train.py").write_text(script, encoding="utf-8")
    subprocess.run(["patch", "-s", "train.py"], input=unified(script, after, "train.py"),
                   text=True, encoding="utf-8", cwd=tmp_path, check=True)
    assert (tmp_path / "train.py").read_text(encoding="utf-8") == after
