"""How far a network sees eyes open whose labels are closed.

Usage:
    python benchmarks/blinks.py --data DATA [--model face68] [--save]

On iBUG's faces, which the shipped networks have learnt from: few photographs show closed eyes.
Openness is that of ``nasion.measure_faces``. `closed_part` is what a blink's lowest openness is
compared with: the median openness of closed eyes over the median of all.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from result_files import add_result

import nasion

RANGES = ((0.0, 0.05), (0.05, 0.1), (0.1, 0.15), (0.15, 0.2), (0.3, 0.35))  # of labels
MOST = 200  # faces of a range


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--model", default="face68", help="a shipped name, a run or a file")
    parser.add_argument("--save", action="store_true", help="keep the scores in results/")
    options = parser.parse_args()
    started = time.perf_counter()
    faces = nasion.load_faces("ibug68", options.data / "ibug68")
    labelled = nasion.measure_faces(faces).eyes
    predictor = nasion.load_model(options.model)
    rows = []
    for low, high in RANGES:
        at = np.flatnonzero((labelled >= low) & (labelled < high))[:MOST]
        seen = nasion.measure_faces(predictor.predict(faces[at])).eyes
        tenths = [round(float(each), 3) for each in np.nanpercentile(seen, [10, 50, 90])]
        rows.append({"labelled": [low, high], "faces": len(at), "predicted_10_50_90": tenths})
        print(rows[-1], flush=True)
    usual = float(np.nanmedian(labelled))
    closed_part = round(rows[0]["predicted_10_50_90"][1] / usual, 2)
    print(f"median of labels {usual:.3f}; closed eyes are seen at {closed_part} of it")
    if options.save:
        name = Path(options.model).name
        seconds = round(time.perf_counter() - started, 1)
        scores = {"median": round(usual, 3), "closed_part": closed_part, "ranges": rows}
        facts = {"command": "python benchmarks/blinks.py --data DATA --save"}
        add_result("blinks", name, 0, {**scores, "seconds": seconds}, facts)


if __name__ == "__main__":
    main()
