"""Planted label faults: how many an audit finds, by kind.

Usage:
    python benchmarks/audit.py --data ../shared/data [--sets fkd ibug68 imm] [--shares 0.01 0.05]
        [--from face68_light] [--natural] [--seed 1] [--save]

Into a copy of each set's labels, faults of all kinds are planted (benchmarks/planted_faults.py), so
many in all as a share of the faces, equally many of each kind. Printed is the recall at 90 %
precision over all kinds: the longest list of suspects, the likeliest first, of which nine tenths
are planted; and that of gross faults alone at 95 %. Faults that the sets had before count as false;
--natural audits the labels as they are first, and leaves out faces that are suspect there (chance
above 0.5). --from none: networks from random weights, as face68_light has learnt from ibug68's own
labels. --save: into results/audit.json.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from planted_faults import GROSS, kinds_for, plant
from result_files import add_result

import nasion
from nasion.audit.audit import labelled_faces
from nasion.data.label_reading import AS_IT_SEEMS

PRECISION, GROSS_PRECISION = 0.9, 0.95
FACTS = {
    "command": "python benchmarks/audit.py --data DATA --natural --save",
    "data": "runs are named by set and share of faces with a planted fault; seeds draw faults",
    "metric": "recall at 90 % precision, in all and by kind; kind_right: of those found; gross: "
    "recall at 95 % precision of gross faults (points 25 % off and whole faces) alone",
}


def audited(faces, start):
    """(the audit, its seconds of one core), by networks trained on these labels."""
    began = time.process_time()
    # Networks that an earlier audit has left in the cache have seen other labels.
    with tempfile.TemporaryDirectory() as cache:
        os.environ["NASION_CACHE"] = cache
        found = nasion.audit_labels(faces, start=start)
    return found, time.process_time() - began


def recall_by_kind(found, faces, planted, left_out):
    """What is in the longest list of suspects of which ``PRECISION`` are planted.

    ``recall``: in all; ``kinds``: by kind; ``kind_right``: of the faces listed; ``gross``: the
    recall of gross faults in the longest list of which ``GROSS_PRECISION`` are, others left out.
    """
    named = {suspect.face: suspect.kind for suspect in reversed(found.suspects)}
    wrong = {faces.ids[each.face]: each.kind for each in planted}
    order = [face for face in _order(found) if face not in left_out]
    listed = _listed(order, set(wrong), PRECISION)
    counts = Counter(wrong.values())
    kinds = {
        kind: round(sum(wrong[f] == kind and f in listed for f in wrong) / counts[kind], 3)
        for kind in counts
    }
    hit = [face for face in wrong if face in listed]
    gross = {face for face in wrong if wrong[face] in GROSS}
    surely = _listed([f for f in order if f in gross or f not in wrong], gross, GROSS_PRECISION)
    return {
        "recall": round(len(hit) / len(wrong), 3),
        "kinds": kinds,
        "kind_right": round(float(np.mean([named[f] in RIGHT[wrong[f]] for f in hit or wrong])), 3),
        "gross": round(len(gross & surely) / len(gross), 3),
        "gross_kind_right": round(
            float(np.mean([named.get(f) in RIGHT[wrong[f]] for f in gross & surely or gross])), 3
        ),
        "planted": len(wrong),
    }


def _order(found):
    """The faces, the likeliest suspect first."""
    return list(dict.fromkeys(s.face for s in sorted(found.suspects, key=lambda s: -s.chance)))


def _listed(order, wrong, precision):
    hits = np.cumsum([face in wrong for face in order])
    precise = np.flatnonzero(hits / np.arange(1, len(order) + 1) >= precision)
    return set(order[: precise[-1] + 1]) if len(precise) else set()


RIGHT = {
    "point 25 %": ("single points",),
    "point 10 %": ("single points",),
    "point 5 %": ("single points",),
    "points swapped": ("points exchanged",),
    "shift 4 %": ("shifted",),
    "shift": ("shifted",),
    "scale": ("another size",),
    "mirrored": ("sides exchanged",),
    "other face": ("another face",),
    "backwards": ("contour backwards",),
    "half slid": ("part of a contour slid", "contour off by one"),
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["fkd", "ibug68", "imm"])
    parser.add_argument("--shares", nargs="+", type=float, default=[0.01, 0.05])
    parser.add_argument("--from", dest="start", default="face68_light")
    parser.add_argument("--natural", action="store_true", help="leave out suspects of before")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", action="store_true", help="into results/audit.json")
    options = parser.parse_args()
    start = None if options.start == "none" else options.start
    for name in options.sets:
        faces = labelled_faces(options.data / name, AS_IT_SEEMS)
        before: set[str] = set()
        if options.natural:
            found, seconds = audited(faces, start)
            before = {suspect.face for suspect in found.suspects if suspect.chance > 0.5}
            print(f"{name}: {len(before)} suspects as it is, {seconds:.0f} s", flush=True)
        for share in options.shares:
            changed, planted = plant(faces, kinds_for(faces.scheme), share, options.seed)
            found, seconds = audited(changed, start)
            left_out = before - {changed.ids[each.face] for each in planted}
            row = recall_by_kind(found, changed, planted, left_out)
            row["seconds"] = round(seconds, 1)
            print(
                f"{name} {100 * share:g} %: {row['planted']} planted, recall {row['recall']:.3f} "
                f"at precision {PRECISION}, kind right {row['kind_right']:.2f}; gross faults "
                f"{row['gross']:.3f} at {GROSS_PRECISION}, kind right "
                f"{row['gross_kind_right']:.2f}; {seconds:.0f} s",
                flush=True,
            )
            for kind, value in row["kinds"].items():
                print(f"  {kind:15} {value:.2f}", flush=True)
            if options.save:
                add_result("audit", f"{name}, {share:g}, {options.start}", options.seed, row, FACTS)


if __name__ == "__main__":
    main()
