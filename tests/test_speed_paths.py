"""What makes one image fast gives the same as the plain way.

JPEGs decoded into the array, the detector's first look by whole factors and its first convolution
in float32, faces of several images in one call.
"""

from functools import partial
from io import BytesIO

import numpy as np
import onnx
import pytest
from PIL import Image, ImageOps

from nasion.errors import DataError
from nasion.inference import crops
from nasion.inference.backends.onnx import open_session
from nasion.inference.detectors import single_shot
from nasion.inference.landmarker import Landmarker
from nasion.inference.quantize import stem_to_float32, to_int8
from nasion.landmarks import geometry
from nasion.media.image_values import pixels_of
from nasion.media.images import open_image

RNG = np.random.default_rng(5)


def smooth(width: int, height: int) -> Image.Image:
    coarse = RNG.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, orientation: int = 1, **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = BytesIO()
    image.save(buffer, "JPEG", exif=exif, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(64, 48), (65, 47), (1, 1), (7, 200)])
@pytest.mark.parametrize("kind", ["RGB", "L", "CMYK", "progressive"])
def test_a_grey_jpeg_is_what_pillow_decodes(orientation, size, kind, tmp_path):
    image = smooth(*size)
    image = image if kind == "progressive" else image.convert(kind)
    data = jpeg(image, orientation, progressive=kind == "progressive")
    (tmp_path / "a.jpg").write_bytes(data)
    with Image.open(BytesIO(data)) as file:
        if file.mode == "RGB":
            file.draft("L", file.size)
        expected = np.asarray(ImageOps.exif_transpose(file).convert("L"))
    for source in (data, tmp_path / "a.jpg"):
        pixels = open_image(source, colour=False)
        np.testing.assert_array_equal(pixels, expected)
        assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous


def test_of_a_telephone_s_several_jpegs_the_first_is_opened():
    image, buffer = smooth(65, 47), BytesIO()
    image.save(buffer, "MPO", save_all=True, append_images=[Image.new("RGB", (32, 24))])
    with Image.open(BytesIO(buffer.getvalue())) as file:
        assert file.format == "MPO"
        expected = np.asarray(file.convert("L"))
    pixels = open_image(buffer.getvalue(), colour=False)
    # The file's own brightness, and that of its colours, some of which are clipped.
    assert np.abs(pixels.astype(int) - expected).mean() < 0.5


def test_each_opened_image_has_memory_of_its_own():
    first = open_image(jpeg(Image.new("L", (300, 200), 10)), colour=False)
    second = open_image(jpeg(Image.new("L", (300, 200), 200)), colour=False)
    first[:] = 0
    assert (second == 200).all()


def test_a_jpeg_that_breaks_off_is_still_refused():
    data = jpeg(smooth(400, 300))
    with pytest.raises(DataError, match="not a readable image"):
        open_image(data[: len(data) // 2], colour=False)


@pytest.mark.parametrize("size", [(640, 480), (641, 481), (480, 640), (1000, 700), (1920, 1080)])
def test_the_first_look_shows_each_place_where_its_box_says(size):
    """A bright spot in the image: its centre in the small one leads back to where it is."""
    width, height = size
    spot = np.array([0.7 * width, 0.3 * height])
    x, y = np.arange(width), np.arange(height)[:, None]
    shown = 255 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * 20**2))
    grey = Image.fromarray(np.rint(shown).astype(np.uint8))
    scale = 208 / max(size)
    small, factor = single_shot._shrink(grey, scale)
    assert 0.96 <= max(small.shape) / 208 <= 1.08
    rows, columns = np.indices(small.shape)
    weight = small / small.sum(dtype=np.float64)
    center = np.array([(weight * columns).sum(), (weight * rows).sum()])
    np.testing.assert_allclose((center + 0.5) * factor[:2] - 0.5, spot, atol=0.1)


def test_a_stem_in_float32_computes_the_same_with_the_shipped_weights(tmp_path):
    torch = pytest.importorskip("torch")
    stem = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1)
    )
    path, other = tmp_path / "a.onnx", tmp_path / "b.onnx"
    images = RNG.integers(0, 256, (4, 1, 32, 32)).astype(np.float32)
    torch.onnx.export(stem, (torch.tensor(images[:1]),), path, input_names=["x"], dynamo=False)
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.save(model, path)
    to_int8(path, images)
    other.write_bytes(path.read_bytes())
    stem_to_float32(other)
    before, after = (open_session(each).run(None, {"x": images})[0] for each in (path, other))
    np.testing.assert_allclose(after, before, atol=0.02 * np.abs(before).max())
    nodes = onnx.load(other).graph.node
    made_by = {name: node.op_type for node in nodes for name in node.output}
    first = next(node for node in nodes if node.op_type == "Conv")
    assert all(made_by.get(name) != "DequantizeLinear" for name in first.input)


