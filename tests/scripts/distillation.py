"""Knowledge distillation: a frozen teacher inside the model, compute_loss overridden."""

import keras
import numpy as np
from keras import layers, ops


class Distiller(keras.Model):
    def __init__(self, student, teacher):
        super().__init__()
        self.teacher, self.student = teacher, student

    def compile(self, optimizer, metrics, student_loss_fn, distillation_loss_fn, alpha=0.1,
                temperature=3):
        super().compile(optimizer=optimizer, metrics=metrics)
        self.student_loss_fn, self.distillation_loss_fn = student_loss_fn, distillation_loss_fn
        self.alpha, self.temperature = alpha, temperature

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, allow_empty=False):
        teacher_pred = self.teacher(x, training=False)
        student_loss = self.student_loss_fn(y, y_pred)
        distillation_loss = self.distillation_loss_fn(
            ops.softmax(teacher_pred / self.temperature, axis=1),
            ops.softmax(y_pred / self.temperature, axis=1),
        ) * (self.temperature**2)
        return self.alpha * student_loss + (1 - self.alpha) * distillation_loss

    def call(self, x):
        return self.student(x)


def network(width, name):
    return keras.Sequential([
        keras.Input(shape=(8, 8, 1)), layers.Conv2D(width, 3, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2), layers.MaxPooling2D(2, 1, padding="same"),
        layers.Flatten(), layers.Dense(4),
    ], name=name)


rng = np.random.default_rng(0)
x, y = rng.random((64, 8, 8, 1)).astype("float32"), rng.integers(0, 4, 64)
teacher, student = network(16, "teacher"), network(4, "student")
crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
accuracy = [keras.metrics.SparseCategoricalAccuracy()]
teacher.compile(keras.optimizers.Adam(), crossentropy, metrics=accuracy)
teacher.fit(x, y, epochs=2, batch_size=16, verbose=0)
distiller = Distiller(student=student, teacher=teacher)
distiller.compile(
    keras.optimizers.Adam(), [keras.metrics.SparseCategoricalAccuracy()], crossentropy,
    keras.losses.KLDivergence(),
)
distiller.fit(x, y, epochs=3, batch_size=16, verbose=0)
