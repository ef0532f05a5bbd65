"""Messages show values of files cut, so that the place, the rule and the remedy can be read."""

import ast
import json
from pathlib import Path

import pytest

import nasion
from nasion.data.datasets import (
    coco,
    cvat,
    deeplabcut,
    imglab,
    labelme,
    points_csv,
    points_long_csv,
)
from nasion.errors import NasionError
from nasion.landmarks import scheme_file
from nasion.media.quoted import listed, quoted, shortened

LONG = "[" * 3000
READERS = Path(nasion.__file__).parent / "data" / "datasets"
BOX = "<box left='1' top='1' width='9' height='9'>"
IMGLAB = f"<dataset><images><image file='a.png'>{BOX}%s</box></image></images></dataset>"
PART = "<part name='{}' x='{}' y='2'/>"
CVAT = "<annotations><image name='a.png'>%s</image></annotations>"


def test_a_value_is_cut_within_its_quotes():
    assert quoted("nose") == "'nose'" and quoted(None) == "None" and quoted(b"a") == "b'a'"
    assert quoted("x" * 41) == f"'{'x' * 37}...'" and quoted("x" * 40) == repr("x" * 40)
    assert quoted(list(range(99)), 12) == "[0, 1, 2,..."
    assert shortened("abcdefgh", 6) == "abc..." and shortened("abcdef", 6) == "abcdef"
    assert listed(["a", "b" * 99], 60) == f"a, {'b' * 37}..."


@pytest.mark.parametrize(
    ("read", "name", "text"),
    [
        (points_csv.read, "t.csv", f"image,left_x,left_y,right_x,right_y{LONG}\na.png,1,2,3,4\n"),
        (points_csv.read, "t.csv", f"image,p0_x,p0_y,p1{LONG}_x,p1_y\na.png,1,2,3,4\n"),
        (points_csv.read, "t.csv", f"image,a{LONG}_x,a{LONG}_y\na.png,{LONG},4\n"),
        (points_csv.read, "t.csv", f"image,{LONG}_x,{LONG}_x\na.png,1,4\n"),
        (points_csv.read, "t.csv", f"image,{LONG}_x,{LONG}_y\na.png,1,\n"),
        (imglab.read, "l.xml", IMGLAB % (PART.format("1", 1) + PART.format(LONG, 1))),
        (imglab.read, "l.xml", IMGLAB % PART.format(LONG, LONG)),
        (imglab.read, "l.xml", IMGLAB % (2 * PART.format(LONG, 1))),
        (imglab.read, "l.xml", IMGLAB.replace("'9'", f"'{LONG}'") % ""),
        (points_long_csv.read, "t.csv", f"image,point,x,y\na.png,{'a' * 250},{LONG},4\n"),
        (points_long_csv.read, "t.csv", "image,point,x,y\n" + 2 * f"a.png,{'a' * 250},1,4\n"),
        (deeplabcut.read, "t.csv", f"scorer,a,a\nbodyparts,{LONG},{LONG}\ncoords,x,x\na.png,1,2\n"),
        (deeplabcut.read, "t.csv", f"scorer,me,me\n{LONG}bodyparts,a,a\ncoords,x,y\na.png,1,2\n"),
        (cvat.read, "a.xml", CVAT % f"<points label='nose' points='{LONG}'/>"),
        (labelme.read, "a.json", json.dumps({"shapes": LONG, "imagePath": "a.png"})),
        (coco.read, "a.json", json.dumps({LONG: 1})),
        (scheme_file.read_scheme, "scheme.toml", f'points = ["a"]\n"{LONG}" = 1\n'),
        (scheme_file.read_scheme, "scheme.toml", f'points = ["{LONG}", "{LONG}"]\n'),
        (scheme_file.read_scheme, "scheme.toml", f'points = ["a"]\nmirror = [["{LONG}", "a"]]\n'),
    ],
)  # fmt: skip
def test_a_long_value_does_not_fill_the_message(tmp_path, read, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(NasionError, match=name) as found:
        read(tmp_path / name)
    assert len(str(found.value)) < 800 and LONG[:100] not in str(found.value)


def test_readers_write_no_value_whole():
    """``{value!r}`` in a message has no limit; ``quoted`` has."""
    found = []
    for path in sorted(READERS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FormattedValue) and node.conversion == ord("r"):
                found.append(f"{path.name} line {node.lineno}: {ast.unparse(node)}")
    assert not found, found
