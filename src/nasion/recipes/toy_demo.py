"""Toy faces with a third of their labels missing, by a small residual network.

Source: our own; this is what `nasion demo` trains.
Command: nasion demo
"""

from nasion.data.augment import Augment
from nasion.landmarks.catalog import fkd15
from nasion.model_spec import ModelSpec
from nasion.models.architectures.resnet import ResNet
from nasion.models.codecs import Coordinates
from nasion.models.losses import squared_error
from nasion.models.optim import Adam, Cosine
from nasion.recipe import Recipe

RECIPE = Recipe(
    data="toy",
    spec=ModelSpec(
        scheme=fkd15,
        input_size=(64, 64),
        codec=Coordinates(unit="relative"),
    ),
    architecture=ResNet(
        widths=(16, 32, 64, 128),
        blocks=(1,),
        stem_kernel=3,
        stem_stride=1,
        stem_pool=2,
        bias=True,
        shortcut_norm=False,
    ),
    loss=squared_error,
    start_at_mean=True,
    missing="mask",
    augment=Augment(flip=0.5, rotate=10, scale=0.1, shift=0.05, brightness=0.1, contrast=0.2),
    optim=Adam(lr=2e-3),
    schedule=Cosine(warmup=0.05),
    batch_size=64,
    epochs=30,
)
