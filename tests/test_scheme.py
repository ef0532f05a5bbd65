"""Schemes: names agree with the published index tables, flips are flips, mean faces mirror onto
themselves.
"""

import numpy as np
import pytest

from nasion.data.datasets import toy
from nasion.data.load import load_faces
from nasion.errors import SettingError
from nasion.landmarks.catalog import (
    SCHEMES,
    cofw29,
    fkd15,
    ibug68,
    imm58,
    mirror_name,
    scheme_named,
    wflw98,
)
from nasion.landmarks.scheme import Scheme


def pairs(*spans):
    """(a, b) pairs; (a, b, n) is n pairs a-b, (a+1)-(b-1) ...; (a, b, n, 1) counts both up."""
    return {
        tuple(sorted((a + i, b + i * (1 if rest[1:] else -1))))
        for a, b, *rest in spans
        for i in range(rest[0] if rest else 1)
    }


PUBLISHED = {
    # Read off the mean shape of the real labels, and checked on it below.
    "fgnet68": pairs(
        (0, 14, 7),
        (15, 21, 6, 1),
        (27, 32, 5, 1),
        (37, 45, 4),
        (46, 47),
        (48, 54, 3),
        (55, 59, 2),
        (60, 62),
        (63, 65),
    ),
    "cfp50": pairs((0, 30, 8, 1), (9, 38, 9, 1), (23, 47, 3, 1)),
    "mtfl5": pairs((0, 1), (3, 4)),
    "webmorph189": pairs(
        (0, 1),
        (2, 10),
        (3, 17, 7),
        (18, 27, 5),
        (28, 33, 3),
        (34, 43, 5),
        (44, 49, 3),
        (50, 56, 5, 1),
        (61, 66, 5, 1),
        (71, 82, 6),
        (83, 86, 2),
        (87, 93, 3),
        (94, 98, 2),
        (99, 103, 2),
        (104, 108, 2),
        (109, 112, 3, 1),
        (115, 120, 5, 1),
        (125, 133, 4),
        (134, 144, 5),
        (145, 157, 6),
        (158, 161, 3, 1),
        (164, 167, 3, 1),
        (170, 172, 2, 1),
        (176, 178),
        (179, 182, 2),
        (183, 184),
        (185, 187, 2, 1),
    ),
    # As Stasm's table says.
    "helen194": pairs(
        (0, 40, 20),
        (41, 57, 8),
        (58, 72, 7),
        (73, 86, 7),
        (87, 100, 7),
        (101, 113, 6),
        (114, 134, 20, 1),
        (154, 174, 20, 1),
    ),
    "mat3d68": pairs(
        (0, 16, 8),
        (17, 26, 5),
        (31, 35, 2),
        (36, 45),
        (37, 44),
        (38, 43),
        (39, 42),
        (40, 47),
        (41, 46),
        (48, 54, 3),
        (55, 59, 2),
        (60, 64, 2),
        (65, 67),
    ),
    # As the tables of MMPose say.
    "aflw19": pairs((0, 5, 3), (6, 11, 3), (12, 14), (15, 17)),
    "lapa106": pairs(
        (0, 32, 16),
        (33, 46, 5),
        (38, 50, 4),
        (55, 65, 5),
        (66, 79, 5),
        (71, 82, 3),
        (74, 83),
        (84, 90, 3),
        (91, 95, 2),
        (96, 100, 2),
        (101, 103),
        (104, 105),
    ),
    "imm_nose": set(),
    "fkd15": pairs((0, 1), (2, 4), (3, 5), (6, 8), (7, 9), (11, 12)),
    "imm58": pairs(
        (0, 12, 6), (13, 21, 8, 1), (29, 34, 5, 1), (39, 43), (40, 42), (44, 46), (47, 57, 5)
    ),
    "ibug68": pairs(
        (0, 16, 8),
        (17, 26, 5),
        (31, 35, 2),
        (36, 45),
        (37, 44),
        (38, 43),
        (39, 42),
        (40, 47),
        (41, 46),
        (48, 54, 3),
        (55, 59, 2),
        (60, 64, 2),
        (65, 67),
    ),
    "wflw98": pairs(
        (0, 32, 16),
        (33, 46, 5),
        (38, 50, 4),
        (55, 59, 2),
        (60, 72, 5),
        (65, 75, 3),
        (76, 82, 3),
        (83, 87, 2),
        (88, 92, 2),
        (93, 95),
        (96, 97),
    ),
    "cofw29": pairs(
        (0, 1),
        (2, 3),
        (4, 6),
        (5, 7),
        (8, 9),
        (10, 11),
        (12, 14),
        (13, 15),
        (16, 17),
        (18, 19),
        (22, 23),
    ),
}


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_flips_are_the_published_ones_and_undo_themselves(scheme):
    found = {(i, int(j)) for i, j in enumerate(scheme.flip) if i < j}
    assert found == PUBLISHED[scheme.name]
    assert (scheme.flip[scheme.flip] == np.arange(len(scheme))).all()


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_only_points_of_the_middle_are_their_own_mirror(scheme):
    alone = {p for i, p in enumerate(scheme.points) if scheme.flip[i] == i}
    assert not {p for p in alone if "left" in p.split("_") or "right" in p.split("_")}
    assert all(mirror_name(mirror_name(p)) == p for p in scheme.points)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_mirrored_mean_toy_face_agrees_with_the_mean_face(scheme):
    faces = toy.draw(60, scheme, seed=2)
    mean = faces.points.mean(0)
    center = mean[:, 0].mean()
    mirrored = (mean * [-1, 1] + [2 * center, 0])[scheme.flip]
    # Pixels; 60 random poses do not quite balance, and turn hair and neck further than the face.
    assert np.abs(mirrored - mean).max() < (6 if scheme.name == "webmorph189" else 4)


