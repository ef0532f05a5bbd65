"""Take results as they come, and say at the end what could not be read: for several commands."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from itertools import chain
from typing import TYPE_CHECKING, Any

import typer

from nasion.app import console
from nasion.app.stopping import StopSignals, exit_code

if TYPE_CHECKING:
    from pathlib import Path

    from nasion.media.inputs import ImageInput, UnreadableInput
    from nasion.media.video import VideoInput
    from nasion.media.video_reading import VideoProblem

_CTRL_C = 130  # 128 and SIGINT


class Outcome:
    """What happened beside the results: unreadable inputs, damaged videos, Ctrl-C."""

    def __init__(self) -> None:
        self.unreadable: list[UnreadableInput] = []
        self.problems: list[VideoProblem] = []
        self.stopped: KeyboardInterrupt | None = None
        self.signals: StopSignals = StopSignals()

    def take(
        self,
        results: Sequence[Generator[Any]],
        add: Callable[[Any], None],
        advance: Callable[[], None],
    ) -> None:
        """Call ``add`` with every result; Ctrl-C ends it between two of them."""
        with self.signals:
            try:
                self.sort(results, add, advance)
            except KeyboardInterrupt as stopped:
                self.stopped = stopped
                console.warn("Stopped; what was written until now is kept.")

    def sort(
        self,
        results: Sequence[Generator[Any]],
        add: Callable[[Any], None],
        advance: Callable[[], None],
    ) -> None:
        """The same, but Ctrl-C is raised, after all generators have been closed."""
        from nasion.media.inputs import UnreadableInput
        from nasion.media.video_reading import VideoProblem

        with ExitStack() as stack:
            for each in results:
                stack.enter_context(closing(each))
            for result in chain(*results):
                with self.signals.held():
                    if isinstance(result, UnreadableInput):
                        self.unreadable.append(result)
                    elif isinstance(result, VideoProblem):
                        self.problems.append(result)
                    else:
                        add(result)
                advance()

    @property
    def complete(self) -> bool:
        """False if an input could not be read, or not all of it."""
        return not self.unreadable and not any(problem.damaged for problem in self.problems)

    def report(self) -> None:
        """Warn of all that was not read, or not whole."""
        for problem in self.problems:
            console.warn(f"{problem.name}: {problem.reason}")
        for each in self.unreadable:
            console.warn(f"not read: {each.name}: {each.reason}")

    def exit(self, good: bool = True, cameras_only: bool = False) -> None:
        """End with 1 unless all was read and ``good``; after Ctrl-C with the signal's code.

        ``cameras_only``: Ctrl-C is how they are stopped, so it is no fault.
        """
        if self.stopped is not None:
            code = exit_code(self.stopped)
            if cameras_only and code == _CTRL_C:
                return
            raise typer.Exit(code)
        if not (self.complete and good):
            raise typer.Exit(1)


def images_and_videos(
    words: list[str], seconds: float | None, results: Path | None = None
) -> tuple[list[ImageInput], list[VideoInput]]:
    """The images that the words name, and the videos, which end after ``seconds``.

    ``results``: the folder in which images that nasion wrote are earlier results, not inputs.
    """
    from dataclasses import replace

    from nasion.app.own_drawings import without_drawings
    from nasion.media.inputs import ImageInput, resolve_inputs
    from nasion.media.video import VideoInput

    resolved = without_drawings(resolve_inputs(words), words, results)
    images = [each for each in resolved if isinstance(each, ImageInput)]
    videos = [each for each in resolved if isinstance(each, VideoInput)]
    return images, [replace(video, seconds=seconds) for video in videos]


def frame_count(video: VideoInput) -> int:
    """About how many frames a video has; 0 if that cannot be told."""
    try:
        return video.frame_count()
    except Exception:
        return 0  # its frames will be refused with the reason
