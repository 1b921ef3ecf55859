"""Tables of poses in all their forms are the matrices that scipy makes of the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.recording.exchange.pose_table import PoseTable, PoseWords, read_pose_table

TURNS = Rotation.random(5, rng=np.random.default_rng(1))
PLACES_MM = np.random.default_rng(2).normal(0, 80, (5, 3))
TRUTH = np.tile(np.eye(4), (5, 1, 1))
TRUTH[:, :3, :3], TRUTH[:, :3, 3] = TURNS.as_matrix(), PLACES_MM
NOTHING = PoseWords()
MATRIX = [f"m{row}{column}" for row in range(4) for column in range(4)]


def table(path: Path, heading: list[str], rows: np.ndarray, separator: str = ",") -> Path:
    lines = [separator.join(heading), *(separator.join(repr(float(v)) for v in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def quaternions(scale: float = 1.0) -> np.ndarray:
    return np.hstack([scale * PLACES_MM, TURNS.as_quat()])


@pytest.mark.parametrize("separator", [",", ";", "\t", "  "])
def test_a_matrix_row_by_row_is_read_whatever_the_separator(tmp_path, separator) -> None:
    found = read_pose_table(
        table(tmp_path / "p.txt", MATRIX, TRUTH.reshape(5, 16), separator), PoseWords(unit="mm")
    )
    np.testing.assert_array_equal(found.matrices, TRUTH)
    assert found.valid.all()
    assert (found.files, found.frames, found.times_s) == (None, None, None)


def test_twelve_numbers_are_a_matrix_too(tmp_path) -> None:
    path = table(tmp_path / "p.csv", MATRIX[:12], TRUTH.reshape(5, 16)[:, :12])
    np.testing.assert_array_equal(read_pose_table(path, PoseWords(unit="mm")).matrices, TRUTH)


@pytest.mark.parametrize(("unit", "mm"), [("mm", 1), ("cm", 10), ("m", 1000)])
def test_a_unit_in_the_columns_names_or_given_scales_lengths_alone(tmp_path, unit, mm) -> None:
    names = ["tx", "ty", "tz", "qx", "qy", "qz", "qw"]
    given = read_pose_table(table(tmp_path / "a.csv", names, quaternions(1 / mm)), PoseWords(unit=unit))
    in_names = [f"{name}_{unit}" if name[0] == "t" else name for name in names]
    told = read_pose_table(table(tmp_path / "b.csv", in_names, quaternions(1 / mm)))
    np.testing.assert_allclose(given.matrices, TRUTH, atol=1e-9)
    np.testing.assert_allclose(told.matrices, TRUTH, atol=1e-9)


def test_a_quaternion_may_have_its_real_part_first(tmp_path) -> None:
    names = ["qw", "qx", "qy", "qz", "tx_mm", "ty_mm", "tz_mm"]
    rows = np.hstack([np.roll(TURNS.as_quat(), 1, axis=1), PLACES_MM])
    np.testing.assert_allclose(
        read_pose_table(table(tmp_path / "p.csv", names, rows)).matrices, TRUTH, atol=1e-12
    )


@pytest.mark.parametrize("euler", ["xyz", "ZYX", "yxz", "XZY"])
@pytest.mark.parametrize("angles", ["deg", "rad"])
def test_eulers_angles_are_taken_in_the_stated_order(tmp_path, euler, angles) -> None:
    turned = TURNS.as_euler(euler, degrees=angles == "deg")
    about = [turned[:, euler.lower().index(axis)] for axis in "xyz"]
    path = table(
        tmp_path / "p.csv", ["tx", "ty", "tz", "rx", "ry", "rz"], np.hstack([PLACES_MM, np.transpose(about)])
    )
    found = read_pose_table(path, PoseWords("mm", angles, euler))
    np.testing.assert_allclose(found.matrices, TRUTH, atol=1e-9)


def test_json_may_hold_matrices_with_what_they_belong_to(tmp_path) -> None:
    rows = [
        {"file": f"a/{k}.png", "time": 0.1 * k, "frame": k + 3, "matrix": matrix.tolist()}
        for k, matrix in enumerate(TRUTH)
    ]
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"poses": rows}))
    found = read_pose_table(path, PoseWords(unit="mm"))
    np.testing.assert_array_equal(found.matrices, TRUTH)
    assert found.files == tuple(f"a/{k}.png" for k in range(5))
    assert found.frames == (3, 4, 5, 6, 7)
    assert found.times_s is not None
    np.testing.assert_allclose(found.times_s, 0.1 * np.arange(5))


def test_rows_without_numbers_and_rows_that_say_so_are_without_tracking(tmp_path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "tx_mm,ty_mm,tz_mm,qx,qy,qz,qw,status\n1,2,3,0,0,0,1,OK\n,,,,,,,OK\n1,2,3,0,0,0,1,MISSING\nnan,2,3,0,0,0,1,1\n"
    )
    assert read_pose_table(path).valid.tolist() == [True, False, False, False]


def read(tmp_path: Path, text: str, name: str = "p.csv", words: PoseWords = NOTHING) -> PoseTable:
    (tmp_path / name).write_text(text)
    return read_pose_table(tmp_path / name, words)


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("", PoseWords(), "no row"),
        ("1,2,3\n4,5,6\n", PoseWords(), "no heading"),
        ("a,b,c\n1,2,3\n", PoseWords(), "has the columns a, b, c"),
        ("tx,ty,tz,qx,qy,qz,qw\n1,2,3,0,0,0,1\n", PoseWords(), "does not say the unit of its lengths"),
        ("tx_mm,ty_cm,tz_mm,qx,qy,qz,qw\n1,2,3,0,0,0,1\n", PoseWords(), "lengths in cm and mm"),
        ("tx_mm,ty_mm,tz_mm,qx,qy,qz,qw\n1,2,3,0,0,0,1\n", PoseWords("m"), "lengths in mm, and m was given"),
        ("tx_mm,ty_mm,tz_mm,qx,qy,qz,qw\n1,2,3,0,0,0,2\n", PoseWords(), "Row 1 .* quaternion of length 2"),
        (
            "tx_mm,ty_mm,tz_mm,rx,ry,rz\n1,2,3,0,0,0\n",
            PoseWords(euler="xyz"),
            "does not say the unit of its angles",
        ),
        ("tx_mm,ty_mm,tz_mm,rx_deg,ry_deg,rz_deg\n1,2,3,0,0,0\n", PoseWords(), "whose order it does not say"),
        ("tx_mm,ty_mm,tz_mm,qx,qy,qz,qw\n1,2,3,0,0,0\n", PoseWords(), "Row 1 .* has 6 values, its heading 7"),
        ("tx_mm,tx_mm,tz_mm,qx,qy,qz,qw\n1,2,3,0,0,0,1\n", PoseWords(), "column tx_mm twice"),
        ("frame,tx_mm,ty_mm,tz_mm,qx,qy,qz,qw\na,1,2,3,0,0,0,1\n", PoseWords(), "Row 1 .* 'a' as frame"),
    ],
)
def test_what_cannot_be_told_is_refused_in_words(tmp_path, text, words, said) -> None:
    with pytest.raises(UserError, match=said):
        read(tmp_path, text, words=words)


def test_a_matrix_column_by_column_is_refused(tmp_path) -> None:
    path = table(tmp_path / "p.csv", MATRIX, TRUTH.transpose(0, 2, 1).reshape(5, 16))
    with pytest.raises(UserError, match="written column by column"):
        read_pose_table(path, PoseWords(unit="mm"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("3", "no list of poses"),
        ('[{"matrix": [1, 2]}]', "no 4×4"),
        ('[{"matrix": ' + json.dumps(np.eye(4).tolist()) + "}, {}]", "other keys"),
    ],
)
def test_json_of_another_shape_is_refused_in_words(tmp_path, text, said) -> None:
    with pytest.raises(UserError, match=said):
        read(tmp_path, text, "p.json", PoseWords("mm"))
