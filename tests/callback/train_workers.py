"""One of two workers of `MultiWorkerMirroredStrategy`: tries `fit`, prints as JSON how it went.

    train_workers.py INDEX FIRST_ADDRESS SECOND_ADDRESS FOLDER
"""

from __future__ import annotations

import json
import os
import sys

if __name__ == "__main__":  # before TensorFlow is loaded
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_CONFIG"] = json.dumps(
        {
            "cluster": {"worker": sys.argv[2:4]},
            "task": {"type": "worker", "index": int(sys.argv[1])},
        }
    )

import keras
import numpy as np
import tensorflow as tf

from tb_convergence.keras import ConvergenceCallback


def main(folder: str) -> None:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.compile("sgd", "mse")
    x = np.zeros((32, 4), "float32")
    data = tf.data.Dataset.from_tensor_slices((x, x[:, :3])).batch(8)
    callback = ConvergenceCallback(folder)
    outcome = {"replicas": strategy.num_replicas_in_sync, "error": "", "reason": None}
    try:
        model.fit(data, verbose=0, shuffle=False, callbacks=[callback])
    except ValueError as error:
        outcome["error"] = str(error)
    outcome["reason"] = callback.disabled_reason
    sys.stdout.write("\nOUTCOME " + json.dumps(outcome) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the other worker may be gone: no waiting for it


if __name__ == "__main__":
    main(sys.argv[4])
