"""Trains the package's face detector, single_shot, and exports it to ONNX in 8 bits.

Usage:
    python benchmarks/detector.py --data DATA [--steps 6000] [--run FOLDER] [--from FILE] [--ship]

DATA holds the datasets of face_sets.py; only their training sides are used. A small network learns
from scenes composed of face crops (scenes.py). Training resumes from RUN/last.pt.
--from starts from the weights of an exported detector. The package's detector, or --marker FILE,
finds unlabelled faces in the crops; they are ignored in the loss.
The detector is written to RUN/detector-STEP.onnx every thousand steps, so that steps can be
compared by benchmarks/find_faces.py --file; --ship writes the last one to
src/nasion/inference/detectors/single_shot.onnx.
"""

import argparse
import json
import time
from copy import deepcopy
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from shutil import copyfile

import numpy as np
import torch
import torch.nn.functional as F
from face_crops import load_sources
from scenes import SIDE, draw_scene
from torch import nn

import nasion
from nasion.inference.detectors.single_shot import FORMAT, SCALE, STRIDES
from nasion.inference.quantize import stem_to_float32, to_int8
from nasion.media.files import atomic_write

BATCH, LEARNING_RATE = 32, 2e-3
SAVE_EVERY, EXPORT_EVERY = 250, 1000  # steps
SIZES = ((7, 36), (26, 90), (64, 1000))  # pixels: the sides of faces assigned to each stride
# Distance of a cell from a face's centre (the larger of x and y), in sides of the face: below
# POSITIVE the cell is a face, below IGNORED it is left out of the loss.
POSITIVE, IGNORED = 0.2, 0.4
LICENCE = (
    "weights learnt from iBUG 300-W, YouTube Faces, CFP, FG-NET, MTFL and WebMorph, for "
    "non-commercial research"
)
ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "src" / "nasion" / "inference" / "detectors" / "single_shot.onnx"


class Detector(nn.Module):
    """Residual network with a feature pyramid (Lin et al., CVPR 2017) of strides 8, 16 and 32.

    Each stride has five maps: the logit of a face, the offset (x, y) to its centre, and the logs of
    its box's width and height. Lengths are in units of ``SCALE`` strides.
    """

    # Attribute names are the keys of weights in last.pt.
    def __init__(self, widths=(16, 32, 48, 64, 96), blocks=2, neck=48):
        super().__init__()
        self.stem = nn.Sequential(conv_norm(1, widths[0], 2), conv_norm(widths[0], widths[1], 2))
        self.stages = nn.ModuleList(
            nn.Sequential(
                Block(narrow, wide, 2), *(Block(wide, wide, 1) for _ in range(blocks - 1))
            )
            for narrow, wide in pairwise(widths[1:])
        )
        self.across = nn.ModuleList(nn.Conv2d(wide, neck, 1) for wide in widths[2:])
        self.refine = nn.ModuleList(conv_norm(neck, neck, 1) for _ in STRIDES)
        self.heads = nn.ModuleList(nn.Conv2d(neck, 5, 1) for _ in STRIDES)
        for head in self.heads:
            nn.init.normal_(head.weight, std=0.01)
            head.bias.data = torch.tensor([-4.0, 0, 0, 0, 0])

    def forward(self, images):
        x, bottom_up = self.stem(images / 128 - 1), []
        for stage in self.stages:
            x = stage(x)
            bottom_up.append(x)
        features, x = [], None
        levels = list(zip(self.across, self.refine, bottom_up, strict=True))
        for across, refine, level in reversed(levels):
            lateral = across(level)
            if x is None:
                x = lateral
            else:
                x = lateral + F.interpolate(x, scale_factor=2.0, mode="nearest")
            features.append(refine(F.relu(x)))
        # All heads last: quantization leaves the last convolutions in float32.
        return [head(level) for head, level in zip(self.heads, features[::-1], strict=True)]


class Block(nn.Module):
    """Basic residual block; ``past`` is the shortcut."""

    def __init__(self, narrow, wide, stride):
        super().__init__()
        self.first = conv_norm(narrow, wide, stride)
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


