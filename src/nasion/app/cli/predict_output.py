"""What ``nasion predict`` writes and prints: output files, standard output, a summary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from nasion.app import console
from nasion.discovery import FORMATS

if TYPE_CHECKING:
    from nasion.app.predict_pipeline import Result
    from nasion.landmarks.face import ImageResult
    from nasion.media.inputs import UnreadableInput
    from nasion.media.video_reading import VideoProblem

_MAX_LINES = 20  # images with a line of their own in the terminal


class PredictionOutput:
    """Collects results; at the end, or after Ctrl-C, writes what there is.

    ``folder``: None for standard output.
    """

    def __init__(self, formats: list[str], folder: Path | None) -> None:
        self.found: list[ImageResult] = []
        self.unreadable: list[UnreadableInput] = []
        self.problems: list[VideoProblem] = []
        self._formats, self._folder, self._started = formats, folder, perf_counter()
        # Some formats can be printed line by line as results come.
        self._line = None if folder else getattr(FORMATS.load(formats[0]), "line", None)

    @property
    def complete(self) -> bool:
        """False if an input could not be read, or not all of it."""
        return not self.unreadable and not any(problem.damaged for problem in self.problems)

    def __enter__(self) -> PredictionOutput:
        return self

    def take(
        self,
        image_results: Generator[Result],
        video_results: Generator[Result],
        advance: Callable[[], None],
    ) -> None:
        """Collect all results as they come."""
        with self, closing(image_results), closing(video_results):
            for result in chain(image_results, video_results):
                self.add(result)
                advance()

    def add(self, result: Result) -> None:
        from nasion.media.inputs import UnreadableInput
        from nasion.media.video_reading import VideoProblem

        if isinstance(result, UnreadableInput):
            self.unreadable.append(result)
            return
        if isinstance(result, VideoProblem):
            self.problems.append(result)
            return
        self.found.append(result)
        if self._line is not None:
            print(self._line(result), end="", flush=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        from nasion.prediction_formats import write

        stopped = kind is not None and issubclass(kind, KeyboardInterrupt)
        if stopped:
            console.warn("Stopped; what was found until now is kept.")
        if self._folder is not None:
            write(self.found, self._formats, self._folder)
        elif self._line is None:
            sys.stdout.write(FORMATS.load(self._formats[0]).to_text(self.found))
        # True swallows the KeyboardInterrupt: the summary still follows.
        return stopped

    def report(self) -> None:
        """Print what was found; on standard error if results go to standard output."""
        out = console.err if self._folder is None else console.out

        def say(text: str) -> None:
            out.print(text, soft_wrap=True, highlight=False)

        images = [result for result in self.found if result.seconds is None]
        if self._folder is not None:
            for result in images[:_MAX_LINES]:
                say(f"{result.name}: {_faces_with_scores(result)}")
            if len(images) > _MAX_LINES:
                say(f"... and {len(images) - _MAX_LINES} more images")
        videos = self._frames_by_video()
        seconds = perf_counter() - self._started
        for name, frames in videos.items():
            tracks = len({face.track for frame in frames for face in frame.faces})
            rate = ""
            if not images and len(videos) == 1:
                rate = f", {len(frames) / seconds:.0f} frames per second"
            counts = f"{console.count(tracks, 'face')} in {console.count(len(frames), 'frame')}"
            say(f"{name}: {counts}{rate}")
        for problem in self.problems:
            console.warn(f"{problem.name}: {problem.reason}")
        for each in self.unreadable:
            console.warn(f"not read: {each.name}: {each.reason}")
        summary = self._summary(images, bool(videos))
        if summary:
            say(f"{'; '.join(summary)}.")
        if self._folder is not None and self.found:
            say(f"Written to {self._folder.resolve()}")

    def _frames_by_video(self) -> dict[str, list[ImageResult]]:
        videos: dict[str, list[ImageResult]] = {}
        for result in self.found:
            if result.seconds is not None:
                videos.setdefault(result.name.rpartition("@")[0], []).append(result)
        return videos

    def _summary(self, images: list[ImageResult], has_video: bool) -> list[str]:
        summary = []
        if images or not (has_video or self.unreadable):
            faces = console.count(sum(len(result.faces) for result in images), "face")
            without = sum(not result.faces for result in images)
            without_any = f", {without} without any" if without else ""
            summary.append(f"{faces} in {console.count(len(images), 'image')}{without_any}")
        if self.unreadable:
            summary.append(f"{len(self.unreadable)} could not be read")
        damaged = len({problem.name for problem in self.problems if problem.damaged})
        if damaged:
            summary.append(f"{damaged} damaged, read in part")
        return summary


def _faces_with_scores(result: ImageResult) -> str:
    """``2 faces (scores 0.98, 0.91)``."""
    count = len(result.faces)
    if not count:
        return console.count(count, "face")
    scores = ", ".join(f"{face.score:.2f}" for face in result.faces[:5])
    more = ", ..." if count > 5 else ""
    word = "score" if count == 1 else "scores"
    return f"{console.count(count, 'face')} ({word} {scores}{more})"
