"""Clips keep what they were: all but damaged parts, upright, in their colours, with their sound.

All clips are made by the tests, with the quirk that is in question.
"""

import json
import struct
from fractions import Fraction

import numpy as np
import pytest

from nasion.app.cli import main
from nasion.data.datasets import toy
from nasion.errors import DataError
from nasion.landmarks.catalog import ibug68
from nasion.media.clip_process import ClipDecoder
from nasion.media.video import VideoInput
from nasion.media.video_reading import turn

pytestmark = pytest.mark.slow

av = pytest.importorskip("av")
WIDTH, HEIGHT, COUNT = 320, 240, 60


def blocks(seed=0, count=COUNT):
    """Frames of coloured blocks, with another brightness in each corner, that change slowly."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (HEIGHT // 40, WIDTH // 40, 3))
    for i in range(count):
        yield np.kron(coarse + i % 30, np.ones((40, 40, 1))).astype(np.uint8)


def made(path, frames=None, sound=None, codec="libx264", pix_fmt="yuv420p", options=None, **tags):
    """A clip at 30 frames a second. ``sound``: a codec, of a tone; ``tags``: of the encoder."""
    from av.video.reformatter import VideoReformatter

    with av.open(str(path), "w", options=options or {}) as out:
        video = out.add_stream(codec, rate=30)
        audio = out.add_stream(sound, rate=44_100, layout="mono") if sound else None
        if audio:
            audio.bit_rate = 128_000
        for number, pixels in enumerate(blocks() if frames is None else frames):
            if not number:
                video.height, video.width, video.pix_fmt = *pixels.shape[:2], pix_fmt
                for name, value in tags.items():
                    setattr(video.codec_context, name, value)
            image = VideoReformatter().reformat(
                av.VideoFrame.from_ndarray(pixels, format="rgb24"),
                format=pix_fmt,
                dst_colorspace={1: 1, 5: 5, 9: 9}.get(tags.get("colorspace")),
                dst_color_range=tags.get("color_range"),
            )
            out.mux(video.encode(image))
            if audio:
                out.mux(audio.encode(tone(number)))
        for stream in out.streams:
            out.mux(stream.encode(None))
    return path


def tone(number):
    """A thirtieth of a second of 440 Hz."""
    at = (1470 * number + np.arange(1470)) / 44_100
    wave = (0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)[None]
    piece = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    piece.sample_rate, piece.pts, piece.time_base = 44_100, 1470 * number, Fraction(1, 44_100)
    return piece


def with_damaged_packets(path, which):
    """The same file with some packets of the video overwritten."""
    with av.open(str(path)) as clip:
        places = [(packet.pos, packet.size) for packet in clip.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in which:
        start, size = places[number]
        data[start : start + size] = b"\xff" * size
    path.write_bytes(data)
    return path


def rewritten(source, folder):
    """The path of the clip written from this one, and what was reported."""
    problems = []
    frames = VideoInput(source).rewrite(folder, "new", lambda f: f.pixels, problems.append)
    taken = sum(1 for _ in frames)
    (path,) = folder.glob("new-points.*")
    return path, taken, problems


def contents(path):
    """Decoded frames, and per kind of stream (number of packets, end in seconds)."""
    with av.open(str(path)) as clip:
        counts = {}
        for packet in clip.demux():
            if packet.pts is not None:
                kind = packet.stream.type
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                count, last = counts.get(kind, (0, 0.0))
                counts[kind] = (count + 1, max(last, end))
    with av.open(str(path)) as clip:
        return list(clip.decode(video=0)), counts


def predicted(monkeypatch, capsys, *words):
    """The exit code of ``nasion predict``, and all that it printed."""
    monkeypatch.setattr("sys.argv", ["nasion", "predict", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    out, err = capsys.readouterr()
    return stopped.value.code, " ".join((out + err).split())


@pytest.mark.parametrize("which", [[10], [20, 21, 40], [57, 58, 59]])
def test_damaged_packets_are_skipped_and_counted_and_all_else_is_kept(tmp_path, which):
    whole = made(tmp_path / "hurt.mp4", sound="aac", max_b_frames=0)
    source = with_damaged_packets(whole, which)
    path, taken, problems = rewritten(source, tmp_path / "out")
    assert taken == COUNT - len(which)
    (problem,) = problems
    plural = "packet, at" if len(which) == 1 else "packets, from"
    assert problem.damaged and problem.reason.startswith(f"{len(which)} damaged {plural}"), problem
    frames, counts = contents(path)
    assert len(frames) == taken and counts["audio"] == contents_of_sound(source)
    # Frames behind the damage keep their times.
    assert frames[-1].time == pytest.approx((max(set(range(COUNT)) - set(which))) / 30, abs=1e-3)


def contents_of_sound(path):
    with av.open(str(path)) as clip:
        packets = [packet for packet in clip.demux(audio=0) if packet.pts is not None]
        last = packets[-1]
        return len(packets), float((last.pts + last.duration) * last.time_base)


def test_predict_says_what_is_damaged_and_ends_with_exit_code_1(tmp_path, monkeypatch, capsys):
    source = with_damaged_packets(made(tmp_path / "hurt.mp4"), [10])
    code, said = predicted(
        monkeypatch, capsys, source, "--run", "face68_light", "--out", tmp_path / "out"
    )
    assert code == 1 and "0 faces in 59 frames" in said
    assert f"{source}: 1 damaged packet, at 0." in said and "1 damaged, read in part." in said
    assert len(json.loads((tmp_path / "out" / "predictions.json").read_text())["images"]) == 59


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv", "cut.avi"])
def test_a_file_cut_in_half_is_read_up_to_the_cut_and_that_is_said(tmp_path, name):
    options = {"movflags": "faststart"} if name == "cut.mp4" else {}
    source = made(tmp_path / name, options=options)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    path, taken, problems = rewritten(source, tmp_path / "out")
    assert 10 < taken < 50 and len(contents(path)[0]) == taken
    assert len(problems) == 1 and problems[0].damaged
    # An AVI file does not say how long it should be, but its last packet is not whole.
    words = "1 damaged packet" if name == "cut.avi" else "of 2.00 s"
    assert words in problems[0].reason, problems
    with pytest.warns(UserWarning, match=words):
        list(VideoInput(source).frames())


def test_a_file_cut_off_before_its_index_is_refused_with_that_guess(tmp_path):
    source = made(tmp_path / "recording.mp4", blocks(count=5))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(DataError, match=r"not a readable video .* its index is missing\."):
        list(VideoInput(source).frames())


@pytest.mark.parametrize("name", ["whole.mp4", "whole.mkv", "whole.avi", "whole.ts", "whole.webm"])
def test_nothing_is_said_of_whole_files(tmp_path, name):
    codec, sound = ("libvpx-vp9", "libopus") if name == "whole.webm" else ("libx264", "aac")
    if sound == "libopus":
        source = made(tmp_path / name, blocks(count=20), codec=codec)
    else:
        source = made(tmp_path / name, sound=None if name == "whole.avi" else sound)
    _, taken, problems = rewritten(source, tmp_path / "out")
    assert taken in (20, COUNT) and problems == []


def test_sound_that_goes_on_after_the_last_frame_is_no_cut(tmp_path):
    source = tmp_path / "long.mp4"
    with av.open(str(source), "w") as out:
        video, audio = out.add_stream("libx264", rate=30), out.add_stream("aac", rate=44_100)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(90):
            out.mux(audio.encode(tone(number)))
        for pixels in blocks(count=30):
            out.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        for stream in out.streams:
            out.mux(stream.encode(None))
    problems = []
    assert len(list(VideoInput(source).frames(problems.append))) == 30 and problems == []
    stopped = VideoInput(source, seconds=0.5)
    assert len(list(stopped.frames(problems.append))) == 16 and problems == []


def test_a_clip_of_which_no_frame_can_be_decoded_is_refused(tmp_path):
    source = with_damaged_packets(made(tmp_path / "lost.mp4"), range(COUNT))
    with pytest.raises(DataError, match=r"lost.mp4: not a readable video \(no frame can be"):
        list(VideoInput(source).frames())


# The display matrix (a b / c d): a step to the right goes (a, b), one down goes (c, d), y down.
SHOWN = {
    (1, 0, 0, 1): lambda p: p,
    (-1, 0, 0, 1): lambda p: p[:, ::-1],
    (1, 0, 0, -1): lambda p: p[::-1],
    (-1, 0, 0, -1): lambda p: p[::-1, ::-1],
    (0, 1, -1, 0): lambda p: np.rot90(p, -1),
    (0, -1, 1, 0): lambda p: np.rot90(p),
    (0, 1, 1, 0): lambda p: p.transpose(1, 0, 2),
    (0, -1, -1, 0): lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
}


@pytest.mark.parametrize("matrix", SHOWN)
def test_a_pixel_goes_where_the_display_matrix_sends_it(matrix):
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    np.testing.assert_array_equal(turn(pixels, np.reshape(matrix, (2, 2))), SHOWN[matrix](pixels))


@pytest.mark.parametrize("matrix", SHOWN)
def test_a_turned_or_mirrored_clip_is_read_as_it_is_shown(tmp_path, matrix):
    source = made(tmp_path / "shot.mp4", blocks(count=3), sample_aspect_ratio=Fraction(4, 3))
    data, (a, b, c, d) = bytearray(source.read_bytes()), (65536 * each for each in matrix)
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    source.write_bytes(data)
    first = next(iter(VideoInput(source).frames()))
    expected = SHOWN[matrix](next(blocks()))
    assert first.pixels.shape == expected.shape
    assert np.abs(first.pixels.astype(int) - expected).mean() < 6
    assert first.pixel_aspect == (Fraction(4, 3) if matrix[0] else Fraction(3, 4))
    served = ClipDecoder(20, 300_000)(bytes(data), "shot.mp4", lambda _: None)
    assert next(served).pixel_aspect == first.pixel_aspect
    served.close()
    path, _, _ = rewritten(source, tmp_path / "out")
    with av.open(str(path)) as clip:
        assert clip.streams.video[0].sample_aspect_ratio == first.pixel_aspect
        shown = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(shown.astype(int) - expected).mean() < 8


def colours(path):
    with av.open(str(path)) as clip:
        codec = clip.streams.video[0].codec_context
        tags = (codec.colorspace, codec.color_range, codec.color_primaries, codec.color_trc)
        frame = next(clip.decode(video=0))
    return tuple(map(int, tags)), frame.to_ndarray().astype(int), frame.to_ndarray(format="rgb24")


@pytest.mark.parametrize(
    "tags",
    [
        (1, 1, 1, 1),  # BT.709
        (1, 2, 1, 13),  # BT.709, all values of a byte, sRGB
        (5, 1, 5, 6),  # BT.601
        (9, 1, 9, 14),  # BT.2020
        (2, 0, 2, 2),  # nothing is said
    ],
)
def test_colours_are_stored_as_in_the_source(tmp_path, tags):
    names = ("colorspace", "color_range", "color_primaries", "color_trc")
    source = made(tmp_path / "tagged.mp4", blocks(count=3), **dict(zip(names, tags, strict=True)))
    path, _, problems = rewritten(source, tmp_path / "out")
    before, after = colours(source), colours(path)
    assert before[0] == after[0] == tags and problems == []
    # Planes of brightness and colour, in grey levels.
    assert np.abs(before[1] - after[1]).mean() < 1.5
    assert np.abs(after[2].astype(int) - next(blocks())).mean() < 5


def test_a_clip_of_rgb_keeps_its_colours_without_claiming_to_be_rgb(tmp_path):
    source = made(tmp_path / "rgb.mkv", blocks(count=3), codec="libx264rgb", pix_fmt="rgb24")
    path, _, _ = rewritten(source, tmp_path / "out")
    tags, _, shown = colours(path)
    assert tags[:2] == (2, 0) and np.abs(shown.astype(int) - next(blocks())).mean() < 5


def frequency(path):
    """The loudest frequency of a clip's sound in Hz, and its length in seconds."""
    with av.open(str(path)) as clip:
        rate = clip.streams.audio[0].rate
        wave = np.concatenate([frame.to_ndarray()[0] for frame in clip.decode(audio=0)])
    middle = wave[rate // 2 : rate // 2 + rate].astype(float)
    return int(np.abs(np.fft.rfft(middle)).argmax()), len(wave) / rate


def test_sound_that_does_not_fit_is_encoded_anew_and_no_frame_is_lost(tmp_path):
    source = made(tmp_path / "old.wmv", sound="wmav2", codec="wmv2", bit_rate=2_000_000)
    path, taken, problems = rewritten(source, tmp_path / "out")
    assert path.suffix == ".mp4" and taken == COUNT == len(contents(path)[0])
    assert [problem.damaged for problem in problems] == [False]
    assert "wmav2 sound encoded as AAC" in problems[0].reason
    pitch, seconds = frequency(path)
    assert abs(pitch - 440) <= 2 and abs(seconds - 2) < 0.15


def test_predict_of_such_a_clip_ends_well_and_says_so(tmp_path, monkeypatch, capsys):
    frames = toy.draw(1, ibug68, size=240, colour=True).images
    source = made(tmp_path / "old.wmv", [frames[0]] * 8, sound="wmav2", codec="wmv2")
    code, said = predicted(
        monkeypatch, capsys, source, "--run", "face68_light", "--out", tmp_path / "out"
    )
    assert code == 0 and "1 face in 8 frames" in said and "sound encoded as AAC" in said


@pytest.mark.parametrize("source_suffix", [".mp4", ".mkv", ".avi"])
def test_mp3_is_copied_into_mp4_whatever_its_decoder_is_called(tmp_path, source_suffix):
    source = made(tmp_path / f"song{source_suffix}", sound="libmp3lame", codec="mpeg4")
    path, taken, problems = rewritten(source, tmp_path / "out")
    assert path.suffix == ".mp4" and taken == COUNT and problems == []
    with av.open(str(path)) as clip:
        assert clip.streams.audio[0].codec_context.codec.canonical_name == "mp3"


def test_sound_of_an_unknown_codec_is_left_out_and_that_is_said(tmp_path):
    source = made(tmp_path / "odd.avi", sound="pcm_s16le", codec="mpeg4")
    data = bytearray(source.read_bytes())
    # The audio stream's format: a tag that nobody has.
    at = data.index(b"strf", data.index(b"auds")) + 8
    data[at : at + 2] = b"\x34\x12"
    source.write_bytes(data)
    path, taken, problems = rewritten(source, tmp_path / "out")
    assert path.suffix == ".mp4" and taken == COUNT and "audio" not in contents(path)[1]
    assert [(problem.damaged, problem.reason) for problem in problems] == [
        (False, "sound left out: FFmpeg does not know its codec")
    ]
