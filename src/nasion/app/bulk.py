"""Very many images to Parquet, part by part, in this process or on a Ray cluster; resumable.

A row is a face; an image without one, or that cannot be read, has a row of its own. Both engines
write the same parts with the same rows, and parts that exist are not computed again.
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
from nasion.errors import DataError, SettingError, require, requires_extra
from nasion.inference import detectors, pretrained
from nasion.inference.landmarker import MIN_SCORE, Landmarker
from nasion.inference.predictor import load_model
from nasion.landmarks.face import Face
from nasion.media.files import atomic_write
from nasion.media.images import open_image
from nasion.media.inputs import ImageInput, resolve_inputs
from nasion.model_spec import TTA

PART_SIZE = 64  # images
ENGINES = ("plain", "ray")
_IMAGE_COLUMNS = ("image", "picture", "bytes", "content", "jpg")
_NAME_COLUMNS = ("name", "path", "file", "file_name", "id", "__key__")
_COUNTS = ("images", "faces", "unreadable")


@dataclass(frozen=True)
class BulkSettings:
    """What a worker needs to know. ``model``: a pretrained model's name or an exported file."""

    model: str = pretrained.DEFAULT
    detector: str = detectors.DEFAULT
    min_face: int | None = None
    detect: bool = True
    min_score: float = MIN_SCORE
    any_rotation: bool = False
    tta: TTA | None = None

    def landmarker(self) -> Landmarker:
        detector = detectors.load(self.detector, self.min_face) if self.detect else None
        return Landmarker(
            load_model(self.model, tta=self.tta),
            detector=detector,
            min_score=self.min_score,
            any_rotation=self.any_rotation,
        )


@dataclass(frozen=True)
class Part:
    """Some of the images: files and URLs, or rows ``start`` to ``stop`` of a Parquet file."""

    number: int
    names: tuple[str, ...] = ()
    table: str = ""
    start: int = 0
    stop: int = 0

    def file(self, folder: Path, settings: BulkSettings) -> Path:
        """Where its rows are written.

        The name is a hash of images and settings, so no other result is taken for it.
        """
        described = json.dumps([asdict(self), asdict(settings), nasion.__version__])
        digest = hashlib.sha256(described.encode()).hexdigest()[:10]
        return folder / f"part-{self.number:05d}-{digest}.parquet"


def make_parts(words: Sequence[str], size: int = PART_SIZE) -> list[Part]:
    """The parts of all images that the words name, as in ``nasion predict``, and Parquet files.

    Raises ``DataError`` for a Parquet file without images, and ``SettingError`` for inputs that
    cannot be processed in parts, as videos.
    """
    require(size > 0, f"A part has one image or more; found {size}.")
    tables = [word for word in words if word.endswith(".parquet")]
    others = [word for word in words if not word.endswith(".parquet")]
    parts: list[Part] = []
    names = []
    for image in resolve_inputs(others) if others or not tables else []:
        if not isinstance(image, ImageInput) or isinstance(image.source, bytes):
            raise SettingError(
                f"{image.name}: only image files and URLs can be written to Parquet; omit it."
            )
        names.append(image.name)
    for start in range(0, len(names), size):
        parts.append(Part(len(parts), names=tuple(names[start : start + size])))
    for table in tables:
        file = _open_table(Path(table))
        _find_column(file, _IMAGE_COLUMNS, table)
        rows = file.metadata.num_rows
        for start in range(0, rows, size):
            stop = min(start + size, rows)
            parts.append(Part(len(parts), table=table, start=start, stop=stop))
    return parts


Progress = tuple[Part, dict[str, int]]


def run(
    parts: Sequence[Part],
    settings: BulkSettings,
    folder: Path,
    engine: str,
    workers: int | None = None,
) -> Iterator[Progress]:
    """Write the rows of every part that does not exist yet; yields each part with its counts.

    Raises ``SettingError`` for a folder with parts of other images or settings, and for an unknown
    engine.
    """
    require(engine in ENGINES, f"The engine is {' or '.join(ENGINES)}; found {engine!r}.")
    files = {part: part.file(folder, settings) for part in parts}
    strange = sorted(set(folder.glob("part-*.parquet")) - set(files.values()))
    if strange:
        raise SettingError(
            f"{folder} holds {strange[0].name} of other images or settings; "
            "name another folder with --out, or empty it."
        )
    _parquet()
    folder.mkdir(parents=True, exist_ok=True)
    missing = []
    for part, file in files.items():
        if file.exists():
            yield part, read_counts(file)
        else:
            missing.append(part)
    if missing and engine == "plain":
        worker = Worker(settings, folder)
        yield from ((part, worker(part)) for part in missing)
    elif engine == "ray":
        yield from _run_on_ray(missing, settings, folder, workers)


def read_counts(file: Path) -> dict[str, int]:
    """How many images, faces and unreadable images a part has."""
    return json.loads(_parquet().read_schema(file).metadata[b"nasion"])


