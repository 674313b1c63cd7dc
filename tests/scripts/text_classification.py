"""Text classification: TextVectorization in the pipeline, a masked embedding, a bidirectional RNN;
then an end-to-end model that takes raw strings and is trained on."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

words = np.array(["the", "film", "was", "great", "bad", "dull", "fine", "story", "plot", "so"])
rng = np.random.default_rng(0)
texts = np.array([" ".join(rng.choice(words, rng.integers(2, 9))) for _ in range(80)])
labels = np.array(["great" in text or "fine" in text for text in texts]).astype("int32")

vectorize = layers.TextVectorization(max_tokens=20, output_mode="int", output_sequence_length=8)
raw = tf.data.Dataset.from_tensor_slices((texts, labels)).shuffle(80, seed=3).batch(16)
vectorize.adapt(raw.map(lambda x, y: x))
train = raw.map(lambda x, y: (vectorize(x), y)).cache().prefetch(2)

inputs = keras.Input(shape=(None,), dtype="int64")
x = layers.Embedding(20, 8, mask_zero=True)(inputs)
x = layers.Dropout(0.5)(x)
x = layers.Bidirectional(layers.LSTM(6, return_sequences=True))(x)
x = layers.Bidirectional(layers.GRU(4))(x)
predictions = layers.Dense(1, activation="sigmoid", name="predictions")(x)
model = keras.Model(inputs, predictions)
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(train, validation_data=train.take(2), epochs=3, verbose=0)

strings = keras.Input(shape=(1,), dtype="string")
end_to_end = keras.Model(strings, model(vectorize(strings)))
end_to_end.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
end_to_end.fit(raw, epochs=2, verbose=0)
scores = end_to_end.evaluate(raw, verbose=0)