def conv_norm(narrow, wide, stride):
    """3 x 3 convolution, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(narrow, wide, 3, stride, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
    )


def encode_targets(boxes, ignored):
    """The targets of one scene, float32 (5, h, w) for each stride.

    First map: 1 for a face, 0 for background, -1 for cells that are ignored. The others: centre
    (x, y), width and height of the face's box in pixels. ``ignored``: boxes of regions to ignore.
    """
    targets = []
    for stride, (low, high) in zip(STRIDES, SIZES, strict=True):
        count = SIDE // stride
        cells = (np.arange(count) + 0.5) * stride - 0.5
        x, y = np.meshgrid(cells, cells)
        target = np.zeros((5, count, count), dtype=np.float32)
        for x0, y0, x1, y1 in ignored:
            target[0][(x > x0) & (x < x1) & (y > y0) & (y < y1)] = -1
        sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
        for k in np.argsort(-sides):  # where faces overlap, the smaller one counts
            center, extent = (boxes[k, :2] + boxes[k, 2:]) / 2, boxes[k, 2:] - boxes[k, :2]
            distance = np.maximum(np.abs(x - center[0]), np.abs(y - center[1]))
            assigned = low <= sides[k] < high
            if assigned or low / 1.3 <= sides[k] < high * 1.3:
                target[0][(distance < IGNORED * sides[k]) & (target[0] == 0)] = -1
            if assigned:
                positive = (distance < POSITIVE * sides[k]) | (distance == distance.min())
                target[0][positive] = 1
                target[1:, positive] = np.array([*center, *extent], dtype=np.float32)[:, None]
        targets.append(target)
    return targets


def detection_losses(outputs, targets):
    """(score loss, box loss), each divided by the number of positive cells.

    Score: focal loss (Lin et al., ICCV 2017). Box: absolute error of the centre relative to the
    sides, and of the logs of the sides.
    """
    score_loss = box_loss = positives = 0.0
    for stride, output, target in zip(STRIDES, outputs, targets, strict=True):
        output, label = output.float(), target[:, 0]
        counted, face = label >= 0, (label > 0).float()
        true_logit = torch.where(face > 0, output[:, 0], -output[:, 0])  # of the true class
        weight = torch.where(face > 0, 0.4, 0.6) * (1 - torch.sigmoid(true_logit)) ** 2
        score_loss = score_loss + (weight * -F.logsigmoid(true_logit) * counted).sum()
        cells = (torch.arange(label.shape[-1]) + 0.5) * stride - 0.5
        x = output[:, 1] * stride * SCALE + cells
        y = output[:, 2] * stride * SCALE + cells[:, None]
        sides = target[:, 3:].clamp(min=1)
        center_error = (torch.stack([x, y], 1) - target[:, 1:3]).abs() / sides
        side_error = (output[:, 3:] - torch.log(sides / (stride * SCALE))).abs()
        box_loss = box_loss + ((center_error + side_error).sum(1) * face).sum()
        positives = positives + face.sum()
    return score_loss / positives.clamp(min=1), box_loss / positives.clamp(min=1)


_sources = []  # one, filled before the pool of workers is forked, so that they share the memory


def draw_batch(step):
    """The batch of this step: images uint8 (B, 1, H, W) and the targets of each stride."""
    rng = np.random.default_rng([7, step])
    images, targets = [], []
    for _ in range(BATCH):
        pixels, boxes, ignored = draw_scene(_sources[0], rng)
        images.append(pixels)
        targets.append(encode_targets(boxes, ignored))
    by_stride = [np.stack([scene[k] for scene in targets]) for k in range(len(STRIDES))]
    return np.stack(images)[:, None], by_stride


def unseen_scenes(batches=8):
    """Scenes of steps that training never reaches."""
    return np.concatenate([draw_batch(1_000_000 + k)[0] for k in range(batches)])


def train(network, steps, folder):
    """Train or resume; exports the moving average of the weights.

    AdamW (Loshchilov and Hutter, ICLR 2019), with linear warm-up and cosine decay.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999), use_buffers=True
    )
    path, step = folder / "last.pt", 0
    if path.is_file():
        checkpoint = torch.load(path, weights_only=True)
        network.load_state_dict(checkpoint["network"])
        average.load_state_dict(checkpoint["average"])
        optimizer.load_state_dict(checkpoint["optimiser"])
        step = checkpoint["step"]
    started, losses = time.perf_counter(), np.zeros(2)
    network.train()
    with get_context("fork").Pool(1) as pool:
        for pixels, targets in pool.imap(draw_batch, range(step, steps)):
            warm_up = min(1, (step + 1) / 300)
            decay = 0.01 + 0.99 * (1 + np.cos(np.pi * step / steps)) / 2
            for group in optimizer.param_groups:
                group["lr"] = float(LEARNING_RATE * warm_up * decay)
            images = torch.from_numpy(pixels).float()
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                outputs = network(images)
            tensors = [torch.from_numpy(target) for target in targets]
            score_loss, box_loss = detection_losses(outputs, tensors)
            optimizer.zero_grad()
            (score_loss + 0.5 * box_loss).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            average.update_parameters(network)
            losses += [score_loss.item(), box_loss.item()]
            step += 1
            if step % SAVE_EVERY == 0 or step == steps:
                seconds = (time.perf_counter() - started) / SAVE_EVERY
                score_mean, box_mean = losses / SAVE_EVERY
                print(
                    f"step {step}: score loss {score_mean:.4f}, box loss {box_mean:.4f}, "
                    f"{seconds:.3f} s per step",
                    flush=True,
                )
                state = {
                    "network": network.state_dict(),
                    "average": average.state_dict(),
                    "optimiser": optimizer.state_dict(),
                    "step": step,
                }
                # PyTorch refuses the temporary file's name, but not the open file.
                with atomic_write(path) as temporary, temporary.open("wb") as file:
                    torch.save(state, file)
                started, losses = time.perf_counter(), np.zeros(2)
            if step % EXPORT_EVERY == 0 or step == steps:
                export(average.module, folder / f"detector-{step}.onnx")


