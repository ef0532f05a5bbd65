"""Time and peak memory of reading an imglab file of many boxes with two parts each, made for the
purpose.

Usage: python benchmarks/read_imglab.py [--boxes 1000000]
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from nasion.data.datasets import imglab
from nasion.landmarks.catalog import ibug68

BOX = (
    "<box top='1' left='-2' width='30' height='40'><part name='0' x='1' y='3'/><part "
    "name='67' x='2' y='3'/></box>"
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--boxes", type=int, default=1_000_000)
    count = parser.parse_args().boxes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.xml"
        with path.open("w") as file:
            file.write("<dataset><images>\n")
            file.writelines(
                f"<image file='a/{i}.jpg'>{BOX * 10}</image>\n" for i in range(count // 10)
            )
            file.write("</images></dataset>\n")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        faces = imglab.read(path, scheme=ibug68)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size, points = path.stat().st_size / 1e6, faces.points.nbytes / 1e6
    print(
        f"{len(faces):,} boxes, {size:.0f} MB: {seconds:.1f} s, peak {peak / 1e3:.0f} MB "
        f"({before / 1e3:.0f} before), of which points {points:.0f} MB"
    )


if __name__ == "__main__":
    main()
