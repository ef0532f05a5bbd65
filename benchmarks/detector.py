"""How the shipped face detector is made: a small network learns on scenes of cut-out faces, and is
written in 8 bits.

Usage: python benchmarks/detector.py --data DATA [--steps 10000] [--run FOLDER] [--from RUN]
       [--ship]
DATA holds ibug68 and udacity68, as nasion reads them; only their training sides are learnt. The run
goes on where it stopped.
--from goes on from another run's weights, and lets that run's detector tell what may be faces
without labels (else dlib's does).
--ship writes src/nasion/detectors/single_shot.onnx. Judged by benchmarks/find_faces.py.
"""

import argparse
import json
import time
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scenes import SIDE, cut_outs, scene
from torch import nn

import nasion
from nasion.inference.detectors.dlib import Dlib
from nasion.inference.detectors.single_shot import FORMAT, SCALE, STRIDES, SingleShot
from nasion.inference.quantize import to_int8
from nasion.media.files import atomic_write

BATCH, RATE, SAVE_EVERY = 32, 2e-3, 500
SIZES = ((7, 36), (26, 90), (64, 1000))  # pixels: sides of the faces that each stride answers for
NEAR, RING = (
    0.2,
    0.4,
)  # of a face's side: cells so near its middle are the face, those up to here neither it nor none
LICENCE = "weights learnt from iBUG 300-W and YouTube Faces, for non-commercial research"
ROOT = Path(__file__).resolve().parents[1]


class Detector(nn.Module):
    """Residual stages at strides 8, 16 and 32 and a way back up (Lin et al., CVPR 2017); five maps
    at each stride.

    Maps: the logit of a face's middle being here, how far it is (x, y), the logarithms of the box's
    sides; all in ``SCALE`` strides.
    """

    def __init__(self, widths=(16, 32, 48, 64, 96), blocks=2, neck=48):
        super().__init__()
        self.stem = nn.Sequential(layers(1, widths[0], 2), layers(widths[0], widths[1], 2))
        self.stages = nn.ModuleList(
            nn.Sequential(
                Block(narrow, wide, 2), *(Block(wide, wide, 1) for _ in range(blocks - 1))
            )
            for narrow, wide in pairwise(widths[1:])
        )
        self.across = nn.ModuleList(nn.Conv2d(wide, neck, 1) for wide in widths[2:])
        self.refine = nn.ModuleList(layers(neck, neck, 1) for _ in STRIDES)
        self.heads = nn.ModuleList(nn.Conv2d(neck, 5, 1) for _ in STRIDES)
        for head in self.heads:
            nn.init.normal_(head.weight, std=0.01)
            head.bias.data = torch.tensor([-4.0, 0, 0, 0, 0])

    def forward(self, pictures):
        x, maps = self.stem(pictures / 128 - 1), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        found, x = [], None
        for across, refine, own in reversed(list(zip(self.across, self.refine, maps, strict=True))):
            x = (
                across(own)
                if x is None
                else across(own) + F.interpolate(x, scale_factor=2.0, mode="nearest")
            )
            found.append(refine(F.relu(x)))
        # All heads last, where they are kept out of the 8 bits.
        return [head(said) for head, said in zip(self.heads, found[::-1], strict=True)]


class Block(nn.Module):
    def __init__(self, narrow, wide, stride):
        super().__init__()
        self.first = layers(narrow, wide, stride)
        self.second = nn.Sequential(
            nn.Conv2d(wide, wide, 3, 1, 1, bias=False), nn.BatchNorm2d(wide)
        )
        self.past = nn.Identity()
        if stride > 1 or narrow != wide:
            self.past = nn.Sequential(
                nn.Conv2d(narrow, wide, 1, stride, bias=False), nn.BatchNorm2d(wide)
            )

    def forward(self, x):
        return F.relu(self.second(self.first(x)) + self.past(x))


