"""iBUG's 68 points by a ResNet18 in grey.

Source: S. Guduguntla, project 5, part 3; published as pictures only.
Command: nasion train ibug_resnet18 --data DIR
Time: TODO
Reached: TODO
Differences: TODO
"""

from nasion.augment import Augment
from nasion.codecs import Coordinates
from nasion.losses import squared_error
from nasion.models.resnet import resnet18
from nasion.recipe import Adam, Recipe
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
