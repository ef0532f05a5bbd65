"""What ``nasion predict`` says at the end: faces of each image and video, and what failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from nasion.app import console
from nasion.app.cli.outcome import Outcome

if TYPE_CHECKING:
    from nasion.landmarks.face import ImageResult

_MAX_LINES = 20  # images, or faces of a video, with a line of their own in the terminal
_MAX_NAMES = 3  # of images without a face in the last line
_MAX_TIMES = 10  # of blinks in a line


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


def scored_below(count: int, best: float, min_score: float) -> str:
    """``scored at most 0.41, below --min-score 0.6``, of so many candidates."""
    most = "at most " if count > 1 else ""
    # Down, not to the nearest: 0.599 is not 0.60 where the minimum is 0.6.
    return f"scored {most}{int(100 * best) / 100:.2f}, below --min-score {min_score:g}"


class PredictionSummary:
    """Counts results. ``min_score``: below which faces were dropped. ``outcome``: what failed."""

    def __init__(self, min_score: float, outcome: Outcome) -> None:
        from nasion.landmarks.clip_blinks import ClipBlinks

        self.outcome: Outcome = outcome
        self._blinks = ClipBlinks()
        self._min_score, self._started = min_score, perf_counter()
        self._images = self._faces = self._without = 0
        self._named_without: list[str] = []  # the first of them
        self._lines: list[str] = []
        self._candidates = _Candidates()
        self._videos: dict[str, _Video] = {}

    @property
    def found(self) -> int:
        """Images and frames that were processed."""
        return self._images + sum(video.frames for video in self._videos.values())

    def add(self, result: ImageResult) -> None:
        """Count a result."""
        if result.seconds is not None:
            video = result.name.rpartition("@")[0]
            self._videos.setdefault(video, _Video()).add(result)
            self._blinks.add(result)
            return
        self._images += 1
        self._faces += len(result.faces)
        self._without += not result.faces
        if not result.faces and len(self._named_without) < _MAX_NAMES:
            self._named_without.append(result.name)
        self._candidates.add(result)
        if len(self._lines) < _MAX_LINES:
            self._lines.append(f"{result.name}: {self._faces_of(result)}")

    def report(self, folder: Path | None) -> None:
        """Print it; on standard error if results went to standard output (``folder`` None)."""
        say = partial(console.say, stderr=folder is None)
        if folder is not None:
            for line in self._lines:
                say(line)
            if self._images > len(self._lines):
                say(f"... and {console.count(self._images - len(self._lines), 'more image')}")
        seconds = perf_counter() - self._started
        for name, video in self._videos.items():
            rate = ""
            if not self._images and len(self._videos) == 1:
                rate = f", {video.frames / seconds:.0f} frames per second"
            faces = console.count(len(video.tracks), "face")
            frames = console.count(video.frames, "frame")
            below = "" if video.tracks else self._below(video.candidates, "frame")
            say(f"{name}: {faces} in {frames}{below}{rate}")
            for line in self._blink_lines(name):
                say(line)
        self.outcome.report()
        if summary := self._summary(folder):
            say(f"{'; '.join(summary)}.")
        if folder is not None and self.found:
            say(f"Written to {folder.resolve()}")

    def _blink_lines(self, video: str) -> list[str]:
        """A line for each face whose eyes were measured: how often it blinks, and when."""
        found = {track: of for (name, track), of in self._blinks.found().items() if name == video}
        lines = []
        for track, blinks in list(found.items())[:_MAX_LINES]:
            times = ", ".join(f"{blink.lowest:.2f}" for blink in blinks[:_MAX_TIMES])
            more = ", ..." if len(blinks) > _MAX_TIMES else ""
            at = f" at {times}{more} s" if blinks else ""
            lines.append(f"  face {track}: {console.count(len(blinks), 'blink')}{at}")
        if len(found) > _MAX_LINES:
            lines.append(f"  ... and {console.count(len(found) - _MAX_LINES, 'more face')}")
        return lines

    def _summary(self, folder: Path | None) -> list[str]:
        summary = []
        if self._images or not (self._videos or self.outcome.unreadable):
            faces = console.count(self._faces, "face")
            # Where each image has a line of its own, that says it.
            in_lines = folder is not None and self._images == len(self._lines)
            without = self._without_any(named=not in_lines and self._images > 1)
            below = "" if in_lines else self._below(self._candidates, "image")
            summary.append(f"{faces} in {console.count(self._images, 'image')}{without}{below}")
        counts = Counter(each.counted_as for each in self.outcome.unreadable)
        summary += [f"{count} {what}" for what, count in counts.items()]
        damaged = len({problem.name for problem in self.outcome.problems if problem.damaged})
        if damaged:
            summary.append(f"{damaged} damaged, read in part")
        return summary

    def _without_any(self, named: bool) -> str:
        """``, 5 without any (a.jpg, b.jpg, c.jpg, ...)``; empty if all images have a face."""
        if not self._without:
            return ""
        more = ", ..." if self._without > len(self._named_without) else ""
        names = f" ({', '.join(self._named_without)}{more})" if named else ""
        return f", {self._without} without any{names}"

    def _below(self, candidates: _Candidates, kind: str) -> str:
        """Why there may be faces after all; empty if nothing looked like one."""
        if not candidates.images:
            return ""
        where = console.count(candidates.images, kind)
        count = console.count(candidates.count, "candidate")
        scored = scored_below(candidates.count, candidates.best, self._min_score)
        return f" ({count} in {where} {scored})"

    def _faces_of(self, result: ImageResult) -> str:
        """``2 faces (scores 0.98, 0.91)``."""
        count = len(result.faces)
        if not count:
            candidates = _Candidates()
            candidates.add(result)
            if not candidates.count:
                return "0 faces"
            dropped = console.count(candidates.count, "candidate")
            scored = scored_below(candidates.count, candidates.best, self._min_score)
            return f"0 faces ({dropped} {scored})"
        scores = ", ".join(f"{face.score:.2f}" for face in result.faces[:5])
        more = ", ..." if count > 5 else ""
        word = "score" if count == 1 else "scores"
        return f"{console.count(count, 'face')} ({word} {scores}{more})"
