"""Networks layer for layer as their authors print them, and with the literature's numbers of
parameters.
"""

import re
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from nasion.errors import SettingError
from nasion.models.architectures.convnet import ConvNet
from nasion.models.architectures.resnet import BlurPool, ResNet, resnet18, resnet50, wide_resnet50_2
from nasion.models.architectures.timm_backbone import TimmBackbone
from nasion.recipes import load_recipe


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("model", "outputs", "channels", "parameters"),
    [
        (resnet18, 1000, 3, 11_689_512),
        (resnet50, 1000, 3, 25_557_032),
        (wide_resnet50_2, 1000, 3, 68_883_240),
        (replace(resnet50, blur=True), 1000, 3, 25_557_032),  # blurs have nothing to learn
        # By hand from the rows above: 2 x 64 x 7 x 7 fewer in the stem, 864 x (width + 1) fewer at
        # the end.
        (resnet18, 136, 1, 11_689_512 - 2 * 64 * 49 - 864 * 513),
        (wide_resnet50_2, 136, 1, 68_883_240 - 2 * 64 * 49 - 864 * 2049),
        (
            replace(wide_resnet50_2, stem_bias=True),
            136,
            1,
            68_883_240 - 2 * 64 * 49 - 864 * 2049 + 64,
        ),
    ],
)
def test_residual_networks_have_the_literatures_number_of_parameters(
    model, outputs, channels, parameters
):
    with torch.device("meta"):
        assert count(model.build(outputs, (224, 224), channels)) == parameters


@pytest.mark.parametrize(
    ("recipe", "parameters"),
    [
        # 10 f + (9 f g + g) ... by hand: 60 + 880 + 4640 + 9248 + 480 x 240 + 240 + 240 x 2 + 2.
        ("imm_nose_khwaja", 60 + 880 + 4640 + 9248 + 115_440 + 482),
        ("imm_nose_khwaja_v2", 60 + 880 + 4640 + 9248 + 115_440 + 482),
        # 160 + 4640 + 18496 + 73856 + 295168 + 1180160 + 1024 x 512 + 512 + 512 x 116 + 116.
        ("imm_face_khwaja", 160 + 4640 + 18_496 + 73_856 + 295_168 + 1_180_160 + 524_800 + 59_508),
        (
            "imm_face_khwaja_v2",
            160 + 4640 + 18_496 + 73_856 + 295_168 + 1_180_160 + 524_800 + 59_508,
        ),
    ],
)
def test_small_networks_have_the_documented_number_of_parameters(recipe, parameters):
    assert count(load_recipe(recipe).build_network()) == parameters


def leaves(network):
    """What a network prints of its layers, in order, without their names."""
    ends = [
        layer
        for layer in network.modules()
        if not list(layer.children()) and not isinstance(layer, (nn.Flatten, nn.Identity))
    ]
    # Newer versions of torch print a norm's bias as well.
    return [re.sub(r"(BatchNorm2d.*), bias=True", r"\1", repr(layer)) for layer in ends]


NOSE = """
Conv2d(1, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
{pool}
ReLU()
Conv2d(6, 16, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
ReLU()
Conv2d(16, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
ReLU()
Conv2d(32, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
ReLU()
{dropout}
Linear(in_features=480, out_features=240, bias=True)
ReLU()
Linear(in_features=240, out_features=2, bias=True)
{end}
"""


@pytest.mark.parametrize(
    ("recipe", "parts"),
    [
        (
            "imm_nose_khwaja",
            {
                "pool": (
                    "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"
                ),
                "dropout": "",
                "end": "",
            },
        ),
        (
            "imm_nose_khwaja_v2",
            {
                "pool": "AvgPool2d(kernel_size=2, stride=2, padding=0)",
                "dropout": "Dropout2d(p=0.2, inplace=False)",
                "end": "Sigmoid()",
            },
        ),
    ],
)
def test_the_nose_networks_are_those_of_the_document(recipe, parts):
    assert leaves(load_recipe(recipe).build_network()) == [
        line for line in NOSE.format(**parts).splitlines() if line
    ]


