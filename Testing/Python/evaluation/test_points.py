"""True points: read from files, moved into a training set's pixels, matched with found ones."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.measures.points import match_points, read_points, truth_of_dataset
from USGanSimLib.geometry.image_geometry import Crop, ImageGeometry
from USGanSimLib.recording.dataset import Source, write_dataset

PLUS_XML = """<ProbeCalibrationResult version="2.0"><ErrorReport><CalibrationData>
  <Frame Index="0" SegmentationStatus="OK"><SegmentedPoints>
    <Point WireName="7:G1_g1" Position="592.1 195.808 0" /><Point WireName="8:L1_h1" Position="4.98e+002 187.81 0" />
  </SegmentedPoints><TrackedFrame><SegmentedPoints><Point Position="1 1 0" /></SegmentedPoints></TrackedFrame></Frame>
  <Frame Index="1" SegmentationStatus="Failed"><SegmentedPoints><Point Position="9 9 0" /></SegmentedPoints></Frame>
  <Frame Index="7" SegmentationStatus="OK"><SegmentedPoints><Point Position="3.5 2 0" /></SegmentedPoints></Frame>
</CalibrationData></ErrorReport></ProbeCalibrationResult>"""


def test_a_plus_result_gives_the_segmented_points_of_the_frames_that_were_segmented(tmp_path: Path) -> None:
    path = tmp_path / "results.xml"
    path.write_text(PLUS_XML)
    points = read_points(path)
    assert sorted(points) == [0, 7]
    np.testing.assert_array_equal(points[0], [[592.1, 195.808], [498.0, 187.81]])
    np.testing.assert_array_equal(points[7], [[3.5, 2.0]])


def test_a_table_gives_its_points_by_frame_whatever_the_order_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("\ufeffv_px,frame,u_px,name\n2.5,4,1.5,a\n7,4,8,b\n0,0,0,c\n", encoding="utf-8")
    points = read_points(path)
    np.testing.assert_array_equal(points[4], [[1.5, 2.5], [8, 7]])
    np.testing.assert_array_equal(points[0], [[0, 0]])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("frame,u,v\n1,2,3\n", "has no column u_px, v_px"),
        ("frame,u_px,v_px\n1,2,3\n1,x,3\n", "line 3"),
        ("frame,u_px,v_px\n1,2\n", "line 2"),
        ("frame,u_px,v_px\n1,nan,3\n", "no frame number and point"),
        ("frame,u_px,v_px\n-1,2,3\n", "no frame number and point"),
        ("frame,u_px,v_px\n1.5,2,3\n", "no frame number and point"),
        ("frame,u_px,v_px\n", "holds no point"),
        ("", "has no column"),
        ("x" * 200_000, "is no table"),
        ("frame,u_px,v_px\n" + "1" * 200_000, "is no table"),
        ("<ProbeCalibrationResult>", "not readable XML"),
        ("<ProbeCalibrationResult/>", "holds no point"),
        (PLUS_XML.replace("592.1 195.808 0", "592.1"), "frame 0"),
        (PLUS_XML.replace('Index="0"', ""), "no frame number and point"),
    ],
)
def test_a_file_without_usable_points_is_refused_with_the_place(
    tmp_path: Path, content: str, reason: str
) -> None:
    path = tmp_path / "points.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=reason):
        read_points(path)


def test_a_missing_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_points(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="not text"):
        read_points(tmp_path / "binary.csv")


def test_points_follow_crop_and_size_and_those_outside_are_counted_as_cut_off(tmp_path: Path) -> None:
    full = np.zeros((4, 48, 64), np.uint8)
    full[:, 20:24, 40:44] = 200
    crop = Crop(8, 4, 48, 40)
    small = full[:, 4:44, 8:56].reshape(4, 10, 4, 12, 4).mean(axis=(2, 4)).astype(np.uint8)
    geometry = ImageGeometry(64, 48, np.diag([0.1, 0.1, 0.1, 1])).resized(crop, 12, 10)
    dataset = write_dataset(
        tmp_path / "set",
        small,
        np.tile(geometry.image_to_probe, (4, 1, 1)),
        geometry,
        crop=crop,
        source_size_px=(64, 48),
        source_frame=np.array([3, 5, 7, 9]),
        heldout=np.array([True, True, False, False]),
        sources=[Source("a", "", 4, 4)],
    )
    middle, outside = [41.5, 21.5], [2.0, 2.0]
    truth = truth_of_dataset(
        dataset,
        [
            {
                3: np.array([middle, outside]),
                4: np.array([middle]),
                5: np.array([outside]),
                9: np.array([middle]),
            }
        ],
    )
    assert sorted(truth.by_frame) == [0, 3]
    (bright,) = np.argwhere(small[0] > 0)[:, ::-1]
    np.testing.assert_allclose(truth.by_frame[0], [bright], atol=1e-12)
    assert truth.cut_off == 2
    assert truth.count(dataset.heldout_indices) == 1


def test_each_recording_has_its_own_points(tmp_path: Path) -> None:
    geometry = ImageGeometry(16, 12, np.eye(4))
    dataset = write_dataset(
        tmp_path / "set",
        np.zeros((4, 12, 16), np.uint8),
        np.tile(np.eye(4), (4, 1, 1)),
        geometry,
        sweep_index=np.array([0, 0, 1, 1]),
        source_frame=np.array([0, 1, 0, 1]),
        heldout=np.array([False, True, False, True]),
        sources=[Source("a", "", 2, 2), Source("b", "", 2, 2)],
    )
    first, second = ({0: np.full((1, 2), value), 1: np.full((1, 2), value + 1)} for value in (1.0, 3.0))
    truth = truth_of_dataset(dataset, [first, second])
    assert [truth.by_frame[k][0, 0] for k in range(4)] == [1, 2, 3, 4]
    with pytest.raises(UserError, match="1 files of points do not go with 2 recordings"):
        truth_of_dataset(dataset, [first])
    with pytest.raises(UserError, match="None of 2 held-out frames has a true point"):
        truth_of_dataset(dataset, [{0: first[0]}, {0: second[0]}])
    with pytest.raises(UserError, match="None of 2 training frames has a true point"):
        truth_of_dataset(dataset, [{1: first[1]}, {}])


def least_cost_mm(true_mm: np.ndarray, found_mm: np.ndarray, gate_mm: float) -> float:
    """Over every way of giving each true point a found one or none, a missed one costing the gate."""
    slots = [*range(len(found_mm)), *[-1] * len(true_mm)]
    return min(
        sum(
            gate_mm if j < 0 else float(np.linalg.norm(true_mm[i] - found_mm[j]))
            for i, j in enumerate(choice)
        )
        for choice in set(itertools.permutations(slots, len(true_mm)))
    )


@pytest.mark.parametrize(("true_count", "found_count"), [(3, 3), (4, 2), (2, 4), (3, 1), (1, 3)])
def test_the_matching_is_the_best_of_all_matchings(true_count: int, found_count: int) -> None:
    random = np.random.default_rng(true_count * 10 + found_count)
    for _ in range(20):
        true_mm, found_mm = random.uniform(0, 6, (true_count, 2)), random.uniform(0, 6, (found_count, 2))
        matching = match_points(true_mm, found_mm, gate_mm=2.0)
        assert matching.distance_mm.sum() == pytest.approx(least_cost_mm(true_mm, found_mm, 2.0))
        assert matching.extra == found_count - (~matching.missed).sum()


def test_each_spot_serves_one_point_even_where_it_is_the_nearest_of_two() -> None:
    matching = match_points(np.array([[0.0, 0], [1.0, 0]]), np.array([[0.4, 0], [1.5, 0]]), 5.0)
    np.testing.assert_allclose(matching.distance_mm, [0.4, 0.5])
    alone = match_points(np.array([[0.0, 0], [1.0, 0]]), np.array([[0.4, 0]]), 5.0)
    assert sorted(alone.distance_mm) == pytest.approx([0.4, 5.0])


def test_a_distance_of_the_gate_is_a_miss_and_the_spot_an_extra_one() -> None:
    true_mm = np.array([[0.0, 0]])
    inside, outside = (match_points(true_mm, np.array([[x, 0.0]]), 5.0) for x in (4.999, 5.0))
    assert (inside.distance_mm[0], inside.missed[0], inside.extra) == (pytest.approx(4.999), False, 0)
    assert (outside.distance_mm[0], outside.missed[0], outside.extra) == (5.0, True, 1)


def test_with_nothing_found_every_point_counts_as_the_gate() -> None:
    matching = match_points(np.zeros((3, 2)), np.empty((0, 2)), 5.0)
    assert matching.distance_mm.tolist() == [5.0, 5.0, 5.0]
    assert matching.missed.all()
    assert matching.extra == 0
