"""Recipes: changed by name, refused by name, written and read back."""

import dataclasses
import sys
from dataclasses import dataclass
from typing import ClassVar

import pytest

from nasion import recipes
from nasion.data.augment import Augment
from nasion.data.corrupt import Corrupt
from nasion.discovery import RECIPES
from nasion.errors import RunError, SettingError
from nasion.inference.recipe_json import from_json, to_json
from nasion.models.architectures.pyramid import Pyramid
from nasion.models.codecs import Anchors, Coordinates, Heatmaps
from nasion.models.losses import GaussianLikelihood, LaplaceLikelihood, huber, squared_error
from nasion.models.optim import SGD, Adam, Cosine, Phase, Plateau, StepDecay
from nasion.recipe import AugmentDecay
from nasion.recipe_settings import override, settings
from nasion.recipes import load_recipe
from nasion.recipes.fkd_resnet import RECIPE


@dataclass(frozen=True)
class KerasStub:
    """Settings of a Keras network that is never built."""

    width: int = 4
    framework: ClassVar[str] = "keras"

    def build(self, outputs, size, channels):
        raise NotImplementedError

    def head_bias(self, outputs):
        raise NotImplementedError


SECOND = Phase(
    optim=SGD(lr=1e-3, momentum=0.8),
    epochs=20,
    schedule=Plateau(factor=0.5, patience=2),
    patience=7,
)
TWO_PHASES = dataclasses.replace(
    RECIPE, architecture=KerasStub(), schedule=Plateau(), patience=4, second_phase=SECOND
)


