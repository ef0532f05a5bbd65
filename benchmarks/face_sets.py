"""The datasets that face68 and face68_light learn from, as faces of iBUG's 68 points.

Held out are iBUG's validation side, CFP's persons from 405 on, FG-NET's from 60 on, and udacity68's
validation side; MTFL and WebMorph are trained on as they are.
Each set's labels are used for what they say: points match by name. CFP calls two points by names of
its own, since they lie elsewhere (LOG.md); here they count as iBUG's, as profiles have no other
labels of them. Of profiles the hidden half is placed by symmetry. Boxes are around all points.
"""

from dataclasses import replace

import numpy as np

import nasion
from nasion.data.load import load_train_val
from nasion.inference.landmarker import Landmarker
from nasion.landmarks import geometry
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.faces import join
from nasion.landmarks.half_faces import with_other_half
from nasion.landmarks.scheme_tables.cfp import HALF, cfp50
from nasion.landmarks.table_names import on_side
from nasion.media.files import atomic_write
from nasion.media.images import as_pixels

CFP_AS_IBUG = replace(
    cfp50,
    aliases=tuple(
        (f"cfp_{name}", other)
        for side in ("right", "left")
        for name, other in (
            (f"brow_{side}_inner_end", f"{side}_eyebrow_inner_end"),
            (f"mouth_{side}_corner", f"mouth_{side}_corner"),
        )
    ),
)
# In CFP's order, by iBUG's names: which of the 68 points a CFP file labels.
CFP_HALF = {
    side: ibug68.index(dict(CFP_AS_IBUG.aliases).get(name, name) for name in on_side(side, HALF))
    for side in ("right", "left")
}
FIRST_HELD_OUT = {"cfp": 405, "fgnet": 60}  # persons
# How often an epoch shows each set's faces: at first, before anything was measured, and later.
# CFP's and FG-NET's training faces had nearly the errors of those held out (LOG.md).
FIRST_SHARES = {
    "ibug68": 2.0,
    "cfp_profile": 1.0,
    "cfp_frontal": 0.6,
    "fgnet": 1.0,
    "webmorph": 1.0,
    "mtfl5": 0.5,
    "udacity68": 0.25,
}
SHARES = {**FIRST_SHARES, "cfp_frontal": 1.0, "fgnet": 2.0}
# At the end more of iBUG's, which had paid 0.6 % for the others.
LAST_SHARES = {**SHARES, "ibug68": 3.0}
# Predicted points that complete a face's labels: the expected error, and the largest distance of
# one network's or mirrored view's point from the mean, in mean sides of the face's box.
MOST_EXPECTED, MOST_APART = 0.045, 0.035
AROUND_BOX = 0.45  # what is kept around a box that is cut out, in parts of its longer side
MTFL_DISTANCE = 0.08  # of the mouth's corners from MTFL's labels, in the same unit


def load_sets(data, hidden=True):
    """(training, validation) faces by set; ``data``: the folder that holds the datasets.

    ``hidden``: as in ``cfp_sets``.
    """
    train, val = {}, {}
    train["ibug68"], val["ibug68"] = load_train_val("ibug68", data / "ibug68")
    for name, faces in cfp_sets(data / "cfp", hidden).items():
        train[name], val[name] = by_person(faces, FIRST_HELD_OUT["cfp"])
    fgnet = named_as_ibug(nasion.load_faces("fgnet", data / "fgnet"), "fgnet")
    train["fgnet"], val["fgnet"] = by_person(fgnet, FIRST_HELD_OUT["fgnet"])
    train["webmorph"] = named_as_ibug(nasion.load_faces("webmorph", data / "webmorph"), "webmorph")
    sides = load_train_val("udacity68", data / "udacity68")
    train["udacity68"], val["udacity68"] = (
        replace(side, ids=tuple(f"udacity68/{name}" for name in side.ids)) for side in sides
    )
    return train, val


def cfp_sets(root, hidden=True):
    """CFP's faces by pose: ``cfp_frontal`` and ``cfp_profile``.

    ``hidden``: place the hidden half of profiles by symmetry.
    """
    faces = nasion.load_faces("cfp", root)
    faces = named_as_ibug(replace(faces, scheme=CFP_AS_IBUG, boxes=None), "cfp")
    profile = np.array(faces.groups["pose"]) == "profile"
    if not hidden:
        return {"cfp_profile": faces[profile], "cfp_frontal": faces[~profile]}
    far = with_other_half(faces.points, ibug68)[0]
    # The labelled half's own unlabelled points stay missing.
    labelled = faces.labelled
    far[~labelled[:, ibug68.flip]] = np.nan
    points = np.where(profile[:, None, None] & ~labelled[..., None], far, faces.points)
    faces = replace(faces, points=points.astype(np.float32))
    return {"cfp_profile": faces[profile], "cfp_frontal": faces[~profile]}


