"""``nasion anonymise``: nothing of a face is left, nor of what files tell beside the picture."""

import re
from dataclasses import replace

import numpy as np
import pytest
from helpers import run_command
from PIL import Image, ImageCms

from nasion import Landmarker
from nasion.app.anonymise_pipeline import HideOptions, fill_gaps, hide_and_check, in_srgb
from nasion.data.datasets import toy
from nasion.errors import SettingError
from nasion.landmarks import geometry
from nasion.landmarks.catalog import SCHEMES, fkd15, ibug68
from nasion.landmarks.face import Face
from nasion.landmarks.face_region import eye_band, face_region
from nasion.media.hiding import METHODS, hide
from nasion.media.video import VideoInput

FAST = ("--run", "face68_light", "--workers", "1")
SIZE = 240
GPS, ORIENTATION, MAKE = 0x8825, 0x0112, 0x010F  # EXIF's tags


@pytest.fixture(scope="module")
def drawn():
    return toy.draw(1, ibug68, size=SIZE, colour=True)


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker("face68_light")


@pytest.fixture
def anonymise(capsys, monkeypatch, tmp_path):
    """Run the command in an empty folder: (exit code, everything printed, white space folded)."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code, printed = run_command(monkeypatch, capsys, "anonymise", *words, *FAST)
        return code, re.sub(r"\s+", " ", printed)

    return call


def face_of(points, scheme=ibug68, track=None):
    points = np.asarray(points, dtype=np.float32)
    box = geometry.points_box(points.astype(np.float64)).astype(np.float32)
    return Face(scheme, points, box, 0.9, track=track)


def inside(polygon, points):
    """Whether points lie in a convex polygon, by the side of each edge that they are on."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    to = points[:, None] - polygon
    side = edges[:, 0] * to[..., 1] - edges[:, 1] * to[..., 0]
    return (side > 0).all(axis=1) | (side < 0).all(axis=1)


def test_the_region_holds_all_points_and_the_forehead(drawn):
    points = drawn.points[0].astype(np.float64)
    region = face_region(face_of(points))
    assert inside(region, points).all()
    brows, base = points[17:27, 1].min(), points[33, 1]
    # From brows to hairline about as far as from brows to the base of the nose.
    assert 0.7 < (brows - region[:, 1].min()) / (base - brows) < 1.5


@pytest.mark.parametrize("name", ["fkd15", "imm58", "mtfl5", "wflw98", "cfp50"])
def test_other_schemes_hide_about_the_same(name):
    """Of schemes without a jaw line, a mean face tells where the rest is."""
    shapes = {
        each: toy.draw(1, SCHEMES[each], size=SIZE).points[0].astype(np.float64)
        for each in (name, "ibug68")
    }
    regions = [face_region(face_of(shape, SCHEMES[each])) for each, shape in shapes.items()]
    boxes = [geometry.points_box(region) for region in regions]
    side = float((boxes[1][2:] - boxes[1][:2]).mean())
    assert np.abs(boxes[0] - boxes[1]).max() < 0.3 * side


def test_a_face_without_points_has_an_ellipse_around_its_box():
    face = Face(fkd15, np.full((15, 2), np.nan, np.float32), np.float32([40, 50, 80, 100]), 0.9)
    region = face_region(face)
    corners = np.array([[40, 50], [80, 50], [80, 100], [40, 100.0]])
    assert inside(region, corners).all()


def test_the_band_covers_the_eyes_and_not_the_mouth(drawn):
    points = drawn.points[0].astype(np.float64)
    for turned in (points, geometry.apply(
        geometry.similarity((120, 120), np.array(70.0), np.array(1.0), np.zeros(2)), points
    )):  # fmt: skip
        band = eye_band(face_of(turned))
        assert inside(band, turned[36:48]).all() and not inside(band, turned[48:68]).any()


@pytest.mark.parametrize("method", METHODS)
def test_hiding_changes_the_part_alone_and_leaves_little_of_it(method):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    polygon = np.array([[30, 20], [110, 20], [110, 100], [30, 100.0]])
    hidden = hide(image, [polygon], method)
    outside = np.ones((120, 160), bool)
    outside[20:101, 30:111] = False
    np.testing.assert_array_equal(hidden[outside], image[outside])
    part, was = hidden[20:101, 30:111].astype(float), image[20:101, 30:111].astype(float)
    # Noise of all grey levels averages to nearly one.
    assert part.std() < 0.15 * was.std()
    if method == "pixelate":
        assert len(np.unique(part.reshape(-1, 3), axis=0)) <= 64
    if method == "fill":
        assert not part.any()


