"""Very many pictures to Parquet, part by part: in this process, or by the workers of a Ray cluster; what is done already is not done again.

A row is a face; a picture without one, or that cannot be read, has a row of its own. Both engines write the same parts with the same rows.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import nasion
from nasion.errors import DataError, SettingError, needing, require
from nasion.files import open_picture, written_beside
from nasion.landmarker import Face, Landmarker
from nasion.pictures import Photo, listed
from nasion.predict import load_model

PART = 64  # pictures whose rows are a file
ENGINES = ("plain", "ray")
_PICTURES, _NAMES = ("picture", "image", "bytes", "content", "jpg"), ("name", "path", "file", "file_name", "id", "__key__")


@dataclass(frozen=True)
class Settings:
    """What a worker needs to know; ``network``: a shipped network's name or an exported file."""

    network: str = "face68"
    detector: str = "single_shot"
    smallest: int | None = None
    detect: bool = True
    least: float = 0.6
    any_rotation: bool = False
    average: str | None = None

    def landmarker(self) -> Landmarker:
        from nasion import detectors

        finder = detectors.named(self.detector, self.smallest) if self.detect else None
        model = load_model(self.network, average=self.average)
        return Landmarker(model, detector=finder, least=self.least, any_rotation=self.any_rotation)


@dataclass(frozen=True)
class Part:
    """Some of the pictures: files and addresses by name, or rows ``start`` to ``stop`` of a Parquet file of pictures."""

    number: int
    names: tuple[str, ...] = ()
    table: str = ""
    start: int = 0
    stop: int = 0

    def file(self, folder: Path, settings: Settings) -> Path:
        """Where its rows are written: the name tells what was asked and how, so that no other result is taken for it."""
        told = json.dumps([asdict(self), asdict(settings), nasion.__version__]).encode()
        return folder / f"part-{self.number:05d}-{hashlib.sha256(told).hexdigest()[:10]}.parquet"


def parts(words: Sequence[str], size: int = PART) -> list[Part]:
    """The parts of all pictures that are meant: words as of ``nasion predict``, and Parquet files of pictures.

    Raises ``DataError`` for a Parquet file without pictures, ``SettingError`` for what cannot be done in parts, as videos.
    """
    require(size > 0, f"A part has one picture at least; found {size}.")
    tables = [word for word in words if word.endswith(".parquet")]
    others = [word for word in words if not word.endswith(".parquet")]
    found: list[Part] = []
    names = []
    for photo in listed(others) if others or not tables else []:
        if not isinstance(photo, Photo) or isinstance(photo.source, bytes):
            raise SettingError(f"{photo.name}: only files and addresses of pictures can be written to Parquet; leave it out.")
        names.append(photo.name)
    for start in range(0, len(names), size):
        found.append(Part(len(found), names=tuple(names[start : start + size])))
    for table in tables:
        file = _table(Path(table))
        _column(file, _PICTURES, table)
        rows = file.metadata.num_rows
        found += [Part(len(found) + i, table=table, start=start, stop=min(start + size, rows)) for i, start in enumerate(range(0, rows, size))]
    return found


def run(all_parts: Sequence[Part], settings: Settings, folder: Path, engine: str, workers: int | None = None) -> Iterator[Done]:
    """Write the rows of every part that is not there yet, and give each part with its counts as it is done.

    Raises ``SettingError`` for a folder with parts of other pictures or settings, and for an engine that there is not.
    """
    require(engine in ENGINES, f"The engine is {' or '.join(ENGINES)}; found {engine!r}.")
    files = {part: part.file(folder, settings) for part in all_parts}
    strange = sorted(set(folder.glob("part-*.parquet")) - set(files.values()))
    if strange:
        raise SettingError(f"{folder} holds {strange[0].name} of other pictures or settings; name another folder with --out, or empty it.")
    _arrow()
    folder.mkdir(parents=True, exist_ok=True)
    yield from ((part, counts_of(file)) for part, file in files.items() if file.exists())
    missing = [part for part, file in files.items() if not file.exists()]
    done = _plain if engine == "plain" else _ray
    yield from done(missing, settings, folder, workers)


def counts_of(file: Path) -> dict[str, int]:
    """How many pictures, faces and unreadable pictures a part has."""
    return json.loads(_arrow().read_schema(file).metadata[b"nasion"])


Done = tuple[Part, dict[str, int]]


