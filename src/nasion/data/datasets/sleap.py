"""SLEAP's ``.slp`` files: the instances that a person labelled, by their skeleton.

Points that are not visible are missing. Edges and symmetries of the skeleton are the scheme's edges
and mirror pairs. Images are the files that a project names, found by their end, or those that a
package (``.pkg.slp``) holds. Predicted instances are left out. Needs the extra ``sleap``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nasion.data.datasets._face_records import faces_of, with_pixels
from nasion.data.datasets._image_files import ImageFinder
from nasion.data.datasets._label_files import (
    LabelledImage,
    check_split,
    label_file,
    labelled_images,
    only_file,
)
from nasion.data.datasets._named_points import named_scheme
from nasion.data.datasets._sleap_file import (
    Instance,
    embedded_image,
    first_pixel,
    instances,
    opened,
    skeletons,
    videos,
)
from nasion.data.face_record import FaceRecord
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.media.files import atomic_write
from nasion.media.images import open_image
from nasion.media.json_document import Document
from nasion.media.quoted import quoted

SCHEME = None
SPLITS = ("all",)
IMAGE_FOLDER = "images"
KEEPS: tuple[str, ...] = ("edges",)  # of what labels may have beside points
_SUFFIX = ".slp"


def recognises(root: Path) -> bool:
    """True for such a file, or a folder with one."""
    return only_file(root, _SUFFIX) is not None


def pixel_origin(root: Path) -> float:
    """What the file calls the centre of the first pixel."""
    root = label_file(root, _SUFFIX)
    with opened(root) as file:
        return first_pixel(file, root)


def read(
    root: Path, split: str = "all", *, scheme: Scheme | None = None, faults: Faults = None
) -> Faces:
    """The labelled instances. Group: photograph (linked), if an image has several.

    ``scheme``: what points mean that are only numbered, or named as its points.
    """
    check_split(split, SPLITS, "sleap")
    root = label_file(root, _SUFFIX)
    with opened(root) as file:
        own, found = skeletons(file, root), instances(file, root)
        if not found:
            raise DataError(
                f"{root}: no instance that a person labelled; predicted ones count when they are "
                "corrected in SLEAP."
            )
        backends, finder = videos(file, root), ImageFinder(root.parent)
        records: list[FaceRecord] = []
        pixels: dict[str, np.ndarray] = {}
        for k, instance in enumerate(found):
            place = f"{root.name} instance {k}"
            try:
                _check(instance, found[0], own, backends)
                backend = backends[instance.video]
                name = _image_name(instance, backend, finder)
                records.append(FaceRecord(name, instance.points, f"{place} of {name}"))
                if name not in pixels and _is_embedded(backend):
                    pixels[name] = _embedded(file, backend, instance.frame, root, name)
            except ValueError as error:
                report_fault(faults, place, str(error))
    return _as_faces(records, pixels, own[found[0].skeleton], scheme, root, faults)


def _as_faces(
    records: list[FaceRecord],
    pixels: dict[str, np.ndarray],
    own: Scheme,
    requested: Scheme | None,
    root: Path,
    faults: Faults,
) -> Faces:
    scheme, _ = named_scheme(list(own.points), root, own.name, requested)
    # The file's own edges and pairs, unless the points are of a known scheme.
    scheme = own if scheme.name == own.name else scheme
    if set(scheme.points) == set(own.points):
        order = [own.points.index(point) for point in scheme.points]
        records = [replace(each, points=each.points[order]) for each in records]
    elif scheme is requested:
        records = [replace(each, points=_in(scheme, own, each.points)) for each in records]
    faces = faces_of(records, scheme, root, faults, images=root.parent)
    return with_pixels(faces, pixels, root.parent)


def _in(scheme: Scheme, own: Scheme, points: np.ndarray) -> np.ndarray:
    if len(scheme) == len(own):  # only numbered
        return points
    moved = np.full((len(scheme), 2), np.nan)
    moved[scheme.index(own.points)] = points
    return moved


def _check(
    instance: Instance, first: Instance, own: list[Scheme], backends: list[Document]
) -> None:
    """Raise ``ValueError`` for an instance that its file has no skeleton, points or video for."""
    if instance.skeleton != first.skeleton:
        raise ValueError("it is of another skeleton than the first one; save one file for each.")
    count = len(own[instance.skeleton]) if instance.skeleton < len(own) else 0
    if len(instance.points) != count or instance.video >= len(backends):
        raise ValueError(
            f"{len(instance.points)} points of video {instance.video}; {count} points as its "
            f"skeleton has, and a video below {len(backends)} expected."
        )


def _is_embedded(backend: Document) -> bool:
    dataset = backend.get("dataset")
    name = backend.get("filename")
    return bool(dataset and dataset.value and name and name.value == ".")


def _image_name(instance: Instance, backend: Document, finder: ImageFinder) -> str:
    """The image of a frame. Raises ``ValueError`` for frames of a video."""
    if _is_embedded(backend):
        video = backend["dataset"].text().split("/")[0]
        return f"{video}/frame_{instance.frame:06d}.png"
    names = backend.get("filenames", "filename")
    if names is not None and isinstance(names.value, list):
        files = names.elements()
        if instance.frame >= len(files):
            raise names.error(f"frame {instance.frame} of {len(files)} images")
        return finder.find(files[instance.frame].file_name())
    name = "" if names is None else names.file_name()
    raise ValueError(
        f"its images are frames of the video {quoted(name, 60)}; export the labels in SLEAP as a "
        "package (Predict, Export Labels Package), which holds them."
    )


def _embedded(file: Any, backend: Document, frame: int, root: Path, name: str) -> np.ndarray:
    found, is_bgr = embedded_image(file, backend["dataset"].text(), frame, root)
    if isinstance(found, bytes):
        image = open_image(found, colour=True, name=f"{root.name} {name}")
        return np.ascontiguousarray(image[..., ::-1]) if is_bgr and image.ndim == 3 else image
    pixels = found[..., 0] if found.ndim == 3 and found.shape[2] == 1 else found
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def write_labels(faces: Faces, folder: Path) -> Path:
    """Write ``labels.slp`` in format 1.2. Boxes are lost, and which points are occluded."""
    from nasion.errors import requires_extra

    with requires_extra("SLEAP's files", "sleap"):
        import h5py
    images = labelled_images(faces, folder / IMAGE_FOLDER)
    order = [i for image in images for i in image.faces]
    points = faces.points[order].astype(np.float64).reshape(-1, 2)
    path = folder / "labels.slp"
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        group = file.create_group("metadata")
        group.attrs["format_id"] = 1.2
        group.attrs["json"] = np.bytes_(json.dumps(_metadata(faces.scheme)))
        file["videos_json"] = [np.bytes_(json.dumps(_video(images)))]
        file["tracks_json"] = np.zeros(0, dtype="S1")
        file["suggestions_json"] = np.zeros(0, dtype="S1")
        file["points"] = _table(
            {"x": "f8", "y": "f8", "visible": "?", "complete": "?"},
            points[:, 0], points[:, 1], ~np.isnan(points[:, 0]), np.zeros(len(points), bool),
        )  # fmt: skip
        kinds = {"x": "f8", "y": "f8", "visible": "?", "complete": "?", "score": "f8"}
        file["pred_points"] = _table(kinds, *[np.zeros(0)] * 5)
        file["instances"] = _instances(images, len(faces.scheme))
        ends = np.cumsum([len(image.faces) for image in images])
        at = np.arange(len(images))
        file["frames"] = _table(
            {
                "frame_id": "u8", "video": "u4", "frame_idx": "u8", "instance_id_start": "u8",
                "instance_id_end": "u8",
            },
            at, np.zeros_like(at), at, np.append(0, ends[:-1]), ends,
        )  # fmt: skip
    return path


def _instances(images: list[LabelledImage], count: int) -> np.ndarray:
    frame = np.repeat(np.arange(len(images)), [len(image.faces) for image in images])
    k, none = np.arange(len(frame)), np.full(len(frame), -1)
    fields = {
        "instance_id": "i8", "instance_type": "u1", "frame_id": "u8", "skeleton": "u4",
        "track": "i4", "from_predicted": "i8", "score": "f4", "point_id_start": "u8",
        "point_id_end": "u8", "tracking_score": "f4",
    }  # fmt: skip
    zero = np.zeros(len(frame))
    return _table(fields, k, zero, frame, zero, none, none, zero, k * count, (k + 1) * count, zero)


def _table(fields: dict[str, str], *columns: np.ndarray) -> np.ndarray:
    table = np.zeros(len(columns[0]), dtype=list(fields.items()))
    for name, column in zip(fields, columns, strict=True):
        table[name] = column
    return table


def _video(images: list[LabelledImage]) -> dict[str, Any]:
    names = [f"{IMAGE_FOLDER}/{image.name}" for image in images]
    width, height = images[0].size
    backend = {
        "type": "ImageVideo", "filename": names[0], "filenames": names, "height_": height,
        "width_": width, "channels_": 3, "grayscale": False,
        "shape": [len(names), height, width, 3],
    }  # fmt: skip
    return {"filename": names, "backend": backend}


def _metadata(scheme: Scheme) -> dict[str, Any]:
    def links(pairs: list[tuple[int, int]], kind: int) -> list[dict[str, Any]]:
        # As Python's objects are written to JSON: the first of a kind in full.
        full = {"py/type": "sleap.skeleton.EdgeType"}
        first = {"py/reduce": [full, {"py/tuple": [kind]}]}
        found = []
        for k, (a, b) in enumerate(pairs):
            numbered = {"edge_insert_idx": k} if kind == 1 else {}
            link = {"type": {"py/id": kind} if k else first, "source": a, "target": b, "key": 0}
            found.append(numbered | link)
        return found

    edges = [(int(a), int(b)) for a, b in scheme.edge_index]
    pairs = [(int(a), int(b)) for a, b in map(scheme.index, scheme.mirror)]
    # A reference is by number of what came before, so edges come first, if there are any.
    kinds = links(edges, 1) + links(pairs, 2)
    if not edges:
        kinds = [each | {"type": {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"},
                 {"py/tuple": [2]}]}} for each in kinds]  # fmt: skip
    skeleton = {
        "directed": True, "multigraph": True, "links": kinds,
        "graph": {"name": "face", "num_edges_inserted": len(edges)},
        "nodes": [{"id": k} for k in range(len(scheme))],
    }  # fmt: skip
    nodes = [{"name": point, "weight": 1.0} for point in scheme.points]
    return {
        "version": "2.0.0", "skeletons": [skeleton], "nodes": nodes, "videos": [], "tracks": [],
        "suggestions": [], "negative_anchors": {}, "provenance": {},
    }  # fmt: skip
