"""Contours of a scheme, by its edges."""

from nasion.landmarks.catalog import ibug68
from nasion.landmarks.contours import Contour, contours
from nasion.landmarks.scheme import Scheme


def scheme_of(count, edges):
    names = tuple(f"p{i}" for i in range(count))
    joined = tuple((names[a], names[b]) for a, b in edges)
    return Scheme(name="test", points=names, mirror=(), edges=joined)


def test_a_chain_begins_at_its_end_and_a_ring_at_its_first_point():
    found = contours(scheme_of(7, [(1, 0), (1, 2), (3, 4), (4, 5), (5, 6), (6, 3)]))
    assert found == (Contour((0, 1, 2), False), Contour((3, 4, 5, 6), True))


def test_chains_end_where_three_edges_meet():
    found = contours(scheme_of(7, [(0, 1), (1, 2), (2, 3), (3, 4), (2, 5), (5, 6)]))
    assert found == (
        Contour((0, 1, 2), False),
        Contour((2, 3, 4), False),
        Contour((2, 5, 6), False),
    )


def test_two_points_and_edges_named_twice_are_no_contour():
    assert contours(scheme_of(3, [(0, 1), (1, 0)])) == ()


def test_the_contours_of_ibug68_are_its_nine_parts():
    found = contours(ibug68)
    assert [(len(each.points), each.closed) for each in found] == [
        (17, False), (5, False), (5, False), (4, False), (5, False),
        (6, True), (6, True), (12, True), (8, True),
    ]  # fmt: skip
