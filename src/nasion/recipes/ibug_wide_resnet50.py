"""iBUG's 68 points by a WideResNet50-2 with a final sigmoid.

Source: E. Khwaja, CS 294 project 4, part 3; published training MSE 2e-5, class MAE 23.08 pixels.
Command: nasion train ibug_wide_resnet50 --data DIR
Time: 341 s an epoch on one core (4.7 faces/s); trained for 1 of its 62 epochs.
Reached: NME 21.2 %, MAE 11.8 pixels of the crops, after that epoch. It shows that the system runs,
not what it can reach; the full training needs a GPU.
Differences: 2,012 faces, not 6,666 (half of which are mirrored copies; here flips are random),
split by photograph. Batch size, pixel range and strength of the colour jitter are not documented.
No ImageNet weights; decoded crops in memory replace pinned batches from 4 workers.
"""

from dataclasses import replace

from nasion.data.augment import Augment
from nasion.landmarks.catalog import ibug68
from nasion.model_spec import ModelSpec
from nasion.models.architectures.resnet import wide_resnet50_2
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
    architecture=replace(wide_resnet50_2, stem_bias=True, sigmoid=True),
    loss=squared_error,
    augment=Augment(
        flip=0.5, rotate=15, shift=0.1, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05
    ),
    optim=Adam(lr=1e-4),
    batch_size=64,
    epochs=62,
)
