"""Opens data, change list and network for labelling; closes them again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from nasion.app.label.label_data import LabelData, open_data
from nasion.app.label.learning import Learning
from nasion.app.label.ordering import Ordering
from nasion.app.label.server import LabelServer
from nasion.app.label.store import LabelStore
from nasion.app.label.suggestions import Suggestions
from nasion.data import cache
from nasion.data.corrections.apply import apply_changes
from nasion.data.corrections.change_list import list_path, new_header, read_change_list
from nasion.data.corrections.replay import ListState
from nasion.data.corrections.sources import changed_sources, source_hashes
from nasion.data.corrections.writer import check_list_name, open_change_list
from nasion.data.label_reading import LabelReading
from nasion.data.suspects import existing_audit
from nasion.errors import SettingError, require
from nasion.inference.landmarker import Landmarker
from nasion.labelling.proposals import proposer
from nasion.media.counted import counted
from nasion.media.files import check_output_folder

_SHOWN = 5  # changes that do not fit
_log = logging.getLogger(__name__)


@contextmanager
def opened(
    path: str,
    who: str,
    run: str,
    order: str | None,
    reading: LabelReading,
    changes: Sequence[str] = (),
) -> Iterator[LabelServer]:
    """A server for these data, with its threads running. Nothing is written by opening it.

    ``run``: the network that proposes. ``order``: that the page begins with. ``changes``: settings
    of what is learnt, as ``--set`` has them. Raises ``SettingError`` if somebody else writes to the
    list.
    """
    require(
        Path(who).name == who,
        f"--who {who!r}: a name without slashes expected, as it is part of a file's name.",
    )
    require(
        not reading.change_lists,
        "--corrections is not for labelling: to go on with a list beside the data, name it with "
        "--who; several lists are merged first (nasion data merge).",
    )
    # Before the network is opened: a name that is none, or a list in use, is said at once.
    target = list_path(path, who)
    check_list_name(target)
    landmarker = Landmarker(run)
    data = open_data(path, reading, landmarker.predictor.spec.scheme, target)
    with _opened_list(data, target, who) as store:
        _warn_of_changed_labels(store, target)
        suggestions = Suggestions(store, proposer(landmarker, data.scheme), Path(run).stem)
        audit = existing_audit(path)
        ordering = Ordering(store, suggestions, audit)
        if order is not None:
            ordering.check(order)
        folder = cache.folder() / "label" / _digest(target)
        learning = Learning(store, suggestions, audit, run, folder, changes)
        server = LabelServer(store, suggestions, ordering, learning, run, target, order)
        suggestions.start()
        learning.reuse()
        try:
            yield server
        finally:
            server.close()


@contextmanager
def _opened_list(data: LabelData, target: Path, who: str) -> Iterator[LabelStore]:
    """The list, held to be written to; only to be looked at if its folder cannot be written."""
    try:
        check_output_folder(target.parent)
    except SettingError as error:
        state = read_change_list(target).state if target.exists() else ListState()
        yield LabelStore(data, who, state, None, str(error))
        return
    header = new_header(who, data.scheme, source_hashes(data.root))
    with open_change_list(target, header) as writer:
        yield LabelStore(data, who, writer.state, writer)


def _warn_of_changed_labels(store: LabelStore, target: Path) -> None:
    """Say which changes do not fit the labels any more."""
    if not store.state.by_face or not target.exists():
        return
    found = read_change_list(target, tell=False)
    left_out = apply_changes(store.data.faces, [found], store.data.root).left_out
    if not left_out:
        return
    changed = changed_sources([found], store.data.root)
    why = f" ({', '.join(changed[:_SHOWN])} changed since)" if changed else ""
    lines = "\n  ".join(str(fault) for fault in left_out[:_SHOWN])
    more = f"\n  and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
    _log.warning(
        "%s: %s not fit the labels%s; no command applies them:\n  %s%s",
        *(target, counted(len(left_out), "change does", "changes do"), why, lines, more),
    )


def _digest(path: Path) -> str:
    return blake2b(str(path.absolute()).encode(errors="replace"), digest_size=8).hexdigest()
