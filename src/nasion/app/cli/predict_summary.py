"""What ``nasion predict`` says at the end: faces of each image and video, and what failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from nasion.app import console

if TYPE_CHECKING:
    from nasion.app.predict_pipeline import Result
    from nasion.landmarks.face import ImageResult
    from nasion.media.inputs import UnreadableInput
    from nasion.media.video_reading import VideoProblem

_MAX_LINES = 20  # images with a line of their own in the terminal


@dataclass
class _Candidates:
    """Images or frames without a face in which something scored below the minimum."""

    images: int = 0
    count: int = 0
    best: float = 0.0

    def add(self, result: ImageResult) -> None:
        if result.dropped and not result.faces:
            self.images += 1
            self.count += len(result.dropped)
            self.best = max(self.best, *result.dropped)


@dataclass
class _Video:
    frames: int = 0
    tracks: set[int | None] = field(default_factory=set)
    candidates: _Candidates = field(default_factory=_Candidates)

    def add(self, result: ImageResult) -> None:
        self.frames += 1
        self.tracks |= {face.track for face in result.faces}
        self.candidates.add(result)


class PredictionSummary:
    """Counts results. ``min_score``: below which faces were dropped."""

    def __init__(self, min_score: float) -> None:
        self.unreadable: list[UnreadableInput] = []
        self._problems: list[VideoProblem] = []
        self._min_score, self._started = min_score, perf_counter()
        self._images = self._faces = self._without = 0
        self._lines: list[str] = []
        self._candidates = _Candidates()
        self._videos: dict[str, _Video] = {}

    @property
    def found(self) -> int:
        """Images and frames that were processed."""
        return self._images + sum(video.frames for video in self._videos.values())

    @property
    def complete(self) -> bool:
        """False if an input could not be read, or not all of it."""
        return not self.unreadable and not any(problem.damaged for problem in self._problems)

    def add(self, result: Result) -> ImageResult | None:
        """Count a result; returns it if it is of an image or frame."""
        from nasion.media.inputs import UnreadableInput
        from nasion.media.video_reading import VideoProblem

        if isinstance(result, UnreadableInput):
            self.unreadable.append(result)
            return None
        if isinstance(result, VideoProblem):
            self._problems.append(result)
            return None
        if result.seconds is not None:
            video = result.name.rpartition("@")[0]
            self._videos.setdefault(video, _Video()).add(result)
            return result
        self._images += 1
        self._faces += len(result.faces)
        self._without += not result.faces
        self._candidates.add(result)
        if len(self._lines) < _MAX_LINES:
            self._lines.append(f"{result.name}: {self._faces_of(result)}")
        return result

    def report(self, folder: Path | None) -> None:
        """Print it; on standard error if results went to standard output (``folder`` None)."""
        out = console.err if folder is None else console.out

        def say(text: str) -> None:
            out.print(console.printable(text), soft_wrap=True, highlight=False)

        if folder is not None:
            for line in self._lines:
                say(line)
            if self._images > len(self._lines):
                say(f"... and {self._images - len(self._lines)} more images")
        seconds = perf_counter() - self._started
        for name, video in self._videos.items():
            rate = ""
            if not self._images and len(self._videos) == 1:
                rate = f", {video.frames / seconds:.0f} frames per second"
            faces = console.count(len(video.tracks), "face")
            frames = console.count(video.frames, "frame")
            below = "" if video.tracks else self._below(video.candidates, "frame")
            say(f"{name}: {faces} in {frames}{below}{rate}")
        for problem in self._problems:
            console.warn(f"{problem.name}: {problem.reason}")
        for each in self.unreadable:
            console.warn(f"not read: {each.name}: {each.reason}")
        if summary := self._summary(folder):
            say(f"{'; '.join(summary)}.")
        if folder is not None and self.found:
            say(f"Written to {folder.resolve()}")

    def _summary(self, folder: Path | None) -> list[str]:
        summary = []
        if self._images or not (self._videos or self.unreadable):
            faces = console.count(self._faces, "face")
            without = f", {self._without} without any" if self._without else ""
            # Where each image has a line of its own, that says it.
            in_lines = folder is not None and self._images == len(self._lines)
            below = "" if in_lines else self._below(self._candidates, "image")
            summary.append(f"{faces} in {console.count(self._images, 'image')}{without}{below}")
        if self.unreadable:
            summary.append(f"{len(self.unreadable)} could not be read")
        damaged = len({problem.name for problem in self._problems if problem.damaged})
        if damaged:
            summary.append(f"{damaged} damaged, read in part")
        return summary

    def _below(self, candidates: _Candidates, kind: str) -> str:
        """Why there may be faces after all; empty if nothing looked like one."""
        if not candidates.images:
            return ""
        where = console.count(candidates.images, kind)
        count = console.count(candidates.count, "candidate")
        return f" ({count} in {where} {self._scored(candidates)})"

    def _scored(self, candidates: _Candidates) -> str:
        most = "at most " if candidates.count > 1 else ""
        # Down, not to the nearest: 0.599 is not 0.60 where the minimum is 0.6.
        best = int(100 * candidates.best) / 100
        return f"scored {most}{best:.2f}, below --min-score {self._min_score:g}"

    def _faces_of(self, result: ImageResult) -> str:
        """``2 faces (scores 0.98, 0.91)``."""
        count = len(result.faces)
        if not count:
            candidates = _Candidates()
            candidates.add(result)
            if not candidates.count:
                return "0 faces"
            dropped = console.count(candidates.count, "candidate")
            return f"0 faces ({dropped} {self._scored(candidates)})"
        scores = ", ".join(f"{face.score:.2f}" for face in result.faces[:5])
        more = ", ..." if count > 5 else ""
        word = "score" if count == 1 else "scores"
        return f"{console.count(count, 'face')} ({word} {scores}{more})"