def test_parts_that_reach_beyond_the_image_are_hidden():
    image = np.full((50, 50, 3), 90, np.uint8)
    polygons = [np.array([[-40, -40], [10, -40], [10, 10], [-40, 10.0]]), np.full((3, 2), 900.0)]
    hidden = hide(image, polygons, "fill")
    assert not hidden[:11, :11].any() and (hidden[11:] == 90).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_detector_does_not_find_the_face_again(drawn, landmarker, method, tmp_path):
    faces = landmarker(drawn.images[0])
    options = HideOptions(tmp_path, method=method, check=landmarker)
    hidden, _, still = hide_and_check(drawn.images[0], faces, options)
    assert len(faces) == 1 and not still and not landmarker(hidden)


@pytest.mark.slow
def test_what_is_still_found_is_hidden_more_and_then_said(drawn, landmarker, tmp_path):
    """Without any face to hide, the first look finds it, and the second try hides it."""
    options = HideOptions(tmp_path, check=landmarker)
    hidden, again, still = hide_and_check(drawn.images[0], [], options)
    assert again and not still and not landmarker(hidden)
    # Hiding the eyes alone leaves a face.
    thin = replace(options, part="eyes", method="pixelate", strength=0.25)
    _, again, still = hide_and_check(drawn.images[0], landmarker(drawn.images[0]), thin)
    assert again and still


def test_faces_that_are_lost_for_a_moment_are_hidden_in_between():
    first, last = face_of(np.zeros((68, 2)), track=7), face_of(np.full((68, 2), 8.0), track=7)
    faces = [{}, {7: first}, {}, {}, {}, {7: last}, {}] + [{}] * 40
    filled = fill_gaps(faces, [k / 25 for k in range(len(faces))])
    xs = [float(each[0].points[0, 0]) for each in filled[:7]]
    assert xs == [0, 0, 2, 4, 6, 8, 8]
    # 0.4 seconds beyond: ten frames.
    assert [len(each) for each in filled] == [1] * 16 + [0] * 31
    assert all(len(each) <= 1 for each in filled)


def test_a_face_that_is_away_for_long_is_not_hidden_all_the_time():
    face = face_of(np.zeros((68, 2)), track=1)
    faces = [{1: face}] + [{}] * 50 + [{1: face}]
    filled = fill_gaps(faces, [k / 25 for k in range(52)])
    assert [len(each) for each in filled] == [1] * 11 + [0] * 30 + [1] * 11


