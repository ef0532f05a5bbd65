"""Published sets: read as their authors lay them out, with the right side, order and groups."""

import json
from pathlib import Path

import numpy as np
import published_sets
import pytest
from PIL import Image

from nasion.data import datasets
from nasion.data.datasets import (
    cfp,
    cofw,
    fgnet,
    helen,
    lapa,
    mat3d,
    merl_rav,
    mtfl5,
    webmorph,
    wflw,
)
from nasion.data.datasets._pts_text import pts_text
from nasion.data.load import load_faces, load_train_val
from nasion.data.mirror_check import check_mirror
from nasion.discovery import DATASETS
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import aflw19, ibug68
from nasion.landmarks.face_extent import mean_shape

CORNERS = ["right_eye_outer_corner", "left_eye_outer_corner"]


def by_id(faces):
    return dict(zip(faces.ids, faces.points, strict=True))


@pytest.mark.parametrize("name", published_sets.WRITERS)
def test_what_is_written_is_read_back(name, tmp_path):
    written = published_sets.WRITERS[name](tmp_path, 12)
    module = DATASETS.load(name)
    found = module.read(tmp_path)
    assert datasets.recognise(tmp_path) == name and len(found) == 12
    assert found.scheme == module.SCHEME
    if isinstance(found.images[0], np.ndarray):
        for one, other in zip(found.images, written.images, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(found.points, written.points, atol=1e-4)
        return
    assert all(path.is_file() for path in found.images)
    for path, xy in zip(found.images, found.points, strict=True):
        of_image = written.points[[image == path for image in written.images]]
        # An image may have two faces.
        apart = [np.abs(np.nan_to_num(one) - np.nan_to_num(xy)).max() for one in of_image]
        assert min(apart) < 1e-4


def test_fgnet_counts_from_one_and_groups_by_person_and_decade(tmp_path):
    published_sets.write_fgnet(tmp_path, 3)
    for folder, kind in (("points", ".pts"), ("images", ".png")):
        (tmp_path / folder).mkdir()
        for path in tmp_path.glob(f"*{kind}"):
            # As published: images in capitals, in a folder of their own.
            name = path.name.upper() if kind == ".png" else path.name
            path.rename(tmp_path / folder / name)
    rows = ["version: 1", "n_points: 68", "{", *(f"{i + 1} {2 * i + 1}" for i in range(68)), "}"]
    (tmp_path / "points" / "001a00a.pts").write_text("\n".join(rows))
    faces = load_faces(None, tmp_path)
    assert faces.ids == ("images/001A00A.PNG", "images/001A10B.PNG", "images/001A20A.PNG")
    np.testing.assert_array_equal(faces.points[0], [[i, 2 * i] for i in range(68)])
    assert faces.groups == {"person": ("001",) * 3, "age": ("00-09", "10-19", "20-29")}
    assert faces.linked == ("person",)


def test_a_folder_of_other_pts_files_is_no_fgnet(tmp_path):
    faces = published_sets.write_fgnet(tmp_path, 2)
    for path in faces.images:
        path.with_suffix(".pts").rename(tmp_path / f"x{path.stem}.pts")
        path.rename(tmp_path / f"x{path.name}")
    assert datasets.recognise(tmp_path) == "ibug68"
    with pytest.raises(SettingError, match=r"x001a00a\.png is not named by person and age"):
        fgnet.write_labels(
            published_sets.in_files(faces_of(2), tmp_path, ["x001a00a.png", "b.png"]), tmp_path
        )


def faces_of(count):
    return published_sets.drawn(fgnet.SCHEME, count)


def cfp_lines(mirrored=False):
    """A half face in the file's order: point k at (10 + k, 100 + k), mirrored at (90 - k, ...)."""
    rows = [(90 - k if mirrored else 10 + k, 100 + k) for k in range(30)]
    return "\n".join(f"{x},{y}" for x, y in rows) + "\n"


def cfp_file(folder, pose, text):
    for kind, name in (("Images", "01.jpg"), ("Fiducials", "01.txt")):
        (folder / kind / "007" / pose).mkdir(parents=True, exist_ok=True)
        path = folder / kind / "007" / pose / name
        if kind == "Images":
            Image.new("L", (200, 200)).save(path)
        else:
            path.write_text(text)
    return path


def test_cfp_takes_the_half_from_the_side_of_the_ear(tmp_path):
    # Point 0 is at the ear, point 18 between the eyes.
    cfp_file(tmp_path / "Data", "frontal", cfp_lines())
    cfp_file(tmp_path / "Data", "profile", cfp_lines(mirrored=True))
    frontal, profile = cfp.read(tmp_path)[0], cfp.read(tmp_path)[1]
    assert frontal.ids == ("007/frontal/01.jpg",) and profile.groups["pose"] == ("profile",)
    right = {
        n: p for n, p in zip(cfp.SCHEME.points, frontal.points[0], strict=True) if p[0] == p[0]
    }
    left = {n: p for n, p in zip(cfp.SCHEME.points, profile.points[0], strict=True) if p[0] == p[0]}
    assert len(right) == len(left) == 30 and not any("left" in name for name in right)
    assert not any("right" in name for name in left)
    assert right["jaw_right_1"].tolist() == [9, 99] and right["chin"].tolist() == [17, 107]
    assert left["jaw_left_1"].tolist() == [89, 99]
    assert right["right_eye_outer_corner"].tolist() == [21, 111]
    assert left["left_eye_inner_corner"].tolist() == [74, 114]
    assert right["nasion"].tolist() == [27, 117] and left["nose_tip"].tolist() == [68, 120]


def test_cfp_swaps_the_lower_lid_in_profiles(tmp_path):
    cfp_file(tmp_path, "frontal", cfp_lines())
    cfp_file(tmp_path, "profile", cfp_lines())
    frontal, profile = cfp.read(tmp_path).points
    inner, outer = cfp.SCHEME.index(["right_eye_lower_inner_third", "right_eye_lower_outer_third"])
    assert frontal[inner].tolist() == [25, 115] and frontal[outer].tolist() == [26, 116]
    assert profile[inner].tolist() == [26, 116] and profile[outer].tolist() == [25, 115]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (cfp_lines() + "1,2\n", "Fiducials/007/frontal/01.txt: 31 lines of points, 30 expected"),
        (cfp_lines().replace("12,102", "12;102"), r"01.txt: line 3: '12;102', two numbers x y"),
        (cfp_lines().replace("12,102", "12,1_0"), r"01.txt: line 3: '1_0', a number expected"),
    ],
)
def test_a_faulty_cfp_file_is_refused_with_its_line(tmp_path, text, problem):
    cfp_file(tmp_path, "frontal", text)
    with pytest.raises(DataError, match=problem):
        cfp.read(tmp_path)
    faults = []
    cfp_file(tmp_path, "profile", cfp_lines())
    assert len(cfp.read(tmp_path, faults=faults)) == 1 and len(faults) == 1


