"""Kaggle's 15 points by the network of fkd_cnn, trained on true labels only, with augmentation.

Source: the network of fkd_cnn; masking as in its PyTorch half (fkd_resnet); the rest is our own.
Command: nasion train fkd_cnn_mask --data DIR
Time: 120 epochs of 19 s, 38 minutes, on one core with other jobs running; about 14 s alone.
Reached: RMSE 2.94 on the honest validation split, wrong labels included, 2.09 on plausible labels
(fkd_resnet: 3.23 and 2.48); with missing=forward_fill 3.22 and 2.43. All runs:
results/fkd_cnn_mask.json.
Differences: from fkd_cnn: the loss masks missing labels, faces with suspect labels are dropped,
faces are augmented, the last bias starts at the mean face, Adam starts at 1e-3 with a cosine
schedule over 100 epochs, SGD starts at 1e-2 (1e-3 changes nothing: LOG.md). These are the first
values tried, but their errors on the validation faces were seen.
"""

from dataclasses import replace

from nasion.data.augment import Augment
from nasion.models.optim import SGD, Adam, Cosine, Phase, Plateau
from nasion.recipes import fkd_cnn

RECIPE = replace(
    fkd_cnn.RECIPE,
    missing="mask",
    suspect_labels="drop",
    start_at_mean=True,
    augment=Augment(flip=0.5, rotate=10, scale=0.1, shift=0.04, brightness=0.1, contrast=0.2),
    optim=Adam(lr=1e-3),
    epochs=100,
    schedule=Cosine(),
    patience=None,
    second_phase=Phase(
        optim=SGD(lr=1e-2, momentum=0.9),
        epochs=40,
        schedule=Plateau(factor=0.5, patience=5),
        patience=12,
    ),
)
