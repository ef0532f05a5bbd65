"""What the page sends, checked: unknown and invalid values are refused, never ignored."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from nasion.data.corrections.gestures import Change, Gesture, Key

MOST_REPEATS = 9  # times that a face comes back blind
_Coordinates = Annotated[list[float], Field(min_length=2, max_length=2)]
_Box = Annotated[list[float], Field(min_length=4, max_length=4)]


class _Body(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)


class Pair(_Body):
    """A value before and after."""

    before: Any = Field(alias="from")
    after: Any = Field(alias="to")

    def change(self) -> Change:
        return Change(_as_tuple(self.before), _as_tuple(self.after))


class GestureBody(_Body):
    """A gesture, as a change list has it."""

    id: str = Field(min_length=8, max_length=64)
    face: str
    repeat: int = Field(0, ge=0, le=MOST_REPEATS)
    revision: int = Field(ge=1)
    op: str
    origin: str = "hand"
    seconds: float | None = None
    points: dict[str, Pair] = {}
    box: Pair | None = None
    done: Pair | None = None
    note: Pair | None = None
    confirmed: Pair | None = None
    no_face: Pair | None = None
    removed: Pair | None = None
    image: Pair | None = None

    def gesture(self) -> Gesture:
        changes: dict[Key, Change] = {
            ("points", name): pair.change() for name, pair in self.points.items()
        }
        for name in ("image", "box", "removed", "no_face", "done", "note", "confirmed"):
            pair: Pair | None = getattr(self, name)
            if pair is not None:
                changes[name, ""] = pair.change()
        return Gesture(
            face=self.face,
            op=self.op,
            changes=changes,
            revision=self.revision,
            id=self.id,
            origin=self.origin,
            repeat=self.repeat,
            seconds=self.seconds,
        )


class StepBody(_Body):
    """Undo or redo. ``revision``: of the face as the page has it."""

    face: str
    repeat: int = Field(0, ge=0, le=MOST_REPEATS)
    revision: int = Field(ge=0)


class RefitBody(_Body):
    """``base``: the proposal as it was before any correction."""

    face: str
    placed: dict[str, _Coordinates]
    base: list[_Coordinates | None]


class ImageBody(_Body):
    image: str


class BoxBody(_Body):
    image: str
    box: _Box


class NothingBody(_Body):
    pass


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
