"""IMM's 58 points, from the whole picture.

Source: our own: residual trunk, feature pyramid, points as weighted means of what the cells of a coarse map say (Anchors),
Laplace likelihood with learnt scale.
Command: nasion train imm_face_best --data DIR
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
from nasion.schemes import imm58

RECIPE = Recipe(
    data="imm",
    scheme=imm58,
    input_size=(256, 192),
    pixel_range=(-1.0, 1.0),
    model=Pyramid(widths=(16, 32, 64, 128, 128), blocks=(0, 1, 1, 1, 1), neck=64),
    codec=Anchors(stride=8),
    loss=LaplaceLikelihood(),
    augment=Augment(flip=0.5, rotate=15, scale=0.15, shift=0.1, brightness=0.2, contrast=0.3),
    disturb=Disturb(blur=0.7, noise=0.02, occlude=0.3),
    optim=Adam(lr=2e-3, weight_decay=0.02),
    schedule=Cosine(),
    average=0.99,
    keep="last",
    batch_size=16,
    epochs=100,
)
