"""Messages name options that exist, in every command that can print them."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.main import get_command

import nasion
from nasion.app import tables
from nasion.app.cli import app
from nasion.data.datasets import toy
from nasion.data.summary import summarize
from nasion.landmarks.faces import join
from nasion.media.counted import counted, part_of

PACKAGE = Path(nasion.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# Options of other programs that a message shows: curl's, tensorboard's.
OTHER_PROGRAMS = {"--data-binary", "--logdir"}


def commands() -> dict[str, set[str]]:
    """The options of each command, by its name."""

    def below(command, name: str) -> dict[str, set[str]]:
        if not hasattr(command, "commands"):
            return {
                name: {
                    option
                    for each in command.params
                    for option in (*each.opts, *each.secondary_opts)
                }
            }
        found = {}
        for inner, each in command.commands.items():
            found |= below(each, f"{name} {inner}".strip())
        return found

    return below(get_command(app), "")


def number_options() -> list:
    """(command and option, parameter) of each option that is a number."""

    def below(command, name: str) -> list:
        if hasattr(command, "commands"):
            return [
                found
                for inner, each in command.commands.items()
                for found in below(each, f"{name} {inner}")
            ]
        kinds = ("Int", "Float")
        numbers = [p for p in command.params if type(p.type).__name__.startswith(kinds)]
        return [pytest.param(p, id=f"{name} {p.opts[0]}".strip()) for p in numbers]

    return below(get_command(app), "")


@pytest.mark.parametrize("option", number_options())
def test_every_option_that_is_a_number_takes_plain_digits_only(option):
    assert option.type.convert("40", option, None) == 40
    for text in ("4_0", "\u0664\u0660", "4\u0660", "x"):
        with pytest.raises(Exception, match=f"'{text}' is not a valid (int|float)"):
            option.type.convert(text, option, None)


def test_the_options_that_are_numbers_are_found():
    names = {each.id for each in number_options()}
    assert {"predict --min-face", "predict --beta", "serve --port", "demo --epochs"} <= names
    assert len(names) > 15


def options_named_in(path: Path) -> set[str]:
    """The options in a module's strings, its docstrings included."""
    texts = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
    ]
    strings = [node.value for node in texts if isinstance(node.value, str)]
    return {option for text in strings for option in OPTION.findall(text)} - OTHER_PROGRAMS


def test_every_option_that_a_string_of_the_package_names_exists():
    existing = set().union(*commands().values())
    wrong = {
        str(path.relative_to(PACKAGE)): unknown
        for path in sorted(PACKAGE.rglob("*.py"))
        if (unknown := options_named_in(path) - existing)
    }
    assert not wrong


@pytest.mark.parametrize(
    "command",
    [name for name, options in commands().items() if "--skip-faults" in options],
)
def test_commands_that_read_labels_have_the_options_that_label_readers_name(command):
    named = set().union(*map(options_named_in, (PACKAGE / "data" / "datasets").rglob("*.py")))
    assert named >= {"--scheme", "--dataset"}
    assert named <= commands()[command]


def test_every_command_on_labelled_faces_has_these_options():
    without = {name for name, options in commands().items() if "--skip-faults" not in options}
    # `submit` reads test images, which have no labels.
    assert {name for name in without if "--data" in commands()[name]} == {"submit"}


# Numbers of things, then a verb that agrees with two or more.
PLURAL = re.compile(
    r"(?:%d|\0)(?: of (?:the )?(?:%d|\0))? (?:[a-z]+ ){0,2}[a-z]+s (?:are|have|were|do|lie|show)\b"
)
# Never of one: constants, parts of a network's training, what is said of several images alone.
NEVER_ONE = {
    "app/demo.py",
    "app/serve/clips.py",
    "app/serve/crops.py",
    "app/serve/search.py",
    "app/serve/websocket.py",
    "audit/hidden_points.py",
    "audit/networks.py",
    "data/label_check.py",
    "data/label_places.py",
    "media/image_headers.py",
    "training/few_faces.py",
}


def texts_of(path: Path) -> list[str]:
    """The strings of a file, with ``\\0`` for what an f-string inserts."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else "\0" for p in node.values]
            found.append("".join(parts))
    return found


def test_messages_say_one_face_is_and_two_faces_are():
    assert counted(1, "face") == "1 face" and counted(0, "face") == "0 faces"
    assert counted(1, "image is", "images are") == "1 image is"
    assert counted(2, "image is", "images are") == "2 images are"
    assert part_of(1, 11, "face", "has", "have") == "1 of 11 faces has"
    assert part_of(1, 1, "face", "has", "have") == "1 of 1 face has"
    wrong = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        found = [shown[0] for text in texts_of(path) for shown in PLURAL.finditer(text)]
        # "the labels are as far right of where others have it" is no count.
        if found and name not in NEVER_ONE and found != ["\0 of where others have"]:
            wrong[name] = found
    assert not wrong, "nasion.media.counted has the words for one"


def test_one_face_and_one_copy_are_said_in_the_singular(capsys):
    face = toy.draw(1, seed=3)
    twice = join(face, replace(face, ids=("copy",)))
    tables.show_summary(summarize(twice))
    assert "1 image is an exact copy, 0 more pairs nearly so" in capsys.readouterr().out
    tables.show_summary(summarize(face))
    assert "1 face of scheme fkd15; 1 has all 15 points" in capsys.readouterr().out
