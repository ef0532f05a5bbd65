"""The command that makes the faces of images and videos unrecognisable."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasion.app import console
from nasion.app.cli.given_options import GivenOptions, knows_given
from nasion.app.cli.options import (
    AnyRotation,
    DetectorName,
    Model,
    RecipeFile,
    Threads,
    TTAMode,
    open_model,
)
from nasion.app.cli.outcome import Outcome, frame_count, images_and_videos
from nasion.app.stopping import stops_on_sigterm
from nasion.errors import require

if TYPE_CHECKING:
    from nasion.app.anonymise_pipeline import HiddenImage, HideOptions
    from nasion.inference.landmarker import Landmarker
    from nasion.media.inputs import ImageInput
    from nasion.media.video import VideoInput

_MAX_LINES = 20  # images with a line of their own in the terminal
LOW_SCORE, SMALL_FACE = 0.3, 20  # lower than of predict
Inputs = Annotated[
    list[str],
    typer.Argument(
        help="Images, videos, folders, globs, lists of files (.txt), URLs of images, - for "
        "standard input.",
    ),
]


@stops_on_sigterm
@knows_given
def anonymise(
    inputs: Inputs,
    run: Model = Path("face68"),
    folder: Annotated[
        Path,
        typer.Option("--out", help="Output folder; inputs are never overwritten.", readable=False),
    ] = Path("anonymised"),
    part: Annotated[
        str, typer.Option(help="What is hidden: face (jaw line to forehead) or eyes (a band).")
    ] = "face",
    method: Annotated[
        str,
        typer.Option(
            help="pixelate, blur, or fill (black). Only fill leaves nothing of the face: who was "
            "pixelated or blurred may still be recognised by a program."
        ),
    ] = "pixelate",
    strength: Annotated[
        float, typer.Option(help="So many times larger blocks, or wider blur.")
    ] = 1.0,
    grow: Annotated[
        float,
        typer.Option(help="How much further to hide on each side, as a share of the face's size."),
    ] = 0.1,
    verify: Annotated[
        bool | None,
        typer.Option(
            "--verify/--no-verify",
            help="Search the result for faces; where one is found, hide more and search again. "
            "Faces that are found even then are reported, and the exit code is 1.",
            show_default="verify; with --part eyes: no-verify",
        ),
    ] = None,
    sound: Annotated[
        bool,
        typer.Option("--sound/--no-sound", help="Keep the sound of clips; voices identify people."),
    ] = True,
    any_rotation: AnyRotation = False,
    detector: DetectorName = "single_shot",
    min_face: Annotated[
        int,
        typer.Option(help="Side in pixels of the smallest face to look for."),
    ] = SMALL_FACE,
    min_score: Annotated[
        float,
        typer.Option(
            help="Minimum face score, 0 to 1. Lower than in nasion predict (0.6), since to miss a "
            "face is worse than to hide something else."
        ),
    ] = LOW_SCORE,
    seconds: Annotated[
        float | None,
        typer.Option(help="Videos: stop after this time.", show_default="the end"),
    ] = None,
    workers: Threads = None,
    tta: TTAMode = None,
    recipe: RecipeFile = None,
    *,
    given: GivenOptions,
) -> None:
    """Hide the faces of images and videos, and remove what files tell of place, time and camera.

    No method finds every face: look at the results before you publish them.
    """
    from nasion.app.anonymise_pipeline import HideOptions, check_outputs
    from nasion.app.crop_pipeline import stems_of
    from nasion.inference import detectors
    from nasion.inference.landmarker import MIN_SCORE, Landmarker
    from nasion.landmarks.face_region import require_eyes
    from nasion.media.files import check_output_folder

    require(
        seconds is None or (math.isfinite(seconds) and seconds > 0),
        f"--seconds is above 0, and finite; found {seconds}.",
    )
    if method == "fill":
        given.refuse("with --method fill", names=("strength",))
    if part == "eyes" and verify:
        given.refuse("with --part eyes, which leaves a face to be found", names=("verify",))
    options = HideOptions(folder, part, method, strength, grow)
    check_output_folder(folder)
    images, videos = images_and_videos(inputs, seconds, folder)
    given.refuse_without_videos(videos)
    stem_of = stems_of(images, videos)
    check_outputs(images, videos, folder, stem_of)
    landmarker = Landmarker(
        open_model(run, recipe, tta),
        detector=detectors.load(detector, min_face),
        min_score=min_score,
        any_rotation=any_rotation,
    )
    if part == "eyes":
        require_eyes(landmarker.predictor.spec.scheme)
    looks_again = part == "face" if verify is None else verify
    outcome = Outcome()
    options = HideOptions(
        folder,
        part,
        method,
        strength,
        grow,
        # What is no face to predict need not be hidden twice.
        check=landmarker.with_settings(min_score=max(min_score, MIN_SCORE))
        if looks_again
        else None,
        sound=sound,
        threads=min(workers or os.cpu_count() or 1, len(images) + len(videos)),
        hold=outcome.signals.held,
    )
    _anonymise(images, videos, landmarker, options, stem_of, outcome)


def _anonymise(
    images: list[ImageInput],
    videos: list[VideoInput],
    landmarker: Landmarker,
    options: HideOptions,
    stem_of: dict[str, str],
    outcome: Outcome,
) -> None:
    """Anonymise everything, with a progress bar, and say what was found."""
    from nasion.app.anonymise_pipeline import anonymise_images, anonymise_videos
    from nasion.media.files import atomic_write

    done: list[HiddenImage] = []

    def add(result: Any) -> None:
        if result is None:  # a frame
            return
        if result.data is not None:
            with atomic_write(options.folder / result.file) as temporary:
                temporary.write_bytes(result.data)
        # The pixels are on the disk now.
        done.append(_without_data(result))

    # Frames are read once to find faces, and once to write them.
    total = len(images) + 2 * sum(map(frame_count, videos))
    with console.progress_bar("frames" if videos else "images", total) as advance:
        results = [
            anonymise_images(images, landmarker, options, stem_of),
            anonymise_videos(videos, landmarker, options, stem_of),
        ]
        outcome.take(results, add, advance)
    _report(done, options)
    outcome.report()
    if done:
        console.say(f"Written to {options.folder.resolve()}")
    outcome.exit(good=not any(each.still for each in done))


def _without_data(result: HiddenImage) -> HiddenImage:
    from dataclasses import replace

    return replace(result, data=None)


def _report(done: list[HiddenImage], options: HideOptions) -> None:
    """A line for each file, and a warning for each in which a face is still found."""
    for each in done[:_MAX_LINES]:
        console.say(f"{each.name}: {_described(each, options)}")
    if len(done) > _MAX_LINES:
        console.say(f"... and {len(done) - _MAX_LINES} more")
    for each in done:
        if each.still:
            where = f" in {console.count(each.still, 'frame')}" if each.frames else ""
            console.warn(
                f"{each.name}: a face is still found{where}; look at {each.file}, and use a larger "
                "--strength or --grow, or --method fill."
            )
    if without := [each.name for each in done if not each.faces]:
        names = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
        console.warn(f"No face was found in {len(without)} of {len(done)} ({names}): look at them.")


def _described(each: HiddenImage, options: HideOptions) -> str:
    what = console.count(each.faces, "face") + " hidden"
    if each.frames:
        what += f" in {console.count(each.frames, 'frame')}"
    if options.check is None:
        return what
    if each.still:
        return f"{what}, still found"
    if each.again:
        return f"{what}, found again and hidden more, then no longer found"
    return f"{what}, no longer found" if each.faces else what
