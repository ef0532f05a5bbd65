"""The faces to train and to validate on: one set split, two sets, or labels of another path."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from nasion.data import splits
from nasion.data.label_reading import LabelReading
from nasion.data.load import load_faces, load_joint_train_val, load_train_val
from nasion.data.mirror_check import propose_mirror
from nasion.data.pool import load_pool, pool_split
from nasion.errors import DataError, SettingError
from nasion.landmarks.catalog import union
from nasion.landmarks.faces import Faces, join
from nasion.landmarks.scheme import Scheme
from nasion.media.counted import counted, part_of
from nasion.media.file_names import name_bytes
from nasion.recipe import Recipe

_PAIR = 2
# The standard deviation of persons' mean errors, as a part of their mean (LOG.md: 0.12 to 0.22,
# of single faces up to 0.43).
_SPREAD = 0.25
_TELLING = 0.1  # a difference of scores that a validation side should be able to show
Data = Faces | tuple[Faces, Faces] | str | Path | Sequence[str | Path]
Validation = Faces | str | Path | Sequence[str | Path]
_log = logging.getLogger(__name__)


def load_sides(
    recipe: Recipe, data: Data, validation: Validation | None, reading: LabelReading
) -> tuple[Faces, Faces]:
    """(training, validation) faces. Raises ``DataError`` if the validation faces have no label."""
    if validation is not None:
        return _with_validation(recipe, data, validation, reading)
    train_faces, val_faces = _divided(recipe, data, reading)
    _check_labelled(val_faces, recipe.spec.scheme)
    return train_faces, val_faces


def _divided(recipe: Recipe, data: Data, reading: LabelReading) -> tuple[Faces, Faces]:
    """The two sides of one set, of each dataset, or as they are given."""
    scheme, whole_images = recipe.spec.scheme, recipe.spec.whole
    if isinstance(data, (str, Path)):
        return load_train_val(None, data, scheme=scheme, whole_images=whole_images, reading=reading)
    if isinstance(data, Faces):
        # By labels of the recipe's points; the faces keep all of their own.
        sides = splits.honest_split(data.to(scheme))
        return data.subset(sides[0].ids), data.subset(sides[1].ids)
    paths = [path for path in data if isinstance(path, (str, Path))]
    if paths:
        return load_joint_train_val(paths, scheme, whole_images=whole_images, reading=reading)
    train_faces, val_faces = (side for side in data if isinstance(side, Faces))
    return train_faces, val_faces


def warn_of_few(val_faces: Faces) -> None:
    """Say how far the scores of two runs must differ, if the validation faces can hardly tell."""
    labelled = val_faces[val_faces.labelled.any(axis=1)]
    parts = len(set(splits.linked_clusters(labelled).tolist()))
    limit = 2 * _SPREAD / max(parts, 1) ** 0.5
    if limit <= _TELLING:
        return
    different = " of one person or photograph" if parts == 1 else ""
    if 1 < parts < len(labelled):
        different = f" of {parts} different persons or photographs"
    _log.warning(
        "%s%s: scores of two runs that differ by less than %.0f %% may do so by "
        "chance; compare runs by cross-validation (--folds 5), or validate on more faces.",
        counted(len(labelled), "validation face"),
        different,
        100 * limit,
    )


def scheme_of(data: Data, reading: LabelReading) -> Scheme:
    """The scheme of the data's labels; of several datasets, all of their points.

    A scheme without mirror pairs gets those that the labels show, if they can tell.
    """
    if isinstance(data, Faces):
        return _with_mirror(data.scheme, [data])
    paths = paths_of(data)
    splits = [pool_split(reading.dataset, path) for path in paths]
    found = [
        load_faces(None, path, split, reading=reading)
        for path, split in zip(paths, splits, strict=True)
    ]
    sides = data if isinstance(data, tuple) else ()
    schemes = [faces.scheme for faces in (*found, *sides) if isinstance(faces, Faces)]
    different = list(dict.fromkeys(schemes))
    if len(different) == 1:
        return _with_mirror(different[0], [f for f in (*found, *sides) if isinstance(f, Faces)])
    return union("+".join(scheme.name for scheme in different), *different)


def _with_mirror(scheme: Scheme, faces: Sequence[Faces]) -> Scheme:
    pairs = None if scheme.mirror or len(scheme) < _PAIR else propose_mirror(join(*faces))
    if not pairs:
        return scheme
    _log.info(
        "%s of points found on the labels; nasion scheme init writes them into a file, to be "
        "checked.",
        counted(len(pairs), "mirror pair"),
    )
    return replace(scheme, mirror=pairs)


def paths_of(data: Data | Validation | None) -> list[str]:
    """The paths that the faces are from, if they are from paths."""
    if data is None or isinstance(data, Faces):
        return []
    several = [data] if isinstance(data, (str, Path)) else data
    return [str(path) for path in several if isinstance(path, (str, Path))]


def faces_key(train_faces: Faces, val_faces: Faces) -> str:
    """A hash of exactly these faces and labels, so that a run is not resumed on others."""
    digest = blake2b(digest_size=16)
    for faces in (train_faces, val_faces):
        # \0 keeps ids apart: the ids ab, c and a, bc are not the same faces.
        digest.update(name_bytes("\0".join(faces.ids)) + faces.points.tobytes())
    return digest.hexdigest()


def _with_validation(
    recipe: Recipe, data: Data, validation: Validation, reading: LabelReading
) -> tuple[Faces, Faces]:
    """All of ``data`` to train on, all of ``validation`` to validate on."""
    sides = []
    for given in (data, validation):
        if isinstance(given, Faces):
            sides.append(given.to(recipe.spec.scheme))
        elif paths := paths_of(given):
            whole_images = recipe.spec.whole
            pool = load_pool(paths, recipe.spec.scheme, whole_images=whole_images, reading=reading)
            sides.append(pool.faces)
        else:
            raise SettingError(
                "Validation faces were given twice: data is a pair of training and validation "
                "faces, and validation=... is another; give one of them."
            )
    train_faces, val_faces = sides
    _check_labelled(val_faces, recipe.spec.scheme)
    _warn_of_leaks(train_faces, val_faces)
    # Two paths may name their images alike.
    taken = set(train_faces.ids)
    ids = tuple(f"val/{face}" if face in taken else face for face in val_faces.ids)
    return train_faces, replace(val_faces, ids=ids)


def _check_labelled(val_faces: Faces, scheme: Scheme) -> None:
    if not val_faces.to(scheme).labelled.any():
        raise DataError(
            f"None of the {len(val_faces)} validation faces has a label of scheme {scheme.name}; "
            "validate on labels of points that the recipe has."
        )


def _warn_of_leaks(train_faces: Faces, val_faces: Faces) -> None:
    for group, values in splits.shared_persons(train_faces, val_faces).items():
        _log.warning(
            "%s of a %s that training faces are of, too (%s first): the "
            "validation score will be too good. Leave them out of one side, unless the two "
            "datasets call others so.",
            part_of(
                sum(count for _, count in values), len(val_faces), "validation face", "is", "are"
            ),
            group,
            values[0][0],
        )
    pairs = splits.leaks(train_faces, val_faces)
    if not pairs:
        return
    first, second = pairs[0]
    _log.warning(
        "%s the same photograph as a training face (%s and %s first): "
        "the validation score will be too good. Leave them out of one side.",
        part_of(len({val for _, val in pairs}), len(val_faces), "validation face", "shows", "show"),
        train_faces.ids[first],
        val_faces.ids[second],
    )
