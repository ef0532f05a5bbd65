"""iBUG's 68 points by a ResNet50 with blur-pooling.

Source: E. Khwaja, CS 294 project 4, bells and whistles; published class MAE 46.41 pixels.
Command: nasion train ibug_blur_resnet50 --data DIR
Time: 225 to 314 s an epoch on one core (5 to 7 faces/s).
Reached: NME 10.59 %, MAE 6.05 pixels of the crops; at a learning rate of 1e-4 (--set
optim.lr=1e-4) 7.07 % and 4.05 pixels.
Differences: 2,012 faces, not 6,666 (half of which are mirrored copies; here flips are random),
split by photograph. Batch size, pixel range and strength of the colour jitter are not documented.
No ImageNet weights; the blur is its author's 4 x 4 binomial filter.
"""

from dataclasses import replace

from nasion.data.augment import Augment
from nasion.landmarks.catalog import ibug68
from nasion.model_spec import ModelSpec
from nasion.models.architectures.resnet import resnet50
from nasion.models.codecs import Coordinates
from nasion.models.losses import squared_error
from nasion.models.optim import Adam
from nasion.recipe import Recipe

RECIPE = Recipe(
    data="ibug68",
    spec=ModelSpec(
        scheme=ibug68,
        input_size=(224, 224),
        box_scale=1.25,
        pixel_range=(-1.0, 1.0),
        codec=Coordinates(unit="relative"),
    ),
    architecture=replace(resnet50, stem_bias=True, blur=True, sigmoid=True),
    loss=squared_error,
    augment=Augment(
        flip=0.5, rotate=15, shift=0.1, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05
    ),
    optim=Adam(lr=5e-4),
    batch_size=64,
    epochs=16,
)
