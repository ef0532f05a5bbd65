"""``nasion scheme``: proposed from names and labels, shown, drawn and checked."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from nasion.app.cli import app
from nasion.app.scheme_picture import draw_scheme
from nasion.data.datasets import points_csv, toy
from nasion.data.own_schemes import chains, numbered_scheme, parts_of_names, scheme_from_data
from nasion.data.scheme_links import link
from nasion.data.scheme_proposal import propose_scheme
from nasion.errors import SettingError
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.point_names import catalog_names, mirror_pairs_of_names, words
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import read_scheme, write_scheme

# Own names of points of ibug68, by their index there.
NAMES = {
    "jaw_1": 0, "jaw_2": 4, "jaw_3": 8, "jaw_4": 12, "jaw_5": 16, "exR": 36, "exL": 45, "enR": 39,
    "enL": 42, "prn": 30, "mouthCornerR": 48, "mouthCornerL": 54, "upper": 51, "lower": 57,
}  # fmt: skip


def own(count=40, names=NAMES, turned=False):
    faces = toy.draw(count, ibug68, seed=4)
    return replace(
        faces,
        scheme=Scheme(name="own", points=tuple(names), mirror=()),
        points=faces.points[:, list(names.values())],
        occluded=None,
    )


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("leftEye_01", ("left", "eye", "1")),
        ("L-Eye", ("l", "eye")),
        ("eye outer R", ("eye", "outer", "r")),
        ("jawR12", ("jaw", "r", "12")),
        ("REye", ("r", "eye")),
        ("Auge", ("auge",)),
    ],
)
def test_words_of_names_of_any_habit(name, parts):
    assert words(name) == parts


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left_eye", "right_eye"), ("eye_left_1", "eye_right_1"), ("LBrow", "RBrow"),
        ("mouth_l", "mouth_r"), ("leftEyeOuter", "rightEyeOuter"), ("l.eye", "r.eye"),
        ("leye", "reye"), ("eyel2", "eyer2"), ("lefteye", "righteye"), ("Left Ear", "Right Ear"),
        ("left_eye_right_corner", "right_eye_left_corner"),
    ],
)  # fmt: skip
def test_sides_in_names_pair_points(left, right):
    assert mirror_pairs_of_names(["nose", right, "lip", left]) == ((left, right),)


def test_what_is_not_a_side_pairs_nothing():
    assert mirror_pairs_of_names(["lip", "ring", "nose_1", "nose_2", "left_eye", "upper"]) == ()
    # Of two names of the same words, the one that is written alike.
    assert mirror_pairs_of_names(["leftEye", "left_eye", "right_eye"]) == (
        ("left_eye", "right_eye"),
    )


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("exR", "right_eye_outer_corner"), ("en_l", "left_eye_inner_corner"),
        ("outer_right_eye", "right_eye_outer_corner"), ("rightEyeOuter", "right_eye_outer_corner"),
        ("Lateral canthus left", "left_eye_outer_corner"), ("pronasale", "nose_tip"),
        ("tip of the nose", "nose_tip"), ("subnasale", "nose_base"), ("sn", "nose_base"),
        ("left_cheilion", "mouth_left_corner"), ("mouthCornerR", "mouth_right_corner"),
        ("labiale superius", "mouth_center_top_lip"), ("Menton", "chin"), ("chin", "chin"),
        ("brow_outer_left", "left_eyebrow_outer_end"), ("jaw_3", None), ("ear", None),
        ("upper_lip", None),
    ],
)  # fmt: skip
def test_names_that_nasion_knows_by_another_habit(name, known):
    assert catalog_names([name], ibug68.points).get(name) == known


def test_two_names_of_one_place_are_not_linked_but_the_very_name_is():
    assert catalog_names(["exR", "outer_right_eye"], ibug68.points) == {}
    assert catalog_names(["nose_tip", "prn"], ibug68.points) == {"nose_tip": "nose_tip"}


def test_a_scheme_of_names_has_pairs_lines_parts_and_norm():
    found = scheme_from_data("x", ("jaw_1", "jaw_2", "jaw_4", "eyeOuterL", "eyeOuterR", "tip"))
    assert found.mirror == (("eyeOuterL", "eyeOuterR"),)
    assert found.edges == (("jaw_1", "jaw_2"),)
    assert found.norm == (("eyeOuterR",), ("eyeOuterL",))
    assert dict(found.parts)["jaw"] == ("jaw_1", "jaw_2", "jaw_4")
    assert dict(found.parts)["eye"] == ("eyeOuterL", "eyeOuterR")
    given = scheme_from_data(
        "x", ("a", "b", "jaw_1", "jaw_2"), [("a", "b"), ("b", "a"), ("a", "a")]
    )
    assert given.edges in ((("a", "b"),), (("b", "a"),))
    assert scheme_from_data("x", ibug68.points) is ibug68
    with pytest.raises(SettingError, match="'a' is a point twice"):
        scheme_from_data("x", ("a", "a"))


def test_numbered_points_have_nothing_that_names_could_say():
    found = scheme_from_data("x", ("p1", "p2", "p3"))
    assert (found.mirror, found.edges, found.parts, found.norm) == ((), (), (), None)
    assert numbered_scheme("x", 3).points == ("0", "1", "2")
    with pytest.raises(SettingError, match="at least one"):
        numbered_scheme("x", 0)


def test_chains_join_neighbours_only():
    assert chains(["brow_l_2", "brow_l_1", "brow_r_1", "7"]) == (("brow_l_1", "brow_l_2"),)
    assert parts_of_names(["left_eye", "right_eye"]) == ()  # all points are no part


def test_pairs_of_contours_come_from_the_labels():
    proposal = propose_scheme(own(), "own", ibug68)
    pairs = set(map(frozenset, proposal.scheme.mirror))
    wanted = [("jaw_1", "jaw_5"), ("jaw_2", "jaw_4"), ("exR", "exL"), ("enR", "enL")]
    assert pairs == {*map(frozenset, wanted), frozenset(("mouthCornerR", "mouthCornerL"))}
    assert any("2 mirror pairs are from the labels" in line for line in proposal.said)
    assert dict(proposal.scheme.aliases)["exR"] == "right_eye_outer_corner"
    # Named by nothing that nasion knows, but at its place: proposed, not linked.
    assert "upper" not in dict(proposal.scheme.aliases)
    assert any('upper = "mouth_center_top_lip"' in line for line in proposal.notes["aliases"])


def test_too_few_faces_say_that_nothing_was_checked():
    proposal = propose_scheme(own(5), "own")
    assert proposal.scheme.mirror == (
        ("exL", "exR"),
        ("enL", "enR"),
        ("mouthCornerL", "mouthCornerR"),
    )
    assert any("Not checked on labels" in line for line in proposal.said)


def test_a_wrong_pair_by_name_is_corrected_and_told():
    names = {k: NAMES[{"mouthCornerL": "exL", "exL": "mouthCornerL"}.get(k, k)] for k in NAMES}
    proposal = propose_scheme(own(names=names), "own")
    assert frozenset(("exR", "mouthCornerL")) in set(map(frozenset, proposal.scheme.mirror))
    assert any("Corrected by the labels: exR (with exL; its mirror image falls on mouthCornerL)"
               in line for line in proposal.said)  # fmt: skip


def test_a_point_without_its_partner_is_told():
    names = {name: at for name, at in NAMES.items() if name != "enL"}
    said = propose_scheme(own(names=names), "own").said
    assert any("enR (is paired with itself; its mirror image falls on no point)" in s for s in said)


def test_names_with_the_viewers_sides_are_linked_to_the_other_side():
    swapped = {{"R": f"{n[:-1]}L", "L": f"{n[:-1]}R"}.get(n[-1], n): at for n, at in NAMES.items()}
    found = link(own(names=swapped), ibug68)
    assert found.viewers_sides and not link(own(), ibug68).viewers_sides
    assert dict(found.aliases)["exL"] == "right_eye_outer_corner"


def test_a_name_whose_labels_lie_elsewhere_is_not_linked():
    names = {**NAMES, "prn": 8, "jaw_3": 30}
    found = link(own(names=names), ibug68)
    assert found.doubtful == (("prn", "nose_tip"),)
    assert "prn" not in dict(found.aliases)


def test_places_are_proposed_for_numbered_points():
    numbered = {str(i): at for i, at in enumerate(NAMES.values())}
    found = {point: name for point, name, _ in link(own(names=numbered), ibug68).proposed}
    right = {str(i): ibug68.points[at] for i, at in enumerate(NAMES.values())}
    assert len(found) >= 12
    assert all(right[point] == name for point, name in found.items())


def folder_of(path, faces):
    path.mkdir()
    points_csv.write(
        replace(faces, ids=tuple(f"{i}.png" for i in range(len(faces)))), path / "l.csv"
    )
    for i in range(len(faces)):
        Image.fromarray(np.asarray(faces.images[i])).save(path / f"{i}.png")
    return path


def run(*words):
    done = CliRunner().invoke(app, list(map(str, words)))
    return done.exit_code, done.output + str(done.exception or "")


def test_init_show_and_check_by_the_command(tmp_path):
    data = folder_of(tmp_path / "mine", own())
    code, said = run("scheme", "init", data, "--like", "ibug68")
    assert code == 0, said
    scheme = read_scheme(data / "scheme.toml")
    assert scheme.name == "mine" and scheme.norm == (("exR",), ("exL",))
    assert scheme.mirror[0] in (("jaw_5", "jaw_1"), ("jaw_1", "jaw_5"))
    code, said = run("scheme", "init", data)
    assert code == 1 and "is there already" in said
    code, said = run("scheme", "show", data, "-o", tmp_path / "s.png")
    assert code == 0 and "known as" in said and "nose_tip" in said
    with Image.open(tmp_path / "s.png") as drawn:
        assert min(drawn.size) > 500
    for subject in (data, data / "scheme.toml"):
        code, said = run("scheme", "check", subject)
        assert code == 0 and "6 mirror pairs" not in said and "0 points wrong" in said, said
    pairs = (("exL", "enR"), ("enL", "exR"))
    write_scheme(data / "scheme.toml", replace(scheme, mirror=pairs))
    code, said = run("scheme", "check", data)
    assert code == 1 and "exL (with enR; its mirror image falls on exR)" in said
    code, said = run("scheme", "check", "ibug68")
    assert code == 0 and "keeps the rules" in said
    (data / "scheme.toml").write_text("name = 3")
    for command in ("check", "show"):
        code, said = run("scheme", command, data / "scheme.toml")
        assert code == 1 and "scheme.toml: it has no 'points'" in said


def test_a_scheme_without_any_known_place_cannot_be_drawn():
    assert draw_scheme(ibug68).shape[2] == 3
    with pytest.raises(SettingError, match="is not known"):
        draw_scheme(Scheme(name="x", points=("a", "b"), mirror=()))
