"""IMM's nose point by three convolutions and two dense layers.

Source: S. Guduguntla, project 5, part 1; published MSE of relative coordinates 3.2e-3 (training),
1.06e-2 (validation).
Command: nasion train imm_nose_guduguntla --data DIR
Time: 3 s on one core.
Reached: 4.9e-3 (5 seeds, 4.7e-3 to 5.2e-3) with the best epoch's weights, 5.3e-3 after the last:
hardly better than the constant mean nose (5.1e-3), since 45 steps are too few.
Differences: input size, filters, kernels and dense size are not documented (the figure is lost);
here 80 x 60 as in the course, 12, 24, 32 filters of 3 x 3 and a dense layer of 64.
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
    architecture=ConvNet(filters=(12, 24, 32), kernels=(3,), pools=(2,), dense=(64,)),
    loss=squared_error,
    optim=Adam(lr=1e-3),
    batch_size=64,
    epochs=15,
)
