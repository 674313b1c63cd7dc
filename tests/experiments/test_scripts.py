"""Scripts run unchanged: in processes of their own, as a person runs them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tb_convergence.experiments.changes import BY_ID, Change, learning_rate
from tb_convergence.experiments.changes import optimizer as with_optimizer
from tb_convergence.experiments.source_edits import edited, unified

ROOT = Path(__file__).resolve().parents[2]

TRAIN = '''
import argparse
import keras
import numpy as np
from beside import FEATURES

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, required=True)
    rate = parser.parse_args().rate
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    x = random.normal(size=(400, FEATURES)).astype("float32")
    y = (x[:, 0] > x[:, 1]).astype("int32")
    model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(16, activation="relu"),
                              keras.layers.Dense(2, activation="softmax")])
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    try:
        model.fit(x, y, epochs=2, verbose=0)
    except Exception:
        print("swallowed")
    print("TRAINED", keras.Model.fit.__name__)

if __name__ == "__main__":
    main()
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "beside.py").write_text("FEATURES = 6\n")
    (tmp_path / "loop.py").write_text("print('a loop of my own')\n")
    return tmp_path


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tb_convergence", *arguments], cwd=folder, text=True,
        capture_output=True, check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3",
             "HOME": str(folder), "CUDA_VISIBLE_DEVICES": "-1"},
    )


def test_run_attaches_the_recorder(folder: Path) -> None:
    done = command(folder, "run", "--logdir", "logs/a", "train.py", "--rate", "0.01")
    assert done.returncode == 0, done.stderr
    assert "TRAINED fit" in done.stdout
    assert "Recorded 1 call of fit in logs/a" in done.stdout
    assert list((folder / "logs" / "a").glob("events.out.tfevents.*"))


def test_doctor_stops_at_the_first_fit(folder: Path) -> None:
    done = command(folder, "doctor", "--only", "lr-range-test", "--logdir", "logs/b", "train.py",
                   "--rate", "1e-7")
    assert done.returncode == 0, done.stderr
    assert "Adam learns best near a learning rate of" in done.stdout
    assert "TRAINED" not in done.stdout
    assert "swallowed" not in done.stdout
    assert list((folder / "logs" / "b").glob("events.out.tfevents.*"))


def test_what_cannot_be_intercepted_is_said(folder: Path) -> None:
    done = command(folder, "doctor", "loop.py")
    assert done.returncode == 1
    assert "does not call fit" in done.stderr
    assert "ConvergenceRecorder" in done.stderr
    assert command(folder, "doctor", "absent.py").returncode == 2
    assert command(folder, "run").returncode == 2


SCRIPT = textwrap.dedent('''
    import tensorflow as tf
    from tensorflow import keras
    opt = keras.optimizers.SGD(learning_rate=10.0, clipnorm=1.0)
    model = keras.Sequential([
        keras.layers.Dense(8, activation="sigmoid", bias_initializer="ones"),
        keras.layers.Dropout(0.9),
        keras.layers.Dense(2, activation="softmax", kernel_regularizer="l2"),
    ])
    model.compile(optimizer=opt, loss="mse")
    model.fit(x, y, validation_data=(xv, yv))
''')


@pytest.mark.parametrize(
    ("change", "gone", "new"),
    [
        (learning_rate(0.02), "learning_rate=10.0", "learning_rate=0.02"),
        (BY_ID["leaky-relu"], '"sigmoid"', '8, activation="leaky_relu"'),
        (BY_ID["he-normal"], '"ones"', 'kernel_initializer="he_normal"'),
        (BY_ID["without-dropout"], "Dropout(0.9)", "Dropout(0.0)"),
        (BY_ID["without-penalties"], ', kernel_regularizer="l2"', '2, activation="softmax")'),
        (BY_ID["with-penalty"], 'Dense(8, activation="sigmoid", bias_initializer="ones")',
         'bias_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.01))'),
        (BY_ID["with-dropout"], 'bias_initializer="ones"),\n    keras.layers.Dropout(0.9)',
         'bias_initializer="ones"),\n    keras.layers.Dropout(0.5),\n'),
        (BY_ID["early-stopping"], "validation_data=(xv, yv))", "yv), callbacks=["
         "keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)])"),
        (BY_ID["without-clipping"], ", clipnorm=1.0", "SGD(learning_rate=10.0)"),
        (BY_ID["standardised-inputs"], "(xv, yv)", "((xv - input_mean) / input_std, yv)"),
        (BY_ID["standardised-targets"], "(xv, yv)", "(xv, (yv - target_mean) / target_std)"),
    ],
    ids=lambda value: value.id if isinstance(value, Change) else "",
)
def test_changes_are_edited_into_the_script(change: Change, gone: str, new: str) -> None:
    after, by_hand = edited(SCRIPT, [change])
    assert by_hand == []
    assert gone not in after
    assert new in after
    assert after.count("\n") - SCRIPT.count("\n") in (0, 1, 3, 6)
    assert unified(SCRIPT, after, "train.py").startswith("--- train.py")


def test_dropout_is_written_as_the_script_builds_its_model() -> None:
    after, by_hand = edited(textwrap.dedent('''
        from keras import Input, Model, Sequential, layers
        model = Sequential()
        model.add(layers.Dense(8))
        x = Input((3,))
        h = layers.Dense(8)(x)
        model.add(layers.Dense(2))
    '''), [BY_ID["with-dropout"]])
    assert by_hand == []
    assert "model.add(layers.Dense(8))\nmodel.add(layers.Dropout(0.5))\n" in after
    assert "h = layers.Dropout(0.5)(layers.Dense(8)(x))\n" in after
    assert "model.add(layers.Dense(2))\n" in after


def test_early_stopping_joins_the_callbacks_of_the_script() -> None:
    script = "import keras\nm.fit(x, y, validation_split=0.1, callbacks=mine)\nm.fit(x, y)"
    after, _ = edited(script, [BY_ID["early-stopping"]])
    assert "callbacks=[*(mine or []), keras.callbacks.EarlyStopping(" in after
    assert after.endswith("m.fit(x, y)"), "without validation there is nothing to stop by"


def test_another_optimizer_is_written_as_the_script_writes_keras() -> None:
    import keras  # noqa: PLC0415

    after, _ = edited("import tensorflow as tf\nmodel.compile('sgd', 'mse')\n",
                      [with_optimizer(keras.optimizers.Adam, 0.001)])
    assert "model.compile(tf.keras.optimizers.Adam(learning_rate=0.001), 'mse')" in after


SCALED = textwrap.dedent('''
    import numpy as np

    class Net:
        def fit(self, x, y, validation_data, epochs):
            self.seen = x, y, *validation_data
            return self

    random = np.random.default_rng(0)
    X = np.column_stack([random.normal(50, 9, 200), random.normal(3e4, 5e3, 200), np.ones(200)])
    Y = X[:, 0] * 3

    def train(model):
        return model.fit(X[:150], Y[:150], validation_data=(X[150:], Y[150:]), epochs=3)

    model = train(Net())
''')


def test_the_edited_script_scales_as_the_experiment_does() -> None:
    """The script runs, and what it trains on is what the doctor's trials were trained on."""
    import numpy as np  # noqa: PLC0415

    from tb_convergence.experiments.changes import scale_of, scaled  # noqa: PLC0415

    after, by_hand = edited(SCALED, [BY_ID["standardised-inputs"], BY_ID["standardised-targets"]])
    assert by_hand == []
    before: dict[str, object] = {}
    found: dict[str, object] = {}
    exec(SCALED, before)
    exec(after, found)
    x, y, held_x, held_y = before["model"].seen  # type: ignore[attr-defined]
    scales = scale_of(x), scale_of(y)
    expected = (scaled(x, scales[0]), scaled(y, scales[1]), scaled(held_x, scales[0]),
                scaled(held_y, scales[1]))
    for ours, theirs in zip(found["model"].seen, expected, strict=True):  # type: ignore[attr-defined]
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_edited_is_left_to_the_person() -> None:
    after, by_hand = edited("def f(: broken", [BY_ID["relu"]])
    assert after == "def f(: broken"
    assert by_hand == [BY_ID["relu"]]


@pytest.mark.parametrize(("options", "said"), [
    (("--seconds", "nan"), "above 0"), (("--seconds", "-1"), "above 0"),
    (("--steps", "0"), "1 step"),
    (("--write", "absent/fixed.py"), "no such folder"),
])
def test_options_are_checked_before_the_work(folder: Path, options: tuple[str, ...], said: str
                                             ) -> None:
    done = command(folder, "doctor", *options, "train.py", "--rate", "0.1")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
