"""IMM's 58 points by five convolutions (the first has twelve 5 x 5 filters) and three dense layers.

Source: S. Guduguntla, project 5, part 2; published MSE of relative coordinates 1.16e-4 (training),
2.34e-3 (validation).
Command: nasion train imm_face_guduguntla --data DIR
Time: 190 to 260 s on one core.
Reached: 1.77e-3 (3 seeds, 1.65e-3 to 2.00e-3) with the best epoch's weights, 1.91e-3 after the
last, training loss 1.15e-3.
Differences: input size, the other filters, their kernels and the dense sizes are not documented
(the figure is lost); here 160 x 120, 16, 20, 24, 32 filters of 3 x 3, dense 512 and 256. The
strength of brightness and saturation changes is not documented either. The last bias starts at the
mean face (chosen on the validation persons); without it 300 steps at 1e-4 end at 3.5e-3 (LOG.md).
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
        pixel_range=(-0.5, 0.5),
        codec=Coordinates(unit="relative"),
    ),
    architecture=ConvNet(
        filters=(12, 16, 20, 24, 32),
        kernels=(5, 3, 3, 3, 3),
        pools=(1, 1, 1, 4, 4),
        dense=(512, 256),
    ),
    loss=squared_error,
    start_at_mean=True,
    augment=Augment(rotate=15, shift_px=10, brightness=0.2, saturation=0.2),
    optim=Adam(lr=1e-4),
    batch_size=64,
    epochs=100,
)
