"""What labels mean where a file leaves it open: stand-ins for missing points, EXIF-turned images.

Each has one rule: what only one reading explains is read so, and said; where several readings are
possible, the user is asked to name one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from nasion.data.exif_labels import ExifReading, upright_labels
from nasion.data.file_numbers import file_numbers_of
from nasion.data.missing_values import parse_missing, with_missing_values
from nasion.data.record_faults import Fault
from nasion.data.scheme_beside import in_own_scheme
from nasion.data.stated_sizes import stated_sizes_of
from nasion.errors import DataError, SettingError
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme

EXIF_READINGS: tuple[ExifReading, ...] = ("apply", "ignore")


@dataclass(frozen=True)
class LabelReading:
    """How labels are read. None: by what only one reading explains.

    ``dataset``: the kind of dataset, where its path does not tell. ``scheme``: of points that a
    file only numbers. ``assumed``: their scheme where neither ``scheme`` nor a ``scheme.toml``
    beside the data says, as a network's. ``scheme_name``: the name or file of ``scheme`` as it was
    given. ``skip_faults``: leave out faulty rows, and faces whose image cannot be read.
    ``missing``: numbers that stand for missing points (``-1``), ``occluded`` (negative coordinates
    are occluded points at their absolute value), several of these with commas, or ``none`` (every
    number is a place). ``exif``: labels are of the image that its EXIF tag has turned (``apply``),
    or of the image as it is stored (``ignore``). ``corrections``: change lists that are applied, a
    file or several; files of labels are never changed. Raises ``SettingError``.
    """

    dataset: str | None = None
    scheme: Scheme | None = None
    assumed: Scheme | None = None
    scheme_name: str | None = None
    skip_faults: bool = False
    missing: str | None = None
    exif: ExifReading | None = None
    corrections: Sequence[str | Path] | str | Path = ()

    def __post_init__(self) -> None:
        parse_missing(self.missing)
        if self.exif is not None and self.exif not in EXIF_READINGS:
            readings = " or ".join(EXIF_READINGS)
            raise SettingError(f"exif is {self.exif!r}; {readings} expected.")

    @property
    def change_lists(self) -> tuple[Path, ...]:
        """The files of ``corrections``."""
        given = self.corrections
        several = [given] if isinstance(given, (str, Path)) else given
        return tuple(map(Path, several))


AS_IT_SEEMS = LabelReading()


def read_labels(
    faces: Faces,
    module: ModuleType,
    reading: LabelReading,
    root: Path,
    *,
    own: Scheme | None = None,
    split: str = "all",
    faults: list[Fault] | None = None,
) -> Faces:
    """The faces that a dataset's module has read, with what ``reading`` says, or what is evident.

    ``root``: the file or folder; messages have its name. ``own``: the scheme that lies beside it,
    which the faces get. ``split``: of which these are the faces. ``faults``: where corrections that
    do not fit are listed; None: a warning says which. Raises ``DataError`` if several readings are
    possible, and if lists of corrections disagree.
    """
    read = _as_meant(faces, module, reading, root)
    read = read if own is None else in_own_scheme(read, own, root)
    if reading.change_lists:
        from nasion.data.corrections.apply import corrected_labels

        is_whole = split == module.SPLITS[0]
        read = corrected_labels(read, reading.change_lists, root, is_whole, faults)
    if not len(read):
        raise DataError(
            f"{root}: no face is left; of pictures without labels, name the change list that has "
            "their faces (--corrections)."
        )
    return read


def _as_meant(faces: Faces, module: ModuleType, reading: LabelReading, root: Path) -> Faces:
    source = root.name
    numbers = file_numbers_of(module, root)
    read = with_missing_values(faces, reading.missing, numbers, source)
    if read is not faces and hasattr(module, "regrouped"):
        # Groups that depend on which points are labelled.
        read = module.regrouped(read)
    has_sizes = hasattr(module, "stated_sizes")
    stated = (lambda: stated_sizes_of(module, root)) if has_sizes else None
    return upright_labels(read, reading.exif, source, stated)
