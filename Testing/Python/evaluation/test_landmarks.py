"""Landmarks read from files, and where images show them, against places worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.evaluation.measures.landmarks import project, read_landmarks
from USGanSimLib.phantom.export import markups


def a_pose(mm_per_px: tuple[float, float] = (0.5, 0.8)) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", (20, -35, 50), degrees=True).as_matrix() * [*mm_per_px, 7.0]
    pose[:3, 3] = (12, -30, 44)
    return pose


def test_a_point_of_the_plane_moved_along_its_normal_keeps_its_pixel() -> None:
    pose = a_pose()
    normal = pose[:3, 2] / 7.0
    pose[:3, 2] = (1.0, 2.0, 3.0)  # Pixels do not use the third column; calibrations have anything there.
    points = np.array([(pose @ [31.25, 17.5, 0, 1])[:3] + away * normal for away in (0, 3.0, -1.5)])
    found = project(pose[None], points)
    assert found.places_px[0] == pytest.approx(np.tile([31.25, 17.5], (3, 1)))
    assert found.off_plane_mm[0] == pytest.approx([0, 3.0, -1.5])


def test_what_lies_off_the_plane_outside_the_image_or_in_its_black_is_not_visible() -> None:
    seen = np.ones((20, 30), bool)
    seen[:5] = False
    places = np.array(
        [[10, 10, 0], [10, 10, 1.9], [10, 10, -2.1], [10, 4, 0], [29.4, 10, 0], [29.6, 10, 0], [-1, 10, 0]]
    )
    found = project(np.eye(4)[None], places.astype(float))
    assert found.within(seen)[0].tolist() == [True, True, False, False, True, False, False]
    assert found.within(seen, reach_mm=np.inf)[0].tolist() == [True, True, True, False, True, False, False]


def written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_both_files_of_the_phantom_and_a_list_in_lps_give_the_same_places(tmp_path: Path) -> None:
    places = {"crux": [3.0, 72.0, 4.0], "tip": [0.5, -28.5, -64.0]}
    own = written(tmp_path / "p.landmarks.json", {"frame": "Reference", "unit": "mm", "landmarks": places})
    ras = markups(places)
    lps = json.loads(json.dumps(ras))
    lps["markups"][0]["coordinateSystem"] = "LPS"
    for point in lps["markups"][0]["controlPoints"]:
        point["position"] = [-point["position"][0], -point["position"][1], point["position"][2]]
    for path in (own, written(tmp_path / "r.mrk.json", ras), written(tmp_path / "l.mrk.json", lps)):
        assert {name: place.tolist() for name, place in read_landmarks(path).items()} == places


def test_a_point_that_was_never_placed_is_left_out(tmp_path: Path) -> None:
    content = markups({"crux": [1.0, 2, 3], "tip": [0.0, 0, 0]})
    content["markups"][0]["controlPoints"][1]["positionStatus"] = "undefined"
    assert list(read_landmarks(written(tmp_path / "r.mrk.json", content))) == ["crux"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"frame": "Reference", "unit": "cm", "landmarks": {"a": [1, 2, 3]}}, "cm"),
        ({"frame": "Tracker", "unit": "mm", "landmarks": {"a": [1, 2, 3]}}, "Tracker"),
        ({"frame": "Reference", "unit": "mm", "landmarks": {"a": [1, 2]}}, "three numbers"),
        ({"frame": "Reference", "unit": "mm", "landmarks": {"a": [1, 2, float("nan")]}}, "three numbers"),
        ({"frame": "Reference", "unit": "mm", "landmarks": {}}, "three numbers"),
        ({"poses": []}, "holds no landmarks"),
        ({"markups": [3]}, "holds no landmarks"),
        ({"frame": "Reference", "unit": "mm", "landmarks": [1, 2, 3]}, "holds no landmarks"),
        ({"markups": [{"coordinateSystem": "IJK", "controlPoints": []}]}, "IJK"),
        ({"markups": [{"coordinateSystem": "RAS", "coordinateUnits": "um", "controlPoints": []}]}, "um"),
        (
            {
                "markups": [
                    {
                        "coordinateSystem": "RAS",
                        "controlPoints": [
                            {"label": "a", "position": [0, 0, 0]},
                            {"label": "a", "position": [1, 0, 0]},
                        ],
                    }
                ]
            },
            "1 of 2 landmarks twice",
        ),
        ([1, 2], "holds no landmarks"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        read_landmarks(written(tmp_path / "x.json", content))


def test_a_missing_file_and_one_that_is_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_landmarks(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("landmarks")
    with pytest.raises(UserError, match="is no JSON"):
        read_landmarks(tmp_path / "text.json")
