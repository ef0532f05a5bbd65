"""IMM's 58 points by six convolutions and two dense layers, with strong augmentation.

Source: E. Khwaja, CS 294 project 4, part 2; published MSE of relative coordinates 6.06e-3
(training), 1.28e-2 (validation).
Command: nasion train imm_face_khwaja --data DIR
Time: 70 s on one core.
Reached: 6.3e-4 (3 seeds, 5.6e-4 to 7.6e-4) with the best epoch's weights, 7.8e-4 after the last,
training loss 7.5e-4.
Differences: batch size (here 4) and strength of the colour jitter are not documented.
"""

from nasion.data.augment import Augment
from nasion.landmarks.catalog import imm58
from nasion.model_spec import ModelSpec
from nasion.models.architectures.convnet import ConvNet
from nasion.models.codecs import Coordinates
from nasion.models.losses import squared_error
from nasion.models.optim import Adam
from nasion.recipe import Recipe

RECIPE = Recipe(
    data="imm",
    spec=ModelSpec(
        scheme=imm58,
        input_size=(160, 120),
        whole_images=True,
        pixel_range=(-1.0, 1.0),
        codec=Coordinates(unit="relative"),
    ),
    architecture=ConvNet(
        filters=(16, 32, 64, 128, 256, 512), kernels=(3,), pools=(2,), dense=(512,)
    ),
    loss=squared_error,
    augment=Augment(
        flip=0.5, rotate=15, shift=0.1, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05
    ),
    optim=Adam(lr=1e-3),
    batch_size=4,
    epochs=50,
)