def start_from(network, path, images):
    """Give the network the weights of an exported detector.

    Its batch norms are part of its convolutions. The network's new ones get the statistics of these
    images, and scales and shifts that undo them, so that it computes the same.
    """
    import onnx
    from onnx.numpy_helper import to_array

    graph = onnx.load(path).graph
    values = {item.name: to_array(item) for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            whole, scale = values[node.input[0]].astype(np.float32), values[node.input[1]]
            scale = scale.reshape(-1, *[1] * (whole.ndim - 1)) if scale.size > 1 else scale
            values[node.output[0]] = whole * scale
    layers = dict(network.named_modules())
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        # "/stem/stem.0/stem.0.0/Conv" is stem.0.0.
        path_parts = node.name.strip("/").split("/")
        name = ".".join(
            part for part, after in pairwise(path_parts) if not after.startswith(f"{part}.")
        )
        weight, bias = (torch.tensor(values[key]) for key in node.input[1:3])
        convolution = layers[name]
        convolution.weight.data.copy_(weight)
        if convolution.bias is not None:
            convolution.bias.data.copy_(bias)
        else:
            parent, _, number = name.rpartition(".")
            layers[f"{parent}.{int(number) + 1}"].bias.data.copy_(bias)
    _set_batch_norms(network, images)


def _set_batch_norms(network, images):
    """Let each batch norm only add its bias, with the mean and variance of these images."""

    def measure(layer, inputs):
        layer.running_mean.copy_(inputs[0].mean((0, 2, 3)))
        layer.running_var.copy_(inputs[0].var((0, 2, 3), unbiased=False))
        layer.weight.copy_((layer.running_var + layer.eps).sqrt())
        layer.bias.add_(layer.running_mean)

    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    with torch.no_grad():
        network.eval()(images)
    for hook in hooks:
        hook.remove()


def export(network, path):
    """Write the network as ONNX in 8 bits, with activation ranges from scenes."""
    import onnx

    network = deepcopy(network).eval().to(memory_format=torch.contiguous_format)
    outputs = [f"stride_{stride}" for stride in STRIDES]
    axes = {name: {0: "pictures", 2: "height", 3: "width"} for name in ("pictures", *outputs)}
    with atomic_write(path) as temporary:
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, SIDE, SIDE),),
            temporary,
            input_names=["pictures"],
            output_names=outputs,
            dynamic_axes=axes,
            dynamo=False,
            opset_version=17,
        )
        model = onnx.load(temporary)
        metadata = {
            "nasion_detector": FORMAT,
            "nasion": nasion.__version__,
            "licence": LICENCE,
            "strides": json.dumps(STRIDES),
        }
        onnx.helper.set_model_props(model, metadata)
        onnx.save(model, temporary)
        to_int8(temporary, unseen_scenes().astype(np.float32), heads=len(STRIDES))
        stem_to_float32(temporary)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--steps", type=int, default=6000, help="in total, also when resumed")
    parser.add_argument(
        "--from", type=Path, dest="base", metavar="FILE", help="start from this detector's weights"
    )
    parser.add_argument(
        "--marker", type=Path, default=SHIPPED, help="detector that finds unlabelled faces"
    )
    parser.add_argument("--run", type=Path, default=Path("runs/detector"), help="run folder")
    parser.add_argument("--ship", action="store_true", help="replace the package's detector")
    options = parser.parse_args()
    _sources.append(load_sources(options.data, options.marker))
    options.run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = Detector().to(memory_format=torch.channels_last)
    if options.base is not None:
        start_from(network, options.base, torch.from_numpy(unseen_scenes()).float())
    train(network, options.steps, options.run)
    if options.ship:
        copyfile(options.run / f"detector-{options.steps}.onnx", SHIPPED)


if __name__ == "__main__":
    main()
