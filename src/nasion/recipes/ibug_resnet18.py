"""iBUG's 68 points by a ResNet18 in grey.

Source: S. Guduguntla, project 5, part 3; published as pictures only.
Command: nasion train ibug_resnet18 --data DIR
Time: 72 s an epoch on one core, which other work shared; trained here for 61 of its 80 epochs, 73 minutes.
Reached: NME 6.74 % (AFW 7.73, HELEN 6.40, LFPW 6.71), MAE 3.83 pixels of the crops, with one seed, still falling.
Differences: the data are 2,012 faces, not 6,666 (half of which are mirrored copies, so a flip is drawn instead), split by
photograph instead of 48 pictures at random. Boxes x 1.25 and 224 x 224 are the other report's, whose course it is; pixels
-1 .. 1 and the strength of the light are not documented. No ImageNet weights.
"""

from nasion.augment import Augment
from nasion.codecs import Coordinates
from nasion.losses import squared_error
from nasion.models.resnet import resnet18
from nasion.optim import Adam
from nasion.recipe import Recipe
from nasion.schemes import ibug68

RECIPE = Recipe(
    data="ibug68",
    scheme=ibug68,
    input_size=(224, 224),
    box_scale=1.25,
    pixel_range=(-1.0, 1.0),
    model=resnet18,
    codec=Coordinates(unit="relative"),
    loss=squared_error,
    augment=Augment(flip=0.5, brightness=0.2, saturation=0.2),
    optim=Adam(lr=1e-4),
    batch_size=64,
    epochs=80,
)