def with_exif(path, pixels):
    """A photograph that lies on its side, with GPS, a maker, a comment and a thumbnail's bytes."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = 6, "Secret Camera"
    exif[GPS] = {1: "N", 2: (48.0, 12.0, 30.0)}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Orientation 6: the file holds the picture turned a quarter counter-clockwise.
    Image.fromarray(np.rot90(pixels)).save(
        path, exif=exif, comment=b"Secret remark", icc_profile=profile, quality=95
    )


@pytest.mark.slow
def test_metadata_is_gone_and_the_image_is_upright(anonymise, drawn, tmp_path):
    with_exif(tmp_path / "me.jpg", drawn.images[0])
    code, said = anonymise("me.jpg", "--method", "fill")
    out = tmp_path / "anonymised" / "me-anonymised.jpg"
    assert code == 0 and "me.jpg: 1 face hidden, no longer found" in said
    data = out.read_bytes()
    assert b"Secret" not in data and b"Exif" not in data and b"ICC_PROFILE" not in data
    with Image.open(out) as image:
        assert not image.getexif() and set(image.info) <= {
            "jfif", "jfif_version", "jfif_unit", "jfif_density", "comment",
        }  # fmt: skip
        assert image.info["comment"] == b"written by nasion"
        pixels = np.asarray(image)
    x, y = np.rint(drawn.points[0][30]).astype(int)
    assert pixels[y, x].max() < 10
    # Where there is no face, nothing has changed but for JPEG.
    corner = np.abs(pixels[-12:, :12].astype(int) - drawn.images[0][-12:, :12])
    assert corner.mean() < 8


@pytest.mark.slow
def test_names_kinds_and_inputs(anonymise, drawn, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.fromarray(drawn.images[0]).save(tmp_path / folder / "me.png")
    empty = np.full((80, 90, 3), 120, np.uint8)
    Image.fromarray(empty).save(tmp_path / "a" / "empty.webp", lossless=True)
    code, said = anonymise("a", "b", "--out", "a")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert code == 0 and names == [
        "empty-anonymised.jpg", "empty.webp", "me-2-anonymised.png", "me-anonymised.png", "me.png",
    ]  # fmt: skip
    assert "No face was found in 1 of 3 (a/empty.webp): look at them." in said
    before = (tmp_path / "a" / "me-anonymised.png").read_bytes()
    code, said = anonymise("a/me.png", "a/me-anonymised.png", "--out", "a")
    assert code == 1 and "is an input and would be overwritten" in said
    assert (tmp_path / "a" / "me-anonymised.png").read_bytes() == before


@pytest.mark.slow
def test_a_second_run_over_the_same_folder_takes_the_same_images(anonymise, drawn, tmp_path):
    Image.fromarray(drawn.images[0]).save(tmp_path / "me.png")
    for _ in range(2):
        code, said = anonymise(".", "--out", ".")
        assert code == 0 and "me.png: 1 face hidden" in said
        names = sorted(path.name for path in tmp_path.glob("*.png"))
        assert names == ["me-anonymised.png", "me.png"]


@pytest.mark.slow
def test_a_face_that_is_still_found_gives_exit_code_1(anonymise, drawn, tmp_path, monkeypatch):
    Image.fromarray(drawn.images[0]).save(tmp_path / "me.png")
    monkeypatch.setattr("nasion.app.anonymise_pipeline.hide", lambda pixels, *_: pixels.copy())
    code, said = anonymise("me.png")
    assert code == 1 and "me.png: 1 face hidden, still found" in said
    assert "look at me-anonymised.png" in said
    code, said = anonymise("me.png", "--no-verify")
    assert code == 0 and "me.png: 1 face hidden" in said and "found" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "smear"), "No method 'smear'; there are pixelate, blur, fill"),
        (("--part", "ears"), "No part 'ears'; there are face, eyes"),
        (("--strength", "0.1"), "0.25 to 10; found 0.1"),
        (("--grow", "-1"), "grow is 0 to 2; found -1"),
        (("--method", "fill", "--strength", "2"), "--strength has no effect with --method fill"),
        (("--part", "eyes", "--verify"), "--verify has no effect with --part eyes"),
    ],
)
def test_settings_that_mean_nothing_are_refused(anonymise, drawn, tmp_path, words, message):
    Image.fromarray(drawn.images[0]).save(tmp_path / "me.png")
    code, said = anonymise("me.png", *words)
    assert code == 1 and message in said and not (tmp_path / "anonymised").exists()


@pytest.mark.slow
def test_a_camera_is_refused(anonymise):
    code, said = anonymise("0")
    assert code == 1 and "camera 0: a clip is read twice" in said


def test_colours_of_another_profile_become_srgb(tmp_path):
    """Without its profile a photograph would show other colours."""
    pixels = np.full((8, 8, 3), (200, 90, 40), np.uint8)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "me.png"
    Image.fromarray(pixels).save(path, icc_profile=lab)
    assert np.abs(in_srgb(pixels, path).astype(int) - pixels).max() <= 1
    Image.fromarray(pixels).save(path, icc_profile=b"damaged")
    np.testing.assert_array_equal(in_srgb(pixels, path), pixels)
    # Red and green primaries swapped: the same file means another colour.
    swapped = lab.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")
    Image.fromarray(pixels).save(path, icc_profile=swapped)
    red, green, _ = in_srgb(pixels, path)[0, 0].astype(int)
    assert green > red


@pytest.mark.slow
def test_a_clip_keeps_its_sound_and_loses_faces_and_metadata(anonymise, drawn, tmp_path):
    av = pytest.importorskip("av")
    path, count = tmp_path / "clip.mp4", 12
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata.update({"location": "+48.2085+016.3721/", "title": "Secret title"})
        video = out.add_stream("libx264", rate=25)
        audio = out.add_stream("aac", rate=44_100, layout="mono")
        video.height, video.width, video.pix_fmt = SIZE, SIZE, "yuv420p"
        for k in range(count):
            pixels = np.roll(drawn.images[0], 2 * k, axis=1)
            out.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            tone = np.sin(np.arange(1764) / 20)[None].astype(np.float32)
            sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            sound.sample_rate, sound.pts = 44_100, k * 1764
            out.mux(audio.encode(sound))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))
    assert b"Secret" in path.read_bytes() and b"48.2085" in path.read_bytes()
    code, said = anonymise("clip.mp4")
    assert code == 0
    assert re.search(rf"clip\.mp4: \d faces? hidden in {count} frames, no longer found", said)
    result = tmp_path / "anonymised" / "clip-anonymised.mp4"
    data = result.read_bytes()
    assert b"Secret" not in data and b"48.2085" not in data and b"drawn by nasion" not in data
    with av.open(str(result)) as opened:
        assert [stream.codec_context.name for stream in opened.streams.audio] == ["aac"]
    found = list(Landmarker("face68_light").video(result))
    assert len(found) == count and not any(faces for _, faces in found)
    before = [frame.pixels for frame in VideoInput(path).frames()]
    code, _ = anonymise("clip.mp4", "--no-sound", "--out", "silent")
    with av.open(str(tmp_path / "silent" / "clip-anonymised.mp4")) as opened:
        assert code == 0 and not opened.streams.audio
    # Beside the face the picture is as it was.
    assert np.abs(found[0][0].pixels[-8:].astype(int) - before[0][-8:]).mean() < 8


def test_options_of_the_pipeline_are_checked(tmp_path):
    with pytest.raises(SettingError, match="No part 'nose'"):
        HideOptions(tmp_path, part="nose")
