"""Kaggle keypoints by a residual network, direct coordinates (PyTorch), as published.

Source: "dual-framework" Kaggle system, PyTorch half; published Kaggle RMSE 2.10.
Command: nasion train fkd_resnet --data DIR
"""

from nasion.codecs import Coordinates
from nasion.losses import squared_error
from nasion.models.resnet import ResNet
from nasion.recipe import Adam, Recipe, StepDecay
from nasion.schemes import fkd15

RECIPE = Recipe(
    data="fkd",
    scheme=fkd15,
    input_size=(96, 96),
    model=ResNet(widths=(32, 64, 128, 256, 512), blocks=2, stem_kernel=7, stem_stride=2, stem_pool=3),
    codec=Coordinates(unit="pixels"),
    loss=squared_error,
    start_at_mean=True,
    missing="mask",
    doubtful="drop",
    optim=Adam(lr=1e-4),
    schedule=StepDecay(every=5, factor=0.1),
    batch_size=16,
    epochs=15,
    patience=5,
)