@pytest.mark.parametrize(
    ("scheme", "name", "index"),
    [
        (ibug68, "nose_tip", 30),
        (ibug68, "nose_base", 33),
        (ibug68, "right_eye_outer_corner", 36),
        (ibug68, "right_eye_inner_corner", 39),
        (ibug68, "left_eye_inner_corner", 42),
        (ibug68, "left_eye_outer_corner", 45),
        (ibug68, "mouth_right_corner", 48),
        (ibug68, "mouth_center_top_lip", 51),
        (ibug68, "mouth_left_corner", 54),
        (ibug68, "mouth_center_bottom_lip", 57),
        (ibug68, "chin", 8),
        (imm58, "left_eye_outer_corner", 13),
        (imm58, "left_eye_inner_corner", 17),
        (imm58, "right_eye_outer_corner", 21),
        (imm58, "right_eye_inner_corner", 25),
        (imm58, "mouth_right_corner", 39),
        (imm58, "mouth_center_top_lip", 41),
        (imm58, "mouth_left_corner", 43),
        (imm58, "mouth_center_bottom_lip", 45),
        (imm58, "nose_base", 52),
        (imm58, "chin", 6),
        (wflw98, "right_eye_outer_corner", 60),
        (wflw98, "left_eye_outer_corner", 72),
        (wflw98, "nose_tip", 54),
        (wflw98, "chin", 16),
        (wflw98, "mouth_right_corner", 76),
        (wflw98, "right_pupil", 96),
        (cofw29, "right_eye_outer_corner", 8),
        (cofw29, "chin", 28),
        (fkd15, "nose_tip", 10),
    ],
)
def test_points_stand_where_the_tables_say(scheme, name, index):
    assert scheme.points[index] == name


def test_the_same_name_means_the_same_place_in_every_scheme():
    face = {
        s.name: dict(zip(s.points, toy.draw(1, s, seed=5).points[0], strict=True))
        for s in SCHEMES.values()
    }
    for a in face.values():
        for b in face.values():
            for name in a.keys() & b.keys():
                np.testing.assert_allclose(a[name], b[name], atol=1e-3)
    assert len(face["imm58"].keys() & face["ibug68"].keys()) >= 9


def test_wflw_holds_every_jaw_point_of_ibug_at_every_second_place():
    assert wflw98.points[0:33:2] == ibug68.points[0:17]


