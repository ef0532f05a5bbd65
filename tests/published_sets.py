"""Small datasets of drawn faces in the layout of each published set, as its authors lay it out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from nasion.data.datasets import cfp, fgnet, mtfl5, toy, webmorph, wflw
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


WRITERS: dict[str, Callable[..., Faces]] = {
    "cfp": write_cfp,
    "fgnet": write_fgnet,
    "mtfl5": write_mtfl5,
    "webmorph": write_webmorph,
    "wflw": write_wflw,
}


def write_all(folder: Path) -> None:
    """A folder for each set, by its name."""
    for name, write in WRITERS.items():
        write(folder / name)