def test_numbers_words_tuples_and_parts_of_parts_are_changed_by_name():
    changed = override(
        RECIPE,
        [
            "optim.lr=3e-4",
            "batch_size=32",
            "missing=drop",
            "architecture.stem_stride=1",
            "architecture.widths=8,16",
            "patience=none",
            "start_at_mean=false",
        ],
    )
    assert (
        changed.optim.lr,
        changed.batch_size,
        changed.missing,
        changed.architecture.stem_stride,
    ) == (
        3e-4,
        32,
        "drop",
        1,
    )
    assert (
        changed.architecture.widths == (8, 16)
        and changed.patience is None
        and changed.start_at_mean is False
    )
    assert RECIPE.batch_size == 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optim.rl=1", "--set optim.rl: no such setting. Did you mean lr? There is lr, betas"),
        ("batchsize=1", "no such setting. Did you mean batch_size? There is spec.input_size, "),
        ("batch_size=x", "--set batch_size=x: a whole number expected"),
        ("batch_size=1.5", "--set batch_size=1.5: a whole number expected"),
        ("optim.lr=fast", "--set optim.lr=fast: a number expected"),
        # Python reads these as 10, 3 and 0.5; nobody means them.
        ("batch_size=1_0", "--set batch_size=1_0: a whole number expected"),
        ("batch_size=\u0663", "--set batch_size=\u0663: a whole number expected"),
        ("optim.lr=1_0", "--set optim.lr=1_0: a number expected"),
        ("optim.lr=\u0660.\u0665", "--set optim.lr=\u0660.\u0665: a number expected"),
        ("spec.input_size=9_6,96", "--set spec.input_size=9_6: a whole number expected"),
        ("missing=ignore", "one of mask, drop, forward_fill expected"),
        ("start_at_mean=perhaps", "true or false expected"),
        ("spec.input_size=96", "2 values separated by commas expected"),
        ("optim=Adam", "this is a part; change its numbers (lr, betas, weight_decay)"),
        ("epochs.more=1", "epochs is a plain value (15)"),
        ("batch_size", "has no value; write name=value"),
        ("epochs=0", "epochs must be 1 or more; found 0"),
        ("loss=other", "--set loss=other: no such setting: it is a part"),
        ("data=foo", "--set data=foo: no such setting: --data gives the dataset. There is spec."),
        ("spec.separate_heads=foo", "--set spec.separate_heads=foo: no such setting: it is a part"),
        ("spec.separate_heads.source=foo", "separate_heads.source=foo: no such setting"),
        ("spec.scheme=ibug68", "--set spec.scheme=ibug68: no such setting: it is a part"),
        ("spec.scheme.name=ibug68", "no such setting: it is a part"),
        ("init_from=", "--set init_from=: a text expected, found none"),
        ("init_from= ", "a text expected, found none"),
        ("optim.lr=nan", "optim.lr must be a number above 0; found nan"),
        ("optim.lr=inf", "optim.lr must be a number above 0"),
        ("spec.codec.unit=foo", "one of pixels, relative expected"),
        ("architecture.blocks=0", "must be 1 or more"),
        ("architecture.widths=0", "must be 1 or more"),
        ("architecture.blocks=2,2", "architecture.blocks needs one number, or 5, one per stage"),
        ("spec.box_scale=0", "box_scale must be a number above 0"),
        ("spec.box_scale=1e30", "box_scale must be a number above 0, 0.1 to 10; found 1e+30"),
        ("spec.pixel_range=0,inf", "pixel_range must be two finite numbers"),
        ("augment.shift_px=1e9", "0 or more, up to 2048; found 1000000000.0"),
        ("seed=99999999999999999999999", "seed must be 0 or more, below 2**63"),
        ("augment.hue=0.6", "augment.hue is 0 to 0.5"),
        ("augment.shift_px=-1", "augment.shift_px is a number of pixels"),
        ("augment.scale=1", "augment.scale is a fraction, 0 to below 1; found 1.0"),
        ("augment.rotate=nan", "augment.rotate is 0 to 180 degrees"),
        ("spec.input_size=0,0", "input_size must be at least 4,4"),
        ("spec.pixel_range=0,0", "pixel_range must be two finite numbers and rise"),
        ("seed=-1", "seed must be 0 or more"),
        (
            "augment_decay.to=1.5",
            "augment_decay.after and augment_decay.to must be 0 to 1; "
            "found AugmentDecay(after=1.0, to=1.5)",
        ),
        ("patience=0", "patience must be 1 or more, or none"),
        ("schedule.every=0", "every >= 1"),
        ("optim.betas=1,1", "optim.betas must be 0 to below 1"),
    ],
)
def test_a_wrong_name_or_type_is_refused_with_the_known_ones(change, message):
    with pytest.raises(SettingError) as error:
        override(RECIPE, [change])
    assert message in str(error.value)


def test_a_setting_given_twice_is_refused():
    with pytest.raises(SettingError, match="epochs is given twice, as '3' and '4'"):
        override(RECIPE, ["epochs=3", "seed=1", "epochs=4"])


@pytest.mark.parametrize("name", RECIPES.names())
def test_every_listed_setting_can_be_set_and_every_other_field_is_refused(name):
    recipe = load_recipe(name)
    for path, value in settings(recipe).items():
        words = value if isinstance(value, tuple) else (value,)
        assert override(recipe, [f"{path}={','.join(map(str, words))}"]) == recipe
    assert "data" not in settings(recipe) and "spec.separate_heads" not in settings(recipe)


def test_a_recipe_files_setting_of_several_types_takes_each_of_them():
    @dataclass(frozen=True)
    class Mine:
        width: int | tuple[int, ...] = 4
        table: list[int] = dataclasses.field(default_factory=list)

    assert settings(Mine()) == {"width": 4}
    assert override(Mine(), ["width=8"]).width == 8
    assert override(Mine(), ["width=8,9"]).width == (8, 9)
    with pytest.raises(SettingError, match="--set table=1: no such setting: it is a part"):
        override(Mine(), ["table=1"])