def test_pupils_come_from_the_points_that_a_scheme_has():
    assert fkd15.norm_groups("pupils") == (("right_eye_center",), ("left_eye_center",))
    assert wflw98.norm_groups("pupils") == (("right_pupil",), ("left_pupil",))
    right, left = ibug68.norm_groups("pupils")
    assert set(ibug68.index(right)) == set(range(36, 42)) and set(ibug68.index(left)) == set(
        range(42, 48)
    )
    assert ibug68.norm_groups("nose_tip:chin,nose_base") == (("nose_tip",), ("chin", "nose_base"))


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(SettingError, match=r"no point 'nase'; it has left_eye_center"):
        fkd15.index(["nase"])
    with pytest.raises(SettingError, match="No norm 'ear'; there are box, outer_eye_corners"):
        fkd15.norm_groups("ear")
    with pytest.raises(SettingError, match="there are fkd15, imm58"):
        scheme_named("fkd16")


def test_a_scheme_with_a_point_twice_or_two_partners_is_refused():
    with pytest.raises(SettingError, match="'a' is a point twice"):
        Scheme(name="s", points=("a", "a"), mirror=())
    with pytest.raises(SettingError, match="'b' is a mirror partner twice"):
        Scheme(name="s", points=("a", "b", "c"), mirror=(("a", "b"), ("b", "c")))


def test_imm_and_ibug_mean_shapes_mirror_onto_themselves_on_real_labels(real_data):
    for scheme, shapes in ((imm58, _imm(real_data)), (ibug68, _ibug(real_data))):
        shape = _framed(
            shapes, *scheme.index(["right_eye_outer_corner", "left_eye_outer_corner"])
        ).mean(0)
        mirrored = (shape * [-1, 1])[scheme.flip]
        assert np.abs(mirrored - shape).max() < 0.08, scheme.name  # of the eyes' distance


def test_the_kaggle_mean_shape_mirrors_onto_itself_and_onto_ibugs_on_real_labels(real_data):
    faces = load_faces("fkd", real_data / "fkd")
    corners = ["right_eye_outer_corner", "left_eye_outer_corner"]
    shape = _framed(faces.points[faces.complete].astype(float), *fkd15.index(corners)).mean(0)
    assert np.abs((shape * [-1, 1])[fkd15.flip] - shape).max() < 0.03
    ibug = _framed(_ibug(real_data), *ibug68.index(corners)).mean(0)
    shared = [name for name in fkd15.points if name in ibug68]
    assert (
        len(shared) == 13
        and np.linalg.norm(shape[fkd15.index(shared)] - ibug[ibug68.index(shared)], axis=1).max()
        < 0.03
    )


def test_the_names_that_imm_and_ibug_share_are_near_on_real_faces(real_data):
    imm, ibug = (
        _framed(shapes, *scheme.index(["right_eye_outer_corner", "left_eye_outer_corner"])).mean(0)
        for scheme, shapes in ((imm58, _imm(real_data)), (ibug68, _ibug(real_data)))
    )
    shared = [name for name in imm58.points if name in ibug68]
    apart = np.linalg.norm(imm[imm58.index(shared)] - ibug[ibug68.index(shared)], axis=1)
    assert len(shared) == 10 and apart.max() < 0.08, dict(zip(shared, apart.round(3), strict=True))


def _framed(shapes, right, left):
    """Shapes with the eyes' outer corners at (-0.5, 0) and (0.5, 0)."""
    z = shapes[..., 0] + 1j * shapes[..., 1]
    middle, span = (z[:, right] + z[:, left]) / 2, z[:, left] - z[:, right]
    w = (z - middle[:, None]) / span[:, None]
    return np.stack([w.real, w.imag], -1)


def _imm(folder):
    shapes = []
    for path in sorted((folder / "imm").glob("*.asf")):
        rows = [
            line.split()
            for line in path.read_text("latin-1").splitlines()
            if line.strip() and line[0] != "#"
        ]
        shapes.append([[float(r[2]) * 640 - 0.5, float(r[3]) * 480 - 0.5] for r in rows[1:59]])
    return np.array(shapes)


def _ibug(folder):
    files = sorted((folder / "ibug68").rglob("*.pts"))
    shapes = [
        [
            list(map(float, line.split()))
            for line in path.read_text().splitlines()
            if len(line.split()) == 2 and ":" not in line
        ]
        for path in files
    ]
    return np.array([shape for shape in shapes if len(shape) == 68]) - 1
