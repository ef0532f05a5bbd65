"""The YAML file of a YOLO pose dataset: where its splits' images are, and what the points are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nasion.data.datasets._label_files import any_case
from nasion.data.datasets._named_points import named_scheme
from nasion.data.record_faults import Faults, report_fault
from nasion.errors import DataError, reason_of
from nasion.landmarks.scheme import Scheme
from nasion.media.files import read_text
from nasion.media.json_document import Document
from nasion.media.number_text import check_file_name
from nasion.media.quoted import quoted
from nasion.media.signatures import IMAGE_SUFFIXES

# What the three splits are called, in the file and as folders.
NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_MOST_POINTS = 100_000
_MOST_VALUES = 1_000_000  # of a file, with its aliases written out
_REMEDY = "see docs.ultralytics.com/datasets/pose for what the file must say."


@dataclass(frozen=True, eq=False)
class Config:
    """``folder``: what splits' paths are relative to. ``numbers``: of each point in a label."""

    path: Path
    folder: Path
    document: Document
    count: int
    numbers: int

    def split_images(self, split: str, faults: Faults = None) -> list[Path] | None:
        """The images of a split, sorted; None if the file does not name it.

        Lines of a list that name no file are added to ``faults``; ``DataError`` without.
        """
        value = self.document.get(*NAMES[split])
        if value is None or value.value == "":
            return None
        entries = value.elements() if isinstance(value.value, list) else [value]
        images: list[Path] = []
        for entry in entries:
            images += self._images_at(entry, faults)
        return sorted(dict.fromkeys(images))

    def _images_at(self, entry: Document, faults: Faults) -> list[Path]:
        place = self._existing(entry)
        if place.is_dir():
            return [path for path in place.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES]
        images: list[Path] = []
        for number, line in enumerate(read_text(place).splitlines(), start=1):
            if not line.strip():
                continue
            try:
                images.append(self._listed(line, place.parent))
            except (ValueError, OSError) as error:
                problem = f"{reason_of(error)}; the name of an image expected."
                report_fault(faults, f"{place} line {number}", problem)
        return images

    def _listed(self, line: str, beside: Path) -> Path:
        """The image on a line of a list: beside the list or in the folder.

        Raises ``ValueError`` or ``OSError`` for what can be no file's name.
        """
        name = check_file_name(line.strip().replace("\\", "/"))
        paths = (beside / name, self.folder / name)
        return next((path for path in paths if path.is_file()), paths[1])

    def _existing(self, entry: Document) -> Path:
        """The folder or list that an entry means. Raises ``DataError`` for one that is not there.

        Roboflow writes ``../train/images`` for the folder ``train`` beside the file, and paths of
        other machines are found by their end.
        """
        name = entry.file_name().replace("\\", "/")
        parts = [part for part in name.split("/") if part not in ("..", ".", "")]
        tried = [self.folder / name, self.path.parent / name]
        tried += [self.path.parent.joinpath(*parts[k:]) for k in range(len(parts))]
        found = next((path for path in tried if _is_there(path)), None)
        if found is None:
            raise entry.error(f"no folder or list {quoted(name)} at {tried[0]} or beside the file")
        return found

    def scheme(self, requested: Scheme | None) -> Scheme:
        """The points' scheme: by their names, else by their number and mirror pairs."""
        own = Scheme(name="yolo", points=self._names(), mirror=self._pairs(), edges=self._edges())
        found, _ = named_scheme(list(own.points), self.path, "yolo", requested, own.edges)
        if found.points == own.points:
            # A file that says how points mirror knows better than their names.
            return replace(found, mirror=own.mirror) if own.mirror and not requested else found
        # Only numbered points: a scheme of as many is not meant if they mirror otherwise.
        is_other = bool(own.mirror) and found.flip.tolist() != own.flip.tolist()
        return own if is_other and requested is None else found

    def _names(self) -> tuple[str, ...]:
        value = self.document.get("kpt_names", "keypoint_names")
        if value is None:
            return tuple(map(str, range(self.count)))
        if isinstance(value.value, dict):  # by class
            own = str(self.face_class())
            value = value[own if own in value.value else next(iter(value.value), "0")]
        elif value.value and isinstance(value.value[0], list):
            value = value.elements()[0]
        names = [name.file_name() for name in value.elements()]
        if len(set(names)) != len(names) or len(names) != self.count:
            raise value.error(
                f"{len(names)} names, {len(set(names))} different; {self.count} expected, as "
                "kpt_shape says"
            )
        return tuple(names)

    def face_class(self) -> int | None:
        """The number of the class called face; None if it is the only class, or there is none."""
        value = self.document.get("names")
        if value is None:
            return None
        if isinstance(value.value, dict):
            names = {number: value[number].value for number in value.value}
        else:
            names = {str(k): each.value for k, each in enumerate(value.elements())}
        faces = [number for number, name in names.items() if str(name).strip().lower() == "face"]
        is_clear = len(names) > 1 and len(faces) == 1 and faces[0].isdecimal()
        return int(faces[0]) if is_clear else None

    def _pairs(self) -> tuple[tuple[str, str], ...]:
        value = self.document.get("flip_idx")
        if value is None or not value.elements():
            return ()
        flip = [each.whole(0, self.count - 1) for each in value.elements()]
        if len(flip) != self.count:
            raise value.error(f"{len(flip)} numbers, {self.count} expected, as kpt_shape says")
        for k, other in enumerate(flip):
            if flip[other] != k:
                raise value.error(
                    f"point {k} mirrors to {other}, and that one to {flip[other]}; pairs expected"
                )
        names = self._names()
        return tuple((names[k], names[other]) for k, other in enumerate(flip) if k < other)

    def _edges(self) -> tuple[tuple[str, str], ...]:
        value = self.document.get("skeleton")
        names = self._names()
        edges = []
        for pair in [] if value is None else value.elements():
            ends = [each.whole(0, self.count - 1) for each in pair.elements()]
            if len(ends) == 2 and ends[0] != ends[1]:
                edges.append((names[ends[0]], names[ends[1]]))
        return tuple(edges)


