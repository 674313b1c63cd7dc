"""Scripts as people write them: `run` and `doctor` work, or say in one line what they cannot do.

They all run in one process, one after the other, because TensorFlow's import takes seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

DATA = '''
import numpy as np
random = np.random.default_rng(0)
x = random.normal(size=(256, 6)).astype("float32")
y = (x[:, 0] > x[:, 1]).astype("int32")
'''
SMALL = '''
model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, activation="relu"),
                          keras.layers.Dense(2, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
'''

SCRIPTS = {
    "subclassed": '''
import tensorflow as tf
class Net(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.first = tf.keras.layers.Dense(8, activation="relu")
        self.last = tf.keras.layers.Dense(2)
    def call(self, x):
        return self.last(self.first(x))
model = Net()
model.compile(tf.keras.optimizers.Adam(1e-7),
              tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
              metrics=["accuracy"])
model.fit(x, y, epochs=2, validation_split=0.2, verbose=0)
''',
    "pipeline": '''
import tensorflow as tf
from tensorflow import keras
data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(256).batch(32).prefetch(2)
model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(data, validation_data=data.take(2), epochs=2, verbose=0)
''',
    "own loss and metric": '''
import keras
from keras import ops
def focal(y_true, y_pred):
    y_true = ops.cast(y_true, "float32")
    p = ops.clip(ops.where(y_true > 0.5, y_pred, 1 - y_pred), 1e-7, 1.0)
    return -ops.mean((1 - p) ** 2 * ops.log(p), axis=-1)
class Share(keras.metrics.Metric):
    def __init__(self):
        super().__init__(name="share")
        self.total = self.add_weight(name="total", initializer="zeros")
    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign(ops.mean(y_pred))
    def result(self):
        return self.total.value
model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, activation="sigmoid")])
model.compile("sgd", focal, metrics=[Share()])
model.fit(x, y[:, None], epochs=2, class_weight={0: 1.0, 1: 2.0}, verbose=0)
''',
    "several inputs": '''
import keras
from keras import layers
first, second = keras.Input((6,), name="numbers"), keras.Input((3,), dtype="int32", name="tokens")
joined = layers.Concatenate()([first, layers.Flatten()(layers.Embedding(9, 4)(second))])
model = keras.Model([first, second], layers.Dense(1, activation="sigmoid")(joined))
model.compile("sgd", "binary_crossentropy")
tokens = random.integers(0, 9, (256, 3))
model.fit({"numbers": x, "tokens": tokens}, y, epochs=2, validation_split=0.2, verbose=0)
''',
    "several outputs": '''
import keras
from keras import layers
inputs = keras.Input((6,))
hidden = layers.Dense(8, activation="relu")(inputs)
model = keras.Model(inputs, {"a": layers.Dense(1, name="a")(hidden),
                             "b": layers.Dense(2, activation="softmax", name="b")(hidden)})
model.compile("adam", {"a": "mse", "b": "sparse_categorical_crossentropy"},
              loss_weights={"a": 1.0, "b": 0.5})
model.fit(x, {"a": x[:, :1], "b": y}, epochs=2, validation_split=0.2, verbose=0)
''',
    "normalization and weights": '''
import keras
scale = keras.layers.Normalization()
scale.adapt(x * 100)
model = keras.Sequential([keras.Input((6,)), scale, keras.layers.Dense(8, activation="relu"),
                          keras.layers.Dropout(0.2), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x * 100, x[:, :1], sample_weight=np.linspace(0.5, 1.5, 256), epochs=2, verbose=0)
''',
    "generator": '''
import keras
def batches(seed):
    own = np.random.default_rng(seed)
    while True:
        part = own.normal(size=(32, 6)).astype("float32")
        yield part, (part.sum(1) > 0).astype("int32")
''' + SMALL + '''
model.fit(batches(0), steps_per_epoch=8, epochs=2, validation_data=batches(1), validation_steps=2,
          verbose=0)
''',
    "own directory and much output": '''
import os
import keras
os.makedirs("elsewhere", exist_ok=True)
os.chdir("elsewhere")
for line in range(3000):
    print("line", line)
''' + SMALL + '''
model.fit(x, y, epochs=2, verbose=2, callbacks=[keras.callbacks.CSVLogger("log.csv")])
''',
    "several fits": '''
import keras
''' + SMALL + '''
for _ in range(2):
    model.fit(x, y, epochs=1, verbose=0)
other = keras.models.clone_model(model)
other.compile("sgd", "sparse_categorical_crossentropy")
other.fit(x, y, epochs=1, verbose=0)
''',
    "an error status": "import sys\nimport keras\n" + SMALL + (
        "model.fit(x, y, epochs=1, verbose=0)\nsys.exit(3)\n"),
    "an error of its own": "raise FileNotFoundError('no data in /data')\n",
    "arguments": ("import argparse\nparser = argparse.ArgumentParser()\n"
                  "parser.add_argument('--rate', required=True)\nparser.parse_args()\n"),
    "a message at the end": "import sys\nsys.exit('set DATA first')\n",
    "a notebook": "get_ipython().run_line_magic('matplotlib', 'inline')\nimport keras\n" + SMALL + (
        "model.fit(x, y, epochs=1, verbose=0)\n"),
    "a loop": "import keras\n" + SMALL + "for _ in range(3):\n    model.train_on_batch(x, y)\n",
    "an except around it": "import keras\n" + SMALL + (
        "try:\n    model.fit(iter([]))\nexcept Exception:\n    print('swallowed')\n"),
}

PROGRAM = '''
import contextlib
import io
import json
import sys
from tb_convergence.cli import main

found = {}
for name in json.loads(sys.argv[1]):
    for command in ("run", "doctor"):
        more = [] if command == "run" else ["--steps", "60", "--seconds", "3600"]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main([command, *more, "--logdir", f"logs/{command}/{name}", f"{name}.py"])
            except BaseException as error:
                status = f"{type(error).__name__}: {error}"
        found[f"{command} {name}"] = [status, out.getvalue()[-3000:], err.getvalue()[-3000:]]
print(json.dumps(found))
'''

WORKS = ("subclassed", "pipeline", "own loss and metric", "several inputs", "several outputs",
         "normalization and weights", "generator", "own directory and much output",
         "several fits", "an error status", "a notebook")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strangers")
    for name, text in SCRIPTS.items():
        (folder / f"{name}.py").write_text(DATA + text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(list(SCRIPTS))], cwd=folder, text=True,
        capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3",
             "CUDA_VISIBLE_DEVICES": "-1"})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", WORKS)
def test_run_records_it(found: Any, folder: Path, name: str) -> None:
    status, out, err = found[f"run {name}"]
    assert status == (3 if name == "an error status" else 0), err
    assert "Recorded" in out
    assert list((folder / "logs" / "run" / name).glob("events.out.tfevents.*"))
    if name == "several fits":
        assert "3 calls of fit" in out
        assert (folder / "logs" / "run" / f"{name}-2").is_dir(), "another model, another run"


@pytest.mark.parametrize("name", WORKS)
def test_doctor_examines_it(found: Any, folder: Path, name: str) -> None:
    status, out, err = found[f"doctor {name}"]
    assert status in (0, 1), err
    assert "Doctor, " in out, err
    assert "training steps" in out
    assert "Traceback" not in err
    assert list((folder / "logs" / "doctor" / name).glob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("an error of its own", "FileNotFoundError: no data in /data"),
        ("arguments", "ended with status 2 before it called fit"),
        ("a message at the end", "set DATA first"),
        ("a loop", "ConvergenceRecorder"),
    ],
)
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_what_cannot_be_done_is_said(found: Any, command: str, name: str, said: str) -> None:
    status, out, err = found[f"{command} {name}"]
    assert status in (1, 2), out
    assert said in err
    assert err.strip().splitlines()[-1].startswith("tb-convergence: ")
    assert "tb_convergence/experiments" not in err, "the traceback is the script's own"


def test_a_script_does_not_swallow_what_the_doctor_says(found: Any) -> None:
    status, out, err = found["doctor an except around it"]
    assert status == 1
    assert "swallowed" not in out
    assert err.strip().splitlines()[-1].startswith("tb-convergence: ")
    assert "batches" in err