def named_as_ibug(faces, prefix):
    """The faces' points that have names of iBUG's, in boxes around all 68 as these place them."""
    faces = faces.to(ibug68)
    boxes = geometry.points_box(with_other_half(faces.points, ibug68)[0]).astype(np.float32)
    return prefixed(replace(faces, boxes=boxes), prefix)


def prefixed(faces, prefix):
    return replace(faces, ids=tuple(f"{prefix}/{name}" for name in faces.ids))


def by_person(faces, first_held_out):
    """(training, validation) faces, by the number of the person."""
    held_out = np.array(faces.groups["person"]).astype(int) >= first_held_out
    return faces[~held_out], faces[held_out]


def complete(faces, networks, keep_labels=True):
    """The faces with the points that they lack, where networks and mirrored views agree on them.

    Boxes are around all points, also those that are not sure enough to learn from.
    """
    views, expected = [], []
    for network in networks:
        plain, mean = (replace(network, tta=tta).predict(faces) for tta in ("none", "flip"))
        # Flip averages the view and the mirrored one.
        views += [plain.points.astype(np.float64), 2.0 * mean.points - plain.points]
        expected.append(plain.expected)
    found = np.mean(views, axis=0)
    boxes = geometry.points_box(found)
    size = (boxes[:, 2:] - boxes[:, :2]).mean(axis=1)[:, None]
    apart = np.linalg.norm(np.array(views) - found, axis=-1).max(axis=0) / size
    sure = (np.mean(expected, axis=0) / size < MOST_EXPECTED) & (apart < MOST_APART)
    labelled = faces.labelled & keep_labels
    whole = np.where(labelled[..., None], faces.points, found)
    points = np.where((labelled | sure)[..., None], whole, np.nan).astype(np.float32)
    return replace(faces, points=points, boxes=geometry.points_box(whole).astype(np.float32))


def cut_out(faces):
    """Grey images cut around the boxes, with points and boxes moved along."""
    corners, images = cut_corners(faces.boxes), []
    for image, box, (left, top) in zip(faces.images, faces.boxes, corners, strict=True):
        around = AROUND_BOX * max(box[2] - box[0], box[3] - box[1])
        right, bottom = (int(value + around) + 1 for value in box[2:])
        pixels = as_pixels(image, colour=False)
        images.append(np.ascontiguousarray(pixels[top:bottom, left:right]))
    moved = corners.astype(np.float32)
    points, boxes = faces.points - moved[:, None], faces.boxes - np.tile(moved, 2)
    return replace(faces, images=images, points=points, boxes=boxes)


