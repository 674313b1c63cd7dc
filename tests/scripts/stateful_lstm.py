"""A stateful LSTM: states survive from batch to batch and are reset by hand after each epoch."""

import keras
import numpy as np
from keras import layers

wave = np.sin(np.arange(400) / 7).astype("float32")
x = np.stack([wave[i : i + 10] for i in range(0, 384, 3)])[:128, :, None]
y = np.array([wave[i + 10] for i in range(0, 384, 3)])[:128]

model = keras.Sequential([
    keras.Input(batch_shape=(16, 10, 1)),
    layers.LSTM(8, stateful=True, return_sequences=True),
    layers.GRU(6, stateful=True),
    layers.Dense(1),
])
model.compile("rmsprop", "mse")
losses = []
for _ in range(3):
    history = model.fit(x, y, batch_size=16, epochs=1, shuffle=False, verbose=0)
    losses.append(history.history["loss"][0])
    states = [state.numpy() for layer in model.layers[:2] for state in layer.states]
    for layer in model.layers[:2]:
        layer.reset_states()
predictions = model.predict(x[:32], batch_size=16, verbose=0)