def test_mtfl_has_x_first_and_the_viewers_left_is_the_subjects_right(tmp_path):
    line = " lfw_5590\\Ann Lee_0002.jpg 11 31 21 12 32 41 42 61 81 82 2 1 1 4\n"
    (tmp_path / "training.txt").write_text(line + line.replace("Ann Lee", "Bo"))
    (tmp_path / "testing.txt").write_text(line.replace("lfw_5590\\Ann Lee_0002", "AFLW\\0_1_2"))
    faces = mtfl5.read(tmp_path)
    assert faces.ids[0] == "lfw_5590/Ann Lee_0002.jpg" and faces.ids[2] == "AFLW/0_1_2.jpg"
    points = dict(zip(mtfl5.SCHEME.points, faces.points[0].tolist(), strict=True))
    assert points == {
        "right_eye_center": [10, 40], "left_eye_center": [30, 41], "mtfl_nose_tip": [20, 60],
        "mouth_right_corner": [11, 80], "mouth_left_corner": [31, 81],
    }  # fmt: skip
    assert [faces.groups[n][0] for n in ("pose", "gender", "smile", "glasses", "person")] == [
        "right", "female", "smiling", "glasses", "Ann Lee",
    ]  # fmt: skip
    assert faces.groups["person"] == ("Ann Lee", "Bo", "")
    assert faces.groups["photograph"] == ("Ann Lee_0002", "Bo_0002", "0")
    assert len(mtfl5.read(tmp_path, "training")) == 2 and len(mtfl5.read(tmp_path, "test")) == 1
    (tmp_path / "training.txt").write_text(line.replace(" 4\n", " 6\n"))
    with pytest.raises(DataError, match=r"training.txt line 1: '6', a whole number from 1 to 5"):
        mtfl5.read(tmp_path)
    (tmp_path / "training.txt").write_text(
        line.replace(" 11 31", " 11 31 5").replace("Ann Lee", "Lee")
    )
    with pytest.raises(DataError, match=r"training.txt line 1: 16 fields, 15 expected"):
        mtfl5.read(tmp_path)