def cut_corners(boxes):
    """The first pixels (N, 2) of what ``cut_out`` keeps."""
    around = AROUND_BOX * (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return np.maximum(boxes[:, :2] - around[:, None], 0).astype(int)


def own_labels(labelled_sets, sets):
    """Which points (N, 68) of each set's faces are labels, by the sets without completed points.

    MTFL's only labels that iBUG names, the mouth's corners, lie elsewhere in profile: none.
    """
    none = {name: np.zeros(faces.labelled.shape, dtype=bool) for name, faces in sets.items()}
    return none | {n: faces.labelled for n, faces in labelled_sets.items() if n in sets}


def taught_sets(sets, own, path, mix=0.0):
    """The sets with a teacher's points (``mixed_with``) from a file of ``benchmarks/gpu.py``."""
    with np.load(path, allow_pickle=False) as file:
        points, expected = file["points"], file["expected"]
    ends = np.cumsum([len(faces) for faces in sets.values()])
    if len(points) != ends[-1]:
        raise SystemExit(f"{path} has points of {len(points)} faces, not of these {ends[-1]}.")
    taught = {}
    for (name, faces), end in zip(sets.items(), ends, strict=True):
        rows = slice(end - len(faces), end)
        moved = points[rows] + cut_corners(faces.boxes)[:, None]
        taught[name] = mixed_with(faces, moved, expected[rows], own[name], mix)
    return taught


def mixed_with(faces, points, expected, own, mix):
    """The faces with labels moved by ``mix`` of the way towards a teacher's points.

    ``own``: which points (N, 68) are labels. The others become the teacher's where its expected
    error is small, and stay as they are elsewhere. Boxes are around all of these points.
    """
    found = geometry.points_box(points)
    size = (found[:, 2:] - found[:, :2]).mean(axis=1)[:, None]
    sure = expected.astype(np.float32) / size < MOST_EXPECTED
    other = np.where(sure[..., None], points, faces.points)
    mixed = np.where(own[..., None], (1 - mix) * faces.points + mix * points, other)
    around = np.where(np.isnan(mixed), points, mixed)
    boxes = geometry.points_box(around).astype(np.float32)
    return replace(faces, points=mixed.astype(np.float32), boxes=boxes)


def load_mtfl(root, network):
    """MTFL's faces that the network finds, in boxes of its points; labels are the mouth's corners.

    Its other points lie elsewhere than iBUG's.
    """
    faces = nasion.load_faces("mtfl5", root)
    corners = ["mouth_right_corner", "mouth_left_corner"]
    known, wanted = faces.scheme.index(corners), ibug68.index(corners)
    landmarker, boxes, kept = Landmarker(network, min_score=0.3), [], []
    for i, (image, points) in enumerate(zip(faces.images, faces.points, strict=True)):
        found = landmarker(as_pixels(image, colour=True))
        distances = [
            np.linalg.norm(face.points[wanted] - points[known], axis=1).mean()
            / (face.box[2:] - face.box[:2]).mean()
            for face in found
        ]
        if distances and min(distances) < MTFL_DISTANCE:
            boxes.append(found[int(np.argmin(distances))].box)
            kept.append(i)
    faces = prefixed(faces[np.array(kept)].to(ibug68), "mtfl5")
    return replace(faces, boxes=np.array(boxes, dtype=np.float32))


def complete_sets(train, data, networks, folder):
    """Training faces by set, with all points that the networks are sure of; also MTFL's.

    Completed faces are kept in ``folder`` by their ids, and not completed again.
    """
    done = {"ibug68": train["ibug68"]}
    for name in ("cfp_profile", "cfp_frontal", "fgnet", "webmorph"):
        done[name] = completed_once(train[name], networks, folder / f"{name}.npz")
    path = folder / "mtfl5.npz"
    if path.exists():
        mtfl = prefixed(nasion.load_faces("mtfl5", data / "mtfl5").to(ibug68), "mtfl5")
        mtfl = mtfl[np.isin(mtfl.ids, read_completed(path)[0])]
    else:
        mtfl = load_mtfl(data / "mtfl5", networks[0])
    done["mtfl5"] = completed_once(mtfl, networks, path)
    # Its labels are a program's, and less exact than these networks.
    path = folder / "udacity68.npz"
    done["udacity68"] = completed_once(train["udacity68"], networks, path, keep_labels=False)
    return done


def completed_once(faces, networks, path, keep_labels=True):
    """``complete``, of faces that are not in the file yet; it gets those."""
    ids, points, boxes = read_completed(path)
    new = faces[~np.isin(faces.ids, ids)]
    if len(new):
        new = complete(new, networks, keep_labels)
        ids = np.concatenate([ids, np.array(new.ids)])
        points, boxes = np.concatenate([points, new.points]), np.concatenate([boxes, new.boxes])
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.savez(file, ids=ids, points=points, boxes=boxes)
    row = {name: i for i, name in enumerate(ids)}
    rows = np.array([row[name] for name in faces.ids], dtype=int)
    return replace(faces, points=points[rows], boxes=boxes[rows])


def read_completed(path):
    """(ids (N,), points (N, 68, 2), boxes (N, 4)) of completed faces; none if there is no file."""
    if not path.exists():
        empty = np.zeros((0, len(ibug68), 2), np.float32)
        return np.zeros(0, dtype=str), empty, np.zeros((0, 4), np.float32)
    with np.load(path, allow_pickle=False) as file:
        return file["ids"], file["points"], file["boxes"]


def sample(sets, shares, seed=0):
    """One pool of faces in which each set occurs as often as ``shares`` says."""
    rng, parts = np.random.default_rng(seed), []
    for name, share in shares.items():
        faces = sets.get(name)
        if faces is None:
            continue
        faces = replace(faces, groups={}, linked=())
        for number in range(int(np.ceil(share))):
            count = round(min(share - number, 1) * len(faces))
            some = faces[np.sort(rng.choice(len(faces), count, replace=False))]
            parts.append(replace(some, ids=tuple(f"{number}/{each}" for each in some.ids)))
    return join(*parts)
