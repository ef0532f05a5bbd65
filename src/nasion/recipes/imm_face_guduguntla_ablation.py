"""IMM's 58 points as imm_face_guduguntla with 4 first filters, a learning rate a hundred times smaller, half the epochs.

Source: S. Guduguntla, project 5, part 2, second experiment; published MSE of relative coordinates 1.7e-2 (validation).
Command: nasion train imm_face_guduguntla_ablation --data DIR
Time: 100 s on one core.
Reached: 3.1e-1 (3 seeds, 3.07e-1 to 3.18e-1): 150 steps at 1e-6 move nothing. The same 4 filters with 1e-4 reach the
constant mean face (4.1e-3) in the same time, so it is the rate, not the channels, that fails.
Differences: as imm_face_guduguntla, what is not documented was chosen. It starts at PyTorch's random weights, not at the mean
face, from which a rate of 1e-6 would not move either and would look better than published.
"""

from nasion.augment import Augment
from nasion.codecs import Coordinates
from nasion.losses import squared_error
from nasion.models.convnet import ConvNet
from nasion.optim import Adam
from nasion.recipe import Recipe
from nasion.schemes import imm58

RECIPE = Recipe(
    data="imm",
    scheme=imm58,
    input_size=(160, 120),
    pixel_range=(-0.5, 0.5),
    model=ConvNet(filters=(4, 16, 20, 24, 32), kernels=(5, 3, 3, 3, 3), pools=(1, 1, 1, 4, 4), dense=(512, 256)),
    codec=Coordinates(unit="relative"),
    loss=squared_error,
    augment=Augment(rotate=15, shift_px=10, brightness=0.2, saturation=0.2),
    optim=Adam(lr=1e-6),
    batch_size=64,
    epochs=50,
)
