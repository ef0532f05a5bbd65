"""Which options a user gave, so that those without effect are refused, not ignored."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Sized
from dataclasses import dataclass
from functools import wraps
from typing import Any, get_type_hints

import typer

from nasion.errors import SettingError

OF_VIDEOS = ("patience", "smooth", "min_cutoff", "beta", "every", "seconds")


@dataclass(frozen=True)
class GivenOptions:
    """The options of a call by parameter name, as ``{"no_detect": "--no-detect"}``."""

    flags: dict[str, str]

    def refuse(
        self,
        reason: str,
        *,
        names: Container[str] | None = None,
        allowed: Container[str] = (),
    ) -> None:
        """Raise ``SettingError`` with the options that were given although they have no effect.

        ``names``: the parameters that have none (None: all but ``allowed``, so that an option that
        is added later is refused too). ``reason``: when, as "with --no-smooth".
        """
        idle = [
            flag
            for name, flag in self.flags.items()
            if name not in allowed and (names is None or name in names)
        ]
        if idle:
            has, it = ("has", "it") if len(idle) == 1 else ("have", "them")
            raise SettingError(f"{', '.join(idle)} {has} no effect {reason}; leave {it} out.")

    def refuse_without_videos(self, videos: Sized) -> None:
        """Raise ``SettingError`` for options of videos if there is none."""
        if not videos:
            self.refuse("without a video among the inputs", names=OF_VIDEOS)


def knows_given(command: Callable[..., None]) -> Callable[..., None]:
    """Hand a command the options that were given as one argument, ``given: GivenOptions``."""

    @wraps(command)
    def with_context(**values: Any) -> None:
        given = GivenOptions(_flags(values.pop("context")))
        command(**values, given=given)

    # The type is imported when a command runs, so that help comes at once.
    hints = get_type_hints(command, localns={"LabelReading": object}, include_extras=True)
    hints = {name: kind for name, kind in hints.items() if name not in ("given", "return")}
    hints["context"] = typer.Context
    own = inspect.signature(command).parameters
    with_context.__annotations__ = hints
    with_context.__signature__ = inspect.Signature(  # pyright: ignore[reportAttributeAccessIssue]
        [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=own[name].default if name in own else inspect.Parameter.empty,
                annotation=kind,
            )
            for name, kind in hints.items()
        ]
    )
    return with_context


def _flags(context: Any) -> dict[str, str]:
    """What was given on the command line or in the environment; a default was not."""
    found = {}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name)
        is_default = source is None or source.name.startswith("DEFAULT")
        if parameter.param_type_name == "option" and not is_default:
            is_off = parameter.secondary_opts and context.params.get(parameter.name) is False
            found[parameter.name] = (parameter.secondary_opts if is_off else parameter.opts)[0]
    return found
