"""Roboflow's COCO export: splits by folder, altered copies of a photograph, and what is refused."""

import json

import pytest
from PIL import Image

from nasion.data.datasets import recognise, roboflow
from nasion.data.label_check import check
from nasion.data.load import load_faces, load_train_val
from nasion.errors import DataError


def write(folder, names, keypoints=("Auge", "Nase")):
    """An export's folder as Roboflow writes it: an empty parent category, a mask, whole numbers."""
    folder.mkdir(parents=True)
    images, annotations = [], []
    for k, name in enumerate(names):
        Image.new("L", (40, 30), k).save(folder / name)
        images.append({"id": k, "file_name": name, "width": 40, "height": 30})
        annotation = {"id": k, "image_id": k, "category_id": 1, "bbox": [1, 2, 20, 20]}
        annotation |= {"keypoints": [3 + k, 4, 2, 7, 8, 1], "segmentation": {"counts": "a1"}}
        annotations.append(annotation)
    categories = [{"id": 0, "name": "faces", "supercategory": "none"}]
    categories.append({"id": 1, "name": "face", "keypoints": keypoints, "skeleton": [[1, 2]]})
    value = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "_annotations.coco.json").write_text(json.dumps(value))


def test_splits_are_the_folders(tmp_path):
    write(tmp_path / "train", ["a.jpg", "b.jpg"])
    write(tmp_path / "valid", ["c.jpg"])
    assert recognise(tmp_path) == "roboflow"
    assert roboflow.splits(tmp_path) == ("all", "train", "val")
    train, val = load_train_val(None, tmp_path)
    assert train.ids == ("train/a.jpg", "train/b.jpg") and val.ids == ("valid/c.jpg",)
    assert train.scheme.points == ("Auge", "Nase") and train.scheme.edges == (("Auge", "Nase"),)
    assert train.images[0] == tmp_path / "train" / "a.jpg"


def test_altered_copies_of_a_photograph_stay_together(tmp_path):
    copies = [f"me_jpg.rf.{k}0a1b2c3d4e5f60718.jpg" for k in range(3)]
    write(tmp_path / "train", [*copies, *(f"{k}.jpg" for k in range(9))])
    train, val = load_train_val(None, tmp_path)
    sides = [
        {name.split(".rf.")[0] for name in side.ids if ".rf." in name} for side in (train, val)
    ]
    assert len(train) + len(val) == 12 and min(map(len, sides)) == 0


def test_folders_of_different_points_are_refused(tmp_path):
    write(tmp_path / "train", ["a.jpg"])
    write(tmp_path / "test", ["b.jpg"], keypoints=("Auge", "Mund"))
    with pytest.raises(DataError, match=r"test/_annotations.coco.json: its keypoints differ"):
        roboflow.read(tmp_path)


def test_a_split_that_cannot_be_read_leaves_the_others_to_be_checked_and_loaded(tmp_path):
    write(tmp_path / "train", ["a.jpg"])
    write(tmp_path / "valid", ["b.jpg"])
    damaged = tmp_path / "valid" / "_annotations.coco.json"
    damaged.write_text(damaged.read_text()[:-9])
    result = check(tmp_path)
    assert {fault.place for fault in result.faults} == {"all", "val"}
    assert all("COCO's files have images" in fault.problem for fault in result.faults)
    assert "images of another size than their labels'" in result.looked_for
    assert load_faces("roboflow", tmp_path, "train").ids == ("train/a.jpg",)
