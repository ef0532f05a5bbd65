"""Small datasets of drawn faces in the layout of each published set, as its authors lay it out."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from nasion.data.datasets import (
    cfp,
    cofw,
    fgnet,
    halpe,
    helen,
    lapa,
    mat3d,
    merl_rav,
    mtfl5,
    toy,
    webmorph,
    wflw,
)
from nasion.data.datasets._image_names import numbered_faces
from nasion.landmarks.faces import Faces

COUNT = 60


def in_files(faces: Faces, folder: Path, names: list[str]) -> Faces:
    """The faces with their images written as files of these names."""
    for name, image in zip(names, faces.images, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / name)
    return replace(faces, ids=numbered_faces(names), images=tuple(folder / name for name in names))


def drawn(scheme, count=COUNT) -> Faces:
    return toy.draw(count, scheme, seed=4, size=64)


def write_fgnet(folder: Path, count: int = COUNT) -> Faces:
    names = [f"{i // 6 + 1:03d}a{10 * (i % 6):02d}{'ab'[i % 2]}.png" for i in range(count)]
    faces = in_files(drawn(fgnet.SCHEME, count), folder, names)
    fgnet.write_labels(faces, folder)
    return faces


def write_cfp(folder: Path, count: int = COUNT) -> Faces:
    poses = ["profile" if i % 3 == 2 else "frontal" for i in range(count)]
    names = [f"Images/{i // 6 + 1:03d}/{poses[i]}/{i % 6 + 1:02d}.png" for i in range(count)]
    faces = in_files(drawn(cfp.SCHEME, count), folder, names)
    points = faces.points.copy()
    for i in range(count):
        # Frontal faces have their right half; profiles here the left one.
        other = "right" if poses[i] == "profile" else "left"
        gone = [k for k, name in enumerate(faces.scheme.points) if other in name.split("_")]
        points[i, gone] = np.nan
    faces = replace(faces, points=points)
    cfp.write_labels(faces, folder)
    return faces


def write_mtfl5(folder: Path, count: int = COUNT) -> Faces:
    names = [f"lfw_5590/Ann_Lee{i // 4:02d}_{i:04d}.png" for i in range(count)]
    faces = in_files(drawn(mtfl5.SCHEME, count), folder, names)
    mtfl5.write_labels(faces, folder)
    # The published lists have backslashes and begin lines with a space.
    text = (folder / "training.txt").read_text().replace("lfw_5590/", " lfw_5590\\")
    (folder / "training.txt").write_text(text)
    return faces


def write_webmorph(folder: Path, count: int = COUNT) -> Faces:
    names = [f"neutral_front/{i:03d}_03.png" for i in range(count // 2)]
    names += [f"canada/{i:03d}f.png" for i in range(count - len(names))]
    faces = in_files(drawn(webmorph.SCHEME, count), folder, names)
    webmorph.write_labels(faces, folder)
    for label in folder.rglob("*.tem"):
        # The published files end in one more number.
        label.write_text(label.read_text() + "43\n")
    return faces


def write_wflw(folder: Path, count: int = COUNT) -> Faces:
    names = [f"WFLW_images/{i // 10}--Event/{i // 2} party.png" for i in range(count)]
    faces = in_files(drawn(wflw.SCHEME, count), folder, names)
    faces = replace(faces, groups={"blur": tuple("yes" if i % 3 else "no" for i in range(count))})
    wflw.write_labels(faces, folder)
    return faces


def write_merl_rav(folder: Path, count: int = COUNT) -> Faces:
    views = ("frontal", "left", "lefthalf", "right", "righthalf")
    sides = ("trainset", "trainset", "testset")
    names = [f"{views[i % 5]}/{sides[i % 3]}/image{i:05d}.png" for i in range(count)]
    faces = in_files(drawn(merl_rav.SCHEME, count), folder, names)
    points, occluded = faces.points.copy(), np.zeros((count, 68), bool)
    points[1::2, :5] = np.nan
    occluded[::2, 60:] = True
    for path, xy, hidden in zip(faces.images, points, occluded, strict=True):
        signed = np.where(hidden[:, None], -(xy + 1), xy + 1)
        rows = [f"{x:.5f} {y:.5f}" if x == x else "-1 -1" for x, y in signed.tolist()]
        text = "\n".join(["version: 1", "n_points: 68", "{", *rows, "}"])
        path.with_suffix(".pts").write_text(text + "\n")
    return replace(faces, points=points, occluded=occluded)


def write_lapa(folder: Path, count: int = COUNT) -> Faces:
    sides = [("train", "train", "val", "test")[i // 2 % 4] for i in range(count)]
    names = [f"{side}/images/{1000 + i // 2}_{i % 2}.png" for i, side in enumerate(sides)]
    faces = in_files(drawn(lapa.SCHEME, count), folder, names)
    for path, points in zip(faces.images, faces.points, strict=True):
        label = path.parents[1] / "landmarks" / f"{path.stem}.txt"
        label.parent.mkdir(exist_ok=True)
        rows = [f"{x:.6f} {y:.6f}" for x, y in points.tolist()]
        label.write_text("\n".join(["106", *rows]) + "\n")
    return faces


def write_helen(folder: Path, count: int = COUNT) -> Faces:
    folders = ("train_1", "train_2", "test")
    names = [f"{folders[i // 2 % 3]}/{20000 + i // 2}_{i % 2 + 1}.png" for i in range(count)]
    faces = in_files(drawn(helen.SCHEME, count), folder, names)
    (folder / "annotation").mkdir()
    for i, (path, points) in enumerate(zip(faces.images, faces.points, strict=True), start=1):
        rows = [f"{x:.6f} , {y:.6f}" for x, y in points.tolist()]
        (folder / "annotation" / f"{i}.txt").write_text("\n".join([path.stem, *rows]) + "\n")
    return faces


def write_halpe(folder: Path, count: int = COUNT) -> Faces:
    names = [f"images/{i:012d}.png" for i in range(count)]
    faces = in_files(drawn(halpe.SCHEME, count), folder, names)
    annotations = []
    for i, points in enumerate(faces.points.tolist()):
        face = [value for x, y in points for value in (x, y, 2)]
        body, hands = [5.0, 6.0, 2] * 26, [0.0, 0.0, 0] * 42
        annotations += [{"id": i, "image_id": i, "bbox": [0, 0, 60, 60], "category_id": 1}]
        annotations[-1]["keypoints"] = body + face + hands
    # Someone seen from behind.
    annotations.append({**annotations[-1], "id": count, "keypoints": [0.0] * 3 * 136})
    images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    categories = [{"id": 1, "name": "person", "keypoints": [], "skeleton": []}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "halpe_train_v1.json").write_text(json.dumps(document))
    return faces


def write_cofw(folder: Path, count: int = COUNT) -> Faces:
    """Both files, as MATLAB 7.3 writes them; grey and coloured images."""
    import h5py

    folder.mkdir(exist_ok=True)
    faces = drawn(cofw.SCHEME, count)
    occluded = np.arange(29) % 4 == np.arange(count)[:, None] % 4
    images = [np.stack([image] * 3, -1) if i % 2 else image for i, image in enumerate(faces.images)]
    test = np.arange(count) % 3 == 2
    for name, ending, chosen in (("train", "Tr", ~test), ("test", "T", test)):
        if not chosen.any():
            continue
        with h5py.File(folder / f"COFW_{name}_color.mat", "w") as file:
            at = np.flatnonzero(chosen)
            columns = [
                np.concatenate([(faces.points[i] + 1).T.reshape(-1), occluded[i]]) for i in at
            ]
            file[f"phis{ending}"] = np.stack(columns, axis=1).astype(np.float64)
            file[f"bboxes{ending}"] = np.tile([[3.0], [4.0], [50.0], [55.0]], len(at))
            cells = file.create_dataset(f"Is{ending}", (1, len(at)), dtype=h5py.ref_dtype)
            for k, i in enumerate(at):
                cells[0, k] = file.create_dataset(f"#refs#/{k}", data=images[i].T).ref
    order = np.concatenate([np.flatnonzero(~test), np.flatnonzero(test)])
    # The reader's order: the training file first.
    return replace(faces[order], images=tuple(images[i] for i in order), occluded=occluded[order])


def write_mat3d(folder: Path, count: int = COUNT) -> Faces:
    from scipy.io import savemat

    names = [f"AFW/AFW_{100 + i // 4}_1_{i % 4}.jpg" for i in range(count)]
    faces = in_files(drawn(mat3d.SCHEME, count), folder, names)
    for i, (path, points) in enumerate(zip(faces.images, faces.points, strict=True)):
        pose = np.array([[0.1, np.radians((25, -50, 80)[i % 3]), 0.2, 1, 2, 3, 0.001]])
        found = {"Pose_Para": pose}
        if i % 2:
            found["pt3d_68"] = np.concatenate([points.T + 1, np.zeros((1, 68))])
            found["pt2d"] = np.full((2, 21), -1.0)
        else:
            found["pt2d"] = points.T + 1
        savemat(path.with_suffix(".mat"), found)
    return faces


WRITERS: dict[str, Callable[..., Faces]] = {
    "cfp": write_cfp,
    "cofw": write_cofw,
    "fgnet": write_fgnet,
    "halpe": write_halpe,
    "helen": write_helen,
    "lapa": write_lapa,
    "mat3d": write_mat3d,
    "merl_rav": write_merl_rav,
    "mtfl5": write_mtfl5,
    "webmorph": write_webmorph,
    "wflw": write_wflw,
}


def write_all(folder: Path) -> None:
    """A folder for each set, by its name."""
    for name, write in WRITERS.items():
        write(folder / name)