def layers(narrow, wide, stride):
    return nn.Sequential(
        nn.Conv2d(narrow, wide, 3, stride, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
    )


def targets(boxes, unsure):
    """For every stride, (5, h, w): 1 face, 0 none or -1 neither.

    And the box's middle and sides in pixels.
    """
    found = []
    for stride, (low, high) in zip(STRIDES, SIZES, strict=True):
        count = SIDE // stride
        at = (np.arange(count) + 0.5) * stride - 0.5
        x, y = np.meshgrid(at, at)
        said = np.zeros((5, count, count), dtype=np.float32)
        for x0, y0, x1, y1 in unsure:
            said[0][(x > x0) & (x < x1) & (y > y0) & (y < y1)] = -1
        sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
        for k in np.argsort(-sides):
            middle, extent = (boxes[k, :2] + boxes[k, 2:]) / 2, boxes[k, 2:] - boxes[k, :2]
            away = np.maximum(np.abs(x - middle[0]), np.abs(y - middle[1]))
            ours = low <= sides[k] < high
            if ours or low / 1.3 <= sides[k] < high * 1.3:
                said[0][(away < RING * sides[k]) & (said[0] == 0)] = -1
            if ours:
                here = (away < NEAR * sides[k]) | (away == away.min())
                said[0][here] = 1
                said[1:, here] = np.array([*middle, *extent], dtype=np.float32)[:, None]
        found.append(said)
    return found


def loss_of(outputs, wanted):
    """Focal loss of the middles (Lin et al., ICCV 2017) and the distance of boxes in parts of their
    sides, per face cell.
    """
    score_loss = box_loss = faces = 0.0
    for stride, output, target in zip(STRIDES, outputs, wanted, strict=True):
        output, label = output.float(), target[:, 0]
        known, face = label >= 0, (label > 0).float()
        logit = output[:, 0]
        right = torch.sigmoid(torch.where(face > 0, logit, -logit))
        weight = torch.where(face > 0, 0.4, 0.6) * (1 - right) ** 2
        score_loss = (
            score_loss
            + (weight * -F.logsigmoid(torch.where(face > 0, logit, -logit)) * known).sum()
        )
        at = (torch.arange(label.shape[-1]) + 0.5) * stride - 0.5
        middle = torch.stack(
            [output[:, 1] * stride * SCALE + at, output[:, 2] * stride * SCALE + at[:, None]], 1
        )
        sides = target[:, 3:].clamp(min=1)
        off = (middle - target[:, 1:3]).abs() / sides + (
            output[:, 3:] - torch.log(sides / (stride * SCALE))
        ).abs()
        box_loss = box_loss + (off.sum(1) * face).sum()
        faces = faces + face.sum()
    return score_loss / faces.clamp(min=1), box_loss / faces.clamp(min=1)


_pictures = []  # of the process that draws scenes


def drawn(step):
    """One batch: pictures, targets."""
    random = np.random.default_rng([7, step])
    pictures, wanted = [], []
    for _ in range(BATCH):
        pixels, boxes, unsure = scene(_pictures, random)
        pictures.append(pixels)
        wanted.append(targets(boxes, unsure))
    return np.stack(pictures)[:, None], [
        np.stack([one[k] for one in wanted]) for k in range(len(STRIDES))
    ]


def train(network, steps, folder):
    """Adam (Kingma and Ba, ICLR 2015), the rate warmed up and then falling as a cosine.

    What is kept is a moving average of the weights.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-3)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999), use_buffers=True
    )
    path, step = folder / "last.pt", 0
    if path.is_file():
        kept = torch.load(path, weights_only=True)
        network.load_state_dict(kept["network"])
        average.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        step = kept["step"]
    began, sums = time.perf_counter(), np.zeros(2)
    network.train()
    with get_context("fork").Pool(2) as pool:
        for pictures, wanted in pool.imap(drawn, range(step, steps)):
            rate = float(
                RATE
                * min(1, (step + 1) / 300)
                * (0.01 + 0.99 * (1 + np.cos(np.pi * step / steps)) / 2)
            )
            for group in optimiser.param_groups:
                group["lr"] = rate
            with torch.autocast("cpu", torch.bfloat16):
                images = (
                    torch.from_numpy(pictures).float().contiguous(memory_format=torch.channels_last)
                )
                outputs = network(images)
            score_loss, box_loss = loss_of(outputs, [torch.from_numpy(target) for target in wanted])
            optimiser.zero_grad()
            (score_loss + 0.5 * box_loss).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            average.update_parameters(network)
            sums += [score_loss.item(), box_loss.item()]
            step += 1
            if step % SAVE_EVERY == 0 or step == steps:
                seconds = (time.perf_counter() - began) / SAVE_EVERY
                print(
                    (
                        f"step {step}: score {sums[0] / SAVE_EVERY:.4f}, box "
                        f"{sums[1] / SAVE_EVERY:.4f}, {seconds:.3f} s a step"
                    ),
                    flush=True,
                )
                state = {
                    "network": network.state_dict(),
                    "average": average.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step,
                }
                with atomic_write(path) as beside:
                    torch.save(state, beside)
                began, sums = time.perf_counter(), np.zeros(2)
    return average.module


def write(network, path, pictures):
    """The network as an ONNX file in 8 bits, its ranges as these pictures need them."""
    import onnx

    network = network.eval().to(memory_format=torch.contiguous_format)
    names = [f"stride_{stride}" for stride in STRIDES]
    axes = {name: {0: "pictures", 2: "height", 3: "width"} for name in ("pictures", *names)}
    with atomic_write(path) as beside:
        example = (torch.zeros(1, 1, SIDE, SIDE),)
        torch.onnx.export(
            network,
            example,
            beside,
            input_names=["pictures"],
            output_names=names,
            dynamic_axes=axes,
            dynamo=False,
            opset_version=17,
        )
        model = onnx.load(beside)
        facts = {
            "nasion_detector": FORMAT,
            "nasion": nasion.__version__,
            "licence": LICENCE,
            "strides": json.dumps(STRIDES),
        }
        onnx.helper.set_model_props(model, facts)
        onnx.save(model, beside)
        to_int8(beside, pictures.astype(np.float32), heads=len(STRIDES))
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--from", type=Path, dest="before")
    parser.add_argument("--run", type=Path, default=Path("runs/detector"))
    parser.add_argument("--ship", action="store_true")
    options = parser.parse_args()
    finder = (
        Dlib(min_face=24, min_score=-0.2)
        if options.before is None
        else SingleShot(min_face=12, min_score=0.1, file=options.before / "detector.onnx")
    )
    for name in ("ibug68", "udacity68"):
        _pictures.extend(cut_outs(nasion.load_faces(name, options.data / name, "train"), finder))
    options.run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = Detector().to(memory_format=torch.channels_last)
    if options.before is not None:
        average = torch.load(options.before / "last.pt", weights_only=True)["average"]
        network.load_state_dict(
            {
                name.removeprefix("module."): value
                for name, value in average.items()
                if name != "n_averaged"
            }
        )
    network = train(network, options.steps, options.run)
    target = (
        ROOT / "src" / "nasion" / "inference" / "detectors" / "single_shot.onnx"
        if options.ship
        else options.run / "detector.onnx"
    )
    write(network, target, np.concatenate([drawn(1_000_000 + k)[0] for k in range(8)]))


if __name__ == "__main__":
    main()
