"""Measures the mean face in three dimensions that nasion/landmarks/mean_face.py holds.

Usage:
    python benchmarks/mean_face.py --data DATA

DATA holds ibug68 and cfp. Starting from the face of face_model.py, poses and places are fitted in
turn: each face's pose to the places, then each place, and its mirror partner's, to all faces that
label it, by linear least squares. Faces that fit badly are left out. The places are printed as the
rows of the table; x is 0 on the midline.
"""

import argparse
from pathlib import Path

import numpy as np

import nasion
from nasion.landmarks import head_pose
from nasion.landmarks.catalog import ibug68, union
from nasion.landmarks.face_extent import known_places
from nasion.landmarks.faces import join
from nasion.landmarks.scheme_tables.cfp import cfp50

ROUNDS = 15
WORST = 0.15  # residual in distances of the outer eye corners; faces above are left out
SCHEME = union("ibug68+cfp50", ibug68, cfp50)
MIRROR = np.diag([-1.0, 1.0, 1.0])


def fit_places(points, poses):
    """The places (K, 3) for which these faces' points are nearest to what their poses show."""
    normal, right = np.zeros((len(SCHEME), 3, 3)), np.zeros((len(SCHEME), 3))
    for i in np.flatnonzero(poses.residual < WORST):
        camera = poses.rotation[i, :2]
        seen = (points[i] - poses.shift[i]) / poses.scale[i]
        for k in np.flatnonzero(~np.isnan(seen[:, 0])):
            for at, own in ((k, camera), (SCHEME.flip[k], camera @ MIRROR)):
                normal[at] += own.T @ own
                right[at] += own.T @ seen[k]
    places = np.linalg.solve(normal + 1e-9 * np.eye(3), right[..., None])[..., 0]
    corners = SCHEME.index(["right_eye_outer_corner", "left_eye_outer_corner"])
    places -= places[corners].mean(axis=0)
    return places / np.linalg.norm(places[corners[0]] - places[corners[1]])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with ibug68 and cfp")
    options = parser.parse_args()
    sets = [nasion.load_faces(name, options.data / name) for name in ("ibug68", "cfp")]
    faces = join(*(each.to(SCHEME) for each in sets))
    points = faces.points.astype(np.float64)
    places = known_places(SCHEME)
    for number in range(ROUNDS):
        head_pose.mean_face = lambda scheme, now=places: now
        poses = head_pose.fit_head_poses(points, SCHEME)
        print(f"# round {number + 1}: median residual {np.nanmedian(poses.residual):.4f}")
        places = fit_places(points, poses)
    for name, place in zip(SCHEME.points, places.round(3), strict=True):
        if "left" not in name.split("_"):
            print(f'    "{name}": ({place[0]:.3f}, {place[1]:.3f}, {place[2]:.3f}),')


if __name__ == "__main__":
    main()
