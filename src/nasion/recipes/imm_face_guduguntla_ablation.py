"""IMM's 58 points as imm_face_guduguntla: first layer of 4 filters, a hundredth of the rate.

Source: S. Guduguntla, project 5, part 2, second experiment; published MSE of relative coordinates
1.7e-2 (validation).
Command: nasion train imm_face_guduguntla_ablation --data DIR
Time: 100 s on one core, half the epochs of imm_face_guduguntla.
Reached: 3.1e-1 (3 seeds, 3.07e-1 to 3.18e-1): 150 steps at 1e-6 change nothing. The same 4 filters
with 1e-4 reach the constant mean face (4.1e-3) in the same time, so the learning rate is the cause,
not the number of channels.
Differences: undocumented settings are those of imm_face_guduguntla. Training starts from PyTorch's
random weights: from the mean face, a rate of 1e-6 would look better than published.
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
        filters=(4, 16, 20, 24, 32),
        kernels=(5, 3, 3, 3, 3),
        pools=(1, 1, 1, 4, 4),
        dense=(512, 256),
    ),
    loss=squared_error,
    augment=Augment(rotate=15, shift_px=10, brightness=0.2, saturation=0.2),
    optim=Adam(lr=1e-6),
    batch_size=64,
    epochs=50,
)
