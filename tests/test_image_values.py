"""Images as Python values: what is clear is converted, anything else refused with the remedy."""

import copy
import io
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nasion
from nasion.errors import DataError, RunError
from nasion.inference.landmarker import Landmarker
from nasion.media.image_values import pixels_of
from nasion.media.images import image_size

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (24, 36, 3)).astype(np.uint8)
PIXELS[0, :2] = [[0], [255]]
GREY = PIXELS[..., 0]
IMAGE = Image.fromarray(PIXELS)


def encoded(image, kind="PNG", **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


class Tensor:
    """As PyTorch's on an accelerator: numpy() fails, and says so."""

    def __array__(self, *_, **__):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


@pytest.mark.parametrize(
    "value",
    [
        PIXELS,
        PIXELS / 255,
        (PIXELS / 255).astype(np.float32),
        (PIXELS / 255).astype(np.float16),
        PIXELS.astype(np.float64),
        PIXELS.astype(np.int64),
        PIXELS.astype(np.uint16) * 257,
        PIXELS.astype(">u2") * 257,
        np.rint(PIXELS / 255 * 4095).astype(np.int32),
        np.dstack([PIXELS, np.full(GREY.shape, 255, np.uint8)]),
        np.dstack([PIXELS / 255, np.ones(GREY.shape)]),
        read_only(PIXELS),
        np.asfortranarray(PIXELS),
        np.dstack([PIXELS, PIXELS])[..., :3],
        PIXELS[::-1, ::-1].copy()[::-1, ::-1],
        encoded(IMAGE),
        bytearray(encoded(IMAGE)),
        memoryview(encoded(IMAGE)),
        np.frombuffer(encoded(IMAGE), np.uint8),
        np.frombuffer(encoded(IMAGE), np.uint8)[:, None],
        io.BytesIO(encoded(IMAGE)),
        IMAGE,
        IMAGE.convert("RGBA"),
        Image.open(io.BytesIO(encoded(IMAGE))),
    ],
    ids=range(24),
)
def test_every_clear_form_of_an_image_has_the_same_pixels(value):
    assert np.abs(pixels_of(value, colour=True).astype(int) - PIXELS).max() <= 1


def test_paths_urls_and_open_files_are_read(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(IMAGE))
    with path.open("rb") as file:
        for value in (path, str(path), file):
            np.testing.assert_array_equal(pixels_of(value, colour=True), PIXELS)
        with pytest.raises(DataError, match=r"an open file at its end; seek\(0\) first"):
            pixels_of(file, colour=True)
    with path.open(encoding="latin-1") as file, pytest.raises(DataError, match="binary mode"):
        pixels_of(file, colour=True)


def test_one_channel_and_truth_values_are_grey():
    np.testing.assert_array_equal(pixels_of(GREY[..., None], True), GREY)
    np.testing.assert_array_equal(pixels_of(GREY > 90, True), np.where(GREY > 90, 255, 0))
    half = np.zeros((4, 4, 4), np.uint8)
    assert (pixels_of(half, True) == 255).all()  # transparent: white, as in files


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.moveaxis(PIXELS, -1, 0), r"3 x 24 x 36, channels first; give np.moveaxis"),
        (GREY[None], r"1 x 24 x 36, channels first"),
        (PIXELS[None], r"1 x 24 x 36 x 3, a batch; .*images\[0\], or use Landmarker.each"),
        (np.zeros((24, 36, 5)), "height x width x 3"),
        (np.float32(3), "no dimension"),
        (PIXELS / 127.5 - 1, "from -1 to 1; undo the normalisation"),
        (PIXELS.astype(int) - 128, "whole numbers from -128 to 127; convert it to uint8"),
        (PIXELS.astype(int) * 1000, "from 0 to 255,000"),
        (np.where(PIXELS == 255, np.nan, PIXELS / 255), r"nan at index \(0, 1, 0\)"),
        (np.where(PIXELS == 255, np.inf, PIXELS / 255), "inf at index"),
        (PIXELS / 255 * 4, "neither 0 to 1 nor 0 to 255"),
        (PIXELS.astype(float) * 257, "neither 0 to 1 nor 0 to 255"),
        (PIXELS.astype(object), "an array of object; convert it to uint8"),
        (PIXELS.astype(complex), "an array of complex128"),
        (np.array(["photo.jpg"]), "an array of <U9"),
        (np.zeros((0, 5, 3), np.uint8), "5 x 0 pixels, so it is empty"),
        (Image.new("RGB", (0, 5)), "0 x 5 pixels, so it is empty"),
        (b"", "empty"),
        (b"no image at all", "not a readable image; JPEG"),
        (np.zeros(50, np.uint8), "not a readable image; JPEG"),
        ([PIXELS, PIXELS], "a list; give its images one by one, or use Landmarker.each"),
        (None, "a NoneType; give a path"),
        (Tensor(), r"a Tensor that is no array .*image.detach\(\).cpu\(\).numpy\(\)"),
        ("ftp://host/a.jpg", "http:// and https:// addresses only"),
        ("/", "a folder; name an image in it"),
        ("data:image/png;base64,iVBORw0KGgo", "base64 text; give the bytes that base64.b64decode"),
        ("", "an empty text; give a path"),
        (Image.open(io.BytesIO(encoded(IMAGE)[:300])), "not a readable image"),
    ],
    ids=range(28),
)
def test_what_is_no_image_or_not_clear_is_refused_with_the_remedy(value, reason):
    with pytest.raises(DataError, match=reason):
        pixels_of(value, colour=True)


