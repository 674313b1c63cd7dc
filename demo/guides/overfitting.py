"""Two wide layers, 330 patients: the network learns them by heart, and predicts others badly."""

import keras
from keras import layers
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(0)
x, y = load_diabetes(return_X_y=True, scaled=False)
x = (x - x.mean(0)) / x.std(0)
y = ((y - y.mean()) / y.std())[:, None]
x_train, x_valid, y_train, y_valid = train_test_split(x, y, test_size=0.25, random_state=0)

model = keras.Sequential(
    [
        keras.Input((10,)),
        layers.Dense(128, activation="relu"),
        layers.Dense(128, activation="relu"),
        layers.Dense(1),
    ]
)
model.compile(keras.optimizers.Adam(3e-3), "mse")
model.fit(x_train, y_train, validation_data=(x_valid, y_valid), epochs=60, verbose=2)
