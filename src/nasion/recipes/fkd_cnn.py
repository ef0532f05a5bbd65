"""Kaggle's 15 points by a Keras network in two phases, as published: missing labels forward-filled.

Source: a "dual-framework" Kaggle system, its Keras half; published Kaggle RMSE 2.55, 1.21 times its
PyTorch half.
Command: nasion train fkd_cnn --data DIR
Time: 63 and 66 epochs of 23 s, 25 minutes, on one core with other jobs running; 13 s alone.
Reached: RMSE 3.72 (2 seeds) on the honest validation split, wrong labels included, 3.08 on
plausible labels; missing=mask 3.15 and 2.38, missing=drop 4.04 and 3.46. All runs:
results/fkd_cnn.json.
Differences: the source does not give the batch size (here 32, Keras' default), LeakyReLU's slope
(0.3, also the default), whether the dense layers have LeakyReLU (here they do), or the patience of
both phases (15 and 10 epochs, not tuned). Coordinates are relative to the image's edges; the
published ones are divided by 96, a difference of half a pixel. A split without leakage replaces the
random one; mixed bfloat16 is used where it is fast. The published text says about 1.5 M parameters,
its code has 6,758,702.
"""

from nasion.landmarks.catalog import fkd15
from nasion.model_spec import ModelSpec
from nasion.models.architectures.keras_cnn import KerasCNN
from nasion.models.codecs import Coordinates
from nasion.models.losses import huber
from nasion.models.optim import SGD, Adam, Phase, Plateau
from nasion.recipe import Recipe

RECIPE = Recipe(
    data="fkd",
    spec=ModelSpec(
        scheme=fkd15,
        input_size=(96, 96),
        whole_images=True,
        codec=Coordinates(unit="relative"),
    ),
    architecture=KerasCNN(),
    loss=huber,
    missing="forward_fill",
    optim=Adam(lr=5e-4),
    epochs=200,
    patience=15,
    second_phase=Phase(
        optim=SGD(lr=1e-3, momentum=0.9),
        epochs=500,
        schedule=Plateau(factor=0.5, patience=5),
        patience=10,
    ),
    batch_size=32,
)
