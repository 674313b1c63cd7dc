"""A custom loop on two replicas, recorded and not: in one process, or as one of two workers.

    python train_replicas.py FOLDER                    two logical devices, MirroredStrategy
    python train_replicas.py FOLDER INDEX HOST:PORT HOST:PORT    MultiWorkerMirroredStrategy

In a process of its own: devices and workers are fixed when TensorFlow starts.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

HALF, STEPS, RATE = 8, 10, 0.1
BAD_STEP = 7
"""In this step the half of the second replica holds a NaN."""


def halves() -> tuple[Any, Any]:
    """Inputs `[STEPS, 2, HALF, 3]` and targets `[STEPS, 2, HALF, 2]`."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(STEPS, 2, HALF, 3)).astype("float32")
    y = rng.normal(size=(STEPS, 2, HALF, 2)).astype("float32")
    x[BAD_STEP, 1, 5, 2] = np.nan
    return x, y


def cannot_measure(_: Any) -> Any:
    """In place of a part of the measurement: it fails in the second replica."""
    from tb_convergence.training.instep import kernels, replicas  # noqa: PLC0415

    if replicas.here()[0] == 1:
        raise RuntimeError("planted fault")
    return kernels.damaged(_)


def layers_of(sparse: bool) -> list[Any]:
    """One dense layer; or an embedding, whose gradients are sparse, before it."""
    import keras  # noqa: PLC0415 - after the environment is set

    dense = keras.layers.Dense(2, name="only")
    if not sparse:
        return [dense]
    whole = keras.layers.Lambda(lambda x: keras.ops.cast(keras.ops.abs(x) > 1, "int32"))
    return [whole, keras.layers.Embedding(4, 2), keras.layers.Flatten(), dense]


def train(
    strategy: Any, folder: Path | None, mode: str, fault: str = "", sparse: bool = False
) -> list[Any]:
    """Weights before and after. With a `fault`, the process that writes cannot record ("chief"),
    or the second replica cannot be measured ("replica")."""
    import keras  # noqa: PLC0415 - after the environment is set
    import tensorflow as tf  # noqa: PLC0415

    from tb_convergence import ConvergenceRecorder  # noqa: PLC0415
    from tb_convergence.training.instep import kernels, replicas  # noqa: PLC0415

    keras.utils.set_random_seed(3)
    with strategy.scope():
        model = keras.Sequential([keras.Input((3,)), *layers_of(sparse)])
        optimizer = keras.optimizers.SGD(RATE)
        optimizer.build(model.trainable_variables)
        recorder = None
        if folder is not None:
            recorder = ConvergenceRecorder(folder, model, every_n_steps=5)
            assert recorder.disabled_reason is None, recorder.disabled_reason
            if fault == "chief" and replicas.is_chief(strategy):
                recorder._run.guard.disable("planted fault")
            replicas.damaged = cannot_measure if fault == "replica" else kernels.damaged
    start = [np.array(w) for w in model.get_weights()]

    def replica_step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            loss = tf.reduce_mean(tf.square(outputs - y)) / 2  # of half the batch
        gradients = tape.gradient(loss, model.trainable_variables)
        if recorder is None:
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        else:
            recorder.apply(optimizer, gradients, loss=loss, inputs=x, targets=y, outputs=outputs)
        return loss

    def step(x: Any, y: Any) -> Any:
        return strategy.run(replica_step, args=(x, y))

    run = step if mode == "eager" else tf.function(step)
    x, y = halves()

    def pipeline(context: Any) -> Any:
        flat = [values.reshape(STEPS * 2, HALF, -1) for values in (x, y)]
        data = tf.data.Dataset.from_tensor_slices(tuple(flat))
        return data.shard(context.num_input_pipelines, context.input_pipeline_id)

    for batch in strategy.distribute_datasets_from_function(pipeline):
        run(*batch)
    if recorder is not None:
        recorder.epoch(loss=1.0)
        recorder.close()
        assert fault or recorder.disabled_reason is None, recorder.disabled_reason
    return [*start, *[np.array(w) for w in model.get_weights()]]


def main(folder: Path, index: str = "", *addresses: str) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    if addresses:
        os.environ["TF_CONFIG"] = json.dumps(
            {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": int(index)}}
        )
    import tensorflow as tf  # noqa: PLC0415

    if addresses:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        modes = ("function",)
    else:
        (device,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            device, [tf.config.LogicalDeviceConfiguration()] * 2
        )
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        modes = ("function", "eager")
    assert strategy.num_replicas_in_sync == 2
    for mode in modes:
        plain = train(strategy, None, mode)
        recorded = train(strategy, folder / mode, mode)
        for expected, found in zip(plain, recorded, strict=True):
            np.testing.assert_array_equal(found, expected, err_msg=mode)
        np.savez(folder / f"weights-{os.getpid()}.npz", *plain)
    plain = train(strategy, None, mode, sparse=True)
    recorded = train(strategy, folder / "sparse", mode, sparse=True)
    for expected, found in zip(plain, recorded, strict=True):
        np.testing.assert_array_equal(found, expected, err_msg="sparse")
    plain = train(strategy, None, mode)
    for fault in ("chief", "replica"):
        failing = train(strategy, folder / fault, mode, fault)
        for expected, found in zip(plain, failing, strict=True):
            np.testing.assert_array_equal(found, expected, err_msg=fault)
    sys.stdout.write("trained alike\n")
    sys.stdout.flush()
    os._exit(0)  # the other worker may be gone: no waiting for it


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
