"""A network that predicts which points can be seen, made of one that does not."""

from dataclasses import replace

import numpy as np

from nasion.inference.backends.onnx import OnnxNetwork
from nasion.inference.predictor import Predictor
from nasion.landmarks.face import Face, ImageResult
from nasion.landmarks.scheme import Scheme

HIDDEN, SEEN = 0.1, 0.9  # chances
# A square with its diagonal; the last point is hidden.
SQUARE = Scheme(
    name="square",
    points=("a", "b", "c", "d"),
    mirror=(),
    edges=(("a", "b"), ("b", "c"), ("c", "d")),
)
CORNERS = np.array([[20, 20], [60, 20], [60, 60], [20, 60]], np.float32)


def square(visible=(0.9, 0.75, 0.5, 0.25), points=CORNERS, **settings):
    """A face of four points; by default only the last is hidden."""
    chances = None if visible is None else np.array(visible, np.float32)
    box = np.array([20, 20, 60, 60], np.float32)
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    return Face(SQUARE, points, box, 0.75, scores, 2 * scores, chances, **settings)


def result_of(*faces, name="a.jpg", side=100):
    pixels = np.full((side, side, 3), 90, np.uint8)
    return ImageResult(name, "a", (side, side), faces, pixels)


def forget_hidden(monkeypatch):
    """No exported network says from now on which points are hidden, as those before 0.2.0."""
    with_chances = OnnxNetwork.with_chances
    monkeypatch.setattr(
        OnnxNetwork, "with_chances", lambda self, images: (with_chances(self, images)[0], None)
    )


def predict_hidden(monkeypatch, *names):
    """Every network says from now on that the points of these names are hidden."""
    face_of_each = Predictor.face_of_each

    def with_visible(self, *values, **named):
        faces = face_of_each(self, *values, **named)
        at = self.spec.scheme.index(list(names))
        chances = np.full(len(self.spec.scheme), SEEN, np.float32)
        chances[at] = HIDDEN
        return [replace(face, visible=chances) for face in faces]

    monkeypatch.setattr(Predictor, "face_of_each", with_visible)
