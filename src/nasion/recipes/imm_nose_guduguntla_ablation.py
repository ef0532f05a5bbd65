"""IMM's nose point by one convolution, at a learning rate a hundred times too high: how it fails.

Source: S. Guduguntla, project 5, part 1, second experiment; published MSE of relative coordinates
about 2.25e-1 (validation).
Command: nasion train imm_nose_guduguntla_ablation --data DIR
Time: 3 s on one core.
Reached: 1.26 after the last epoch (5 seeds, 0.44 to 2.4): the first steps throw the weights so far
off that all epochs are spent recovering. With 1e-3 the same network reaches 4.4e-3 at its best
epoch.
Differences: input size, filters, kernels and dense size are not documented (the figure is lost);
here as in imm_nose_guduguntla, with its first convolution only.
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
    architecture=ConvNet(filters=(12,), kernels=(3,), pools=(2,), dense=(64,)),
    loss=squared_error,
    optim=Adam(lr=1e-1),
    batch_size=64,
    epochs=15,
)
