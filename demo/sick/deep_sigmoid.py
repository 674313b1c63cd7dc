"""Eight sigmoid layers: each passes back a fourth of the gradient, and the first hardly learn."""

import keras
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(0)
images, labels = load_digits(return_X_y=True)
images = images / 16.0
x_train, x_valid, y_train, y_valid = train_test_split(
    images, labels, test_size=0.25, random_state=0, stratify=labels
)

model = keras.Sequential([keras.Input((64,))])
for _ in range(8):
    model.add(layers.Dense(32, activation="sigmoid"))
model.add(layers.Dense(10, activation="softmax"))
model.compile(
    keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"]
)
model.fit(x_train, y_train, validation_data=(x_valid, y_valid), epochs=6, verbose=2)
