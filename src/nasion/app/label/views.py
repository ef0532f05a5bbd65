"""What the page gets to see, as JSON: the scheme, a face, a reference, who did how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from statistics import median
from typing import Any
from urllib.parse import quote

import numpy as np

import nasion
from nasion.app.face_parts import OTHER, parts_of
from nasion.app.label.ordering import BLIND_EVERY, FILE, Ordering
from nasion.app.label.store import FaceNow, LabelStore
from nasion.app.label.suggestions import Suggestions
from nasion.data.corrections.change_list import list_path, read_change_list
from nasion.data.corrections.replay import ListState
from nasion.data.datasets._pictures import lists_beside
from nasion.data.missing_boxes import complete, reference_shape
from nasion.data.suspects import Suspect
from nasion.errors import NasionError
from nasion.labelling.order import shape_features
from nasion.labelling.proposals import Proposal
from nasion.landmarks.contours import contours
from nasion.landmarks.faces import Faces
from nasion.landmarks.point_names import words
from nasion.landmarks.scheme import Scheme
from nasion.media.images import image_size

_HISTORY = 200  # gestures of a face that are shown
_MEAN_OF = 500  # faces that the scheme's picture is drawn from
_SIDES = ("left", "right", "upper", "lower", "outer", "inner")


def session_view(
    store: LabelStore, suggestions: Suggestions, ordering: Ordering, model: str, list_name: str
) -> dict[str, Any]:
    """What stays the same while the server runs, and the version of the proposals."""
    return {
        "version": nasion.__version__,
        "data": str(store.data.root),
        "who": store.who,
        "list": list_name,
        "scheme": scheme_view(store.data.faces),
        "model": model,
        "models_version": suggestions.version,
        "orders": list(ordering.possible),
        "order": ordering.default,
        "read_only": store.read_only,
        "blind_every": BLIND_EVERY,
    }


def scheme_view(faces: Faces) -> dict[str, Any]:
    """The scheme by positions, with a picture of it."""
    scheme = faces.scheme
    named = {point: part for part, points in parts_of(scheme) for point in points}
    parts: dict[str, list[int]] = {}
    for k, point in enumerate(scheme.points):
        parts.setdefault(named.get(point, OTHER), []).append(k)
    other = parts.pop(OTHER, None)
    parts |= {OTHER: other} if other else {}
    return {
        "name": scheme.name,
        "points": list(scheme.points),
        "edges": scheme.edge_index.tolist(),
        "mirror": [scheme.index(pair).tolist() for pair in scheme.mirror],
        "parts": [{"name": name, "points": points} for name, points in parts.items()],
        "contours": _contours(scheme, named),
        "picture": places(_typical_shape(faces), 4),
    }


def face_view(
    store: LabelStore, suggestions: Suggestions, ordering: Ordering, face: str, repeat: int
) -> dict[str, Any]:
    """A face as it is now. A blind repeat is shown without labels, proposal and suspicion."""
    shown = store.now(face, repeat)
    is_blind = repeat > 0
    # In this order: what is not pending now is there a moment later, or never.
    is_pending = not is_blind and suggestions.is_pending(face)
    proposal = None if is_blind else suggestions.proposal(face)
    suspect = None if is_blind else _open_suspect(ordering.suspect(face), shown, store)
    state, box = shown.state, suggestions.box_of(face)
    return {
        "face": face,
        "repeat": repeat,
        "revision": state.revision,
        "picture_revision": store.state.of(shown.image).revision,
        "image": image_view(store, shown.image),
        "points": [None if point is None else list(point) for point in shown.points],
        "placed": [point is not None for point in shown.points],
        "touched": list(shown.touched),
        "box": None if box is None else list(box),
        "proposal": None if proposal is None else proposal_view(proposal, suggestions),
        "pending": is_pending and proposal is None,
        "suspect": suspect and _suspect_view(suspect, store.data.scheme),
        "doubt": _doubt(suspect, proposal, store.data.scheme),
        "done": state.done,
        "no_face": state.no_face or store.state.of(shown.image).no_face,
        "removed": state.removed,
        "note": state.note,
        "confirmed": list(state.confirmed),
        "has_faces": store.has_faces(shown.image),
        "is_new": shown.is_new,
        "can_undo": bool(state.undoable),
        "can_redo": bool(state.redoable),
        "history": _history(store, face, repeat),
        "who": store.who,
    }


def image_view(store: LabelStore, name: str) -> dict[str, Any]:
    """An image's size and address. Raises ``DataError`` for one that cannot be read."""
    width, height = image_size(store.data.images[name])
    address = quote(name.encode("utf-8", "surrogateescape"), safe="")
    return {"name": name, "width": width, "height": height, "url": f"/api/image?image={address}"}