class Worker:
    """Processes one part after the other with a network that it loads once."""

    def __init__(self, settings: BulkSettings, folder: Path) -> None:
        self.settings: BulkSettings = settings
        self.folder: Path = folder
        self.landmarker: Landmarker = settings.landmarker()

    def __call__(self, part: Part) -> dict[str, int]:
        import pyarrow as arrow

        rows, counts = [], dict.fromkeys(_COUNTS, 0)
        spec = self.landmarker.predictor.spec
        for name, load in _images(part, spec.colour):
            counts["images"] += 1
            try:
                pixels = load()
            except DataError as error:
                counts["unreadable"] += 1
                rows.append({"image": name, "error": str(error)})
                continue
            faces = self.landmarker(pixels)
            counts["faces"] += len(faces)
            height, width = pixels.shape[:2]
            image = {"image": name, "width": width, "height": height, "scheme": spec.scheme.name}
            rows += [image | {"face": i} | _columns(face) for i, face in enumerate(faces)]
            rows += [] if faces else [image]
        metadata = {"nasion": json.dumps(counts)}
        table = arrow.Table.from_pylist(rows, schema=_schema().with_metadata(metadata))
        with atomic_write(part.file(self.folder, self.settings)) as temporary:
            _parquet().write_table(table, temporary)
        return counts


def _columns(face: Face) -> dict[str, Any]:
    arrays = {
        "box": face.box,
        "points": face.points.reshape(-1),
        "scores": face.scores,
        "expected_errors": face.expected,
    }
    lists = {name: None if a is None else a.tolist() for name, a in arrays.items()}
    return {"score": face.score, **lists}


def _schema() -> Any:
    """``face``: number within the image. ``box``: x0 y0 x1 y1. ``points``: x0 y0 x1 y1 ..."""
    import pyarrow as arrow

    numbers = arrow.list_(arrow.float32())
    return arrow.schema(
        {
            "image": arrow.string(),
            "width": arrow.int32(),
            "height": arrow.int32(),
            "scheme": arrow.string(),
            "face": arrow.int32(),
            "score": arrow.float32(),
            "box": numbers,
            "points": numbers,
            "scores": numbers,
            "expected_errors": numbers,
            "error": arrow.string(),
        }
    )


def _images(part: Part, colour: bool) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The names of a part's images, and functions that decode them."""
    if not part.table:
        for name in part.names:
            image = ImageInput(name, name if "://" in name else Path(name))
            yield name, lambda image=image: image.pixels(colour)
        return
    file = _open_table(Path(part.table))
    column = _find_column(file, _IMAGE_COLUMNS, part.table)
    existing = [name for name in _NAME_COLUMNS if name in file.schema_arrow.names]
    names = next((name for name in existing if name != column), None)
    for number, row in _rows(file, part, [column, *([names] if names else [])]):
        name = str(row[names]) if names else f"{part.table}#{number}"
        value = row[column]
        data = value.get("bytes") if isinstance(value, dict) else value
        yield name, lambda data=data, name=name: open_image(bytes(data or b""), colour, name)


def _rows(file: Any, part: Part, columns: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, row) of a part of a table; reads only the row groups that it lies in."""
    first = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if first < part.stop and first + count > part.start:
            low, high = max(part.start - first, 0), min(part.stop - first, count)
            rows = file.read_row_group(group, columns).slice(low, high - low).to_pylist()
            yield from ((first + low + i, row) for i, row in enumerate(rows))
        first += count


def _open_table(path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    try:
        return _parquet().ParquetFile(path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: not a readable Parquet file ({reason}).") from error


def _find_column(file: Any, wanted: Iterable[str], path: str) -> str:
    from pyarrow import types

    kinds = {field.name: field.type for field in file.schema_arrow}
    tests = (types.is_struct, types.is_binary, types.is_large_binary)
    fits = [name for name, kind in kinds.items() if any(test(kind) for test in tests)]
    found = next((name for name in wanted if name in fits), None)
    if found is None:
        raise DataError(
            f"{path}: no column of images; one of {', '.join(wanted)} as bytes expected, "
            f"found {', '.join(kinds)}."
        )
    return found


def _run_on_ray(
    missing: Sequence[Part], settings: BulkSettings, folder: Path, workers: int | None
) -> Iterator[Progress]:
    """With actors of Ray Data; one that dies is restarted, and its part is given out again."""
    with requires_extra("The engine ray", "ray"):
        import ray
    if not missing:
        return
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    cores = int(ray.cluster_resources().get("CPU", 1))
    count = min(workers or max(1, cores), len(missing))
    numbers = [{"number": i} for i in range(len(missing))]
    dataset = ray.data.from_items(numbers, override_num_blocks=len(missing))
    done = dataset.map_batches(
        _RayWorker,
        fn_constructor_args=(list(missing), settings, folder.resolve()),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=count),
        num_cpus=1,
    )
    for row in done.iter_rows():
        yield missing[row["number"]], {name: row[name] for name in _COUNTS}


class _RayWorker:
    def __init__(self, missing: list[Part], settings: BulkSettings, folder: Path) -> None:
        self.missing, self.worker = missing, Worker(settings, folder)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        number = int(batch["number"][0])
        counts = self.worker(self.missing[number])
        return {"number": [number], **{name: [count] for name, count in counts.items()}}


def _parquet() -> Any:
    with requires_extra("Parquet", "ray"):
        return import_module("pyarrow.parquet")
