"""IMM's 58 points as imm_face_khwaja, with an average pool, dropout and a final sigmoid.

Source: E. Khwaja, CS 294 project 4, part 2, improved model; published MSE 4.48e-3 (training),
3.00e-3 (validation).
Command: nasion train imm_face_khwaja_v2 --data DIR
Time: 80 s on one core.
Reached: 3.8e-4 (3 seeds, 3.6e-4 to 4.0e-4) with the best epoch's weights, 4.7e-4 after the last,
training loss 4.7e-4.
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
        filters=(16, 32, 64, 128, 256, 512),
        kernels=(3,),
        pools=(2,),
        dense=(512,),
        first_pool="average",
        dropout=0.2,
        sigmoid=True,
    ),
    loss=squared_error,
    augment=Augment(
        flip=0.5, rotate=15, shift=0.1, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05
    ),
    optim=Adam(lr=1e-3),
    batch_size=4,
    epochs=50,
)