def test_settings_of_keras_networks_are_refused_for_others():
    assert (RECIPE.framework, TWO_PHASES.framework) == ("pytorch", "keras")
    for only_keras in ({"schedule": Plateau()}, {"second_phase": SECOND}):
        dataclasses.replace(RECIPE, architecture=KerasStub(), **only_keras)
        with pytest.raises(
            SettingError, match="are for Keras networks; this recipe's network is PyTorch's"
        ):
            dataclasses.replace(RECIPE, **only_keras)


def test_settings_of_pytorch_networks_are_refused_for_keras_networks():
    plain = dataclasses.replace(RECIPE, architecture=KerasStub())
    learnt_scale = dataclasses.replace(RECIPE.spec, codec=Coordinates(scale=True))
    for only_pytorch in ({"ema_decay": 0.9}, {"keep": "last"}, {"spec": learnt_scale}):
        with pytest.raises(SettingError, match="are for PyTorch networks"):
            dataclasses.replace(plain, **only_pytorch)


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        (SGD, {"lr": 0.0}, "optim.lr must be a number above 0; found 0.0"),
        (SGD, {"lr": float("inf")}, "optim.lr must be a number above 0; found inf"),
        (SGD, {"lr": float("nan")}, "optim.lr must be a number above 0; found nan"),
        (SGD, {"momentum": 1.0}, "optim.momentum must be 0 to below 1; found 1.0"),
        (SGD, {"momentum": -0.1}, "optim.momentum must be 0 to below 1"),
        (SGD, {"momentum": float("nan")}, "optim.momentum must be 0 to below 1"),
        (
            Plateau,
            {"factor": 1.0},
            "factor between 0 and 1 and patience >= 1; found Plateau(factor=1.0, patience=5)",
        ),
        (Plateau, {"factor": 0.0}, "factor between 0 and 1"),
        (Plateau, {"factor": float("nan")}, "factor between 0 and 1"),
        (Plateau, {"patience": 0}, "patience >= 1"),
        (
            Phase,
            {"optim": Adam(), "epochs": -1},
            "second phase's epochs must be 0 or more; found -1",
        ),
        (
            Phase,
            {"optim": Adam(), "epochs": 3, "patience": 0},
            "second phase's patience must be 1 or more, or none; found 0",
        ),
    ],
)
def test_parts_refuse_values_that_make_no_sense(part, values, message):
    with pytest.raises(SettingError) as error:
        part(**values)
    assert message in str(error.value)


def test_numbers_of_the_second_phase_are_changed_by_name():
    changed = override(
        TWO_PHASES,
        [
            "second_phase.epochs=0",
            "second_phase.optim.lr=1e-5",
            "second_phase.schedule.patience=9",
            "second_phase.patience=none",
            "optim.lr=0.5",
        ],
    )
    expected = Phase(
        optim=SGD(lr=1e-5, momentum=0.8), epochs=0, schedule=Plateau(factor=0.5, patience=9)
    )
    assert changed.second_phase == expected and changed.optim == dataclasses.replace(
        RECIPE.optim, lr=0.5
    )
    assert (
        TWO_PHASES.second_phase == SECOND
        and settings(TWO_PHASES)["second_phase.optim.momentum"] == 0.8
    )
    with pytest.raises(SettingError, match="second phase's epochs must be 0 or more; found -1"):
        override(TWO_PHASES, ["second_phase.epochs=-1"])
    assert override(TWO_PHASES, ["second_phase=none"]).second_phase is None
    with pytest.raises(SettingError, match=r"this is a part; change its numbers \(.*optim\.lr"):
        override(TWO_PHASES, ["second_phase=3"])
    with pytest.raises(SettingError, match="this is a part; none leaves it out"):
        override(RECIPE, ["second_phase=3"])


def test_a_recipe_has_the_phases_that_have_epochs():
    first = Phase(optim=RECIPE.optim, epochs=RECIPE.epochs, schedule=Plateau(), patience=4)
    assert TWO_PHASES.phases == (first, SECOND)
    assert override(TWO_PHASES, ["second_phase.epochs=0"]).phases == (first,)
    assert dataclasses.replace(TWO_PHASES, second_phase=None).phases == (first,)
    assert RECIPE.phases == (
        Phase(
            optim=RECIPE.optim,
            epochs=RECIPE.epochs,
            schedule=RECIPE.schedule,
            patience=RECIPE.patience,
        ),
    )


