"""Very many images to Parquet, part by part, in this process or on a Ray cluster; resumable.

A row is a face; an image without one, or that cannot be read, has a row of its own. Both engines
write the same parts with the same rows, and parts that exist are not computed again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import tee
from pathlib import Path
from typing import Any

import nasion
from nasion.app.bulk_inputs import Part, parquet_module, part_images
from nasion.app.predict_pipeline import refusal
from nasion.errors import SettingError, require, requires_extra
from nasion.inference import detectors, pretrained, run_folder
from nasion.inference.landmarker import MIN_SCORE, Landmarker
from nasion.inference.predictor import load_model
from nasion.landmarks.face import Face
from nasion.landmarks.measures import measure
from nasion.media.file_names import name_as_text
from nasion.media.files import atomic_write
from nasion.model_spec import TTA
from nasion.prediction_formats._measures import COLUMNS, measures_row

ENGINES = ("plain", "ray")
_COUNTS = ("images", "faces", "unreadable")


@dataclass(frozen=True)
class BulkSettings:
    """What a worker needs to know. ``model``: a pretrained model's name or an exported file.

    ``hide_occluded``: write NaN for the coordinates of hidden points. ``measures``: write head
    pose, eyes and mouth.
    """

    model: str = pretrained.DEFAULT
    detector: str = detectors.DEFAULT
    min_face: int | None = None
    detect: bool = True
    min_score: float = MIN_SCORE
    any_rotation: bool = False
    tta: TTA | None = None
    hide_occluded: bool = False
    measures: bool = False

    @cached_property
    def model_digest(self) -> str:
        """Of the model's files, so that a network trained again under its name is another one."""
        path = pretrained.file(self.model) or Path(self.model)
        files = [path] if path.is_file() else [path / name for name in run_folder.MODEL_FILES]
        digest = hashlib.sha256()
        for file in files:
            if file.is_file():
                digest.update(file.read_bytes())
        return digest.hexdigest()

    def landmarker(self) -> Landmarker:
        detector = detectors.load(self.detector, self.min_face) if self.detect else None
        return Landmarker(
            load_model(self.model, tta=self.tta),
            detector=detector,
            min_score=self.min_score,
            any_rotation=self.any_rotation,
        )


def part_file(part: Part, folder: Path, settings: BulkSettings) -> Path:
    """Where the rows of a part are written.

    The name is a hash of settings, the model's files, and the images' names, sizes and times, so no
    other result is taken for it.
    """
    own = asdict(settings)
    for later in ("hide_occluded", "measures"):
        if not own[later]:
            del own[later]  # parts keep the names that they had before there was this setting
    # The version too: another one may compute other points.
    described = json.dumps([asdict(part), own, settings.model_digest, nasion.__version__])
    digest = hashlib.sha256(described.encode()).hexdigest()[:10]
    return folder / f"part-{part.number:05d}-{digest}.parquet"


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
    files = {part: part_file(part, folder, settings) for part in parts}
    # Parts of another request would be read as part of the result.
    strange = sorted(set(folder.glob("part-*.parquet")) - set(files.values()))
    if strange:
        raise SettingError(
            f"{folder} holds {strange[0].name} of other images or settings, or of another model; "
            "name another folder with --out, or empty it."
        )
    # Before any work: it raises if PyArrow is missing.
    parquet_module()
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
    return json.loads(parquet_module().read_schema(file).metadata[b"nasion"])


class Worker:
    """Processes one part after the other with a network that it loads once."""

    def __init__(self, settings: BulkSettings, folder: Path) -> None:
        self.settings: BulkSettings = settings
        self.folder: Path = folder
        self.landmarker: Landmarker = settings.landmarker()
        # Not from the faces: parts without any have the same columns.
        self.has_visible: bool = self.landmarker.predicts_visible

    def __call__(self, part: Part) -> dict[str, int]:
        import pyarrow

        rows, counts = [], dict.fromkeys(_COUNTS, 0)
        spec = self.landmarker.predictor.spec
        # Two iterators of one: names beside what was found.
        names, opens = tee(part_images(part, spec.colour))
        found = self.landmarker.find_opened(load for _, load in opens)
        for (name, _), each in zip(names, found, strict=True):
            counts["images"] += 1
            shown = name_as_text(name)
            if isinstance(each, Exception):
                counts["unreadable"] += 1
                rows.append({"image": shown, "error": name_as_text(refusal(name, each).reason)})
                continue
            faces = each.faces
            if self.settings.hide_occluded:
                faces = [face.without_hidden() for face in faces]
            counts["faces"] += len(faces)
            height, width = each.pixels.shape[:2]
            image = {"image": shown, "width": width, "height": height, "scheme": spec.scheme.name}
            measured = measure(faces) if self.settings.measures else None
            for i, face in enumerate(faces):
                row = image | {"face": i} | _columns(face)
                rows.append(row if measured is None else row | measures_row(measured[i]))
            # An image without a face keeps a row, so that it is known to be done.
            rows += [] if faces else [image]
        metadata = {"nasion": json.dumps(counts)}
        schema = _schema(self.has_visible, self.settings.measures)
        table = pyarrow.Table.from_pylist(rows, schema=schema.with_metadata(metadata))
        with atomic_write(part_file(part, self.folder, self.settings)) as temporary:
            parquet_module().write_table(table, temporary)
        return counts


def _columns(face: Face) -> dict[str, Any]:
    arrays = {
        "box": face.box,
        "points": face.points.reshape(-1),
        "scores": face.scores,
        "expected_errors": face.expected,
        "visible": face.visible,
    }
    lists = {name: None if a is None else a.tolist() for name, a in arrays.items()}
    return {"score": face.score, **lists}


def _schema(has_visible: bool, has_measures: bool) -> Any:
    """``face``: number within the image. ``box``: x0 y0 x1 y1. ``points``: x0 y0 x1 y1 ..."""
    import pyarrow

    numbers = pyarrow.list_(pyarrow.float32())
    return pyarrow.schema(
        {
            "image": pyarrow.string(),
            "width": pyarrow.int32(),
            "height": pyarrow.int32(),
            "scheme": pyarrow.string(),
            "face": pyarrow.int32(),
            "score": pyarrow.float32(),
            "box": numbers,
            "points": numbers,
            "scores": numbers,
            "expected_errors": numbers,
            **({"visible": numbers} if has_visible else {}),
            **(dict.fromkeys(COLUMNS, pyarrow.float32()) if has_measures else {}),
            "error": pyarrow.string(),
        }
    )


def _run_on_ray(
    missing: Sequence[Part], settings: BulkSettings, folder: Path, workers: int | None
) -> Iterator[Progress]:
    """With actors of Ray Data; one that dies is restarted, and its part is given out again."""
    with requires_extra("The engine ray", "ray"):
        import ray
    if not missing:
        return
    # Ray would send usage statistics, and ask a metrics server that is not there.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
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
        # Actors load the network once; functions would load it for each part.
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
