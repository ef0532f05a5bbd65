"""Kaggle's 15 points by a Keras network in two phases, as published: missing labels filled from the face before.

Source: a "dual-framework" Kaggle system, its Keras half; published Kaggle RMSE 2.55, 1.21 times its PyTorch half.
Command: nasion train fkd_cnn --data DIR
Time: 63 and 66 epochs of 23 s, 25 minutes, on one core beside other jobs; about 13 s an epoch on a quiet one.
Reached: RMSE 3.72 (2 seeds) on the honest validation split with its wrong labels, 3.08 on faces with plausible labels;
missing=mask 3.15 and 2.38, missing=drop 4.04 and 3.46. All runs: results/fkd_cnn.json.
Differences: batches of 32 (Keras' default) and LeakyReLU's slope of 0.3 (likewise), after the dense layers too, are not
documented; nor are the patience of either phase (15 and 10 epochs without a better score), which were not searched for. Points
are relative to the picture's edges, the published ones divided by 96: half a pixel apart. A split that cannot leak instead of
a random one; mixed bfloat16 where it is fast. The published text says about 1.5 M parameters, its code has 6,758,702.
"""

from nasion.codecs import Coordinates
from nasion.losses import huber
from nasion.models.keras_cnn import KerasCNN
from nasion.optim import SGD, Adam, Phase, Plateau
from nasion.recipe import Recipe
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
