"""A miniature GPT with a callback that generates text at each epoch's end and in between."""

import keras
import numpy as np
from keras import layers, ops

VOCABULARY, LENGTH, WIDTH = 24, 8, 8


class TransformerBlock(layers.Layer):
    def __init__(self, width, heads, feed_forward, rate=0.1):
        super().__init__()
        self.att = layers.MultiHeadAttention(heads, width)
        self.ffn = keras.Sequential(
            [layers.Dense(feed_forward, activation="relu"), layers.Dense(width)]
        )
        self.norm_1 = layers.LayerNormalization(epsilon=1e-6)
        self.norm_2 = layers.LayerNormalization(epsilon=1e-6)
        self.drop_1, self.drop_2 = layers.Dropout(rate), layers.Dropout(rate)

    def call(self, inputs):
        attended = self.att(inputs, inputs, use_causal_mask=True)
        out = self.norm_1(inputs + self.drop_1(attended))
        return self.norm_2(out + self.drop_2(self.ffn(out)))


class TokenAndPositionEmbedding(layers.Layer):
    def __init__(self, length, vocabulary, width):
        super().__init__()
        self.token, self.position = (
            layers.Embedding(vocabulary, width), layers.Embedding(length, width)
        )

    def call(self, x):
        return self.token(x) + self.position(ops.arange(0, ops.shape(x)[-1], 1))


class Generator(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.texts = []

    def generate(self):
        tokens = [1]
        for _ in range(LENGTH - 1):
            padded = np.array([tokens + [0] * (LENGTH - len(tokens))])
            logits = self.model.predict(padded, verbose=0)[0][0][len(tokens) - 1]
            p = np.exp(logits - logits.max())
            tokens.append(int(np.random.choice(VOCABULARY, p=p / p.sum())))
        self.texts.append(tokens)

    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            self.generate()

    def on_epoch_end(self, epoch, logs=None):
        self.generate()


inputs = layers.Input((LENGTH,), dtype="int32")
x = TokenAndPositionEmbedding(LENGTH, VOCABULARY, WIDTH)(inputs)
x = TransformerBlock(WIDTH, 2, 16)(x)
outputs = layers.Dense(VOCABULARY)(x)
model = keras.Model(inputs, [outputs, x])
model.compile(
    "adam", loss=[keras.losses.SparseCategoricalCrossentropy(from_logits=True), None]
)
tokens = np.random.default_rng(0).integers(1, VOCABULARY, (48, LENGTH + 1))
writer = Generator()
model.fit(tokens[:, :-1], tokens[:, 1:], batch_size=8, epochs=2, callbacks=[writer], verbose=0)
texts = np.array(writer.texts)