def test_the_shipped_detector_has_its_stem_in_float32():
    graph = onnx.load(single_shot._FILE).graph
    stem = next(node for node in graph.node if node.op_type == "Conv")
    assert stem.input[1] in {weight.name for weight in graph.initializer}


@pytest.mark.parametrize("side", [900, 1500])
def test_a_large_face_shrunk_in_two_steps_looks_the_same_and_lies_where_it_did(side):
    image = np.asarray(smooth(1600, 1600).convert("L"))
    box = np.array([50.3, 20.8, 50.3 + side, 20.8 + side])
    found = crops._cut(image, box, (64, 64), False)[0].astype(int)
    corner = box + 0.5
    plain = Image.fromarray(image).resize((64, 64), Image.Resampling.BILINEAR, box=tuple(corner))
    assert np.abs(found - np.asarray(plain)).max() <= 1


def test_a_box_apart_from_the_image_shows_its_nearest_edge():
    image = np.zeros((40, 60), np.uint8)
    image[:, -1] = 200
    for box in ([80, 5, 110, 35], [200, 5, 230, 35]):
        assert (crops._cut(image, np.array(box, float), (16, 16), False) == 200).all()
    assert (crops._cut(image, np.array([-50.0, 5, -20, 35]), (16, 16), False) == 0).all()


def test_a_frame_s_map_back_is_the_inverse_of_the_map_to_it():
    boxes = np.array([[3.0, -7.5, 90.2, 44.0], [0, 0, 1, 1]])
    there, back = geometry.box_to_frame(boxes, (96, 64)), geometry.frame_to_box((96, 64), boxes)
    np.testing.assert_allclose(
        geometry.compose(there, back), np.broadcast_to(np.eye(2, 3), (2, 2, 3)), atol=1e-12
    )


@pytest.fixture(scope="module")
def photographs(real_data):
    names = ("astronaut.png", "dlib_faces/2008_001009.jpg", "dlib_faces/2008_002079.jpg")
    return [real_data / "samples" / name for name in names]


@pytest.mark.parametrize("settings", [{}, {"max_faces": 1}, {"any_rotation": True}])
@pytest.mark.parametrize("batch", [2, 8])
def test_faces_of_several_images_are_those_of_each_alone(photographs, settings, batch):
    landmarker = Landmarker("face68_light", **settings)
    images = [*photographs, np.full((50, 60, 3), 128, np.uint8), photographs[0]]
    alone = [landmarker(image) for image in images]
    together = list(landmarker.each(images, batch=batch, threads=2))
    assert [len(faces) for faces in together] == [len(faces) for faces in alone]
    assert len(alone[0]) == 1 and not alone[3]
    for faces, others in zip(together, alone, strict=True):
        for face, other in zip(faces, others, strict=True):
            np.testing.assert_allclose(face.points, other.points, atol=1e-3)
            assert face.score == pytest.approx(other.score, abs=1e-5)


def test_an_unreadable_image_is_refused_after_those_before_it(photographs, tmp_path):
    landmarker = Landmarker("face68_light")
    found = landmarker.each([photographs[0], tmp_path / "no.jpg", photographs[0]])
    assert len(next(found)) == 1
    with pytest.raises(DataError, match="no such file"):
        next(found)


@pytest.mark.parametrize("detector", ["single_shot", None])
def test_what_cannot_be_opened_is_told_in_its_place(photographs, detector):
    landmarker = Landmarker("face68_light", detector=detector)
    large = np.full((2100, 2000), 128, np.uint8)  # searched at once, not held
    first, second = (pixels_of(path, colour=False) for path in photographs[:2])
    opens = [first, None, large, second, None]

    def open_image(image):
        if image is None:
            raise DataError("no image")
        return image

    found = list(landmarker.find_opened(partial(open_image, each) for each in opens))
    assert [isinstance(each, DataError) for each in found] == [each is None for each in opens]
    for each, image in zip(found, opens, strict=True):
        if image is not None:
            assert each.pixels is image
            faces, dropped = landmarker.find(image)
            assert len(each.faces) == len(faces) and len(each.dropped) == len(dropped)
            for face, other in zip(each.faces, faces, strict=True):
                np.testing.assert_allclose(face.points, other.points, atol=1e-3)


def test_an_image_that_cannot_be_searched_stops_no_other(photographs, monkeypatch):
    landmarker = Landmarker("face68_light")
    search = Landmarker._search

    def fails(self, images):
        if any(image.shape[0] == 60 for image in images):
            raise MemoryError("too large")
        return search(self, images)

    monkeypatch.setattr(Landmarker, "_search", fails)
    bad = np.full((60, 50), 128, np.uint8)
    images = [photographs[0], bad, photographs[1]]
    found = list(landmarker.find_opened(partial(pixels_of, each, False) for each in images))
    assert [isinstance(each, MemoryError) for each in found] == [False, True, False]


def test_images_without_a_detector_are_faces_each(photographs):
    landmarker = Landmarker("face68_light", detector=None)
    assert [len(faces) for faces in landmarker.each(photographs[:2])] == [1, 1]
