"""The nose point of IMM by three convolutions and two dense layers.

Source: S. Guduguntla, project 5, part 1; published MSE of relative coordinates 3.2e-3 (training), 1.06e-2 (validation).
Command: nasion train imm_nose_guduguntla --data DIR
Time: TODO
Reached: TODO
Differences: input size, filters and dense size are only in a lost picture; here the course's 80 x 60, 12, 24, 32 filters of
7 x 7, 5 x 5, 3 x 3 and a dense layer of 128.
"""

from nasion.codecs import Coordinates
from nasion.losses import squared_error
from nasion.models.convnet import ConvNet
from nasion.recipe import Adam, Recipe
from nasion.schemes import imm_nose

RECIPE = Recipe(
    data="imm",
    scheme=imm_nose,
    input_size=(80, 60),
    pixel_range=(-0.5, 0.5),
    model=ConvNet(filters=(12, 24, 32), kernels=(3,), pools=(2,), dense=(64,)),
    codec=Coordinates(unit="relative"),
    loss=squared_error,
    optim=Adam(lr=1e-3),
    batch_size=64,
    epochs=15,
)
