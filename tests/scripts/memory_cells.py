"""Recurrent networks with a cell of one's own that reads and writes a memory, masked sequences, and
a stateful GRU that is reset between the epochs."""

import keras
import numpy as np
from keras import layers, ops


class MemoryCell(layers.Layer):
    def __init__(self, units, slots):
        super().__init__()
        self.units, self.slots = units, slots
        self.state_size, self.output_size = [units, slots * units], units

    def build(self, shape):
        size = shape[-1] + self.units
        self.kernel = self.add_weight(shape=(size, self.units), name="kernel")
        self.address = self.add_weight(
            shape=(self.units, self.slots), initializer="he_normal", name="address"
        )

    def call(self, x, states):
        h, flat = states
        h = ops.tanh(ops.matmul(ops.concatenate([x, h], -1), self.kernel))
        weight = ops.softmax(ops.matmul(h, self.address))[..., None]
        memory = ops.reshape(flat, (-1, self.slots, self.units))
        memory = memory * (1 - 0.5 * weight) + weight * h[:, None]
        read = ops.sum(memory * weight, 1)
        return h + read, [h, ops.reshape(memory, (-1, self.slots * self.units))]


rng = np.random.default_rng(0)
x = rng.normal(size=(32, 5, 3)).astype("float32")
x[::2, 3:] = 0
y = x.sum((1, 2))[:, None]
model = keras.Sequential([
    layers.Masking(), layers.RNN(MemoryCell(4, 3), return_sequences=True),
    layers.Bidirectional(layers.LSTM(3)), layers.Dense(1),
])
model.compile("adam", "mse")
model.fit(x, y, batch_size=8, epochs=2, verbose=0)

inputs = keras.Input(batch_shape=(8, 5, 3))
recurrent = layers.GRU(4, stateful=True)
stateful = keras.Model(inputs, layers.Dense(1)(recurrent(inputs)))
stateful.compile("rmsprop", "mse")
states = []
for _ in range(2):
    stateful.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    states.append([state.numpy() for state in recurrent.states])
    recurrent.reset_states()