def test_a_webmorph_template_of_another_kind_is_refused(tmp_path):
    faces = published_sets.write_webmorph(tmp_path, 2)
    assert webmorph.read(tmp_path).groups["set"] == ("canada", "london")
    label = faces.images[0].with_suffix(".tem")
    text = label.read_text()
    for changed, problem in (
        (
            text.replace("189", "37", 1),
            r"line 1: a template of 37 points; nasion knows FRL, of 189",
        ),
        (text.replace("\n44\n", "\n45\n", 1), r"line 191: 45 lines declared, 135 rows expected"),
        (text.replace("\t", "\t\t1 ", 1), r"line 2: .*two numbers x y expected"),
    ):
        label.write_text(changed)
        with pytest.raises(DataError, match=problem):
            webmorph.read(tmp_path)


def test_wflw_lists_give_boxes_attributes_and_faces_of_one_photograph(tmp_path):
    published_sets.write_wflw(tmp_path, 6)
    (tmp_path / "WFLW_annotations").mkdir()
    inner = tmp_path / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    inner.mkdir()
    (tmp_path / "list_98pt_rect_attr_train.txt").rename(inner / "list_98pt_rect_attr_train.txt")
    list_file = inner / "list_98pt_rect_attr_train.txt"
    numbers = [str(i) for i in range(196)]
    row = [*numbers, "5", "6", "70", "80", "0", "1", "0", "0", "1", "0", "0--Event/0 party.png"]
    list_file.write_text(" ".join(row) + "\n" + list_file.read_text())
    faces = load_faces(None, tmp_path)
    assert faces.ids[:2] == ("0--Event/0 party.png", "0--Event/0 party.png#2")
    assert faces.points[0, 1].tolist() == [2, 3] and faces.boxes[0].tolist() == [5, 6, 70, 80]
    attributes = {name: faces.groups[name][0] for name in wflw.ATTRIBUTES}
    assert [n for n, value in attributes.items() if value == "yes"] == ["expression", "occlusion"]
    assert faces.groups["photograph"][0] == faces.groups["photograph"][1]
    assert faces.images[0] == tmp_path / "WFLW_images" / "0--Event" / "0 party.png"
    list_file.write_text(" ".join(row[:-3] + ["a.png"]) + "\n")
    with pytest.raises(DataError, match=r"train.txt line 1: .* fields, 207 expected"):
        wflw.read(tmp_path)
    for number in ("1", "-0.5", "1e5", "½", "١٢", "1_0"):
        for wrong in ([number, *row], [*row[:-1], number, row[-1]]):
            list_file.write_text(" ".join(wrong) + "\n")
            with pytest.raises(DataError, match=r"train.txt line 1: .* fields, 207 expected"):
                wflw.read(tmp_path)
    # Within a name it is a part of the name, as the folders of WIDER FACE have numbers.
    list_file.write_text(" ".join([*row[:-1], "½--Event/0 party.png"]) + "\n")
    assert wflw.read(tmp_path).ids == ("½--Event/0 party.png",)


def framed(points, right, left):
    """Points with these two at (-0.5, 0) and (0.5, 0)."""
    z = points[..., 0] + 1j * points[..., 1]
    middle, span = (z[:, right] + z[:, left]) / 2, z[:, left] - z[:, right]
    return (z - middle[:, None]) / span[:, None]


