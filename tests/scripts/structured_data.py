"""Structured data: FeatureSpace in the data pipeline and in the model, Normalization, hashing,
lookups, crosses."""

import keras
import numpy as np
import tensorflow as tf
from keras.utils import FeatureSpace

rng = np.random.default_rng(0)
table = {
    "age": rng.integers(20, 80, 64).astype("float32"),
    "sex": rng.integers(0, 2, 64),
    "thal": rng.choice(["fixed", "normal", "reversible"], 64),
    "slope": rng.integers(1, 4, 64),
}
target = (table["age"] > 50).astype("int32")
data = tf.data.Dataset.from_tensor_slices((table, target)).batch(16)
features = FeatureSpace(
    features={
        "age": FeatureSpace.float_normalized(),
        "sex": FeatureSpace.integer_categorical(num_oov_indices=0),
        "thal": FeatureSpace.string_categorical(num_oov_indices=1),
        "slope": FeatureSpace.integer_hashed(num_bins=4),
    },
    crosses=[FeatureSpace.cross(("sex", "slope"), crossing_dim=8)],
    output_mode="concat",
)
features.adapt(data.map(lambda x, _: x))
encoded = features.get_encoded_features()
x = keras.layers.Dense(8, activation="relu")(encoded)
predictions = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Dropout(0.5)(x))
training_model = keras.Model(inputs=encoded, outputs=predictions)
training_model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
prepared = data.map(lambda x, y: (features(x), y), num_parallel_calls=2).prefetch(2)
training_model.fit(prepared, epochs=2, validation_data=prepared, verbose=0)

whole = keras.Model(inputs=features.get_inputs(), outputs=predictions)
whole.compile("adam", "binary_crossentropy")
whole.fit(data, epochs=2, verbose=0)