class Worker:
    """Looks at one part after the other with a network that it loads once."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder, self.landmarker = settings, folder, settings.landmarker()

    def __call__(self, part: Part) -> dict[str, int]:
        import pyarrow as arrow

        rows, counts = [], {"pictures": 0, "faces": 0, "unreadable": 0}
        for name, photo in _photos(part, self.landmarker.model.recipe.colour):
            counts["pictures"] += 1
            try:
                pixels = photo()
            except DataError as error:
                counts["unreadable"] += 1
                rows.append({"picture": name, "error": str(error)})
                continue
            faces = self.landmarker(pixels)
            counts["faces"] += len(faces)
            size = {"picture": name, "width": pixels.shape[1], "height": pixels.shape[0], "scheme": self.landmarker.model.recipe.scheme.name}
            rows += [{**size, "face": i, **_told(face)} for i, face in enumerate(faces)] or [size]
        table = arrow.Table.from_pylist(rows, schema=_schema().with_metadata({"nasion": json.dumps(counts)}))
        with written_beside(part.file(self.folder, self.settings)) as beside:
            _arrow().write_table(table, beside)
        return counts


def _told(face: Face) -> dict[str, Any]:
    told = {"score": face.score, "box": face.box, "points": face.points.reshape(-1), "scores": face.scores, "expected": face.expected}
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in told.items()}


def _schema() -> Any:
    """picture, size, scheme, which of its faces, how sure, box x0 y0 x1 y1, points x0 y0 x1 y1 ..., scores and expected errors; or the error."""
    import pyarrow as arrow

    numbers = arrow.list_(arrow.float32())
    return arrow.schema({
        "picture": arrow.string(), "width": arrow.int32(), "height": arrow.int32(), "scheme": arrow.string(), "face": arrow.int32(),
        "score": arrow.float32(), "box": numbers, "points": numbers, "scores": numbers, "expected": numbers, "error": arrow.string(),
    })  # fmt: skip


def _photos(part: Part, colour: bool) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The names of a part's pictures, and functions that decode them."""
    if not part.table:
        for name in part.names:
            photo = Photo(name, name if "://" in name else Path(name))
            yield name, lambda photo=photo: photo.pixels(colour)
        return
    file = _table(Path(part.table))
    pictures = _column(file, _PICTURES, part.table)
    names = next((name for name in _NAMES if name in file.schema_arrow.names and name != pictures), None)
    for number, row in _rows(file, part, [pictures, *([names] if names else [])]):
        value, name = row[pictures], str(row[names]) if names else f"{part.table}#{number}"
        data = value.get("bytes") if isinstance(value, dict) else value
        yield name, lambda data=data, name=name: open_picture(bytes(data or b""), colour, name)


def _rows(file: Any, part: Part, columns: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, row) of a part of a table; only the row groups that it lies in are read."""
    first = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if first < part.stop and first + count > part.start:
            low, high = max(part.start - first, 0), min(part.stop - first, count)
            rows = file.read_row_group(group, columns).slice(low, high - low).to_pylist()
            yield from ((first + low + i, row) for i, row in enumerate(rows))
        first += count


def _table(path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    try:
        return _arrow().ParquetFile(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]}).") from error


def _column(file: Any, wanted: Iterable[str], path: str) -> str:
    from pyarrow import types

    kinds = {field.name: field.type for field in file.schema_arrow}
    held = [n for n, kind in kinds.items() if types.is_struct(kind) or types.is_binary(kind) or types.is_large_binary(kind)]
    found = next((name for name in wanted if name in held), None)
    if found is None:
        raise DataError(f"{path}: no column of pictures; one of {', '.join(wanted)} as bytes expected, found {', '.join(kinds)}.")
    return found


def _plain(missing: Sequence[Part], settings: Settings, folder: Path, workers: int | None) -> Iterator[Done]:
    if not missing:
        return
    worker = Worker(settings, folder)
    for part in missing:
        yield part, worker(part)


def _ray(missing: Sequence[Part], settings: Settings, folder: Path, workers: int | None) -> Iterator[Done]:
    """By actors of Ray Data; one that dies is begun anew, and its part given out again."""
    with needing("The engine ray", "ray"):
        import ray
    if not missing:
        return
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    count = min(workers or max(1, int(ray.cluster_resources().get("CPU", 1))), len(missing))
    given = ray.data.from_items([{"number": i} for i in range(len(missing))], override_num_blocks=len(missing))
    told = given.map_batches(_RayWorker, fn_constructor_args=(list(missing), settings, folder.resolve()), batch_size=1, concurrency=count, num_cpus=1)
    for row in told.iter_rows():
        yield missing[row["number"]], {name: row[name] for name in ("pictures", "faces", "unreadable")}


class _RayWorker:
    def __init__(self, missing: list[Part], settings: Settings, folder: Path) -> None:
        self.missing, self.worker = missing, Worker(settings, folder)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        number = int(batch["number"][0])
        counts = self.worker(self.missing[number])
        return {"number": [number], **{name: [count] for name, count in counts.items()}}


def _arrow() -> Any:
    with needing("Parquet", "ray"):
        return import_module("pyarrow.parquet")
