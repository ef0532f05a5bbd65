"""Kaggle's 15 points, the two annotators kept apart.

Source: our own: residual trunk, feature pyramid, points as weighted means of what the cells of a coarse map say (Anchors),
Laplace likelihood with learnt scale.
Command: nasion train fkd_best --data DIR
Time: -
Reached: -
Differences: none, as there is no source to differ from.
"""

from nasion.augment import Augment
from nasion.codecs import Anchors
from nasion.disturb import Disturb
from nasion.losses import LaplaceLikelihood
from nasion.models.pyramid import Pyramid
from nasion.recipe import Adam, Cosine, Recipe
from nasion.schemes import fkd15
from nasion.sources import Apart

RECIPE = Recipe(
    data="fkd",
    scheme=fkd15,
    input_size=(96, 96),
    pixel_range=(-1.0, 1.0),
    model=Pyramid(widths=(32, 48, 96, 192, 256), blocks=(0, 1, 2, 2, 1), neck=96),
    codec=Anchors(stride=8),
    loss=LaplaceLikelihood(),
    apart=(Apart("4 points", ("left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip")),),
    doubtful="drop",
    augment=Augment(flip=0.5, rotate=15, scale=0.1, shift=0.05, brightness=0.1, contrast=0.3),
    disturb=Disturb(blur=0.7, noise=0.02, jpeg=0.1, occlude=0.2),
    optim=Adam(lr=2e-3, weight_decay=0.02),
    schedule=Cosine(),
    average=0.998,
    keep="last",
    batch_size=32,
    epochs=80,
)
