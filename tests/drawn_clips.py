"""Short clips of a drawn face that moves, with sound if wanted, and what a clip holds."""

import io
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from nasion.data.datasets import toy
from nasion.landmarks.catalog import ibug68

SIDE, RATE = 240, 25
_SOUND_RATE = 44_100


def frames(count, width=SIDE + 60):
    """A drawn face that moves by 2 pixels a frame."""
    face = toy.draw(1, ibug68, size=SIDE, colour=True).images[0]
    made = []
    for step in range(count):
        frame = np.full((SIDE, width, 3), 90, np.uint8)
        left = min(2 * step, width - SIDE)
        frame[:, left : left + SIDE] = face
        made.append(frame)
    return made


def written(frames, rate=RATE, kind="mp4", codec="libx264", sound=None, tags=None):
    """The contents of a file with these frames; ``sound``: the codec of a tone beside them."""
    av = import_module("av")
    data = io.BytesIO()
    options = {"movflags": "use_metadata_tags"} if kind == "mp4" else {}
    with av.open(data, "w", format=kind, options=options) as out:
        out.metadata.update(tags or {})
        stream = out.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        audio = sound and out.add_stream(sound, rate=_SOUND_RATE, layout="mono")
        if audio:
            audio.bit_rate = 128_000
        for pixels in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
        if audio:
            _write_tone(av, out, audio, len(frames) / rate)
    return data.getvalue()


def _write_tone(av, out, audio, seconds):
    piece = 1024
    for start in range(0, int(seconds * _SOUND_RATE), piece):
        tone = np.sin(np.arange(start, start + piece) / 20)[None].astype(np.float32)
        sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        sound.sample_rate, sound.pts = _SOUND_RATE, start
        out.mux(audio.encode(sound))
    out.mux(audio.encode(None))


@dataclass
class Contents:
    """``frames``: RGB pixels; ``seconds``: their times; ``codec``, ``sounds``: by their names."""

    frames: list
    seconds: list
    codec: str
    sounds: list
    tags: dict


def contents(data):
    """What a clip's file holds."""
    with import_module("av").open(io.BytesIO(data)) as opened:
        (video,) = opened.streams.video
        sounds = [stream.codec_context.name for stream in opened.streams.audio]
        images = [(each.to_ndarray(format="rgb24"), each.time) for each in opened.decode(video)]
        pixels, seconds = map(list, zip(*images, strict=True))
        return Contents(pixels, seconds, video.codec_context.name, sounds, dict(opened.metadata))