@pytest.mark.parametrize(
    ("name", "count", "groups", "limit"),
    [
        ("fgnet", 832, {"person": 70, "age": 7}, 0.02),
        ("webmorph", 135, {"set": 2, "person": 135}, 0.05),
    ],
)
def test_mean_shapes_of_real_sets_mirror_onto_themselves(real_data, name, count, groups, limit):
    faces = load_faces(None, real_data / name)
    assert len(faces) == count and faces.complete.all()
    assert {group: len(set(faces.groups[group])) for group in groups} == groups
    shape = framed(faces.points.astype(float), *faces.scheme.index(CORNERS)).mean(0)
    mirrored = -shape.conj()[faces.scheme.flip]
    assert np.abs(mirrored - shape).max() < limit  # of the eyes' distance
    # A wrong pair would be off by more than its neighbours are apart.
    check_mirror(faces)
    # Down the face: brows above the eyes, mouth below the nose, chin last.
    rows = dict(zip(faces.scheme.points, shape.imag, strict=True))
    assert rows["right_eyebrow_outer_end"] < 0 < rows["nose_base"] < rows["mouth_center_top_lip"]
    assert rows["mouth_center_top_lip"] < rows["mouth_center_bottom_lip"] < rows["chin"]


def test_names_that_sets_share_with_ibug_are_near_on_real_faces(real_data):
    ibug = load_faces(None, real_data / "ibug68")
    there = framed(ibug.points.astype(float), *ibug68.index(CORNERS)).mean(0)
    for name, shared, limit in (("fgnet", 23, 0.14), ("webmorph", 20, 0.08)):
        faces = load_faces(None, real_data / name)
        here = framed(faces.points.astype(float), *faces.scheme.index(CORNERS)).mean(0)
        names = [point for point in faces.scheme.points if point in ibug68]
        apart = np.abs(here[faces.scheme.index(names)] - there[ibug68.index(names)])
        # Other people: FG-NET's are children, with short chins. On the same images, as predicted by
        # face68, a shared name is off by 0.025 at most (landmarks/scheme_tables).
        assert len(names) == shared and apart.max() < limit, dict(zip(names, apart, strict=True))


def test_real_cfp_has_the_half_that_each_pose_shows(real_data):
    faces = load_faces(None, real_data / "cfp")
    assert len(faces) == 6298 and len(set(faces.groups["person"])) == 450
    assert (faces.labelled.sum(1) == 30).all()
    left = faces.labelled[:, cfp.SCHEME.index(["left_eye_outer_corner"])[0]]
    profile = faces.group("pose") == "profile"
    assert profile.sum() == 1800 and not left[~profile].any() and left[profile].sum() == 923
    # From the outer to the inner corner, the lower lid's outer third comes first, in both poses.
    for side, chosen in (("right", ~left), ("left", left)):
        names = ["eye_outer_corner", "eye_inner_corner", "eye_lower_outer_third",
                 "eye_lower_inner_third"]  # fmt: skip
        at = cfp.SCHEME.index([f"{side}_{name}" for name in names])
        outer, inner, first, second = np.moveaxis(faces.points[chosen][:, at], 1, 0)
        in_order = ((second - first) * (inner - outer)).sum(-1) > 0
        assert in_order.mean() > 0.98


def test_real_mtfl_has_turned_heads_with_pairs_that_mirror(real_data):
    faces = load_faces(None, real_data / "mtfl5")
    assert len(faces) == 1866 and set(faces.groups["pose"]) == {
        "left profile", "left", "right", "right profile",
    }  # fmt: skip
    points = dict(zip(faces.scheme.points, np.moveaxis(faces.points, 1, 0), strict=True))
    assert (points["left_eye_center"][:, 0] > points["right_eye_center"][:, 0]).mean() > 0.99
    assert (points["mouth_left_corner"][:, 1] > points["left_eye_center"][:, 1]).mean() > 0.99
    # Half of them to each side: the nose is off the middle, but its pairs are right.
    check_mirror(faces)


def test_files_that_are_no_published_set_are_left_to_other_readers(tmp_path):
    (tmp_path / "training.txt").write_text("a.jpg b c\n")
    (tmp_path / "list_98pt.txt").write_text("1 2\n")
    assert not mtfl5.recognises(tmp_path) and not wflw.recognises(tmp_path)
    assert not mtfl5.recognises(Path("nowhere")) and not wflw.recognises(Path("nowhere"))


