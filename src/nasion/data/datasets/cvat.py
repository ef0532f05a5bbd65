"""CVAT's XML 1.1, for images and for video: skeletons, points named by their label, and boxes.

Shapes make up faces as ``_shapes`` says, by skeleton, ``group_id`` or box. ``outside`` is not
labelled, ``occluded`` is hidden. A video's shapes are of ``frame_000012.png``, as CVAT exports the
frames; where a track has ended there is no face. Images lie beside the file or in a folder beside
it, as ``images``.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from nasion.data.datasets._cvat_document import image_sizes, read_shapes
from nasion.data.datasets._label_files import (
    LabelledImage,
    begins_with_element,
    check_split,
    is_occluded,
    known_box,
    label_file,
    labelled_images,
    only_file,
)
from nasion.data.datasets._named_points import named_faces, to_corner
from nasion.data.datasets._shapes import faces_of_shapes
from nasion.data.record_faults import Faults
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.files import write_text

SCHEME = None
SPLITS = ("all",)
IMAGE_FOLDER = "images"
KEEPS: tuple[str, ...] = ("occluded", "boxes", "edges")  # of what labels may have beside points
PIXEL_ORIGIN = 0.5  # numbers count from the corner of the first pixel


def recognises(root: Path) -> bool:
    """True for an XML file of annotations, or a folder with one such."""
    path = only_file(root, ".xml")
    return path is not None and begins_with_element(path, "annotations")


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The faces of a file. Group: photograph (linked), if an image has several faces.

    ``scheme``: what points mean that are only numbered, or named as its points.
    """
    check_split(split, SPLITS, "cvat")
    root = label_file(root, ".xml")
    shapes, skeleton = read_shapes(root, faults)
    faces = faces_of_shapes(shapes, root.name, faults)
    return named_faces(faces, root, "cvat", scheme, faults, declared=skeleton)


def stated_sizes(root: Path) -> dict[str, tuple[int, int]]:
    """The images' sizes in the file, by their names."""
    return image_sizes(label_file(root, ".xml"))


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``annotations.xml`` for images 1.1: a skeleton per face, its box in the same group.

    A task that imports it needs a skeleton ``face`` with these points, and a box ``face_box``.
    """
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    lines += _meta(faces.scheme)
    for number, image in enumerate(labelled_images(faces, folder / IMAGE_FOLDER)):
        width, height = image.size
        size = f'width="{width}" height="{height}"'
        lines.append(f'  <image id="{number}" name={quoteattr(image.name)} {size}>')
        for group, i in enumerate(image.faces, start=1):
            lines += _face_lines(faces, i, group, image)
        lines.append("  </image>")
    path = folder / "annotations.xml"
    write_text(path, "\n".join([*lines, "</annotations>", ""]))
    return path


def _face_lines(faces: Faces, i: int, group: int, image: LabelledImage) -> list[str]:
    lines: list[str] = []
    box = known_box(faces, i)
    if box is not None:
        (x0, y0), (x1, y1) = to_corner(box[:2]), to_corner(box[2:])
        corners = f'xtl="{x0:.6f}" ytl="{y0:.6f}" xbr="{x1:.6f}" ybr="{y1:.6f}"'
        head = f'label="face_box" source="manual" occluded="0" {corners} z_order="0"'
        lines.append(f'    <box {head} group_id="{group}"></box>')
    lines.append(f'    <skeleton label="face" source="manual" z_order="0" group_id="{group}">')
    # Where CVAT shows a point that is not labelled, to be dragged to its place.
    labelled = faces.points[i][faces.labelled[i]]
    middle = labelled.mean(axis=0) if len(labelled) else np.array(image.size) / 2
    for k, name in enumerate(faces.scheme.points):
        is_there = bool(faces.labelled[i, k])
        x, y = to_corner((faces.points[i, k] if is_there else middle).tolist())
        flags = f'outside="{int(not is_there)}" occluded="{int(is_occluded(faces, i, k))}"'
        label = f"label={quoteattr(name)}"
        lines.append(f'      <points {label} source="manual" {flags} points="{x:.6f},{y:.6f}">')
        lines.append("      </points>")
    return [*lines, "    </skeleton>"]


def _meta(scheme: Scheme) -> list[str]:
    """The task's labels: a skeleton with its drawing and points, and a box."""
    number = {name: k for k, name in enumerate(scheme.points, start=1)}
    drawing = [
        f'<line data-type="edge" data-node-from="{number[a]}" data-node-to="{number[b]}"></line>'
        for a, b in scheme.edges
    ]
    drawing += [
        f'<circle data-type="element node" data-element-id="{k}" data-node-id="{k}" '
        f"data-label-name={quoteattr(name)}></circle>"
        for name, k in number.items()
    ]
    labels = [f"<name>face</name><type>skeleton</type><svg>{escape(''.join(drawing))}</svg>"]
    labels += [
        f"<name>{escape(name)}</name><type>points</type><parent>face</parent>"
        for name in scheme.points
    ]
    labels.append("<name>face_box</name><type>rectangle</type>")
    inner = [f"        <label>{label}</label>" for label in labels]
    head = ["  <meta>", "    <task>", "      <name>nasion</name>", "      <labels>"]
    return [*head, *inner, "      </labels>", "    </task>", "  </meta>"]
