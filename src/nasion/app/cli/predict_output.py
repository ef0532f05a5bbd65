"""What ``nasion predict`` writes: text formats as results come, into files or standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nasion.app import console
from nasion.app.cli.outcome import Outcome
from nasion.app.cli.predict_summary import PredictionSummary
from nasion.discovery import FORMATS

if TYPE_CHECKING:
    from nasion.app.predict_pipeline import Result
    from nasion.landmarks.face import ImageResult
    from nasion.prediction_formats import TextContents
    from nasion.prediction_formats._text_file import TextFile


class PredictionOutput:
    """Writes results as they come and counts them; no result is kept.

    ``formats``: of one text each. ``folder``: None for standard output, which gets the first. Files
    appear at the end, or after Ctrl-C or SIGTERM with what was found until then.
    """

    def __init__(
        self,
        formats: list[str],
        folder: Path | None,
        contents: TextContents,
        summary: PredictionSummary,
    ) -> None:
        self.summary: PredictionSummary = summary
        self.outcome: Outcome = summary.outcome
        self._formats, self._folder, self._contents = formats, folder, contents
        self._files: list[TextFile] = []

    def take(self, results: Sequence[Generator[Result]], advance: Callable[[], None]) -> None:
        """Write all results as they come."""
        # A result is written to all files or to none, and never half.
        with self.outcome.signals, self:
            if self._folder is None:
                self._print(results, advance)
            else:
                self.outcome.sort(results, self._add, advance)

    def __enter__(self) -> PredictionOutput:
        from nasion.prediction_formats._text_file import TextFile

        if self._folder is not None:
            for name in self._formats:
                self._files.append(TextFile(name, self._folder, self._contents))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> bool:
        try:
            with self.outcome.signals.held():
                if error is None:
                    self._finish()
                elif isinstance(error, KeyboardInterrupt):
                    self.outcome.stopped = error
                    self._stop()
                else:
                    self._keep_incomplete()
        finally:
            for file in self._files:
                file.discard()
        # True swallows the KeyboardInterrupt: the summary still follows.
        return self.outcome.stopped is not None

    def _add(self, result: ImageResult) -> None:
        self.summary.add(result)
        for file in self._files:
            file.add(result)

    def _print(self, results: Sequence[Generator[Result]], advance: Callable[[], None]) -> None:
        """Print the first format, piece by piece."""
        text = FORMATS.load(self._formats[0]).Text(self._contents)

        def add(result: ImageResult) -> None:
            self.summary.add(result)
            _print_piece(text.add(result))

        _print_piece(text.begin())
        try:
            self.outcome.sort(results, add, advance)
        except KeyboardInterrupt as error:
            self.outcome.stopped = error
            console.warn("Stopped; what was found until now is printed.")
        for piece in text.end():
            _print_piece(piece)

    def _finish(self) -> None:
        # Where nothing could be read, an older file is worth more than an empty one.
        if self.summary.found or not self.outcome.unreadable:
            for file in self._files:
                file.finish()

    def _stop(self) -> None:
        if not self.summary.found:
            console.warn("Stopped before the first result; nothing is written.")
            return
        console.warn("Stopped; what was found until now is kept.")
        for file in self._files:
            file.finish()

    def _keep_incomplete(self) -> None:
        """After an error, as of a full disk: keep what there is, in no older file's place."""
        for file in self._files if self.summary.found else []:
            with suppress(OSError):
                path = file.finish(complete=False)
                console.warn(f"Stopped by an error; what was found until then is in {path}.")


def _print_piece(piece: str) -> None:
    # Names in a table may hold escape sequences, which a program reads and a terminal obeys.
    try:
        print(console.printable(piece, "\n") if sys.stdout.isatty() else piece, end="", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, which names no file
        raise OSError(error.errno, error.strerror, "standard output") from error
