"""Videos, animated images and cameras: their frames, and copies of them with frames drawn over."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from nasion.errors import DataError
from nasion.media.addresses import split_password
from nasion.media.animation import AnimationReader, is_animation
from nasion.media.drawn_marks import DRAWN_ENDING
from nasion.media.number_text import is_whole
from nasion.media.video_containers import open_container
from nasion.media.video_reading import Frame, Reader, VideoProblem, VideoReader, warn_of
from nasion.media.video_writing import Pixels, VideoWriter, plan_sound, video_writer

# What is written instead of a frame, or what makes it; None: nothing.
Draw = Callable[[Frame], Pixels | Callable[[], Pixels] | None]


@dataclass(frozen=True)
class VideoInput:
    """A video file, a stream by its URL (http, https, rtsp), or a camera by its number.

    ``seconds``: where to stop; None for the end.
    """

    source: Path | int | str
    seconds: float | None = None

    @property
    def name(self) -> str:
        if isinstance(self.source, str):
            return split_password(self.source)[0]
        return f"camera {self.source}" if isinstance(self.source, int) else str(self.source)

    def frames(self, report: Callable[[VideoProblem], None] = warn_of) -> Generator[Frame]:
        """All frames in order; what is damaged is skipped, and reported at the end.

        Raises ``DataError`` for an unreadable video or missing camera.
        """
        with self._open() as reader:
            for _, frame in reader.packets():
                if frame is not None:
                    yield frame
            for problem in reader.problems():
                report(problem)

    def frame_count(self) -> int:
        """About how many frames there are; 0 if unknown, as for streams and cameras."""
        if not isinstance(self.source, Path):
            return 0
        try:
            with self._open() as reader:
                count = reader.frame_count
                if self.seconds is None:
                    return count
                return min(count, round(self.seconds * float(reader.rate)))
        except DataError:
            return 0

    def rewrite(
        self,
        folder: Path,
        stem: str,
        draw: Draw,
        report: Callable[[VideoProblem], None] = warn_of,
        hold: Callable[[], AbstractContextManager[None]] = nullcontext,
        ending: str = DRAWN_ENDING,
        sound: bool = True,
    ) -> Generator[Frame]:
        """All frames in order, while ``draw`` of each is written to ``stem-ending.mp4``.

        Colours, pixel aspect and sound are those of the source. The suffix is ``.mkv`` if the sound
        needs it; sound that neither holds becomes AAC. The file appears when the last frame is
        taken, or holds what was taken if the caller stops before. ``draw``: the frame's new pixels,
        or a function that makes them while the next frame is read; None for a frame that the caller
        did not finish. ``hold``: a block in which Ctrl-C waits, to write one frame. ``sound``:
        False leaves it out.
        """
        with self._open() as reader:
            suffix, plans = plan_sound(reader.sounds if sound else ())
            writer = video_writer(folder / f"{stem}-{ending}{suffix}", reader, plans)
            yield from rewrite_frames(reader, self.name, writer, draw, report, hold)

    @contextmanager
    def _open(self) -> Iterator[Reader]:
        if isinstance(self.source, Path):
            if self.source.is_dir():
                raise DataError(f"{self.source}: a folder; name a video in it.")
            if not self.source.is_file():
                raise DataError(f"{self.source}: no such file.")
            if is_animation(self.source):
                with AnimationReader.open(self.source, self.seconds) as reader:
                    yield reader
                return
        with open_container(self.source, self.name) as container:
            if not container.streams.video:
                kinds = ", ".join(stream.type for stream in container.streams) or "nothing"
                raise DataError(f"{self.name}: it has no video stream; it holds {kinds}.")
            is_live = isinstance(self.source, str)
            yield VideoReader(container, self.name, self.seconds, is_live)


def rewrite_frames(
    reader: Reader,
    name: str,
    opened: AbstractContextManager[VideoWriter],
    draw: Draw,
    report: Callable[[VideoProblem], None],
    hold: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Generator[Frame]:
    """All frames of an open video, while ``draw`` of each is written; as ``VideoInput.rewrite``."""
    stopped: BaseException | None = None
    taken: Frame | None = None  # by the caller, and not written yet
    with opened as writer:
        try:
            for sound, frame in reader.packets():
                if sound is not None:
                    writer.add_sound(sound)
                if frame is not None:
                    # The consumer predicts between this line and the next, so that `draw`
                    # knows the faces.
                    taken = frame
                    yield frame
                    with hold():
                        taken = None
                        _add(writer, draw, frame)
        except (GeneratorExit, KeyboardInterrupt) as error:
            stopped = error  # leave the block normally, so that the file is finished
            if taken is not None:
                # The caller has it: its results and the video end at the same frame.
                _add(writer, draw, taken)
    if stopped is None:
        for problem in (*reader.problems(), *writer.problems(name)):
            report(problem)
    # GeneratorExit needs no second raise: the generator just ends.
    if isinstance(stopped, KeyboardInterrupt):
        raise stopped


def _add(writer: VideoWriter, draw: Draw, frame: Frame) -> None:
    if (pixels := draw(frame)) is not None:
        writer.add(pixels, frame)


def camera_number(word: str) -> int | None:
    """The number if the word is a camera's number, as ``0``."""
    # Longer numbers are more likely the name of a file that is missing.
    return int(word) if is_whole(word) and len(word) < 3 else None
