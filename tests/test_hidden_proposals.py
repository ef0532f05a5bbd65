"""Hidden points among the proposals of the labelling page: proposed as occluded."""

import numpy as np
import pytest
from hidden_points import forget_hidden, predict_hidden
from label_page import NAMES, drawn, labelling, write_labels

from nasion.data.datasets import toy
from nasion.inference.landmarker import Landmarker
from nasion.labelling.proposals import NetworkPoints, Proposer, proposer
from nasion.landmarks.catalog import ibug68
from nasion.landmarks.scheme import Scheme


def test_a_chance_is_that_of_the_point_or_the_mean_of_those_that_it_is_made_of():
    weights = np.array([[1, 0], [0.25, 0.75], [np.nan, np.nan]])
    own = Scheme(name="own", points=("a", "b", "c"), mirror=())
    places, box = np.array([[0.0, 0], [10, 10]]), np.array([0.0, 0, 10, 10])
    found = NetworkPoints(places, None, None, box, np.array([0.9, 0.3]))
    known = Proposer(Landmarker("face68_light"), own, weights).of_points(found)
    np.testing.assert_allclose(known.visible, [0.9, 0.25 * 0.9 + 0.75 * 0.3, np.nan])
    assert known.hidden.tolist() == [False, True, False]


def test_a_network_that_does_not_tell_proposes_nothing_as_occluded(monkeypatch):
    forget_hidden(monkeypatch)
    pixels = toy.draw(1, ibug68, size=320, colour=True).images[0]
    made = proposer(Landmarker("face68_light"), ibug68)
    (found,) = made.faces_in(np.asarray(pixels))
    known = made.of_points(found)
    assert known.visible is None and not known.hidden.any()


@pytest.mark.slow
def test_the_page_is_told_which_proposed_points_are_hidden(tmp_path, monkeypatch):
    predict_hidden(monkeypatch, "chin")
    with labelling(write_labels(tmp_path / "mine", drawn())) as page:
        hidden = page.ready(NAMES[1])["proposal"]["hidden"]
    assert [ibug68.points[k] for k in np.flatnonzero(hidden)] == ["chin"]
