"""The cache: the same arrays again, made anew when a file changes or an entry is damaged."""

import os
from dataclasses import replace

import numpy as np
import pytest

from nasion.data import cache
from nasion.data.load import load_faces
from nasion.errors import SettingError
from nasion.landmarks.catalog import fkd15


@pytest.fixture
def counted():
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(5)}, {"b": [1, 2]}

    return make, made


def test_a_cached_entry_is_not_made_again(counted):
    make, made = counted
    for _ in range(3):
        arrays, value = cache.cached("key", make)
        assert arrays["a"].tolist() == [0, 1, 2, 3, 4] and value == {"b": [1, 2]}
    assert len(made) == 1 and not [p for p in cache.folder().iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("damage", ["entry.json", "a.npy"])
def test_a_damaged_entry_is_made_anew(counted, damage):
    make, made = counted
    cache.cached("key", make)
    path = cache.folder() / "key" / damage
    path.write_bytes(path.read_bytes()[:5])
    assert cache.cached("key", make)[0]["a"].tolist() == [0, 1, 2, 3, 4] and len(made) == 2
    cache.cached("key", make)
    assert len(made) == 2


def test_a_cache_that_cannot_be_written_costs_time_only(counted, monkeypatch, tmp_path):
    make, made = counted
    (tmp_path / "file").touch()
    monkeypatch.setenv("NASION_CACHE", str(tmp_path / "file"))
    (tmp_path / "data").write_text("x")
    assert (
        cache.cached(cache.content_key([tmp_path / "data"]), make)[1] == {"b": [1, 2]}
        and len(made) == 1
    )


def _entry(key: str, numbers: int) -> None:
    cache.cached(key, lambda: ({"a": np.zeros(numbers)}, {}))


def test_what_was_not_used_for_longest_makes_room(monkeypatch):
    monkeypatch.setenv("NASION_CACHE_GB", "0.0003")  # 300 kB; each entry has 80
    for age, key in ((300, "first"), (200, "second"), (100, "third")):
        _entry(key, 10_000)
        header = cache.folder() / key / "entry.json"
        os.utime(header, (header.stat().st_atime, header.stat().st_mtime - age))
    kept, _ = cache.cached("first", lambda: pytest.fail("made again"))  # used now
    abandoned, young = cache.folder() / ".old.1", cache.folder() / ".new.1"
    for path in (abandoned, young):
        path.mkdir()
    os.utime(abandoned, (0, 0))
    cache.content_key([cache.folder() / "first" / "a.npy"])  # hashes are not entries
    _entry("fourth", 10_000)
    names = {path.name for path in cache.folder().iterdir()}
    assert names == {"first", "third", "fourth", ".new.1", "hashes"}
    _entry("large", 100_000)  # alone above the limit: it is kept, for it is needed now
    assert {p.name for p in cache.folder().iterdir()} == {"large", ".new.1", "hashes"}
    assert np.array(kept["a"]).sum() == 0  # still mapped


@pytest.mark.parametrize("value", ["much", "-1", "nan"])
def test_a_limit_that_is_no_number_is_refused(counted, monkeypatch, value):
    monkeypatch.setenv("NASION_CACHE_GB", value)
    with pytest.raises(SettingError, match=f"NASION_CACHE_GB is '{value}'.*gigabytes such as 10"):
        cache.cached("key", counted[0])


def test_the_key_follows_the_content_not_the_name(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("same")
    b.write_text("same")
    assert cache.content_key([a]) == cache.content_key([b]) != cache.content_key([a], "other")
    before = cache.content_key([a])
    stat = a.stat()
    a.write_text("emas")
    os.utime(a, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the same size and time of change
    assert cache.content_key([a]) != before


def test_a_changed_table_is_read_anew(kaggle_folder, tmp_path):
    lines = (kaggle_folder / "training.csv").read_text().splitlines()
    (tmp_path / "training.csv").write_text("\n".join(lines[:40]) + "\n")
    assert len(load_faces("fkd", tmp_path)) == 39
    (tmp_path / "training.csv").write_text("\n".join(lines[:30]) + "\n")
    assert len(load_faces("fkd", tmp_path)) == 29
    assert len(list(cache.folder().glob("*/entry.json"))) == 2


def test_schemes_of_one_name_are_read_apart(kaggle_folder):
    for parts in ((), (("nose", ("nose_tip",)),)):
        load_faces("fkd", kaggle_folder, scheme=replace(fkd15, parts=parts))
    assert len(list(cache.folder().glob("*/entry.json"))) == 2
