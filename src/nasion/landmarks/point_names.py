"""What names of points say: words, sides, which mirror each other, and what the catalog calls them.

Names of any habit: ``left_eye_1``, ``leftEye1``, ``L-Eye-1``, ``eye1_l``. Sides are those of the
name; whether they are the subject's or the viewer's, only labels can tell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_SIDES = {
    "left": "right", "lft": "rgt", "lt": "rt", "l": "r", "sin": "dex",
    "right": "left", "rgt": "lft", "rt": "lt", "r": "l", "dex": "sin",
}  # fmt: skip
_LEFT = ("left", "lft", "lt", "l", "sin")
# Sides that are written together with another word, where both names of a pair exist.
_JOINED = (("left", "right"), ("l", "r"))
_LEAST_REST = 2  # letters beside a joined side
# Words of other habits, as the catalog has them; anthropometric names stand for several.
_SYNONYMS = {
    "brow": "eyebrow", "eyebrows": "eyebrow", "brows": "eyebrow", "eyes": "eye",
    "lateral": "outer", "external": "outer", "temporal": "outer", "outside": "outer",
    "medial": "inner", "internal": "inner", "nasal": "inner", "inside": "inner",
    "canthus": "eye corner", "commissure": "mouth corner", "centre": "center", "middle": "center",
    "mid": "center", "midpoint": "center", "top": "upper", "bottom": "lower", "superior": "upper",
    "inferior": "lower", "lips": "lip", "apex": "tip", "iris": "pupil", "ala": "nose wing",
    "alar": "nose wing", "alare": "nose wing", "nostril": "nose wing", "menton": "chin",
    "gnathion": "chin", "exocanthion": "eye outer corner", "endocanthion": "eye inner corner",
    "exocanthus": "eye outer corner", "endocanthus": "eye inner corner",
    "pronasale": "nose tip", "subnasale": "nose base", "cheilion": "mouth corner",
    "superius": "upper center", "inferius": "lower center", "labiale": "lip",
    "labrale": "lip", "sellion": "nasion", "jawline": "jaw",
}  # fmt: skip
# Names of one word that anthropometry writes short.
_SHORT = {
    "ex": "exocanthion", "en": "endocanthion", "prn": "pronasale", "sn": "subnasale",
    "ch": "cheilion", "gn": "gnathion", "me": "menton", "al": "alare", "ls": "labiale superius",
    "li": "labiale inferius", "n": "nasion", "se": "sellion",
}  # fmt: skip
# What a name that says no more than this is understood to mean.
_IMPLIED = {
    frozenset({"eye", "outer"}): frozenset({"corner"}),
    frozenset({"eye", "inner"}): frozenset({"corner"}),
    frozenset({"eyebrow", "outer"}): frozenset({"end"}),
    frozenset({"eyebrow", "inner"}): frozenset({"end"}),
    frozenset({"mouth"}): frozenset({"corner"}),
    frozenset({"eye"}): frozenset({"center"}),
}
_FILLERS = {"the", "of", "point", "pt", "landmark", "lm", "kp", "keypoint", "face", "facial"}


def words(name: str) -> tuple[str, ...]:
    """The words and numbers of a name in small letters: ``leftEye_01`` is left, eye, 1."""
    found = _WORD.findall(name)
    return tuple(str(int(word)) if word.isdecimal() else word.lower() for word in found)


def mirror_pairs_of_names(points: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(left, right) points whose names differ only in their sides; in the order of the points."""
    of_words = {point: words(point) for point in points}
    counts = Counter(of_words.values())
    # Names of the same words cannot be told apart.
    by_words = {key: point for point, key in of_words.items() if counts[key] == 1}
    partner: dict[str, str] = {}
    for point, key in of_words.items():
        other = by_words.get(tuple(_SIDES.get(word, word) for word in key))
        if other is not None and other != point and by_words.get(key) == point:
            partner[point] = other
    left = {point for point in partner if _first_side(of_words[point]) in _LEFT}
    known = {point.lower(): point for point in points if point not in partner}
    for point in [point for point in points if point not in partner]:
        other = next((known[name] for name in _joined_right(point.lower()) if name in known), None)
        if other is not None and other != point and point not in partner and other not in partner:
            partner |= {point: other, other: point}
            left.add(point)
    return tuple((point, partner[point]) for point in points if point in left)


def _first_side(key: tuple[str, ...]) -> str:
    return next((word for word in key if word in _SIDES), "")


def _joined_right(name: str) -> list[str]:
    """The names of the right partner of ``lefteye``, ``leye``, ``eyel`` or ``eyeleft``."""
    found = []
    for left, right in _JOINED:
        if len(name.strip("0123456789")) < len(left) + _LEAST_REST:
            continue
        if name.startswith(left):
            found.append(right + name.removeprefix(left))
        rest, number = re.fullmatch(r"(.*?)(\d*)", name, re.S).groups()  # type: ignore[union-attr]
        if rest.endswith(left):
            found.append(rest.removesuffix(left) + right + number)
    return found


def meaning(name: str) -> frozenset[str]:
    """A name's words without order, in the catalog's words; names of one place share it."""
    found: list[str] = []
    plain = [word for word in words(name) if word not in _FILLERS]
    sides = [word for word in plain if word in _SIDES]
    rest = [word for word in plain if word not in _SIDES]
    # exR: the short names stand alone beside a side.
    if len(rest) == 1 and rest[0] in _SHORT:
        rest = _SHORT[rest[0]].split()
    elif not sides and len(plain) == 1 and plain[0][:-1] in _SHORT and plain[0][-1] in "lr":
        rest, sides = _SHORT[plain[0][:-1]].split(), [plain[0][-1]]
    for word in rest:
        found += _SYNONYMS.get(word, word).split()
    found += ["left" if side in _LEFT else "right" for side in sides]
    said = frozenset(found) - ({"mouth"} if "lip" in found else set())
    return said | _IMPLIED.get(said - {"left", "right"}, frozenset())


def catalog_names(points: Sequence[str], vocabulary: Sequence[str]) -> dict[str, str]:
    """The points that a name of the vocabulary means, each with that name.

    By the same words in any order and common synonyms. Numbers are places along a contour, which
    another habit counts otherwise: such names are the same only if they are equal.
    """
    known: dict[frozenset[str], list[str]] = {}
    for name in vocabulary:
        known.setdefault(meaning(name), []).append(name)
    exact = set(vocabulary)
    found: dict[str, str] = {}
    for point in points:
        if point in exact:
            found[point] = point
            continue
        if any(word.isdecimal() for word in words(point)):
            continue
        candidates = known.get(meaning(point), [])
        if len(candidates) == 1:
            found[point] = candidates[0]
    counts = Counter(found.values())
    # Two points for one place: only the one of that very name is sure.
    return {p: name for p, name in found.items() if counts[name] == 1 or p == name}
