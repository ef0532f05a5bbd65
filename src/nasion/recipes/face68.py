"""iBUG's 68 points on any photograph, how sure each is, two looks at every face.

Source: our own: residual trunk, feature pyramid, points as weighted means of what the cells of a coarse map say (Anchors),
Laplace likelihood with learnt scale.
Command: nasion train face68 --data DIR
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
from nasion.schemes import ibug68

RECIPE = Recipe(
    data="ibug68",
    scheme=ibug68,
    input_size=(128, 128),
    box_scale=1.3,
    square=True,
    passes=2,
    pixel_range=(-1.0, 1.0),
    model=Pyramid(widths=(32, 48, 96, 192, 256), blocks=(0, 1, 2, 2, 1), neck=96),
    codec=Anchors(stride=8),
    loss=LaplaceLikelihood(),
    augment=Augment(flip=0.5, rotate=30, scale=0.2, shift=0.08, stretch=0.1, brightness=0.25, contrast=0.4),
    disturb=Disturb(blur=1.2, noise=0.05, jpeg=0.15, occlude=0.5),
    optim=Adam(lr=2e-3, weight_decay=0.05),
    schedule=Cosine(),
    average=0.998,
    keep="last",
    batch_size=32,
    epochs=150,
)