def test_a_recipe_of_two_phases_is_written_and_read_back_the_same():
    assert from_json(to_json(TWO_PHASES), sys.modules[__name__]) == TWO_PHASES


def test_augment_decay_scales_everything_but_flips_and_patch_size():
    changes = Augment(
        flip=0.5,
        rotate=30,
        scale=0.2,
        shift=0.1,
        shift_px=4,
        brightness=0.2,
        contrast=0.4,
        saturation=0.1,
        hue=0.05,
        stretch=0.1,
    )
    disturb = Corrupt(blur=1.0, noise=0.05, jpeg=0.1, occlude=0.4, patch=0.3)
    recipe = dataclasses.replace(
        RECIPE,
        epochs=10,
        augment=changes,
        corrupt=disturb,
        augment_decay=AugmentDecay(after=0.75, to=0.5),
    )
    assert (
        recipe.in_epoch(0) is recipe.in_epoch(7) is recipe
    )  # 0.75 * 10 = 7.5, so the ninth epoch is the first
    assert recipe.in_epoch(8).augment == Augment(0.5, 15, 0.1, 0.05, 2, 0.1, 0.2, 0.05, 0.025, 0.05)
    assert recipe.in_epoch(8).corrupt == Corrupt(0.5, 0.025, 0.05, 0.2, 0.3)
    assert RECIPE.in_epoch(RECIPE.epochs - 1) is RECIPE


