"""A clip of a still face that blinks, made of one image by moving its upper lids."""

from fractions import Fraction

import numpy as np

from nasion.landmarks.catalog import ibug68


def with_eyes(image, points, openness):
    """The image with its upper lids lowered: ``openness`` 1 leaves them, 0 closes the eyes."""
    made = image.copy()
    for side in ("left", "right"):
        at = {name: points[ibug68.index([f"{side}_{name}"])[0]] for name in PLACES}
        low, high = sorted((at["eye_outer_corner"][0], at["eye_inner_corner"][0]))
        upper = (at["eye_upper_outer_third"][1] + at["eye_upper_inner_third"][1]) / 2
        lower = (at["eye_lower_outer_third"][1] + at["eye_lower_inner_third"][1]) / 2
        top, width = at["eyebrow_middle"][1] + 3, high - low
        for x in range(int(low - 0.15 * width), int(high + 0.15 * width) + 1):
            # Lids are arches: no opening at the corners.
            along = (x - (low + high) / 2) / (width / 2)
            arch = max(0.0, 1 - along**2)
            lid = lower - (lower - upper) * arch - 1
            moved = lower - (lower - lid) * openness
            rows = np.arange(int(top), int(lower) + 1)
            source = np.interp(rows, [top, moved, lower], [top, lid, lower])
            column = image[:, x].astype(float)
            for channel in range(3):
                values = np.interp(source, np.arange(len(column)), column[:, channel])
                made[rows, x, channel] = values.round()
    return made


PLACES = (
    "eyebrow_middle", "eye_outer_corner", "eye_inner_corner", "eye_upper_outer_third",
    "eye_upper_inner_third", "eye_lower_outer_third", "eye_lower_inner_third",
)  # fmt: skip


def write_clip(path, image, points, blinks, length, rate=25, half=0.12):
    """A clip whose eyes are shut at ``blinks`` (seconds), and begin to close ``half`` before."""
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(rate), options={"crf": "12"})
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        for number in range(round(length * rate)):
            away = min(abs(number / rate - at) for at in blinks)
            frame = with_eyes(image, points, min(1.0, away / half))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
