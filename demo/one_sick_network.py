"""One sick network from beginning to end: train it, then ask why it did not converge.

    python demo/one_sick_network.py [LOGDIR]

The fault is the learning rate: 0.3 with momentum 0.9. The loss falls for some twenty steps, then it
explodes, and everything is NaN.
"""

import sys
import tempfile

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tb_convergence
from tb_convergence.keras import ConvergenceCallback

log_dir = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="convergence-")

digits = load_digits()
x_train, x_valid, y_train, y_valid = train_test_split(
    digits.data / 16.0, digits.target, test_size=0.25, stratify=digits.target
)

model = keras.Sequential(
    [
        keras.Input((64,)),
        keras.layers.Dense(64, activation="leaky_relu"),
        keras.layers.Dense(64, activation="leaky_relu"),
        keras.layers.Dense(32, activation="leaky_relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    optimizer=keras.optimizers.SGD(learning_rate=0.3, momentum=0.9),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(
    x_train,
    y_train,
    validation_data=(x_valid, y_valid),
    epochs=5,
    callbacks=[ConvergenceCallback(log_dir)],  # the one line that is new
)

print()
for run in tb_convergence.diagnose(log_dir):
    for finding in run.findings:
        print(f"{finding.kind}, from step {finding.first_step}: {finding.title}")
        print(f"    {finding.summary}")
        for advice in finding.advice[:1]:
            print(f"    Try: {advice}")
print(f"\nSee it:  tensorboard --logdir {log_dir}    then open http://localhost:6006/#convergence")