def test_merl_rav_has_hidden_points_and_missing_ones(tmp_path):
    written = published_sets.write_merl_rav(tmp_path, 6)
    faces = load_faces(None, tmp_path)
    at = [faces.ids.index(name) for name in written.ids]
    np.testing.assert_array_equal(faces.occluded[at], written.occluded)
    np.testing.assert_array_equal(faces.labelled[at], ~np.isnan(written.points[..., 0]))
    # A place that is negative in x alone is left of the image, no mark.
    label = written.images[0].with_suffix(".pts")
    rows = label.read_text().splitlines()
    rows[3] = "-3.5 20"
    label.write_text("\n".join(rows) + "\n")
    found = merl_rav.read(tmp_path)
    one = found.subset([written.ids[0]])
    assert one.points[0, 0].tolist() == [-4.5, 19] and not one.occluded[0, 0]
    assert set(found.groups["view"]) == {"frontal", "left", "lefthalf", "right", "righthalf"}
    assert (
        len(merl_rav.read(tmp_path, "training")) == 4 and len(merl_rav.read(tmp_path, "test")) == 2
    )


def test_lapa_keeps_its_three_sides_and_faces_of_one_photograph(tmp_path):
    published_sets.write_lapa(tmp_path, 16)
    train, val = load_train_val(None, tmp_path)
    assert len(train) == 8 and len(val) == 4 and len(lapa.read(tmp_path, "test")) == 4
    assert sorted(train.groups["photograph"]) == sorted(["1000", "1001", "1004", "1005"] * 2)
    label = next((tmp_path / "val" / "landmarks").glob("*.txt"))
    label.write_text(label.read_text().replace("106", "68", 1))
    with pytest.raises(DataError, match=r"landmarks/.*txt: line 1: '68', the number of points 106"):
        lapa.read(tmp_path)


def test_helen_knows_its_test_images_by_list_or_by_folder(tmp_path):
    faces = published_sets.write_helen(tmp_path, 12)
    test = {name for name in faces.ids if name.startswith("test/")}
    assert set(helen.read(tmp_path, "test").ids) == test
    (tmp_path / "testnames.txt").write_text(f"{faces.images[0].stem}\n")
    assert helen.read(tmp_path, "test").ids == (faces.ids[0],)
    assert len(helen.read(tmp_path, "training")) == 11
    label = tmp_path / "annotation" / "1.txt"
    label.write_text(label.read_text().replace(" , ", " ; ", 1))
    with pytest.raises(DataError, match=r"annotation/1.txt: line 2: .*two numbers x y expected"):
        helen.read(tmp_path)
    label.write_text(f"../{label.read_text()}")
    with pytest.raises(DataError, match=r"annotation/1.txt: line 1: the image .* is outside"):
        helen.read(tmp_path)


def test_cofw_reads_occlusion_boxes_and_upright_images(tmp_path):
    written = published_sets.write_cofw(tmp_path, 9)
    faces = load_faces(None, tmp_path)
    assert faces.ids == (
        *(f"training/{i:04d}" for i in range(1, 7)),
        *(f"test/{i:04d}" for i in (1, 2, 3)),
    )
    np.testing.assert_array_equal(faces.occluded, written.occluded)
    assert faces.boxes[0].tolist() == [2, 3, 52, 58]  # x y w h, from 1
    assert len(cofw.read(tmp_path / "COFW_test_color.mat")) == 3
    with pytest.raises(DataError, match=r"COFW_train_color.mat.*not found here"):
        cofw.read(tmp_path / "COFW_test_color.mat", "training")
    data = (tmp_path / "COFW_test_color.mat").read_bytes()
    (tmp_path / "COFW_test_color.mat").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"COFW_test_color.mat: damaged or truncated"):
        cofw.read(tmp_path)


def test_fitted_heads_have_the_points_of_either_set_and_a_range_of_yaw(tmp_path):
    published_sets.write_mat3d(tmp_path, 8)
    faces = mat3d.read(tmp_path)
    assert faces.groups["yaw"][:3] == ("0-30", "30-60", "60-90")
    assert faces.groups["photograph"] == ("AFW_100",) * 4 + ("AFW_101",) * 4
    from scipy.io import savemat

    savemat(faces.images[0].with_suffix(".mat"), {"pt2d": np.zeros((2, 21))})
    with pytest.raises(DataError, match=r"AFW_100_1_0.mat: pt3d_68 or pt2d .* found 2 x 21"):
        mat3d.read(tmp_path)


