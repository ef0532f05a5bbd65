"""Faces whose eyes are closed, made from faces whose eyes are open.

Few photographs show closed eyes (42 of the 2,012 of iBUG), so networks see them half open. Here the
skin between brow and lid is stretched down over the eye, with a line of lashes at the lower lid,
and the upper lid's points move there.
"""

from dataclasses import dataclass, replace

import numpy as np
from face_sets import cut_out, prefixed

import nasion
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import join

# Corner, two points of the upper lid, corner, two points of the lower lid from there back.
EYES = (range(36, 42), range(42, 48))
# In widths of the eye:
REACH = 0.75  # of the skin above the lid that is stretched
LASHES = 0.035
NARROWEST = 0.08  # opening of an eye that is worth closing
LEFT_OPEN = 0.03  # of the opening, between labels of closed lids
SHARE_CLOSED, LEAST = 0.6, 0.3  # of made faces: quite closed; the others at least by this part
# Openness (nasion.measure_faces) below which eyes are closed, and above which they can be closed.
SHUT, OPEN = 0.1, 0.2
MADE, REPEATED = 1200, 10  # faces that are made; how often each with closed eyes is shown


@dataclass(frozen=True)
class Eye:
    """An eye's own frame: x from one corner to the other, y down, in pixels.

    ``upper``, ``lower``: the lids as cubics of x.
    """

    corner: np.ndarray
    axes: np.ndarray  # rows: directions of x and y in the image
    width: float
    upper: np.ndarray
    lower: np.ndarray

    @classmethod
    def of(cls, points):
        """The eye of six points; None if it is too small, too narrow, or a point is missing."""
        width = np.linalg.norm(points[3] - points[0])
        if not width > 4:
            return None
        x_axis = (points[3] - points[0]) / width
        y_axis = np.array([-x_axis[1], x_axis[0]])
        if y_axis @ (points[4] + points[5] - points[1] - points[2]) < 0:
            y_axis = -y_axis
        axes = np.stack([x_axis, y_axis])
        own = (points - points[0]) @ axes.T
        upper, lower = own[[0, 1, 2, 3]], own[[0, 5, 4, 3]]
        rises = (np.diff(upper[:, 0]) > 0).all() and (np.diff(lower[:, 0]) > 0).all()
        opening = lower[1:3, 1].mean() - upper[1:3, 1].mean()
        if not rises or opening < NARROWEST * width:
            return None
        lids = (np.polyfit(lid[:, 0], lid[:, 1], 3) for lid in (upper, lower))
        return cls(points[0], axes, float(width), *lids)

    def gap(self, x):
        """How far the lids are apart at ``x``; 0 beside the eye."""
        apart = np.polyval(self.lower, x) - np.polyval(self.upper, x)
        return np.where((x < 0) | (x > self.width), 0, np.maximum(apart, 0))


def close_eyes(image, points, part):
    """A grey image and its 68 points with eyes closed by ``part``, from 0 (as they are) to 1."""
    image, points = image.astype(np.float64), points.astype(np.float64)
    for indices in EYES:
        eye = Eye.of(points[list(indices)])
        if eye is not None:
            image = closed(image, eye, part)
            for index in indices[1:3]:
                x = (points[index] - eye.corner) @ eye.axes[0]
                points[index] += eye.axes[1] * eye.gap(x) * part * (1 - LEFT_OPEN)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), points.astype(np.float32)


def closed(image, eye, part):
    """The image with one eye closed by ``part``."""
    height, width = image.shape
    rows, columns = np.mgrid[0:height, 0:width]
    x, y = np.moveaxis((np.stack([columns, rows], -1) - eye.corner) @ eye.axes.T, -1, 0)
    along = np.clip(x, 0, eye.width)
    lid = np.polyval(eye.upper, along)
    edge = lid + eye.gap(x) * part * (1 - LEFT_OPEN)
    top = lid - REACH * eye.width
    covered = (y > top) & (y < edge) & (x > -0.15 * eye.width) & (x < 1.15 * eye.width)
    # From `top` to the lid's new edge lies what was from `top` to its old one.
    source_y = top + (y - top) * (lid - top) / (edge - top)
    source = eye.corner + np.stack([x, source_y], -1)[covered] @ eye.axes
    image = image.copy()
    image[covered] = between_pixels(image, source)
    across = (y - edge) / (LASHES * eye.width)
    lashes = np.where((x > 0) & (x < eye.width), np.exp(-(across**2)), 0)
    return image * (1 - 0.45 * part * lashes)


def between_pixels(image, places):
    """Values of a grey image at x, y (N, 2), bilinear, its edges continued."""
    height, width = image.shape
    x, y = np.clip(places, 0, [width - 1, height - 1]).T
    left, up = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    right, down = x - left, y - up
    above = image[up, left] * (1 - right) + image[up, left + 1] * right
    below = image[up + 1, left] * (1 - right) + image[up + 1, left + 1] * right
    return above * (1 - down) + below * down


def closed_eyes_faces(faces, seed=1):
    """Faces of iBUG with closed eyes: some that are made, and the few that there are, repeated."""
    faces = replace(faces.to(ibug68), groups={}, linked=())
    openness = nasion.measure_faces(faces).eyes
    shut = faces[openness < SHUT]
    repeated = [prefixed(shut, f"closed {number}") for number in range(REPEATED)]
    return join(made_faces(faces[openness > OPEN], seed), *repeated)


def made_faces(faces, seed):
    """``MADE`` of these faces, cut out, with their eyes closed."""
    rng = np.random.default_rng(seed)
    some = cut_out(faces[np.sort(rng.choice(len(faces), MADE, replace=False))])
    parts = np.where(rng.random(MADE) < SHARE_CLOSED, 1, rng.uniform(LEAST, 1, MADE))
    pairs = [close_eyes(*each) for each in zip(some.images, some.points, parts, strict=True)]
    images, points = [image for image, _ in pairs], np.stack([points for _, points in pairs])
    return prefixed(replace(some, images=images, points=points), "made closed")
