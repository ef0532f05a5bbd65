"""Faces that an evaluation cannot count, or not fully: what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasion.media.counted import counted

if TYPE_CHECKING:
    from nasion.evaluation.evaluate import EvaluationResult

NO_NORM = "faces whose norm ({norm}) is not labelled or has no length, counted in RMSE only"
_MANY = 0.2  # of the faces that have labels


def remedy(reason: str, result: EvaluationResult) -> str:
    """What would count more of the faces left out for a reason, to stand behind it; or nothing.

    Only for a norm that drops many faces, where the box has the length of more of them.
    """
    if reason != NO_NORM.format(norm=result.norm) or "box" not in result.norms:
        return ""
    dropped, labelled = len(result.left_out[reason]), int(result.faces.labelled.any(axis=1).sum())
    own, by_box = result.overall.faces, result.norms["box"].faces
    if dropped < _MANY * labelled or by_box <= own:
        return ""
    return f"; --norm box counts {counted(by_box, 'face')} instead of {own}"
