"""Images of the video frames that ``.pts`` files are of, as 300-VW (Shen et al., 2015) has them.

A file named by a number, as ``annot/000001.pts``, is of that frame, counted from 1, of the only
video in its folder or the one above.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasion.data.datasets._label_files import any_case
from nasion.errors import DataError
from nasion.media.files import atomic_write

_VIDEOS = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".mpg", ".wmv")
_QUALITY = 95  # of the JPEG files


def video_of(labels: Path) -> Path | None:
    """The video that a label file is a frame of; None if it is of none, or of one of several."""
    if not (labels.stem.isascii() and labels.stem.isdecimal()):
        return None
    for folder in (labels.parent, labels.parent.parent):
        videos = [path for path in folder.iterdir() if path.suffix.lower() in _VIDEOS]
        if videos:
            return videos[0] if len(videos) == 1 else None
    return None


def write_frames(root: Path) -> list[Path]:
    """Write the frame of each ``.pts`` file below a folder as ``NAME.jpg`` beside it.

    Images that are there stay as they are. Returns the new ones. Raises ``DataError`` for files of
    no video, and for a damaged video, whose frames cannot be counted.
    """
    labels = sorted(
        path for path in root.rglob("*" + any_case(".pts")) if video_of(path) is not None
    )
    if not labels:
        raise DataError(
            f"{root}: no .pts file here is of a frame: named by its number, as 000001.pts, with "
            "one video in its folder or the one above."
        )
    written: list[Path] = []
    for folder in dict.fromkeys(path.parent for path in labels):
        files = [path for path in labels if path.parent == folder]
        video = video_of(files[0])
        images = [path.with_suffix(".jpg") for path in files]
        lacking = [image for image in images if not image.is_file()]
        if video is not None and lacking:
            written += _write(video, lacking)
    return written


def _write(video: Path, images: Sequence[Path]) -> list[Path]:
    from PIL import Image

    from nasion.media.video import VideoInput
    from nasion.media.video_reading import VideoProblem

    by_number = {int(image.stem): image for image in images}
    written: list[Path] = []

    def stop(problem: VideoProblem) -> None:
        if problem.damaged:
            # Known at the end only: frames after what is damaged have other numbers.
            for image in written:
                image.unlink()
            raise DataError(
                f"{video}: {problem.reason}; so its frames cannot be counted. Get it again."
            )

    for frame in VideoInput(video).frames(stop):
        # Labels count frames from 1.
        image = by_number.get(frame.number + 1)
        if image is None:
            continue
        with atomic_write(image) as temporary:
            Image.fromarray(frame.pixels).save(temporary, "JPEG", quality=_QUALITY)
        written.append(image)
    if len(written) < len(by_number):
        first = next(image for image in images if image not in written)
        raise DataError(
            f"{video}: it ends before frame {int(first.stem)}, which {first.stem}.pts is of."
        )
    return written
