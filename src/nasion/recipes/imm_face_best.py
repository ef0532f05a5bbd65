"""IMM's 58 points, from the whole image.

Source: our own (docs/explanation/models.md): Anchors after A2J (Xiong et al., ICCV 2019), feature
pyramid (Lin et al., CVPR 2017), Laplace likelihood with learnt scale (Kendall and Gal, NeurIPS
2017).
Command: nasion train imm_face_best --data DIR
Time: 100 epochs of 3 s on one core alone; 12 to 31 minutes with other jobs running.
Reached: MSE of relative coordinates 1.21e-4 on persons 33 to 40 (3 seeds, 1.15e-4 to 1.24e-4);
results/imm_face_best.json.
Differences: none, as there is no published source. Settings are first guesses, and the last epoch's
averaged weights are kept: nothing was selected on persons 33 to 40.
"""

from nasion.data.augment import Augment
from nasion.data.corrupt import Corrupt
from nasion.landmarks.catalog import imm58
from nasion.model_spec import ModelSpec
from nasion.models.architectures.pyramid import Pyramid
from nasion.models.codecs import Anchors
from nasion.models.losses import LaplaceLikelihood
from nasion.models.optim import Adam, Cosine
from nasion.recipe import Recipe

RECIPE = Recipe(
    data="imm",
    spec=ModelSpec(
        scheme=imm58,
        input_size=(256, 192),
        whole_images=True,
        pixel_range=(-1.0, 1.0),
        codec=Anchors(stride=8),
    ),
    architecture=Pyramid(widths=(16, 32, 64, 128, 128), blocks=(0, 1, 1, 1, 1), neck=64),
    loss=LaplaceLikelihood(),
    augment=Augment(flip=0.5, rotate=15, scale=0.15, shift=0.1, brightness=0.2, contrast=0.3),
    corrupt=Corrupt(blur=0.7, noise=0.02, occlude=0.3),
    optim=Adam(lr=2e-3, weight_decay=0.02),
    schedule=Cosine(),
    ema_decay=0.99,
    keep="last",
    batch_size=16,
    epochs=100,
)
