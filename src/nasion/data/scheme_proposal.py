"""A scheme proposed from data (``nasion scheme init``), with what a person should look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nasion.data.mirror_check import mirror_faults, propose_mirror
from nasion.data.own_schemes import eye_corners, is_numbered, scheme_from_data
from nasion.data.scheme_links import link
from nasion.landmarks.catalog import SCHEMES
from nasion.landmarks.faces import Faces
from nasion.landmarks.scheme import Scheme
from nasion.landmarks.scheme_file import toml_key
from nasion.media.counted import counted, part_of

_SHOWN = 6  # pairs of a comment's line


@dataclass
class SchemeProposal:
    """``notes``: comments by the key that they belong to; ``said``: the same for a terminal."""

    scheme: Scheme
    notes: dict[str, list[str]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def note(self, key: str, text: str) -> None:
        self.notes.setdefault(key, []).append(text)

    def say(self, key: str, text: str) -> None:
        self.note(key, text)
        self.said.append(text)


def propose_scheme(faces: Faces, name: str, like: Scheme | None = None) -> SchemeProposal:
    """The scheme of these faces: what their file says, their points' names, and their labels.

    ``like``: a scheme of the catalog whose points are looked for among these.
    """
    given = faces.scheme
    own = given
    if given.name not in SCHEMES and not (given.mirror or given.aliases):
        own = scheme_from_data(name, given.points, given.edges)
    # The catalog's name means the catalog's scheme.
    own = replace(own, name=f"{name}_own" if name in SCHEMES else name)
    proposal = SchemeProposal(own)
    _mirror(proposal, replace(faces, scheme=own))
    if is_numbered(own.points):
        proposal.say(
            "points", "The points are only numbered: give them names, here and in the pairs below."
        )
    if like is not None:
        _links(proposal, replace(faces, scheme=proposal.scheme), like)
    if proposal.scheme.norm is None:
        known = eye_corners(proposal.scheme.known_as)
        if known is not None:
            of = dict(zip(proposal.scheme.known_as, proposal.scheme.points, strict=True))
            norm = ((of[known[0][0]],), (of[known[1][0]],))
            proposal.scheme = replace(proposal.scheme, norm=norm)
        else:
            proposal.note("norm", 'No outer eye corners are named; as [["right"], ["left"]].')
    return proposal


def _mirror(proposal: SchemeProposal, faces: Faces) -> None:
    """The mirror pairs of names, checked on the labels, and those that only labels show."""
    scheme = faces.scheme
    by_labels = propose_mirror(faces)
    if by_labels is None:
        proposal.say(
            "mirror",
            "Not checked on labels: fewer than 10 faces have most points, or all heads are turned "
            "to one side.",
        )
        return
    for fault in mirror_faults(faces):
        if fault.better == fault.partner == fault.point:
            proposal.say("mirror", f"No partner: {fault}.")
        elif fault.partner != fault.point:
            proposal.say("mirror", f"Corrected by the labels: {fault}.")
    named = {frozenset(pair): pair for pair in scheme.mirror}
    pairs = [named.get(frozenset(pair), pair) for pair in by_labels]
    # In the order of the points, as a person reads them.
    order = {point: i for i, point in enumerate(scheme.points)}
    pairs.sort(key=lambda pair: min(order[pair[0]], order[pair[1]]))
    added = [pair for pair in pairs if frozenset(pair) not in named]
    if named:
        kept = len(pairs) - len(added)
        proposal.note("mirror", f"{kept} of {len(named)} pairs by name agree with the labels.")
    if added:
        proposal.said.append(
            f"{counted(len(added), 'mirror pair is', 'mirror pairs are')} from the labels, "
            "to be looked at."
        )
        proposal.note("mirror", "From the labels only, please look at them:")
        _listed(proposal, "mirror", [f"{a} - {b}" for a, b in added])
    proposal.scheme = replace(scheme, mirror=tuple(pairs))


def _links(proposal: SchemeProposal, faces: Faces, like: Scheme) -> None:
    """The aliases: points that ``like`` has too."""
    found = link(faces, like)
    proposal.scheme = replace(proposal.scheme, aliases=found.aliases)
    same = sum(point in like for point in faces.scheme.points)
    proposal.said.append(
        f"{part_of(same + len(found.aliases), len(faces.scheme), 'point', 'is', 'are')} linked to "
        f"{like.name}, {same} by the very name."
    )
    if found.viewers_sides:
        proposal.say(
            "aliases",
            "left and right in the names are the viewer's, as the labels show; nasion's are the "
            "subject's.",
        )
    for point, name in found.doubtful:
        proposal.say("aliases", f"Not linked: {point} is named as {name}, but lies elsewhere.")
    if found.proposed:
        proposal.said.append(
            f"{counted(len(found.proposed), 'more point lies', 'more points lie')} near points of "
            f"{like.name}: see the comments below [aliases], and uncomment those that are the "
            "same places."
        )
        proposal.note("aliases", "Near these places (distance of the face's size); the same ones?")
        for point, name, distance in found.proposed:
            proposal.note("aliases", f'{toml_key(point)} = "{name}"  # {distance:g}')


def _listed(proposal: SchemeProposal, key: str, items: Sequence[str]) -> None:
    for start in range(0, len(items), _SHOWN):
        proposal.note(key, "  " + ", ".join(items[start : start + _SHOWN]))
