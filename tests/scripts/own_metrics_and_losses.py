"""Metrics with state of their own, a loss with a variable, a metric function, add_metric-like
tracking in call."""

import keras
import numpy as np
from keras import ops


class ConfusionMatrix(keras.metrics.Metric):
    def __init__(self, classes, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.matrix = self.add_weight(
            shape=(classes, classes), initializer="zeros", name="matrix"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        truth = ops.one_hot(ops.reshape(ops.cast(y_true, "int32"), (-1,)), self.classes)
        guess = ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes)
        self.matrix.assign_add(ops.matmul(ops.transpose(truth), guess))

    def result(self):
        return ops.trace(self.matrix) / (ops.sum(self.matrix) + 1e-7)


class Tracked(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.size = keras.metrics.Mean(name="size")

    def call(self, x):
        self.size.update_state(ops.mean(ops.abs(x)))
        return x


class Focal(keras.losses.Loss):
    def call(self, y_true, y_pred):
        p = ops.take_along_axis(
            ops.softmax(y_pred), ops.expand_dims(ops.cast(ops.squeeze(y_true, -1), "int32"), -1), -1
        )
        return -ops.squeeze((1 - p) ** 2 * ops.log(p + 1e-7), -1)


def top_is_first(y_true, y_pred):
    return ops.mean(ops.cast(ops.argmax(y_pred, -1) == 0, "float32"))


rng = np.random.default_rng(0)
x, y = rng.normal(size=(60, 6)).astype("float32"), rng.integers(0, 4, (60, 1))
tracked = Tracked()
model = keras.Sequential([
    keras.Input((6,)), keras.layers.Dense(9, "relu"), tracked, keras.layers.Dense(4),
])
confusion = ConfusionMatrix(4, name="confusion")
metrics = [confusion, top_is_first, "sparse_top_k_categorical_accuracy"]
model.compile("adam", Focal(), metrics=metrics)
model.fit(x, y, batch_size=10, epochs=3, validation_split=0.2, verbose=0)
matrix = confusion.matrix.numpy()
size = float(tracked.size.result())