def proposal_view(proposal: Proposal, suggestions: Suggestions) -> dict[str, Any]:
    score = proposal.score
    hidden = {} if proposal.visible is None else {"hidden": proposal.hidden.tolist()}
    return hidden | {
        "points": places(proposal.points, 2),
        "error": [None if np.isnan(each) else round(float(each), 2) for each in proposal.error],
        "score": None if score is None else round(score, 4),
        "from": suggestions.name,
    }


def reference_view(store: LabelStore) -> dict[str, Any] | None:
    """The most typical of the faces with the most labels; None if there is no label yet."""
    data = store.data
    counts = data.faces.labelled.sum(axis=1)
    fullest = np.flatnonzero(counts == counts.max(initial=1))[:_MEAN_OF]
    ids = [data.faces.ids[i] for i in fullest]
    ids = [face for face in ids if store.status(face) in ("todo", "begun")]
    ids += [face for face in store.finished() if store.status(face) == "done"]
    faces = store.faces(ids)
    counts = faces.labelled.sum(axis=1)
    if not counts.any():
        return None
    fullest = np.flatnonzero(counts == counts.max())
    features = shape_features(faces.points[fullest])
    best = ids[int(fullest[np.argmin(np.linalg.norm(features, axis=1))])]
    shown = store.now(best)
    points = [None if point is None else list(point) for point in shown.points]
    return {"face": best, "image": image_view(store, shown.image), "points": points}


def progress_view(store: LabelStore, ordering: Ordering) -> dict[str, Any]:
    """Who has done how much, of all lists beside the data, and how far blind repeats are off."""
    with store.lock:
        own = _person(store.who, store.state)
        repeats = _repeats(store)
        done = [each.seconds for each in store.state.faces.values() if each.done and each.seconds]
    queue = ordering.queue(FILE)
    return {
        "done": queue["done"],
        "begun": sum(row["state"] == "begun" for row in queue["faces"]),
        "left": queue["left"],
        "by_person": [own, *_others(store)],
        "per_face_seconds": median(done) if done else None,
        "repeats": repeats,
    }


def _others(store: LabelStore) -> list[dict[str, Any]]:
    """Other people's lists beside the data, as far as they can be read."""
    own = list_path(store.data.root, store.who).name
    found: list[dict[str, Any]] = []
    for path in lists_beside(store.data.root):
        if path.name != own:
            # A damaged list is reported by the commands that apply it.
            with suppress(NasionError):
                each = read_change_list(path, tell=False)
                found.append(_person(each.header.who, each.state))
    return found


def local_time(utc: str) -> str:
    """``14:03:22`` here, of a gesture's time."""
    return datetime.fromisoformat(utc).astimezone().strftime("%H:%M:%S")


def _person(who: str, state: ListState) -> dict[str, Any]:
    faces = state.faces.values()
    return {
        "who": who,
        "faces_done": sum(each.done for each in faces),
        "points_changed": sum(len(each.changed("points")) for each in faces),
        "seconds": round(sum(each.seconds for each in state.by_face.values()), 1),
    }


def _repeats(store: LabelStore) -> dict[str, Any] | None:
    distances: list[float] = []
    faces = 0
    for face in store.repeated():
        state = store.state.of(face, 1)
        first = dict(zip(store.data.scheme.points, store.now(face).points, strict=True))
        pairs = [(first.get(name), point) for name, point in state.points.items()]
        found = [
            float(np.hypot(a[0] - b[0], a[1] - b[1]))
            for a, b in pairs
            if a is not None and b is not None
        ]
        faces += bool(found)
        distances += found
    return {"faces": faces, "median_px": round(median(distances), 2)} if distances else None


def _history(store: LabelStore, face: str, repeat: int) -> list[dict[str, Any]]:
    return [
        {
            "time": each.time,
            "op": each.op,
            "origin": each.origin,
            "points": sum(kind == "points" for kind, _ in each.changes),
            "seconds": each.seconds,
        }
        for each in store.history(face, repeat)[-_HISTORY:]
    ]


