"""iBUG's 68 points by a ResNet18 on grey images.

Source: S. Guduguntla, project 5, part 3; published as images only.
Command: nasion train ibug_resnet18 --data DIR
Time: 80 epochs of 72 s on one core, other jobs running.
Reached: NME 6.42 % (AFW 7.47, HELEN 6.10, LFPW 6.35), MAE 3.65 pixels of the crops, with one seed;
the best epoch is the 72nd.
Differences: 2,012 faces, not 6,666 (half of which are mirrored copies; here flips are random),
split by photograph instead of 48 random images. Boxes x 1.25 and 224 x 224 are from the course's
other report; pixels -1 .. 1 and the strength of brightness and saturation changes are not
documented. No ImageNet weights.
"""

from nasion.data.augment import Augment
from nasion.landmarks.catalog import ibug68
from nasion.model_spec import ModelSpec
from nasion.models.architectures.resnet import resnet18
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
    architecture=resnet18,
    loss=squared_error,
    augment=Augment(flip=0.5, brightness=0.2, saturation=0.2),
    optim=Adam(lr=1e-4),
    batch_size=64,
    epochs=80,
)
