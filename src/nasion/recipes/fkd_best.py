"""Kaggle's 15 points, the two annotators kept apart.

Source: our own (docs/own_models.md): Anchors after A2J (Xiong et al., ICCV 2019), feature pyramid (Lin et al., CVPR 2017),
Laplace likelihood with learnt scale (Kendall and Gal, NeurIPS 2017), weights learnt as a heatmap (Nibali et al., 2018).
Command: nasion train fkd_best --data DIR (to hand in: --set hold_out=false, then nasion submit)
Time: 80 epochs of 25 s on one core; 47 minutes beside other jobs.
Reached: RMSE 2.66 on the honest validation split with its wrong labels, 1.67 on plausible labels (2.64 and 1.64 averaged over
mirrored and moved views, as it does by itself); the published code's settings have 2.63 there. One seed: results/fkd_best.json.
Differences: none, as there is no source to differ from. Kept are the last epoch's averaged weights: validation faces choose nothing.
"""

from nasion.augment import Augment
from nasion.codecs import Anchors
from nasion.disturb import Disturb
from nasion.losses import GuidedLikelihood
from nasion.models.pyramid import Pyramid
from nasion.optim import Adam, Cosine
from nasion.recipe import Recipe
from nasion.schemes import fkd15
from nasion.sources import Apart

RECIPE = Recipe(
    data="fkd",
    scheme=fkd15,
    input_size=(96, 96),
    pixel_range=(-1.0, 1.0),
    model=Pyramid(widths=(32, 48, 96, 192, 256), blocks=(0, 1, 2, 2, 1), neck=96),
    codec=Anchors(stride=8, guide=0.5),
    loss=GuidedLikelihood(share=2.0),
    apart=(Apart("4 points", ("left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip")),),
    doubtful="drop",
    views="flip+shift",
    augment=Augment(flip=0.5, rotate=15, scale=0.1, shift=0.05, brightness=0.1, contrast=0.3),
    disturb=Disturb(blur=0.7, noise=0.02, jpeg=0.1, occlude=0.2),
    optim=Adam(lr=2e-3, weight_decay=0.02),
    schedule=Cosine(),
    average=0.998,
    keep="last",
    batch_size=32,
    epochs=80,
)
