"""Which faces a network learnt from, so that evaluating it on them is noticed.

Faces are recognised by photograph, not by dataset or file name: a fingerprint is the sign of the
low frequencies of the face, cut out with the eyes in one place where they are labelled, so that
cropping, scaling and compression change few of its bits (perceptual hashing).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasion.array_types import Bool, UInt8
from nasion.errors import NasionError, RunError
from nasion.landmarks.faces import Faces
from nasion.media.files import write_text
from nasion.media.json_document import Document, read_document

FILE = "trained_on.json"
BITS = 256  # per fingerprint: 32 bytes
MAX_DIFFERENT = 32  # bits that may differ between two cuts of one photograph (LOG.md)
_SAME_CUT = 8  # bits that may differ for one fingerprint to stand for both: labels a little apart
_LOW = 17  # frequencies per axis; the lowest, the mean, tells nothing
_NO_CONTRAST = 1e-6  # values of the spectrum up to this are rounding
_BLOCK = 512  # faces compared with all fingerprints at once


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """``data``: the dataset's name. ``fingerprints``: of the training faces, each face once."""

    data: str
    fingerprints: UInt8[np.ndarray, "N 32"]

    @classmethod
    def of(cls, data: str, faces: Faces) -> TrainingRecord:
        """The record of a training on these faces."""
        return cls(data, _distinct(_cached_fingerprints(faces)))

    def joined(self, other: TrainingRecord | None) -> TrainingRecord:
        """The record of a network that has learnt from these faces and from the other's."""
        if other is None:
            return self
        rows = np.concatenate([self.fingerprints, other.fingerprints])
        return TrainingRecord(_joined_names(self.data, other.data), _distinct(rows))

    def seen(self, faces: Faces) -> Bool[np.ndarray, " N"]:
        """True for faces from photographs that the network was trained on."""
        found = np.zeros(len(faces), dtype=bool)
        if not len(self.fingerprints):
            return found
        own = fingerprints(faces)
        for start in range(0, len(own), _BLOCK):
            # (block, N, 32): bits that differ between each face and each fingerprint.
            block = own[start : start + _BLOCK, None] ^ self.fingerprints[None]
            different = np.bitwise_count(block).sum(-1, dtype=np.int64)
            found[start : start + _BLOCK] = (different <= MAX_DIFFERENT).any(1)
        # Without contrast a face has no fingerprint, and all such would be one.
        return found & own.any(1)

    def to_json(self) -> dict[str, Any]:
        packed = base64.b64encode(self.fingerprints.tobytes()).decode()
        return {"data": self.data, "fingerprints": packed}

    @classmethod
    def from_json(cls, document: Document) -> TrainingRecord:
        """The inverse of ``to_json``. Raises the document's error."""
        packed = document["fingerprints"]
        try:
            flat = np.frombuffer(base64.b64decode(packed.text(), validate=True), dtype=np.uint8)
            return cls(document["data"].text(), flat.reshape(-1, BITS // 8))
        except NasionError:
            raise
        except ValueError as error:
            raise packed.error(
                f"no fingerprints of {BITS // 8} bytes in base64 ({error})"
            ) from error

    def write(self, folder: Path) -> None:
        """Keep the record in a run folder."""
        write_text(folder / FILE, json.dumps(self.to_json()))

    @classmethod
    def read(cls, folder: Path) -> TrainingRecord | None:
        """A run's record; None before training has begun, and for runs of nasion 0.1."""
        path = folder / FILE
        if not path.is_file():
            return None
        remedy = "it is damaged; delete it."
        return cls.from_json(read_document(path, kind=RunError, remedy=remedy))


def fingerprints(faces: Faces) -> UInt8[np.ndarray, "N 32"]:
    """256 bits per face: signs of the thumbnail's low frequencies; 0 without contrast."""
    # Predicting only carries records along.
    from nasion.data.splits import THUMBNAIL, aligned_thumbnails, eye_centers, thumbnails

    eyes = eye_centers(faces)
    aligned = np.isfinite(eyes).all((1, 2))
    small = np.empty((len(faces), THUMBNAIL**2), dtype=np.uint8)
    at, rest = np.flatnonzero(aligned), np.flatnonzero(~aligned)
    if len(at):
        small[at] = aligned_thumbnails(faces[at], eyes[at])
    if len(rest):
        small[rest] = thumbnails(faces[rest])
    basis = _cosines(THUMBNAIL)
    images = small.reshape(-1, THUMBNAIL, THUMBNAIL).astype(np.float64)
    # The cosine transform over rows and over columns.
    spectrum = basis @ images @ basis.T
    # Of 17 x 17 frequencies, row by row, all but the first (the mean) until there are 256.
    low = spectrum[:, :_LOW, :_LOW].reshape(len(faces), -1)[:, 1 : BITS + 1]
    # Without contrast every frequency but the mean is 0, up to rounding.
    return np.packbits(low > _NO_CONTRAST, axis=1)


def _distinct(rows: UInt8[np.ndarray, "N 32"]) -> UInt8[np.ndarray, "n 32"]:
    """The rows without those that nearly equal one before: the same face, learnt from again."""
    words = np.ascontiguousarray(rows).view(np.uint64)
    kept, at = np.empty_like(words), []
    for i, row in enumerate(words):
        different = np.bitwise_count(kept[: len(at)] ^ row).sum(1, dtype=np.int64)
        if not (different <= _SAME_CUT).any():
            kept[len(at)] = row
            at.append(i)
    return rows[at]


def _joined_names(*data: str) -> str:
    """Names of datasets, each once."""
    return ", ".join(dict.fromkeys(name for each in data for name in each.split(", ")))


def _cached_fingerprints(faces: Faces) -> UInt8[np.ndarray, "N 32"]:
    from nasion.data import cache

    def make() -> cache.Entry:
        return {"fingerprints": fingerprints(faces)}, {}

    paths = [image for image in faces.images if isinstance(image, Path)]
    if len(paths) < len(faces):
        return make()[0]["fingerprints"]
    boxes = "" if faces.boxes is None else cache.digest_of(faces.boxes)
    key = cache.content_key(paths, "fingerprints", boxes, cache.digest_of(faces.points))
    return np.array(cache.cached(key, make)[0]["fingerprints"])


def _cosines(count: int) -> np.ndarray:
    """Rows of the discrete cosine transform (DCT-II)."""
    k, x = np.arange(count)[:, None], np.arange(count) + 0.5
    return np.cos(np.pi * k * x / count)
