"""Kaggle's 15 points by a Keras network in two phases, as published: missing labels filled from the face before."""

from nasion.codecs import Coordinates
from nasion.losses import huber
from nasion.models.keras_cnn import KerasCNN
from nasion.recipe import SGD, Adam, Phase, Plateau, Recipe
from nasion.schemes import fkd15

RECIPE = Recipe(
    data="fkd",
    scheme=fkd15,
    input_size=(96, 96),
    model=KerasCNN(),
    codec=Coordinates(unit="relative"),
    loss=huber,
    missing="forward_fill",
    optim=Adam(lr=5e-4),
    epochs=200,
    patience=15,
    second_phase=Phase(optim=SGD(lr=1e-3, momentum=0.9), epochs=500, schedule=Plateau(factor=0.5, patience=5), patience=10),
    batch_size=32,
)
