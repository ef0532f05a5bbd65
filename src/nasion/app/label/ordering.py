"""The queue of the page: every face with its state, in the order that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np

from nasion.app.label.store import LabelStore
from nasion.app.label.suggestions import Suggestions
from nasion.data.suspects import Audit, Suspect
from nasion.errors import require
from nasion.labelling.order import by_correction, by_doubt, mixed, shape_features, typical_first
from nasion.labelling.proposals import Proposal

SUSPECTS, UNSURE, TYPICAL, RANDOM, FILE = "suspects", "unsure", "typical", "random", "file"
ORDERS: tuple[str, ...] = (SUSPECTS, UNSURE, TYPICAL, RANDOM, FILE)
BLIND_EVERY = 20  # finished faces, of which one comes back
FEW = 25  # labelled faces, below which typical ones come first
_FIRST = 50  # typical faces in a row
_CANDIDATES = 600  # faces that are ranked against each other; others follow
_AHEAD = 3  # places behind the first face that is left, at which a blind repeat comes
_LIKELY = 0.1  # chance of an error, below which a face is no suspect
_TURNS = ("unsure", "unsure", "unlike the others", "random")
_GROWTH = 1.2  # times as many proposals, after which faces are ranked anew
Item = tuple[str, int]  # face and repeat


@dataclass
class Ordering:
    """``audit``: beside the data, if there is one."""

    store: LabelStore
    suggestions: Suggestions
    audit: Audit | None
    _ranked: tuple[tuple[Any, ...], int, list[tuple[str, str]]] | None = field(
        default=None, repr=False
    )

    def __post_init__(self) -> None:
        known = self.audit.suspects if self.audit else ()
        self._suspects: dict[str, Suspect] = {each.face: each for each in reversed(known)}
        labelled = self.store.data.faces.labelled.any(axis=1)
        self._labelled: int = int(labelled.sum())

    @property
    def possible(self) -> tuple[str, ...]:
        return ORDERS if self.audit else ORDERS[1:]

    @property
    def default(self) -> str:
        """Suspects of an audit, else random: no order made better networks (label_faces.md)."""
        return SUSPECTS if self.audit else RANDOM

    def suspect(self, face: str) -> Suspect | None:
        """What the audit says of a face."""
        return self._suspects.get(face)

    def check(self, order: str) -> None:
        """Raise ``SettingError`` for an order that is not possible here."""
        names = ", ".join(self.possible)
        lacks = ""
        if order == SUSPECTS and not self.audit:
            lacks = "; suspects need an audit beside the data (nasion data audit)"
        require(order in self.possible, f"order is {order!r}; one of {names} expected{lacks}.")

    def queue(self, order: str) -> dict[str, Any]:
        """The whole queue as the page gets it. Raises ``SettingError`` for an unknown order."""
        self.check(order)
        entries = self._entries()
        reasons = dict(self._order(order, entries))
        ordered = [(face, 0) for face in reasons] + [
            (face, 0) for face in entries if face not in reasons
        ]
        items = self._arranged(order, ordered)
        rows = [self._row(face, repeat, reasons.get(face, "")) for face, repeat in items]
        done = sum(row["state"] == "done" for row in rows)
        left = sum(row["state"] in ("todo", "begun") for row in rows)
        return {
            "order": order,
            "faces": rows,
            "done": done,
            "left": left,
            "images": len({row["image"] for row in rows}),
            "pending": self.suggestions.pending,
        }

    def repeats(self) -> list[str]:
        """Finished faces that come back without being shown any label: one of each 20.

        Those that were begun stay, whatever is finished anew.
        """
        finished = self.store.finished()
        begun = self.store.repeated()
        due = [face for face in finished[:-BLIND_EVERY:BLIND_EVERY] if face not in begun]
        count = max((len(finished) - 1) // BLIND_EVERY, 0)
        return begun + due[: max(count - len(begun), 0)]

    def _entries(self) -> list[str]:
        """All faces in the order of their files; a picture without faces is one."""
        data, store = self.store.data, self.store
        found = dict.fromkeys(data.faces.ids)
        for face in store.added():
            found.setdefault(face)
        for picture in data.pictures:
            found |= dict.fromkeys(face for face, _ in self.suggestions.faces_of(picture))
        return list(found)

    def _arranged(self, order: str, ordered: list[Item]) -> list[Item]:
        """Finished faces first, then begun ones, then the rest; with blind repeats."""
        status = {item: self.store.status(*item) for item in ordered}
        if order == FILE:
            items = ordered
        else:
            turn = {face: i for i, face in enumerate(self.store.finished())}
            over = [item for item in ordered if status[item] not in ("todo", "begun")]
            over.sort(key=lambda item: turn.get(item[0], len(turn)))
            begun = [item for item in ordered if status[item] == "begun"]
            items = over + begun + [item for item in ordered if status[item] == "todo"]
        due = [(face, 1) for face in self.repeats()]
        over = [item for item in due if self.store.status(*item) == "done"]
        due = [item for item in due if item not in over]
        left = (i for i, item in enumerate(items) if status[item] in ("todo", "begun"))
        at = min(next(left, len(items)) + _AHEAD, len(items))
        return over + items[:at] + due + items[at:]

    def _row(self, face: str, repeat: int, reason: str) -> dict[str, Any]:
        picture, is_new = self.store.image_of(face), self.store.is_new(face)
        if problem := self.suggestions.problem(picture):
            reason = problem
        elif is_new and self._is_without_place(face, picture):
            reason = "no face found: draw a box"
        return {
            "face": face,
            "repeat": repeat,
            "image": picture,
            "reason": "once more, without labels" if repeat else reason,
            "state": self.store.status(face, repeat),
            "labelled": self.store.labelled(face, repeat),
            "new": is_new,
        }

    def _is_without_place(self, face: str, picture: str) -> bool:
        return self.suggestions.looked_at(picture) and self.suggestions.box_of(face) is None

    def _order(self, order: str, entries: list[str]) -> list[tuple[str, str]]:
        """Faces with the reason why they come there; those that are not named come last."""
        if order == SUSPECTS:
            return self._suspicious(set(entries))
        if order == RANDOM:
            return [(face, "") for face in sorted(entries, key=self._unlabelled_first)]
        if order in (UNSURE, TYPICAL):
            return self._by_proposals(order, entries)
        return []

    def _suspicious(self, entries: set[str]) -> list[tuple[str, str]]:
        known = [
            each
            for each in self._suspects.values()
            if each.face in entries and each.chance >= _LIKELY
        ]
        ranked = [known[i] for i in by_correction(known)]
        return [(each.face, f"{each.kind}, {each.chance:.2f}") for each in ranked]

    def _by_proposals(self, order: str, entries: list[str]) -> list[tuple[str, str]]:
        """By what is proposed so far; ranked anew when much more is known."""
        known = self.suggestions.known()
        proposals = {face: known[face] for face in entries if face in known}
        done = len(self.store.finished())
        typical = order == TYPICAL and self._labelled + done < FEW
        key = (order, typical, self.suggestions.version, done // 5)
        if self._ranked is not None:
            last, count, ranked = self._ranked
            if last == key and len(proposals) < max(_GROWTH * count, count + 10):
                return ranked
        if not proposals:
            return []
        ranked = self._ranking(order, typical, proposals)
        self._ranked = key, len(proposals), ranked
        return ranked

    def _ranking(
        self, order: str, typical: bool, proposals: dict[str, Proposal]
    ) -> list[tuple[str, str]]:
        faces = list(proposals)
        doubt = np.array([proposals[face].doubt for face in faces])
        by_most = by_doubt(doubt)
        if order == UNSURE:
            return [(faces[i], "unsure") for i in by_most if not np.isnan(doubt[i])]
        faces, doubt = self._candidates(faces, doubt, by_most)
        features = shape_features(np.stack([proposals[face].points for face in faces]))
        found: dict[str, str] = {}
        if typical:
            for i in typical_first(features, _FIRST):
                found[faces[i]] = "a typical face"
        finished = set(self.store.finished())
        labelled = [i for i, face in enumerate(faces) if face in finished]
        ranked = mixed(features, doubt, np.random.default_rng(0), labelled)
        for turn, i in enumerate(ranked):
            found.setdefault(faces[i], _TURNS[turn % len(_TURNS)])
        return list(found.items())

    def _candidates(
        self, faces: list[str], doubt: np.ndarray, by_most: Sequence[int]
    ) -> tuple[list[str], np.ndarray]:
        """All faces, or of many the most doubtful ones and as many others by lot."""
        if len(faces) <= _CANDIDATES:
            return faces, doubt
        chosen = dict.fromkeys(by_most[: _CANDIDATES // 2])
        for i in sorted(range(len(faces)), key=lambda i: self._lot(faces[i])):
            if len(chosen) == _CANDIDATES:
                break
            chosen.setdefault(i)
        at = list(chosen)
        return [faces[i] for i in at], doubt[at]

    def _unlabelled_first(self, face: str) -> tuple[bool, bytes]:
        i = self.store.data.position.get(face)
        has_labels = i is not None and bool(self.store.data.faces.labelled[i].any())
        return has_labels, self._lot(face)

    def _lot(self, face: str) -> bytes:
        """A face's place in a random order that stays the same, also when faces come along."""
        return blake2b(face.encode("utf-8", "surrogatepass"), digest_size=8).digest()
