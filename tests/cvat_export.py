"""A CVAT export as a user has one: 40 faces with 21 points of their own, drawn or IMM's."""

import shutil
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from nasion.data.datasets import imm, toy
from nasion.landmarks.catalog import imm58
from nasion.media.images import image_size

COUNT = 40
# What the user calls the points, and IMM's names of the same places.
POINTS = {
    "jaw_r": "imm_jaw_right_1", "chin": "chin", "jaw_l": "imm_jaw_left_1",
    "brow_r_outer": "imm_brow_right_5", "brow_r_mid": "imm_brow_right_3",
    "brow_r_inner": "imm_brow_right_1", "brow_l_inner": "imm_brow_left_1",
    "brow_l_mid": "imm_brow_left_3", "brow_l_outer": "imm_brow_left_5",
    "eye_r_outer": "right_eye_outer_corner", "eye_r_top": "right_eye_upper_middle",
    "eye_r_inner": "right_eye_inner_corner", "eye_r_bottom": "right_eye_lower_middle",
    "eye_l_inner": "left_eye_inner_corner", "eye_l_top": "left_eye_upper_middle",
    "eye_l_outer": "left_eye_outer_corner", "eye_l_bottom": "left_eye_lower_middle",
    "mouth_r": "mouth_right_corner", "mouth_top": "mouth_center_top_lip",
    "mouth_l": "mouth_left_corner", "mouth_bottom": "mouth_center_bottom_lip",
}  # fmt: skip


def write_drawn(folder):
    """Drawn faces."""
    faces = toy.draw(COUNT, imm58, seed=1, size=240, colour=True)
    (folder / "images").mkdir(parents=True)
    for i, image in enumerate(faces.images):
        Image.fromarray(image).save(folder / "images" / f"{i:02d}.png")
    write_annotations(faces.points, folder)


def write_imm(folder, data):
    """The first photograph of each person of IMM, whose folder is ``data``."""
    faces = imm.read(data)[np.arange(0, 6 * COUNT, 6)]
    (folder / "images").mkdir(parents=True)
    for image in faces.images:
        shutil.copy(image, folder / "images" / Path(image).name)
    write_annotations(faces.points, folder)


def write_annotations(points, folder):
    """``annotations.xml``: a skeleton for each image, in the images' order of names."""
    columns = imm58.index(POINTS.values())
    nodes = "".join(
        f'<circle data-element-id="{k}" data-node-id="{k}" data-label-name="{name}"></circle>'
        for k, name in enumerate(POINTS, start=1)
    ).replace("<", "&lt;")
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        "<annotations><version>1.1</version><meta><job><labels>",
        f"<label><name>face</name><type>skeleton</type><svg>{nodes}</svg></label>",
        "</labels></job></meta>",
    ]
    for i, path in enumerate(sorted((folder / "images").iterdir())):
        width, height = image_size(path)
        lines.append(
            f'<image id="{i}" name={quoteattr(path.name)} width="{width}" height="{height}">'
            '<skeleton label="face" source="manual" z_order="0">'
        )
        # CVAT counts from the corner of the first pixel.
        for name, (x, y) in zip(POINTS, points[i, columns] + 0.5, strict=True):
            lines.append(
                f'<points label="{name}" source="manual" outside="0" occluded="0" '
                f'points="{x:.2f},{y:.2f}"></points>'
            )
        lines.append("</skeleton></image>")
    (folder / "annotations.xml").write_text("\n".join([*lines, "</annotations>"]), "utf-8")
