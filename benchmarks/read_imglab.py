"""Time and peak memory of reading a large imglab file.

Usage:
    python benchmarks/read_imglab.py [--boxes 1000000]

The file is generated: ten boxes per image, two labelled parts per box, read as 68 points.
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


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--boxes", type=int, default=1_000_000, help="a multiple of ten")
    count = parser.parse_args().boxes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.xml"
        with path.open("w") as file:
            file.write("<dataset><images>\n")
            file.writelines(
                f"<image file='a/{i}.jpg'>{BOX * 10}</image>\n" for i in range(count // 10)
            )
            file.write("</images></dataset>\n")
        before = peak_megabytes()
        started = time.perf_counter()
        faces = imglab.read(path, scheme=ibug68)
        seconds = time.perf_counter() - started
        after, file_size = peak_megabytes(), path.stat().st_size / 1e6
    print(
        f"{len(faces):,} boxes, {file_size:.0f} MB: {seconds:.1f} s, peak memory {after:.0f} MB "
        f"({before:.0f} MB before reading), of which points {faces.points.nbytes / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main()
