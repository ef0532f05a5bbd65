"""From a path to ``Faces``: which data set it is, what is kept in the cache, and the splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

import numpy as np

from nasion import cache, datasets
from nasion.datasets._faults import Fault
from nasion.errors import SettingError
from nasion.faces import Faces, join
from nasion.geometry import points_box
from nasion.scheme import Scheme
from nasion.schemes import SCHEMES
from nasion.sources import GROUP
from nasion.splits import Pair, honest_split, same_faces, similar_pairs

HONEST = ("train", "val")
_SPANNING = 30  # labelled points that reach from ear to ear and from brow to chin


def load_faces(
    name: str | None,
    path: str | Path,
    split: str = "all",
    *,
    scheme: Scheme | None = None,
    skip_faults: bool = False,
) -> Faces:
    """Faces of a data set (``name`` None: told by the path): one of its own splits, or ``train``/``val``.

    Where a data set has no ``train`` and ``val`` of its own, ``splits.honest_split`` makes them of all its faces, or of the
    split that it names as ``POOL``.
    ``scheme``: bring the faces to it. Raises ``DataError`` at the first faulty row, unless ``skip_faults`` leaves them out.
    """
    module = datasets.named(name or datasets.recognised(Path(path)))
    if split in HONEST and split not in module.SPLITS:
        return load_sides(name, path, scheme=scheme, skip_faults=skip_faults)[HONEST.index(split)]
    if split not in module.SPLITS:
        own = dict.fromkeys((*module.SPLITS, *HONEST))
        raise SettingError(f"No split {split!r} in {module.__name__.rpartition('.')[2]}; it has {', '.join(own)}.")
    faces = _read(module, Path(path), split, scheme, skip_faults)
    return faces if scheme is None else faces.to(scheme)


def load_sides(name: str | None, path: str | Path, *, scheme: Scheme | None = None, skip_faults: bool = False) -> tuple[Faces, Faces]:
    """(training, validation) faces: the data set's own sides, or an honest split."""
    module = datasets.named(name or datasets.recognised(Path(path)))
    if set(HONEST) <= set(module.SPLITS):
        sides = tuple(_read(module, Path(path), side, scheme, skip_faults) for side in HONEST)
    else:
        faces = _read(module, Path(path), getattr(module, "POOL", "all"), scheme, skip_faults)
        sides = honest_split(faces, pairs=_pairs(module, Path(path), faces, skip_faults))
    train, val = (faces if scheme is None else faces.to(scheme) for faces in sides)
    return train, val


def load_joint_sides(paths: Sequence[str | Path], scheme: Scheme, *, skip_faults: bool = False) -> tuple[Faces, Faces]:
    """(training, validation) faces of several data sets together in one scheme, each split as it is alone.

    Ids begin with the data set's name; the group ``source`` is that name too, unless the set tells its own. Training faces that
    look like a validation face of another set are left out.
    """
    sides: tuple[list[Faces], list[Faces]] = ([], [])
    names = [datasets.recognised(Path(path)) for path in paths]
    for at, (path, name) in enumerate(zip(paths, names, strict=True)):
        # Two folders of one kind may hold the same ids.
        own = f"{name}-{names[:at].count(name) + 1}" if name in names[:at] else name
        for side, faces in zip(sides, load_sides(name, path, scheme=scheme, skip_faults=skip_faults), strict=True):
            groups = {GROUP: (name,) * len(faces), **faces.groups}
            side.append(replace(_boxed(faces), ids=tuple(f"{own}/{face}" for face in faces.ids), groups=groups))
    train, val = (join(*side) for side in sides)
    if len(paths) == 1:
        return train, val
    leaking = {pair.first for pair in similar_pairs(join(train, val)) if pair.first < len(train) <= pair.second}
    of = [[face.partition("/")[0] for face in side.ids] for side in (train, val)]
    leaking |= {first for first, second in same_faces(train, val) if of[0][first] != of[1][second]}
    return train[np.array([i not in leaking for i in range(len(train))], dtype=bool)], val


def _boxed(faces: Faces) -> Faces:
    """Where a set of whole pictures labels points all over a face: the tight box around them, as other sets have it."""
    if faces.boxes is not None:
        return faces
    spanning = faces.labelled.sum(1) >= _SPANNING
    boxes = np.where(spanning[:, None], points_box(faces.points), np.nan).astype(np.float32)
    return replace(faces, boxes=boxes if spanning.any() else None)


def _read(module: ModuleType, root: Path, split: str, scheme: Scheme | None, skip_faults: bool) -> Faces:
    def make() -> tuple[dict[str, np.ndarray], dict]:
        faces = module.read(root, split, scheme=scheme, faults=faults)
        facts = {"scheme": faces.scheme.name, "ids": faces.ids, "groups": dict(faces.groups), "linked": faces.linked}
        return {"images": np.asarray(faces.images), "points": faces.points}, facts

    faults: list[Fault] | None = [] if skip_faults else None
    if not hasattr(module, "files"):
        return module.read(root, split, scheme=scheme, faults=faults)
    key = cache.content_key(module.files(root, split), module.__name__, split, scheme.name if scheme else "", str(skip_faults))
    arrays, facts = cache.kept(key, make)
    return Faces(
        scheme=SCHEMES[facts["scheme"]],
        ids=tuple(facts["ids"]),
        images=arrays["images"],
        points=np.array(arrays["points"]),
        groups={group: tuple(values) for group, values in facts["groups"].items()},
        linked=tuple(facts["linked"]),
    )


def _pairs(module: ModuleType, root: Path, faces: Faces, skip_faults: bool) -> list[Pair]:
    """The set's similar pictures, kept in the cache where it is known which files they are of."""

    def make() -> tuple[dict[str, np.ndarray], dict]:
        pairs = similar_pairs(faces)
        return {}, {"pairs": [(pair.first, pair.second, pair.similarity, pair.exact) for pair in pairs]}

    files = [Path(str(picture)) for picture in faces.images] if not isinstance(faces.images, np.ndarray) else None
    if files is not None and all(file.is_file() for file in files):
        boxes = "" if faces.boxes is None else blake2b(faces.boxes.tobytes(), digest_size=16).hexdigest()
        key = cache.content_key(files, "pairs", boxes)
    elif hasattr(module, "files"):
        key = cache.content_key(module.files(root, "all"), module.__name__, "pairs", str(skip_faults))
    else:
        return similar_pairs(faces)
    return [Pair(*pair) for pair in cache.kept(key, make)[1]["pairs"]]
