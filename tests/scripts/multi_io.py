"""Ticket triage: three named inputs, two named outputs with loss weights, sample weights by output,
metrics by output; then class weights on one output."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

rng = np.random.default_rng(0)
title = rng.integers(1, 30, (64, 5))
body = rng.integers(1, 30, (64, 9))
tags = rng.integers(0, 2, (64, 6)).astype("float32")
priority = rng.random((64, 1)).astype("float32")
department = rng.integers(0, 4, (64,))

title_input = keras.Input(shape=(None,), name="title")
body_input = keras.Input(shape=(None,), name="body")
tags_input = keras.Input(shape=(6,), name="tags")
title_features = layers.LSTM(6)(layers.Embedding(30, 8)(title_input))
body_features = layers.LSTM(4)(layers.Embedding(30, 8)(body_input))
x = layers.concatenate([title_features, body_features, tags_input])
priority_pred = layers.Dense(1, name="priority")(x)
department_pred = layers.Dense(4, name="department")(x)
model = keras.Model(
    inputs=[title_input, body_input, tags_input],
    outputs={"priority": priority_pred, "department": department_pred},
)
model.compile(
    optimizer=keras.optimizers.RMSprop(1e-3),
    loss={
        "priority": keras.losses.BinaryCrossentropy(from_logits=True),
        "department": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    },
    loss_weights={"priority": 1.0, "department": 0.2},
    metrics={"department": ["accuracy"]},
    weighted_metrics={"priority": ["mae"], "department": []},
)
inputs = {"title": title, "body": body, "tags": tags}
targets = {"priority": priority, "department": department}
weights = {
    "priority": rng.random(64).astype("float32"), "department": np.ones(64, "float32"),
}
model.fit(inputs, targets, sample_weight=weights, epochs=2, batch_size=16, verbose=0)
data = tf.data.Dataset.from_tensor_slices((inputs, targets, weights)).batch(16)
model.fit(data, epochs=2, validation_data=data, verbose=0)