def test_pillow_images_of_every_mode_are_as_the_file_by_its_path(tmp_path):
    deep = Image.fromarray(np.rint(GREY / 255 * 4095).astype(np.uint16))
    see_through = IMAGE.convert("RGBA")
    see_through.putalpha(Image.fromarray(GREY))
    for name, image in {
        "deep.png": deep,
        "palette.png": IMAGE.quantize(16),
        "alpha.png": see_through,
        "grey_alpha.png": see_through.convert("LA"),
        "cmyk.tiff": IMAGE.convert("CMYK"),
        "lab.tiff": IMAGE.convert("LAB"),
        "black_white.png": IMAGE.convert("1"),
        "grey.jpg": IMAGE.convert("L"),
        "float.tiff": Image.fromarray(GREY / np.float32(255)),
        "whole.tiff": Image.fromarray(GREY.astype(np.int32)),
    }.items():
        path = tmp_path / name
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(path, exif=exif)
        assert image_size(path) == (24, 36), name
        by_path = pixels_of(path, colour=True)
        assert by_path.shape == (36, 24, 3), name
        assert pixels_of(path, colour=False).shape == (36, 24), name
        with Image.open(path) as lazy:
            np.testing.assert_array_equal(pixels_of(lazy, colour=True), by_path, name)
        with Image.open(io.BytesIO(path.read_bytes())) as lazy:
            lazy.load()
            size = lazy.size
            np.testing.assert_array_equal(pixels_of(lazy, colour=True), by_path, name)
            assert lazy.size == size, "the caller's image is not changed"


def test_images_of_a_predictor_are_what_landmarkers_take(tmp_path):
    predictor = nasion.load_model("face68_light")
    path = tmp_path / "a.png"
    path.write_bytes(encoded(IMAGE))
    forms = [PIXELS, PIXELS / 255, IMAGE, encoded(IMAGE), str(path), path]
    points = predictor(forms).points
    assert np.abs(points - points[0]).max() < 0.05
    with pytest.raises(DataError, match="channels first"):
        predictor([np.moveaxis(PIXELS, -1, 0)])


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [
        ([1, 2, 3], "N x 4 numbers, .*found 1 x 3"),
        ([[1, 2, 3, 4, 5]], "found 1 x 5"),
        ([[[1, 2, 3, 4]]], "found 1 x 1 x 4"),
        ("here", "N x 4 numbers"),
        ([[0, 0, 9, 9], [9, 0, 5, 9]], r"boxes\[1\] is 9 0 5 9; x0 < x1"),
        ([[0, 0, np.inf, 9]], r"boxes\[0\] is 0 0 inf 9"),
        ([[0, 0, np.nan, 9]], r"boxes\[0\] is 0 0 nan 9"),
    ],
)
def test_boxes_that_are_none_are_refused(boxes, reason):
    landmarker = Landmarker("face68_light")
    with pytest.raises(DataError, match=reason):
        landmarker(PIXELS, boxes)
    assert landmarker(PIXELS, np.zeros((0, 4))) == []
    assert len(landmarker(PIXELS, [1, 2, 20, 20])) == 1


def test_copied_and_pickled_landmarkers_find_the_same(tmp_path):
    landmarker = Landmarker("face68_light", min_score=0, max_faces=2, detector=None)
    (face,) = landmarker(PIXELS)
    data = pickle.dumps(landmarker)
    # The network stays in its file, of which the name is pickled; fingerprints are the most of it.
    record = landmarker.predictor.trained_on
    assert len(pickle.dumps(landmarker.predictor.network)) < 1000
    assert len(data) < record.fingerprints.nbytes + 20_000
    for same in (pickle.loads(data), copy.deepcopy(landmarker), copy.copy(landmarker)):
        np.testing.assert_array_equal(same(PIXELS)[0].points, face.points)
        assert (same.min_score, same.max_faces) == (0, 2)
    network = pickle.loads(data).predictor.network
    assert network.session is pickle.loads(data).predictor.network.session


def test_a_network_of_pytorch_is_pickled_with_its_weights():
    pytest.importorskip("torch")
    predictor = nasion.load_model(Path(__file__).parent / "fixtures" / "run-1", device="cpu")
    same = pickle.loads(pickle.dumps(predictor))
    image = PIXELS if predictor.spec.colour else GREY
    np.testing.assert_array_equal(same([image]).points, predictor([image]).points)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["spawn", "fork"])
def test_processes_of_any_kind_may_have_a_landmarker(how):
    if how not in multiprocessing.get_all_start_methods():
        pytest.skip("not on this system")
    landmarker = Landmarker("face68_light", detector=None)
    (face,) = landmarker(PIXELS)
    with multiprocessing.get_context(how).Pool(1) as pool:
        found = pool.map(landmarker, [PIXELS, PIXELS / 255])
    for faces in found:
        np.testing.assert_allclose(faces[0].points, face.points, atol=0.02)


def test_a_network_s_file_that_has_changed_or_gone_is_not_taken_for_it(tmp_path):
    from nasion.inference import pretrained

    path = tmp_path / "own.onnx"
    path.write_bytes(pretrained.file("face68_light").read_bytes())
    data = pickle.dumps(nasion.load_model(path))
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(RunError, match=r"own.onnx has changed since its network was pickled"):
        pickle.loads(data)
    path.unlink()
    with pytest.raises(RunError, match=r"own.onnx: the network's file is gone"):
        pickle.loads(data)