def printed(text):
    """The layers that a document prints, in order, each as (name, layer)."""
    return re.findall(
        (
            r"^ *\((\w+)\): "
            r"((?:Conv2d|BatchNorm2d|MaxPool2d|AvgPool2d|Linear|ReLU|Sigmoid|Dropout2d)\(.*\))\s*$"
        ),
        text,
        re.M,
    )


def test_all_networks_of_the_document_are_built_as_it_prints_them(real_data):
    """The five structures that the Khwaja report prints, read from the report itself."""
    report = real_data.parent / "seeds" / "002_cda638e956f6c625.txt"
    if not report.is_file():
        pytest.skip("the report is not beside the data")
    layers = printed(report.read_text())
    starts = [
        i for i, (name, _) in enumerate(layers) if name == "conv1" and "Conv2d(1," in layers[i][1]
    ]
    found = [
        [layer for _, layer in layers[a:b]]
        for a, b in zip(starts, [*starts[1:], len(layers)], strict=True)
    ]
    names = ("imm_nose_khwaja", "imm_nose_khwaja_v2", "imm_face_khwaja", "imm_face_khwaja_v2")
    for name, structure in zip(names, found[:4], strict=True):
        assert leaves(load_recipe(name).build_network()) == structure, name
    with torch.device("meta"):
        wide = load_recipe("ibug_wide_resnet50").build_network()
    learnt = ("Conv2d", "BatchNorm2d", "Linear")
    # The report prints the network twice, the second time with the sigmoid after it.
    for structure in found[4:6]:
        expected = [layer for layer in structure if layer.startswith(learnt)]
        assert [layer for layer in leaves(wide) if layer.startswith(learnt)] == expected and len(
            expected
        ) > 100
    assert found[5][-1] == "Sigmoid()" and leaves(wide)[-1] == "Sigmoid()"


def test_a_blurred_pixel_is_the_weighted_mean_of_the_four_by_four_about_it():
    """By hand: weights 1 3 3 1 each way.

    Of the ramp 0 1 2 ... the blur at pixel 2k, which looks at 2k-1 .. 2k+2, is 2k + 0.5.
    """
    ramp = torch.arange(8.0).expand(1, 2, 8, 8).contiguous()
    found = BlurPool(2)(ramp)
    assert found.shape == (1, 2, 4, 4)
    torch.testing.assert_close(found[0, 1, 1, 1:3], torch.tensor([2.5, 4.5]))
    assert found[0, 0, 0, 0] == pytest.approx(
        (1 * 1 + 3 * 0 + 3 * 1 + 1 * 2) / 8
    )  # the edge is mirrored
    torch.testing.assert_close(
        BlurPool(1)(torch.full((1, 1, 2, 2), 3.0)), torch.full((1, 1, 1, 1), 3.0)
    )


def test_a_blurred_network_is_less_moved_by_a_shift_of_one_pixel():
    torch.manual_seed(0)
    picture = torch.rand(1, 1, 16, 16)
    picture = nn.functional.interpolate(picture, size=(66, 66), mode="bicubic")
    a, b = picture[..., 1:65, 1:65], picture[..., 1:65, 2:66]
    change = []
    for blur in (False, True):
        torch.manual_seed(1)
        network = ResNet(widths=(16, 32), blocks=(2,), blur=blur).build(8).eval()
        with torch.inference_mode():
            one, other = network(a), network(b)
        change.append(float((one - other).norm() / (one - one.mean()).norm()))
    assert change[1] < change[0]


def test_settings_that_cannot_be_built_are_refused():
    with pytest.raises(SettingError, match=r"input_size \(8, 60\) is too small for pools"):
        ConvNet().build(2, (8, 60))
    with pytest.raises(
        SettingError, match=r"architecture\.kernels needs one number, or 4, one per convolution"
    ):
        ConvNet(kernels=(3, 3))
    with pytest.raises(SettingError, match=r"architecture\.dropout is a fraction"):
        ConvNet(dropout=1.0)
    with pytest.raises(SettingError, match=r"architecture\.bottleneck must divide the widths"):
        ResNet(bottleneck=3)


def test_without_timm_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        SettingError,
        match=(
            r"comes from timm, which cannot be imported .*; install it: pip install "
            r"'nasion\[timm\]'"
        ),
    ):
        TimmBackbone().build(2)
