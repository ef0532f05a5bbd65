"""Label Studio's JSON: faces by parents, relations and rectangles; addresses; what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from nasion.data.datasets import label_studio, recognise
from nasion.data.label_check import check
from nasion.data.label_reading import LabelReading
from nasion.data.load import load_faces
from nasion.data.stated_sizes import stated_sizes_of
from nasion.errors import DataError


def point(label, x, y, region="p", **more):
    value = {"x": x, "y": y, "width": 0.3, "keypointlabels": [label]}
    return entry("keypointlabels", value, region, **more)


def rectangle(region, x, y, width, height, **more):
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
    return entry("rectanglelabels", value | {"rectanglelabels": ["f"]}, region, **more)


def entry(kind, value, region, **more):
    size = {"original_width": 200, "original_height": 100, "image_rotation": 0}
    return {"id": region, "type": kind, "to_name": "image", **size, "value": value, **more}


def write(folder, *results, image="/data/upload/1/a.jpg"):
    annotations = [{"id": i, "result": list(result)} for i, result in enumerate(results)]
    return write_tasks(folder, [{"id": 1, "data": {"image": image}, "annotations": annotations}])


def write_tasks(folder, tasks):
    path = folder / "export.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    if not (folder / "a.jpg").exists():
        Image.new("L", (200, 100)).save(folder / "a.jpg")
    return path


def test_percent_are_pixels_from_the_first_pixels_corner(tmp_path):
    path = write(tmp_path, [point("Nasen spitze", 50, 20)])
    assert recognise(path) == recognise(tmp_path) == "label_studio"
    faces = label_studio.read(path)
    np.testing.assert_allclose(faces.points, [[[99.5, 19.5]]])
    assert faces.images == (tmp_path / "a.jpg",) and faces.scheme.points == ("Nasen spitze",)


def test_a_parent_or_a_relation_makes_points_a_face(tmp_path):
    two = [rectangle("r1", 0, 0, 50, 90), rectangle("r2", 10, 0, 50, 90)]
    points = [
        point("eye", 20, 10, "a", parentID="r2"),
        point("eye", 30, 10, "b", parentID="r1"),
    ]
    faces = label_studio.read(write(tmp_path, two + points))
    by_x = dict(zip(faces.boxes[:, 0].tolist(), faces.points[:, 0, 0].tolist(), strict=True))
    assert by_x == {-0.5: 59.5, 19.5: 39.5}
    links = [
        {"type": "relation", "from_id": "a", "to_id": "r2", "direction": "right"},
        {"type": "relation", "from_id": "r1", "to_id": "b", "direction": "left"},
    ]
    for each in points:
        del each["parentID"]
    again = label_studio.read(write(tmp_path, two + points + links))
    assert (
        dict(zip(again.boxes[:, 0].tolist(), again.points[:, 0, 0].tolist(), strict=True)) == by_x
    )


@pytest.mark.parametrize("is_from_the_rectangle", [True, False])
def test_all_points_that_a_rectangle_is_related_to_are_its_face(tmp_path, is_from_the_rectangle):
    # The rectangles overlap, and each contains all points: only the relations tell.
    regions = [rectangle("r0", 0, 0, 90, 90), rectangle("r1", 5, 0, 90, 90)]
    for face in range(2):
        for k, name in enumerate(("left", "right", "nose")):
            regions.append(point(name, 20 + 10 * k + face, 30, f"p{face}{k}"))
            ends = [f"r{face}", f"p{face}{k}"]
            start, end = ends if is_from_the_rectangle else ends[::-1]
            regions.append({"type": "relation", "from_id": start, "to_id": end})
    # Two points of one face that are related too say nothing about faces.
    regions.append({"type": "relation", "from_id": "p00", "to_id": "p01"})
    faces = label_studio.read(write(tmp_path, regions))
    np.testing.assert_allclose(faces.boxes[:, 0], [-0.5, 9.5])
    np.testing.assert_allclose(faces.points[:, :, 0], [[39.5, 59.5, 79.5], [41.5, 61.5, 81.5]])


def test_points_related_to_one_polygon_are_a_face(tmp_path):
    regions = []
    for face in range(2):
        regions.append(entry("polygonlabels", {"points": [], "polygonlabels": ["f"]}, f"g{face}"))
        for k, name in enumerate(("eye", "nose")):
            regions.append(point(name, 20 + 10 * k + face, 30, f"p{face}{k}"))
            relation = {"type": "relation", "from_id": f"g{face}", "to_id": f"p{face}{k}"}
            regions.append(relation)
    faces = label_studio.read(write(tmp_path, regions))
    np.testing.assert_allclose(faces.points[:, :, 0], [[39.5, 59.5], [41.5, 61.5]])


def test_a_point_that_is_related_to_two_rectangles_is_a_fault(tmp_path):
    two = [rectangle("r1", 0, 0, 50, 90), rectangle("r2", 10, 0, 50, 90), point("eye", 20, 10, "a")]
    links = [{"type": "relation", "from_id": "a", "to_id": each} for each in ("r1", "r2")]
    with pytest.raises(DataError, match=r"export.json \[0\]: point 'a' .* 'r1' and 'r2'"):
        label_studio.read(write(tmp_path, two + links))


def test_points_without_a_link_are_of_the_rectangle_that_contains_them(tmp_path):
    two = [rectangle("r1", 0, 0, 40, 90), rectangle("r2", 50, 0, 50, 90)]
    faces = label_studio.read(write(tmp_path, [*two, point("eye", 70, 9), point("eye", 20, 9)]))
    np.testing.assert_allclose(faces.points[:, 0, 0], [39.5, 139.5])


def test_a_choice_marks_a_hidden_point(tmp_path):
    choice = entry("choices", {"choices": ["Occluded"]}, "p2")
    regions = [point("eye", 20, 10, "p1"), point("nose", 25, 20, "p2"), choice]
    faces = label_studio.read(write(tmp_path, regions))
    assert faces.occluded is not None and faces.occluded.tolist() == [[False, True]]


def test_of_several_annotations_the_ground_truth_counts_else_the_last(tmp_path):
    path = write(tmp_path, [point("eye", 10, 10)], [point("eye", 20, 10)], [point("eye", 30, 10)])
    assert label_studio.read(path).points[0, 0, 0] == 59.5
    tasks = json.loads(path.read_text())
    tasks[0]["annotations"][2]["was_cancelled"] = True
    assert label_studio.read(write_tasks(tmp_path, tasks)).points[0, 0, 0] == 39.5
    tasks[0]["annotations"][0]["ground_truth"] = True
    assert label_studio.read(write_tasks(tmp_path, tasks)).points[0, 0, 0] == 19.5


def test_json_min_and_the_oldest_exports_are_read(tmp_path):
    size = {"original_width": 200, "original_height": 100}
    point = {"x": 50, "y": 20, "width": 0.3, "keypointlabels": ["eye"]}
    box = {"x": 10, "y": 10, "width": 60, "height": 60, "rectanglelabels": ["face"]}
    small = {"image": "/data/upload/a.jpg", "id": 3, "kp": [point | size], "box": [box | size]}
    faces = label_studio.read(write_tasks(tmp_path, [small]))
    np.testing.assert_allclose(faces.points, [[[99.5, 19.5]]])
    np.testing.assert_allclose(faces.boxes, [[19.5, 9.5, 139.5, 69.5]])
    old = {"completions": [{"result": [{"type": "keypointlabels", "id": "a", "value": point}]}]}
    old |= {"data": {"image": "https://example.org/x/a.jpg"}}
    np.testing.assert_allclose(
        label_studio.read(write_tasks(tmp_path, old)).points, [[[99.5, 19.5]]]
    )


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("/data/upload/3/0a1b2c3d-a.jpg", "a.jpg"),
        ("/data/local-files/?d=set/b%20c.jpg", "set/b c.jpg"),
        ("s3://bucket/pictures/set/d.jpg", "set/d.jpg"),
        ("https://example.org/%C3%BC.jpg?x=1", "ü.jpg"),
        ("e#1.jpg", "e#1.jpg"),
    ],
)
def test_images_are_found_by_their_address(tmp_path, address, file):
    (tmp_path / "set").mkdir()
    Image.new("L", (200, 100)).save(tmp_path / file)
    faces = label_studio.read(write(tmp_path, [point("eye", 20, 10)], image=address))
    assert faces.images == (tmp_path / file,)


@pytest.mark.parametrize(
    ("region", "problem"),
    [
        (
            point("eye", "x", 1),
            r"export.json \[0\].annotations\[0\].result\[0\].value.x: 'x' found",
        ),
        (point("eye", 1, 1, image_rotation=90), "turned in Label Studio"),
        (point("eye", 1, 1, original_width=0), "0 found, a whole number 1 to"),
        (rectangle("r", 1, 1, 0, 5), "an area above 0"),
        (entry("keypointlabels", {"x": 1, "y": 1, "keypointlabels": ["a", "b"]}, "p"), "2 labels"),
    ],
)
def test_what_means_nothing_is_refused_with_its_key(tmp_path, region, problem):
    with pytest.raises(DataError, match=problem):
        label_studio.read(write(tmp_path, [region]))


def test_a_task_without_an_image_is_refused_and_an_unlabelled_one_left_out(tmp_path):
    path = write(tmp_path, [point("eye", 20, 10)])
    tasks = json.loads(path.read_text())
    empty = {"id": 2, "data": {"image": "b.jpg"}, "annotations": []}
    assert len(label_studio.read(write_tasks(tmp_path, [*tasks, empty]))) == 1
    tasks[0]["data"] = {"text": "hello"}
    with pytest.raises(DataError, match=r"\[0\].data: it names no image"):
        label_studio.read(write_tasks(tmp_path, tasks))


def test_a_turned_rectangle_is_the_upright_box_around_it(tmp_path):
    # 40 x 20 pixels, turned clockwise about its first corner at 100, 20.
    turned = rectangle("r", 50, 20, 20, 20)
    turned["value"]["rotation"] = 90
    faces = label_studio.read(write(tmp_path, [turned, point("eye", 45, 30)]))
    np.testing.assert_allclose(faces.boxes[0], [79.5, 19.5, 99.5, 59.5], atol=1e-5)


def test_predictions_alone_are_refused_with_what_to_do(tmp_path):
    predicted = {"model_version": "m", "result": [point("eye", 20, 10)]}
    task = {"id": 1, "data": {"image": "a.jpg"}, "annotations": [], "predictions": [predicted]}
    with pytest.raises(DataError, match=r"a model predicted its labels.*submitted in Label Studio"):
        label_studio.read(write_tasks(tmp_path, [task]))
    own = {"id": 5, "result": [point("eye", 40, 10)]}
    tasks = [task, task | {"id": 2, "annotations": [own]}]
    assert label_studio.read(write_tasks(tmp_path, tasks)).points[0, 0, 0] == 79.5


def test_a_choice_of_no_region_marks_no_point(tmp_path):
    choice = entry("choices", {"choices": ["occluded"]}, "")
    faces = label_studio.read(write(tmp_path, [point("eye", 20, 10, ""), choice]))
    assert faces.occluded is None


def test_a_faulty_task_is_told_and_left_out_whole_and_the_others_are_read(tmp_path):
    path = write(tmp_path, [point("eye", 20, 10), point("nose", 30, 10)])
    (good,) = json.loads(path.read_text())
    for name in ("b.jpg", "c.jpg"):
        Image.new("L", (200, 100), 9).save(tmp_path / name)
    half = [{"result": [point("eye", 20, 10), point("nose", "x", 10)]}]
    turned = [{"result": [point("eye", 20, 10, image_rotation=90)]}]
    tasks = [
        {"id": 1, "data": {"text": ""}, "annotations": good["annotations"]},
        {"id": 2, "data": {"image": "b.jpg"}, "annotations": half},
        {"id": 3, "data": {"image": "c.jpg"}, "annotations": turned},
        {"id": 4, "data": {"image": "a\0.jpg"}, "annotations": good["annotations"]},
        good,
    ]
    write_tasks(tmp_path, tasks)
    faults = [str(fault) for fault in check(path).faults]
    assert len(faults) == 4 and all("Label Studio" in fault for fault in faults[:3])
    assert "export.json: [0].data: it names no image" in faults[0]
    assert not any("nasion's json" in fault or "COCO" in fault for fault in faults)
    faces = load_faces(None, path, reading=LabelReading(skip_faults=True))
    assert faces.images == (tmp_path / "a.jpg",) and faces.labelled.all()
    stated = stated_sizes_of(label_studio, path)
    assert stated.of(tmp_path / "a.jpg") == (200, 100) and stated.of(tmp_path / "c.jpg") is None