def test_augment_decay_counts_the_epochs_of_all_phases():
    decayed = dataclasses.replace(
        TWO_PHASES, augment=Augment(rotate=10), augment_decay=AugmentDecay(after=0.5, to=0)
    )
    every = TWO_PHASES.epochs + SECOND.epochs
    still = [epoch for epoch in range(every) if decayed.in_epoch(epoch).augment.rotate == 0]
    assert still == list(range(-(-every // 2), every))
    never = dataclasses.replace(decayed, augment_decay=AugmentDecay(after=1.0, to=0))
    assert never.in_epoch(every - 1) is never


@pytest.mark.parametrize(
    ("codec", "loss", "message"),
    [
        (Coordinates(scale=True), squared_error, "has a log scale .* squared_error does not learn"),
        (Anchors(), squared_error, "has a log scale .* squared_error does not learn"),
        (Anchors(), huber, "has a log scale for each point, which loss huber does not learn"),
        (Coordinates(), LaplaceLikelihood(), r"LaplaceLikelihood\(.* Coordinates\(.* not have"),
        (Heatmaps(8), GaussianLikelihood(), r"GaussianLikelihood\(.* Heatmaps\(.* not have"),
    ],
)
def test_losses_that_do_not_fit_the_codec_are_refused(codec, loss, message):
    def recipe(codec, loss):
        stride = codec.stride
        parts = {} if stride is None else {"architecture": Pyramid(stride=stride)}
        spec = dataclasses.replace(RECIPE.spec, codec=codec)
        return dataclasses.replace(RECIPE, spec=spec, loss=loss, start_at_mean=False, **parts)

    with pytest.raises(SettingError, match=message):
        recipe(codec, loss)
    fitting = LaplaceLikelihood() if loss in (squared_error, huber) else squared_error
    recipe(codec, fitting)


def test_distillation_needs_a_network_to_start_from():
    with pytest.raises(SettingError, match=r"distillation=0\.3 .* set init_from, or distill"):
        override(RECIPE, ["distillation=0.3"])
    assert override(RECIPE, ["distillation=0.3", "init_from=face68"]).distillation == 0.3


def test_all_settings_can_be_listed():
    names = settings(RECIPE)
    assert (
        names["optim.lr"] == 1e-4
        and names["architecture.stem_stride"] == 2
        and "spec.scheme" not in names
        and "loss" not in names
    )


def test_the_step_schedule_divides_by_ten_every_five_epochs():
    schedule = StepDecay(every=5, factor=0.1)
    assert [schedule(e, 15) for e in (0, 4.99, 5, 9.5, 10)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_the_cosine_warms_up_is_full_and_ends_at_nothing():
    schedule = Cosine(warmup=0.1)
    assert (
        schedule(0, 100) < 0.02
        and schedule(10, 100) == pytest.approx(1)
        and schedule(55, 100) == pytest.approx(0.5)
        and schedule(100, 100) == pytest.approx(0)
    )


@pytest.mark.parametrize("name", RECIPES.names())
def test_every_recipe_is_written_and_read_back_the_same(name):
    value = load_recipe(name)
    assert from_json(to_json(value)) == value


def test_a_run_file_that_names_strange_code_is_refused():
    written = to_json(RECIPE)
    for name in (
        "os.system",
        "nasion.files.write_text",
        "nasion.recipe.torch",
        "nasion.recipe.nothing",
    ):
        with pytest.raises(RunError):
            from_json(written | {"architecture": {"class": name, "path": "x"}})
    with pytest.raises(RunError, match=r"no recipe part subprocess\.run"):
        from_json(written | {"loss": {"function": "subprocess.run"}})
    with pytest.raises(RunError, match="other settings than this version's"):
        from_json(written | {"optim": {"class": "Adam", "momentum": 1}})


def test_a_recipe_file_of_ones_own_with_parts_of_its_own_works(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import dataclass, replace\n"
        "from torch import nn\n"
        "from nasion.recipes.fkd_resnet import RECIPE as BASE\n\n\n"
        "@dataclass(frozen=True)\n"
        "class Tiny:\n"
        "    width: int = 4\n\n"
        "    def build(self, outputs, size, channels):\n"
        "        return nn.Sequential()\n\n"
        "    def head_bias(self, outputs):\n"
        "        return outputs\n\n\n"
        "RECIPE = replace(BASE, architecture=Tiny())\n"
    )
    module = recipes.recipe_module(path)
    written = to_json(module.RECIPE)
    assert (
        written["architecture"] == {"class": "Tiny", "recipe_file": True, "width": 4}
        and from_json(written, module) == module.RECIPE
    )
    with pytest.raises(RunError, match="give the recipe file"):
        from_json(written)


def test_a_recipe_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(
        SettingError,
        match=(
            r"No recipe 'fkd_resnt'; there are face68, .*fkd_cnn, fkd_cnn_mask, fkd_resnet, "
            r".*toy_demo, or give the path"
        ),
    ):
        recipes.recipe_module("fkd_resnt")
    with pytest.raises(SettingError, match="no such recipe file"):
        recipes.recipe_module(tmp_path / "a.py")
    (tmp_path / "b.py").write_text("x = 1\n")
    with pytest.raises(SettingError, match="must define RECIPE"):
        recipes.recipe_module(tmp_path / "b.py")


def test_recipes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RECIPE.epochs = 3


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"x = (", r"mine.py:1: SyntaxError: '\(' was never closed; correct the recipe file"),
        (b"\n{}['boo']", r"mine.py:2: KeyError: 'boo'; correct"),
        (b"import sys; sys.exit(3)", "mine.py:1: SystemExit: 3"),
        (b"import no_such_module", "mine.py:1: ModuleNotFoundError: No module named"),
        (b"x = 1\0", "mine.py: SyntaxError: source code string cannot contain null bytes"),
        (b"RECIPE = 3", "must define RECIPE"),
    ],
)
def test_a_recipe_file_that_cannot_be_run_is_refused_with_its_line(tmp_path, source, message):
    (tmp_path / "mine.py").write_bytes(source)
    with pytest.raises(SettingError, match=message):
        load_recipe(tmp_path / "mine.py")
