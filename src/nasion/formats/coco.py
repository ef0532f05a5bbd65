"""COCO's keypoint annotations: images, annotations and one category with the points' names and the skeleton.

Keypoints are x, y, visibility (2: seen; the network does not say more) beside ``keypoint_scores``, which COCO does not have.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nasion.formats import Found, scheme_of
from nasion.formats.json import rounded

ENDING = ".coco.json"


def text(found: Sequence[Found]) -> str:
    scheme = scheme_of(found)
    annotations: list[dict[str, Any]] = []
    for image, picture in enumerate(found, start=1):
        for face in picture.faces:
            x0, y0, x1, y1 = face.box.tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image, "category_id": 1, "iscrowd": 0, "score": round(face.score, 4),
                    "bbox": [round(value, 3) for value in (x0, y0, x1 - x0, y1 - y0)], "area": round((x1 - x0) * (y1 - y0), 1),
                    "num_keypoints": len(face.points), "keypoints": [v for x, y in face.points.tolist() for v in (round(x, 3), round(y, 3), 2)],
                    **({} if face.track is None else {"track_id": face.track}),
                    **({} if face.scores is None else {"keypoint_scores": rounded(face.scores, 4)}),
                }
            )  # fmt: skip
    names = list(scheme.points) if scheme else []
    edges = [[names.index(a) + 1, names.index(b) + 1] for a, b in scheme.edges] if scheme else []
    whole = {
        "images": [{"id": i, "file_name": p.name, "width": p.size[0], "height": p.size[1]} for i, p in enumerate(found, start=1)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "face", "supercategory": "person", "keypoints": names, "skeleton": edges}],
    }
    return json.dumps(whole) + "\n"
