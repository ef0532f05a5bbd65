"""``POST /v1/anonymise``: images and clips without faces, as ``nasion anonymise`` makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response

from nasion.app.anonymise_pipeline import ENDING, PARTS, encoded, hide_and_check, in_srgb
from nasion.app.serve.admission import AdmissionControl, Limits
from nasion.app.serve.hidden_clips import HideClipWork
from nasion.app.serve.hide_settings import SUFFIXES, HideSettings, refuse_as_many
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.responses import (
    CLIP_ALONE,
    MEDIA_TYPES,
    PROBLEMS_HEADER,
    Processed,
    file_response,
    process_each,
    refuse_all,
    zip_with_list,
)
from nasion.app.serve.settings import refuse_given
from nasion.app.serve.uploads import ANY_BODY, Upload, read_uploads
from nasion.errors import SettingError
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.face import ImageResult
from nasion.landmarks.face_region import require_eyes
from nasion.landmarks.scheme import Scheme
from nasion.media.clip_process import ClipDecoder
from nasion.media.decoder_process import ImageDecoder

LIST = f"{ENDING}.json"
# Headers of a response that is one image or clip; the last one of clips.
FACES_HEADER, STILL_HEADER = "Nasion-Faces-Hidden", "Nasion-Face-Still-Found"
FRAMES_HEADER = "Nasion-Frames-Still-Found"
_PNG = b"\x89PNG"

_DESCRIPTIONS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": f"The image or clip without its faces, with the headers {FACES_HEADER} "
        f"(how many) and {STILL_HEADER} (true or false; only if the result was searched), of a "
        f"clip also {FRAMES_HEADER} (in how many frames) and {PROBLEMS_HEADER} (what was damaged "
        "in it, and what became of its sound, if that could not be kept as it was). Of several "
        f"images a zip, with the same in {LIST}.",
        "content": {kind: {} for kind in (*MEDIA_TYPES.values(), "application/zip")},
    },
    413: {"description": "More bytes than the limit, or a clip that is too long."},
    422: {"description": "No readable image or clip, or as many faces as the limit."},
    503: {"description": "Too busy, or it took too long; try again, or send a shorter clip."},
}


def parts_that_can_be_hidden(scheme: Scheme) -> list[str]:
    """Those of ``PARTS`` that the points of a scheme tell."""
    try:
        require_eyes(scheme)
    except SettingError:
        return [part for part in PARTS if part != "eyes"]
    return list(PARTS)


def add_anonymise(
    app: FastAPI,
    landmarker: Landmarker,
    admission: AdmissionControl,
    metrics: ServerMetrics,
    decode: ImageDecoder,
    decode_clip: ClipDecoder,
) -> None:
    """Add ``/v1/anonymise``."""
    limits = admission.limits

    @app.post(
        "/v1/anonymise",
        openapi_extra={"requestBody": ANY_BODY},
        responses=_DESCRIPTIONS,
        response_class=Response,
    )
    async def anonymise(request: Request, settings: Annotated[HideSettings, Query()]) -> Response:
        """Images or a short clip with faces hidden, and without what files tell of the camera.

        Send an image or a clip as the body, or a form with any number of images or with one clip.
        No method finds every face: look at the results before you publish them.
        """
        settings.check(landmarker.predictor.spec.scheme)
        uploads = await read_uploads(request, limits)
        if len(uploads) == 1 and uploads[0].kind == "video":
            refuse_given(settings, ["format"], "a clip")
            work = HideClipWork(landmarker, decode_clip, settings, limits)
            clip = await admission.run_for(request, work.process, uploads[0])
            metrics.count_images(clip)
            return file_response(clip, _headers(clip.values))
        refuse_given(settings, ["sound"], "images")
        images = _HideWork(landmarker, decode, settings, limits)
        done = await admission.run_for(request, images.process, uploads)
        metrics.count_images(done)
        if done.files and len(uploads) > 1:
            return zip_with_list(done, LIST)
        return refuse_all(done) if done.unreadable else file_response(done, _headers(done.values))


def _headers(values: Sequence[dict[str, Any]]) -> dict[str, str]:
    """What the list of a zip would say of the only file."""
    names = {"faces": FACES_HEADER, "still_found": STILL_HEADER, "frames": FRAMES_HEADER}
    return {
        header: str(value[key]).lower()
        for value in values
        for key, header in names.items()
        if key in value
    }


@dataclass(frozen=True)
class _HideWork:
    """What a request wants of its images."""

    landmarker: Landmarker
    decode: ImageDecoder
    settings: HideSettings
    limits: Limits

    def process(self, uploads: Sequence[Upload], cancelled: Callable[[], bool]) -> Processed:
        """Each image without its faces, one after the other."""
        done = Processed()
        process_each(uploads, self._process_one, done, cancelled, CLIP_ALONE)
        return done

    def _process_one(self, upload: Upload, stem: str, done: Processed) -> None:
        pixels = in_srgb(self.decode(upload.data, True, upload.name), upload.data)
        size = (pixels.shape[1], pixels.shape[0])
        most = self.limits.faces
        landmarker = self.settings.landmarker(self.landmarker, most, size, upload.name)
        faces = landmarker(pixels)
        refuse_as_many(len(faces), most, upload.name)
        done.results.append(ImageResult(upload.name, stem, size, tuple(faces)))
        options = self.settings.options(landmarker)
        hidden, _, still = hide_and_check(pixels, faces, options)
        asked = self.settings.format
        as_sent = "png" if upload.data.startswith(_PNG) else "jpg"
        suffix = SUFFIXES[getattr(asked, "value", asked) or as_sent]
        file = f"{stem}-{ENDING}{suffix}"
        done.add_files({file: encoded(hidden, suffix)})
        value: dict[str, Any] = {"image": upload.name, "file": file, "faces": len(faces)}
        done.values.append(value if options.check is None else value | {"still_found": still})