def _open_suspect(suspect: Suspect | None, shown: FaceNow, store: LabelStore) -> Suspect | None:
    """What the audit says, unless somebody has looked at it since."""
    if suspect is None or shown.state.done:
        return None
    changed = {*shown.state.changed("points"), *shown.state.confirmed}
    scheme = store.data.scheme
    known = [name for name in suspect.points if name in scheme]
    return suspect if known and not changed.issuperset(known) else None


def _suspect_view(suspect: Suspect, scheme: Scheme) -> dict[str, Any]:
    known = [i for i, name in enumerate(suspect.points) if name in scheme]
    return {
        "kind": suspect.kind,
        "chance": suspect.chance,
        "points": scheme.index(suspect.points[i] for i in known).tolist(),
        "predicted": [list(suspect.predicted[i]) for i in known],
    }


def _doubt(
    suspect: Suspect | None, proposal: Proposal | None, scheme: Scheme
) -> list[float] | None:
    """How doubtful each point is: the chance that its label is wrong, else its expected error."""
    if suspect is not None:
        doubt = [0.0] * len(scheme)
        for name, wrong in zip(suspect.points, suspect.wrong, strict=True):
            if name in scheme:
                doubt[int(scheme.index([name])[0])] = wrong
        return doubt
    if proposal is None or np.isnan(proposal.error).all():
        return None
    return [0.0 if np.isnan(each) else round(float(each), 2) for each in proposal.error]


def places(points: np.ndarray, decimals: int) -> list[list[float] | None]:
    """Points as the page has them: [x, y], null for missing ones."""
    return [
        None if np.isnan(point).any() else [round(float(v), decimals) for v in point]
        for point in points
    ]


def _typical_shape(faces: Faces) -> np.ndarray:
    """The mean face of the scheme, its longer side 1; NaN for points that nobody has labelled."""
    points = faces.points[faces.labelled.any(axis=1)][:_MEAN_OF].astype(np.float64)
    shape = reference_shape(points, faces.scheme)
    if len(points) and np.isnan(shape).any():
        shape = _with_labels(shape, points)
    known = shape[~np.isnan(shape).any(axis=1)]
    if not len(known):
        return shape
    low, high = known.min(axis=0), known.max(axis=0)
    return (shape - low) / max(float((high - low).max()), 1e-9)


def _with_labels(shape: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The shape with its unknown points where labelled faces have them."""
    if np.isnan(shape).all():
        # No face has all points: the one with the most of them stands for all.
        shape = points[np.argmax((~np.isnan(points[..., 0])).sum(axis=1))]
    # Each face moved, turned and scaled onto the shape.
    frame = np.tile(shape, (len(points), 1, 1))
    moved = np.full_like(points, np.nan)
    for i, (face, own) in enumerate(zip(points, frame, strict=True)):
        # `complete` fills missing points from a shape; here the face is the shape.
        filled = complete(own[None], face)[0]
        usable = ~np.isnan(face).any(axis=1) & np.isnan(own).any(axis=1)
        moved[i, usable] = filled[usable]
    count = (~np.isnan(moved)).sum(axis=0)
    mean = np.nansum(moved, axis=0) / np.where(count > 0, count, np.nan)
    return np.where(np.isnan(shape), mean, shape)


def _contours(scheme: Scheme, part_of: Mapping[str, str]) -> list[dict[str, Any]]:
    """The contours with names of their own."""
    found: list[dict[str, Any]] = []
    count: Counter[str] = Counter()
    for each in contours(scheme):
        name = _contour_name([scheme.points[k] for k in each.points], part_of)
        count[name] += 1
        shown = name if count[name] == 1 else f"{name} {count[name]}"
        found.append({"name": shown, "points": list(each.points), "closed": each.closed})
    return found


def _contour_name(points: Sequence[str], part_of: Mapping[str, str]) -> str:
    """The words that all its points have in their names, else the part that most belong to."""
    names = [[word for word in words(point) if not word.isdecimal()] for point in points]
    shared = [word for word in names[0] if all(word in name for name in names)]
    if any(word not in _SIDES for word in shared):
        return " ".join(shared)
    return Counter(part_of.get(point, OTHER) for point in points).most_common(1)[0][0]
