"""Splits that cannot leak: copies, noisy copies and linked groups stay on one side, on every
machine alike.
"""

import io
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from nasion.data.augment import warp
from nasion.data.datasets import toy
from nasion.data.load import load_faces, load_train_val
from nasion.data.splits import (
    SimilarPair,
    clusters,
    connecting_pairs,
    honest_folds,
    honest_split,
    leaks,
    same_photographs,
    similar_pairs,
)
from nasion.errors import DataError, SettingError
from nasion.landmarks import geometry
from nasion.landmarks.catalog import fkd15
from nasion.landmarks.faces import Faces, join
from nasion.training.training_faces import faces_key


def copies(faces, change, tag):
    images = np.stack([change(image) for image in faces.images])
    return replace(faces, images=images, ids=tuple(f"{tag}/{i}" for i in faces.ids))


def jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=40)
    return np.asarray(Image.open(buffer))


CHANGES = {
    "exact": lambda image: image,
    "brighter": lambda image: np.clip(image.astype(int) + 3, 0, 255).astype(np.uint8),
    "contrast": lambda image: (image * 0.9).astype(np.uint8),
    "jpeg": jpeg,
    "noise": lambda image: np.clip(
        image + np.random.default_rng(0).normal(0, 4, image.shape), 0, 255
    ).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found_and_stay_with_their_original(toy_faces, change):
    both = join(toy_faces, copies(toy_faces, CHANGES[change], "copy"))
    found = {(p.first, p.second): p for p in similar_pairs(both)}
    assert all((i, i + 120) in found for i in range(120))
    assert all(found[i, i + 120].exact == (change == "exact") for i in range(120))
    train, val = honest_split(both)
    originals = {i.removeprefix("copy/") for i in val.ids}
    assert not originals & {i.removeprefix("copy/") for i in train.ids}
    assert len(train) + len(val) == 240


def test_a_photograph_cropped_and_rotated_by_another_dataset_is_matched_by_its_eyes():
    faces = toy.draw(40, fkd15, seed=3, size=96)
    maps = geometry.similarity(
        (47.5, 47.5),
        np.linspace(-30, 30, 40),
        np.linspace(1.1, 1.6, 40),
        np.tile([[3.0, -2.0]], (40, 1)),
    )
    images = np.rint(warp(faces.images[:, None].astype(np.float32), maps, (96, 96))[:, 0]).astype(
        np.uint8
    )
    points = geometry.apply(geometry.invert(maps), faces.points).astype(np.float32)
    points[::2, [fkd15.points.index(name) for name in fkd15.points if "corner" in name]] = (
        np.nan
    )  # the eyes' centres stay
    other = replace(faces, images=images, points=points)
    found = same_photographs(faces, other)
    assert {(i, i) for i in range(40)} <= set(found)
    assert not [
        pair
        for pair in similar_pairs(
            join(faces, replace(other, ids=tuple(f"other/{i}" for i in other.ids)))
        )
        if pair.second == pair.first + 40
    ]
    blind = replace(other, points=np.full_like(points, np.nan))
    assert same_photographs(faces, blind) == []


def shot(count, seed=0):
    """Frames of one shot: one image with noise."""
    rng = np.random.default_rng(seed)
    still = rng.integers(0, 255, (48, 48))
    images = np.clip(still + rng.integers(-3, 4, (count, 48, 48)), 0, 255).astype(np.uint8)
    ids = tuple(f"{seed}/{i}" for i in range(count))
    return Faces(scheme=fkd15, ids=ids, images=images, points=np.ones((count, 15, 2), np.float32))


def test_frames_of_a_shot_are_connected_by_fewer_pairs_than_frames():
    """All pairs of 1,500 frames, 1.1 million, would take 300 MB."""
    frames = join(shot(700, 1), shot(800, 2))
    tracemalloc.start()
    try:
        pairs = connecting_pairs(frames)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(pairs) == 699 + 799
    assert peak < 100 * 2**20
    first = clusters(len(frames), [(pair.first, pair.second) for pair in pairs])
    assert (first[:700] == 0).all() and (first[700:] == 700).all()


@pytest.fixture
def labelled_twice(tmp_path):
    """Twenty drawn images in two files each; of each face one file labels the eyes, one the mouth.

    Boxes are around what is labelled, as of files without boxes.
    """
    drawn = toy.draw(20, fkd15, seed=8, size=64)
    parts = []
    for name, words in (("first", ("eye",)), ("second", ("mouth", "nose"))):
        shown = np.array([any(word in point for word in words) for point in fkd15.points])
        points = np.where(shown[:, None], drawn.points, np.nan).astype(np.float32)
        paths = tuple(tmp_path / f"{i}-{name}.png" for i in range(20))
        for path, image in zip(paths, drawn.images, strict=True):
            Image.fromarray(image).save(path)
        ids = tuple(path.name for path in paths)
        boxes = geometry.points_box(points).astype(np.float32)
        parts.append(Faces(scheme=fkd15, ids=ids, images=paths, points=points, boxes=boxes))
    return parts


def test_equal_files_stay_together_whatever_is_labelled_in_them(labelled_twice):
    both = join(*labelled_twice)
    exact = {(pair.first, pair.second) for pair in similar_pairs(both) if pair.exact}
    assert exact == {(i, i + 20) for i in range(20)}
    train, val = honest_split(both)
    numbers = [{name.partition("-")[0] for name in side.ids} for side in (train, val)]
    assert numbers[1] and not numbers[0] & numbers[1]
    fold = honest_folds(both, 4)
    np.testing.assert_array_equal(fold[:20], fold[20:])
    assert {(i, i) for i in range(20)} <= set(leaks(*labelled_twice))


def test_several_faces_of_one_file_and_of_its_copy_are_connected_and_no_copies(labelled_twice):
    # Two faces in each of ten files, and the same in their copies.
    sides = [
        replace(side, images=tuple(side.images[i // 2] for i in range(20)))
        for side in labelled_twice
    ]
    both = join(*sides)
    pairs = [(pair.first, pair.second) for pair in connecting_pairs(both)]
    found = clusters(len(both), pairs)
    assert (found[:20:2] == found[1:20:2]).all() and (found[:20] == found[20:]).all()
    assert not {(0, 1), (20, 21)} & {(p.first, p.second) for p in similar_pairs(both) if p.exact}


def test_connecting_pairs_connect_what_all_pairs_do(toy_faces):
    faces = join(toy_faces, copies(toy_faces[:40], CHANGES["noise"], "copy"), shot(9, 3))
    every, some = similar_pairs(faces), connecting_pairs(faces)
    assert len(some) < len(every) and set(some) <= set(every)
    found = [clusters(len(faces), [(p.first, p.second) for p in each]) for each in (every, some)]
    np.testing.assert_array_equal(*found)


def test_different_faces_are_no_pairs(toy_faces):
    assert len(similar_pairs(toy_faces)) < 5


def test_flat_images_pair_only_with_the_same_bytes(toy_faces):
    images = toy_faces.images[:4].copy()
    images[0] = images[1] = 7
    images[2] = 9
    found = similar_pairs(replace(toy_faces[:4], images=images))
    assert [(p.first, p.second, p.exact) for p in found] == [(0, 1, True)]


def test_linked_groups_stay_on_one_side_and_faces_without_a_value_are_free(toy_faces):
    person = tuple(str(i % 30) if i < 100 else "" for i in range(120))
    train, val = honest_split(replace(toy_faces, groups={"person": person}, linked=("person",)))
    assert not (set(train.groups["person"]) & set(val.groups["person"])) - {""}
    assert "" in train.groups["person"] and "" in val.groups["person"]


def test_who_is_linked_through_others_is_one_cluster():
    assert clusters(6, [(4, 2), (2, 5), (0, 1)]).tolist() == [0, 0, 2, 3, 2, 2]


def test_a_set_that_all_hangs_together_is_refused(toy_faces):
    with pytest.raises(DataError, match=r"120 faces in one cluster .*--val PATH"):
        honest_split(replace(toy_faces, groups={"person": ("p",) * 120}, linked=("person",)))


def test_the_split_depends_on_ids_alone_not_on_order(toy_faces):
    _, val = honest_split(toy_faces)
    _, again = honest_split(toy_faces[::-1])
    assert set(val.ids) == set(again.ids)
    # Worked out once; the same on every machine.
    assert len(val) == 27 and val.ids[:3] == ("toy/7/9", "toy/7/15", "toy/7/20")


def test_names_that_are_not_utf_8_have_a_side_too(toy_faces):
    ids = ("bild\udcfc.png", *toy_faces.ids[1:])  # as Python holds the byte 0xFC
    train, val = honest_split(replace(toy_faces, ids=ids))
    assert sorted(train.ids + val.ids) == sorted(ids)
    assert faces_key(train, val) != faces_key(val, train)


def plain(ids, groups=None, linked=()):
    """Faces of which only ids and groups matter; ``split`` looks at no image."""
    return Faces(
        scheme=fkd15,
        ids=tuple(ids),
        images=np.zeros((len(ids), 2, 2), dtype=np.uint8),
        points=np.zeros((len(ids), 15, 2), dtype=np.float32),
        groups=groups or {},
        linked=linked,
    )


def split(ids, groups=None, linked=()):
    train, val = honest_split(plain(ids, groups, linked), pairs=[])
    return train, val


@pytest.mark.parametrize("count", [2, 3, 5, 10, 20, 40, 80, 150, 400])
def test_a_fifth_is_held_out_of_any_small_set_whatever_its_names(count):
    for tag in range(25):
        train, val = split([f"{tag}-{i}.jpg" for i in range(count)])
        slack = max(0.5, 0.15 * 0.2 * count)
        assert 1 <= len(val) < count and len(train) + len(val) == count
        assert abs(len(val) - 0.2 * count) <= max(slack, 1 - 0.2 * count)


@pytest.mark.parametrize("name", ["{:04d}.png", "img_{}.jpg"])
def test_a_face_keeps_its_side_when_a_set_grows_as_far_as_the_count_allows(name):
    ids = [name.format(i) for i in range(300)]
    before, moved = set(), 0
    for count in range(10, 301):
        now = set(split(ids[:count])[1].ids)
        moved += len(before ^ (now - {ids[count - 1]}))
        before = now
    # 290 faces came one by one; a set drawn anew each time would move about 14,000.
    assert moved < 100


def test_clusters_stay_whole_while_counts_are_kept():
    persons = tuple(f"p{i // 6}" for i in range(60))
    train, val = split([f"{i}.jpg" for i in range(60)], {"person": persons}, ("person",))
    assert not set(train.groups["person"]) & set(val.groups["person"])
    assert len(val) == 12
    # One person with most of the images: the rest is held out, not the person.
    persons = ("star",) * 30 + tuple(f"p{i}" for i in range(6))
    train, val = split([f"{i}.jpg" for i in range(36)], {"person": persons}, ("person",))
    assert "star" not in val.groups["person"] and len(val) == 6


def test_each_source_gives_its_share():
    for tag in range(25):
        ids = [f"{tag}-{i}" for i in range(120)]
        sources = ("a",) * 80 + ("b",) * 30 + ("c",) * 10
        _, val = split(ids, {"source": sources})
        counts = [val.groups["source"].count(name) for name in "abc"]
        assert 12 <= counts[0] <= 20 and 4 <= counts[1] <= 8 and 1 <= counts[2] <= 3
        assert 20 <= sum(counts) <= 28


def test_many_small_sources_are_one_set():
    ids = [f"{i}.jpg" for i in range(40)]
    _, val = split(ids, {"source": tuple(f"s{i // 2}" for i in range(40))})
    assert 7 <= len(val) <= 9


def test_folds_are_equal_parts_of_whole_clusters_and_of_each_source():
    ids = [f"{i}.jpg" for i in range(103)]
    persons = tuple(f"p{i // 2}" for i in range(40)) + ("",) * 63
    groups = {"person": persons, "source": ("a",) * 50 + ("b",) * 53}
    faces = plain(ids, groups, ("person",))
    fold = honest_folds(faces, 5, pairs=[])
    assert sorted(np.bincount(fold)) == [20, 20, 21, 21, 21]
    for name in "ab":
        counts = np.bincount(fold[faces.group("source") == name], minlength=5)
        assert counts.max() - counts.min() <= 1
    for person in set(persons) - {""}:
        assert len(set(fold[faces.group("person") == person])) == 1
    shuffled = np.random.default_rng(0).permutation(103)
    assert (honest_folds(faces[shuffled], 5, pairs=[]) == fold[shuffled]).all()


def test_as_many_folds_as_clusters_have_one_each_and_more_are_refused():
    faces = plain([f"{i}.jpg" for i in range(6)])
    assert sorted(honest_folds(faces, 6, pairs=[])) == list(range(6))
    with pytest.raises(SettingError, match=r"6 faces in 6 clusters .* into 7 folds"):
        honest_folds(faces, 7, pairs=[])
    with pytest.raises(SettingError, match="two folds or more; found 1"):
        honest_folds(faces, 1, pairs=[])


def mostly_unlabelled(count, labelled, seed=0):
    """Faces of which only some have a label, those by chance."""
    points = np.full((count, 15, 2), np.nan, dtype=np.float32)
    points[np.random.default_rng(seed).choice(count, labelled, replace=False)] = 1
    return replace(plain([f"{i}.jpg" for i in range(count)]), points=points)


@pytest.mark.parametrize("seed", range(10))
def test_sides_and_folds_count_labelled_faces_only(seed):
    faces = mostly_unlabelled(60, 8, seed)
    labelled = faces.labelled.any(axis=1)
    train, val = honest_split(faces, pairs=[])
    assert len(val) == 2 and set(train.ids + val.ids) == set(faces[labelled].ids)
    fold = honest_folds(faces, 4, pairs=[])
    assert (fold[~labelled] == -1).all() and np.bincount(fold[labelled]).tolist() == [2, 2, 2, 2]


def test_labelled_faces_that_only_an_unlabelled_one_connects_stay_together():
    faces = plain([f"{i}.jpg" for i in range(20)])
    faces.points[1] = np.nan
    fold = honest_folds(faces, 5, [SimilarPair(0, 1, 1.0, True), SimilarPair(1, 2, 1.0, True)])
    assert fold[0] == fold[2] and fold[1] == -1


def test_a_set_without_labels_cannot_be_divided():
    faces = mostly_unlabelled(9, 0)
    for divide in (honest_split, lambda faces, pairs: honest_folds(faces, 3, pairs)):
        with pytest.raises(DataError, match=r"None of the 9 faces has a label of scheme fkd15"):
            divide(faces, pairs=[])


def test_a_photograph_on_both_sides_is_a_leak_under_any_name(toy_faces):
    train, val = toy_faces[:20], toy_faces[15:30]
    assert {(15 + i, i) for i in range(5)} <= set(leaks(train, val))
    assert len(leaks(train, toy_faces[60:80])) < 3


def test_the_real_split_keeps_duplicates_together_and_is_the_same_everywhere(real_data):
    train, val = load_train_val("fkd", real_data / "fkd")
    assert (len(train), len(val)) == (4375, 1166)
    assert val.ids[:4] == ("training/6", "training/8", "training/9", "training/13")
    inside = {image.tobytes() for image in val.images}
    assert not any(image.tobytes() in inside for image in train.images)
    again = load_faces("fkd", real_data / "fkd", "val")
    assert again.ids == val.ids


def test_toy_faces_have_an_honest_split_of_their_own():
    train, val = load_train_val("toy", "toy:60")
    assert len(train) + len(val) == 60 and not set(train.ids) & set(val.ids)
    assert load_faces(None, "toy:60", "val").ids == val.ids
    assert isinstance(toy.SPLITS, tuple)
