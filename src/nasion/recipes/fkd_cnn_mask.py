"""Kaggle's 15 points by the Keras network of fkd_cnn, learning from the true labels alone and from faces drawn anew."""

from dataclasses import replace

from nasion.augment import Augment
from nasion.recipe import SGD, Adam, Cosine, Phase, Plateau
from nasion.recipes.fkd_cnn import RECIPE as PUBLISHED

RECIPE = replace(
    PUBLISHED,
    missing="mask",
    doubtful="drop",
    start_at_mean=True,
    augment=Augment(flip=0.5, rotate=10, scale=0.1, shift=0.04, brightness=0.1, contrast=0.2),
    optim=Adam(lr=1e-3),
    epochs=100,
    schedule=Cosine(),
    patience=None,
    second_phase=Phase(optim=SGD(lr=1e-2, momentum=0.9), epochs=40, schedule=Plateau(factor=0.5, patience=5), patience=12),
)
