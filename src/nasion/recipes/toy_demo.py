"""Toy faces with a third of their labels missing, by a small residual network: what `nasion demo` trains.

Source: nasion's own. Command: nasion demo
"""

from nasion.augment import Augment
from nasion.codecs import Coordinates
from nasion.losses import squared_error
from nasion.models.resnet import ResNet
from nasion.optim import Adam, Cosine
from nasion.recipe import Recipe
from nasion.schemes import fkd15

RECIPE = Recipe(
    data="toy",
    scheme=fkd15,
    input_size=(64, 64),
    model=ResNet(widths=(16, 32, 64, 128), blocks=(1,), stem_kernel=3, stem_stride=1, stem_pool=2, bias=True, shortcut_norm=False),
    codec=Coordinates(unit="relative"),
    loss=squared_error,
    start_at_mean=True,
    missing="mask",
    augment=Augment(flip=0.5, rotate=10, scale=0.1, shift=0.05, brightness=0.1, contrast=0.2),
    optim=Adam(lr=2e-3),
    schedule=Cosine(warmup=0.05),
    batch_size=64,
    epochs=30,
)