def _is_there(path: Path) -> bool:
    try:
        return path.is_dir() or path.is_file()
    except OSError:  # longer than a path may be
        return False


def find_config(root: Path) -> Path | None:
    """The YAML file of a pose dataset at this path; None if there is none or several."""
    suffixes = (".yaml", ".yml")
    if root.is_dir():
        files = [path for suffix in suffixes for path in sorted(root.glob("*" + any_case(suffix)))]
    else:
        files = [root] if root.suffix.lower() in suffixes and root.is_file() else []
    found = [path for path in files if "kpt_shape" in path.read_text("utf-8", "replace")]
    return found[0] if len(found) == 1 else None


def read_config(path: Path) -> Config:
    """Raises ``DataError`` that names the file and the key."""
    import yaml

    try:
        value = _yaml_value(read_text(path))
    except yaml.YAMLError as error:
        raise DataError(f"{path}: not YAML ({' '.join(str(error).split())[:200]}).") from error
    except (RecursionError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not YAML that can be read ({str(error)[:200]}).") from error
    document = Document(_with_text_keys(value), str(path), remedy=_REMEDY)
    shape = document["kpt_shape"]
    numbers = [each.whole(1, _MOST_POINTS) for each in shape.elements()]
    if len(numbers) != 2 or numbers[1] not in (2, 3):
        raise shape.error(f"{numbers} found; [number of points, 2 or 3] expected")
    base = document.get("path")
    folder = path.parent
    if base is not None and _is_there(given := folder / base.text()) and given.is_dir():
        folder = given
    return Config(path, folder, document, *numbers)


def _yaml_value(text: str) -> Any:
    """Raises ``ValueError`` for aliases that refer to each other until they are far too many."""
    import yaml

    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        # A few lines of aliases of aliases are billions of values once they are written out.
        count = 0 if node is None else _written_out(node, {})
        if count > _MOST_VALUES:
            raise ValueError(
                f"its aliases (*) stand for {count:.3g} values, {_MOST_VALUES:,} at most; write "
                "them out"
            )
        return None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _written_out(node: Any, known: dict[int, float]) -> float:
    """How many values a node is with its aliases written out; infinite if it contains itself."""
    if id(node) not in known:
        known[id(node)] = math.inf
        inner = node.value if isinstance(node.value, list) else []
        # A mapping's are pairs of nodes.
        nodes = [each for item in inner for each in (item if type(item) is tuple else (item,))]
        known[id(node)] = 1.0 + sum(_written_out(each, known) for each in nodes)
    return known[id(node)]


def _with_text_keys(value: Any, depth: int = 0) -> Any:
    """YAML's keys may be numbers; those of documents are texts."""
    if isinstance(value, dict) and depth < 10:
        return {str(key): _with_text_keys(each, depth + 1) for key, each in value.items()}
    return value