def test_halpe_reads_the_face_among_all_points_of_a_person(tmp_path):
    published_sets.write_halpe(tmp_path, 3)
    path = tmp_path / "halpe_train_v1.json"
    document = json.loads(path.read_text())
    document["annotations"][0]["keypoints"][26 * 3 + 2] = 1
    path.write_text(json.dumps(document))
    faces = load_faces(None, tmp_path)
    # Of four people one has no face.
    assert len(faces) == 3 and faces.occluded.sum() == 1 and faces.occluded[0, 0]


# Of each: its scheme, and how far the median point may be from its place on the mean face, in
# distances of the outer eye corners. The heads are turned, those of 300-W-LP by up to 40 degrees.
SAMPLES = {
    "300w/test_300w.json": (ibug68, 0.15),
    "wflw/test_wflw.json": (wflw.SCHEME, 0.15),
    "cofw/test_cofw.json": (cofw.SCHEME, 0.15),
    "aflw/test_aflw.json": (aflw19, 0.15),
    "lapa/test_lapa.json": (lapa.SCHEME, 0.15),
    "300wlp/test_300wlp.json": (mat3d.SCHEME, 0.25),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_real_labels_lie_where_the_names_of_the_scheme_say(real_data, name):
    """Moved and scaled onto the mean face, each point is nearest to the place of its name."""
    scheme, limit = SAMPLES[name]
    faces = load_faces("coco", real_data / "samples" / "other_schemes" / name, scheme=scheme)
    assert len(faces) >= 2 and faces.labelled.mean() > 0.9 and faces.scheme == scheme
    mean = mean_shape(scheme)
    place = mean[:, 0] + 1j * mean[:, 1]
    for xy in faces.points.astype(float):
        known = ~np.isnan(xy[:, 0])
        z = (xy[:, 0] + 1j * xy[:, 1])[known]
        there = place[known] - place[known].mean()
        centred = z - z.mean()
        turn = (centred.conj() * there).sum() / (np.abs(centred) ** 2).sum()
        apart = np.abs(turn * centred - there)  # in distances of the outer eye corners
        mirrored = np.abs(turn * centred - there[_partners(scheme, known)])
        assert np.median(apart) < limit and apart.max() < 4 * limit
        assert np.median(apart) < np.median(mirrored)


def _partners(scheme, known):
    """Of each known point its mirror partner among the known ones, or itself."""
    at = {int(i): k for k, i in enumerate(np.flatnonzero(known))}
    return [at.get(int(scheme.flip[i]), k) for i, k in at.items()]


def test_frames_of_one_video_stay_together_and_equal_numbers_of_two_do_not(tmp_path):
    """300-VW (Shen et al., 2015): 001/vid.avi with 001/annot/000001.pts, frames written beside."""
    faces = published_sets.drawn(ibug68, 4)
    for i, (image, points) in enumerate(zip(faces.images, faces.points, strict=True)):
        folder = tmp_path / f"00{i // 2 + 1}" / "annot"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "vid.avi").touch()
        Image.fromarray(image).save(folder / f"{i % 2 + 1:06d}.jpg")
        (folder / f"{i % 2 + 1:06d}.pts").write_text(pts_text(points))
    found = load_faces(None, tmp_path)
    assert found.groups["photograph"] == ("001/vid.avi",) * 2 + ("002/vid.avi",) * 2
    assert found.groups["subset"] == ("001", "001", "002", "002")


@pytest.mark.parametrize("name", ["fgnet", "webmorph", "cfp", "merl_rav", "lapa"])
def test_files_that_macos_adds_are_no_labels(name, tmp_path):
    """Beside ``a.pts`` macOS writes ``._a.pts`` on other systems' disks and into archives."""
    published_sets.WRITERS[name](tmp_path, 4)
    for path in [each for each in tmp_path.rglob("*") if each.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07\xff")
    assert datasets.recognise(tmp_path) == name
    assert len(DATASETS.load(name).read(tmp_path)) == 4


@pytest.mark.parametrize("name", ["fgnet", "webmorph", "cfp", "merl_rav", "lapa", "helen"])
@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_blank_label_file_is_a_fault_of_one_face(name, text, tmp_path):
    published_sets.WRITERS[name](tmp_path, 8)
    kinds = (".txt", ".pts", ".tem")
    label = next(path for path in sorted(tmp_path.rglob("*")) if path.suffix in kinds)
    label.write_text(text)
    faults = []
    assert len(DATASETS.load(name).read(tmp_path, faults=faults)) == 7
    (fault,) = faults
    assert label.name in str(fault)
