"""Changed files to every reader: each is read, or refused by nasion's error with the file's name.

``NASION_FUZZ_SECONDS`` (30) is shared by all readers; ``NASION_FUZZ_SEED`` (0) gives other cases. A
failure prints the reader's name and case, and keeps the file.
"""

import os
import time
import traceback
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fuzz.mutations import Mutation, mutate
from fuzz.readers import READERS, Read, _Scores
from nasion.errors import NasionError
from nasion.media.number_text import MAX_COORDINATE

SECONDS = float(os.environ.get("NASION_FUZZ_SECONDS", "30"))
SEED = int(os.environ.get("NASION_FUZZ_SEED", "0"))
_SLOWEST = 20.0  # seconds that a small file may take, on a busy machine
_PACKAGE = str(Path(__file__).resolve().parents[2] / "src")


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_read_or_refused_with_its_name(name, tmp_path, record_property):
    reader, outcomes = READERS[name], Counter()
    path = reader.make(tmp_path)
    data, sound = path.read_bytes(), reader.read(path)
    end, case = time.monotonic() + SECONDS / len(READERS), 0
    while time.monotonic() < end:
        rng = np.random.default_rng([SEED, zlib.crc32(name.encode()), case])
        mutation = mutate(data, reader.kind, rng)
        path.write_bytes(mutation.data)
        problem = _problem(reader, path, mutation, sound, outcomes)
        if problem:
            pytest.fail(f"{name}, seed {SEED}, case {case} ({mutation.what}), {path}:\n{problem}")
        case += 1
    for outcome, count in outcomes.items():
        record_property(outcome, count)
    print(f"\n{name}: {case} files, {dict(outcomes)}")


def _problem(reader, path: Path, mutation: Mutation, sound: Read, outcomes: Counter) -> str:
    """What is wrong about how a changed file was taken; empty if nothing is."""
    start = time.monotonic()
    try:
        found = reader.read(path)
    except NasionError as error:
        outcomes["refused"] += 1
        return _wrong_refusal(error, path)
    except Exception:
        return traceback.format_exc()
    if time.monotonic() - start > _SLOWEST:
        return f"took {time.monotonic() - start:.0f} s"
    outcomes["read"] += 1
    if mutation.must_not_count and mutation.data != b"" and not _same(found, sound):
        return "read although the value put in means nothing"
    return _wrong_values(found)


def _wrong_refusal(error: NasionError, path: Path) -> str:
    text = str(error)
    if path.name not in text and path.parent.name not in text:
        return f"the error does not name the file: {text}"
    if len(text) > 3000:
        return f"an error of {len(text)} characters"
    cause = error.__cause__
    if "not of this format" not in text or cause is None or cause.__traceback__ is None:
        return ""
    # The boundary of a reader is for errors of other packages; its own code must not rely on it.
    frames = traceback.extract_tb(cause.__traceback__)
    own = frames[-1].filename.startswith(_PACKAGE) and type(cause).__module__ == "builtins"
    expected = isinstance(cause, (RecursionError, OSError, UnicodeError))
    return "".join(traceback.format_exception(cause)) if own and not expected else ""


def _same(found: Read, sound: Read) -> bool:
    if len(found) != len(sound):
        return False
    return all(_equal(a, b) for a, b in zip(found, sound, strict=True))


def _equal(a, b) -> bool:
    if not isinstance(a, np.ndarray) or a.dtype.kind not in "fiu":
        return np.array_equal(a, b)
    return a.shape == b.shape and np.allclose(a, b, equal_nan=True)


def _wrong_values(found: Read) -> str:
    """Numbers that are no coordinates, flat boxes, scores that are no probabilities."""
    for values in found:
        if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
            continue
        if np.isinf(values).any() or (np.abs(values) > MAX_COORDINATE + 1).any():
            return f"coordinates of {np.nanmax(np.abs(values))}"
        if isinstance(values, _Scores) and not ((values >= 0) & (values <= 1)).all():
            return f"scores of {values.min()} to {values.max()}"
        if values.ndim == 2 and values.shape[1:] == (4,):
            # NaN alone is a face without a box.
            boxes = values[~np.isnan(values).all(axis=1)]
            if not (boxes[:, 2:] > boxes[:, :2]).all():
                return "a box without area"
    return ""
