"""Raw measurements of an image, each in its own unit: some are ten thousand times others."""

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(0)
digits = load_digits()
images, labels = digits.images, digits.target
distance = np.add.outer(np.arange(8) ** 2, np.arange(8) ** 2)
features = np.column_stack(
    [
        digits.data,  # 0 to 16
        images.sum(axis=2),  # about 40
        images.sum(axis=1),
        images.sum(axis=(1, 2)),  # ink: about 300
        (images**2).sum(axis=(1, 2)),  # energy: about 4,000
        (images * distance).sum(axis=(1, 2)),  # moment of inertia: about 10,000
    ]
)
x_train, x_valid, y_train, y_valid = train_test_split(
    features, labels, test_size=0.25, random_state=0, stratify=labels
)

model = keras.Sequential(
    [
        keras.Input((83,)),
        layers.Dense(64, activation="relu", kernel_initializer="he_normal"),
        layers.Dense(32, activation="relu", kernel_initializer="he_normal"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
)
model.fit(x_train, y_train, validation_data=(x_valid, y_valid), epochs=8, verbose=2)
