"""IMM's nose point by NoseNet, four convolutions and two dense layers.

Source: E. Khwaja, CS 294 project 4, part 1; published MSE of relative coordinates 6.58e-4
(training), 1.74e-3 (validation).
Command: nasion train imm_nose_khwaja --data DIR
Time: 7 to 11 s on one core.
Reached: 1.43e-3 (5 seeds, 1.23e-3 to 1.60e-3) with the best epoch's weights, 1.69e-3 after the last
epoch, training loss 3.6e-4.
Differences: the batch size is not documented; 2 comes nearest to the published validation loss, 3
or 4 to the published training loss. It was chosen on the validation persons (1 to 32: LOG.md).
"""

from nasion.landmarks.catalog import imm_nose
from nasion.model_spec import ModelSpec
from nasion.models.architectures.convnet import ConvNet
from nasion.models.codecs import Coordinates
from nasion.models.losses import squared_error
from nasion.models.optim import Adam
from nasion.recipe import Recipe

RECIPE = Recipe(
    data="imm",
    spec=ModelSpec(
        scheme=imm_nose,
        input_size=(80, 60),
        whole_images=True,
        pixel_range=(-0.5, 0.5),
        codec=Coordinates(unit="relative"),
    ),
    architecture=ConvNet(filters=(6, 16, 32, 32), kernels=(3,), pools=(2,), dense=(240,)),
    loss=squared_error,
    optim=Adam(lr=1e-3),
    batch_size=2,
    epochs=25,
)
