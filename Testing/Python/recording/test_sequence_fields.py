"""Frame fields of hand-written files: statuses, gaps, and numbers that are none."""

from __future__ import annotations

import numpy as np
import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.recording.metafile import read_header
from USGanSimLib.recording.sequence_fields import frame_data, frame_lines

NUMBERED = " ".join(str(number) for number in range(12)) + " 0 0 0 1"
STAMPS = "Seq_Frame0000_Timestamp = 1.5\nSeq_Frame0001_Timestamp = 2.5\n"


def data_of(a_metafile, lines: str, **fields):
    return frame_data(read_header(a_metafile(frames=STAMPS + lines, **fields)))


def test_matrices_are_row_major(a_metafile):
    data = data_of(
        a_metafile,
        f"Seq_Frame0000_ProbeToTrackerTransform = {NUMBERED} \n"
        "Seq_Frame0000_ProbeToTrackerTransformStatus = OK \n",
    )
    assert data.transforms["ProbeToTracker"].matrices[0, :, 3].tolist() == [3, 7, 11, 1]


@pytest.mark.parametrize(
    ("status", "valid"),
    [
        ("OK", True),
        ("INVALID", False),
        ("ok", False),
        ("OK?", False),
        ("", False),
        ("OUT_OF_VIEW", False),
        (None, False),
    ],
)
def test_a_transform_is_valid_when_its_status_is_exactly_ok(a_metafile, status, valid):
    lines = f"Seq_Frame0000_ProbeToTrackerTransform = {NUMBERED}\n"
    if status is not None:
        lines += f"Seq_Frame0000_ProbeToTrackerTransformStatus = {status}\n"
    assert data_of(a_metafile, lines).transforms["ProbeToTracker"].valid.tolist() == [valid, False]


def test_an_identity_that_is_ok_counts_as_valid(a_metafile):
    data = data_of(
        a_metafile,
        "Seq_Frame0001_AToBTransform = 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n"
        "Seq_Frame0001_AToBTransformStatus = OK\n",
    )
    assert data.transforms["AToB"].valid.tolist() == [False, True]


def test_a_status_without_a_matrix_makes_nothing_valid(a_metafile):
    data = data_of(
        a_metafile,
        f"Seq_Frame0000_AToBTransform = {NUMBERED}\nSeq_Frame0000_AToBTransformStatus = OK\n"
        "Seq_Frame0001_AToBTransformStatus = OK\n",
    )
    assert data.transforms["AToB"].valid.tolist() == [True, False]


@pytest.mark.parametrize(
    "field", ["ProbeToTracker", "Transform", "DefaultTransform", "AToBToCTransform", "FrameNumber"]
)
def test_other_fields_are_kept_as_they_are(a_metafile, field):
    data = data_of(a_metafile, f"Seq_Frame0001_{field} = {NUMBERED}\n")
    assert data.transforms == {}
    assert data.other == {field: (None, NUMBERED)}


def test_a_status_that_says_more_than_invalid_is_kept(a_metafile):
    data = data_of(
        a_metafile,
        f"Seq_Frame0000_AToBTransform = {NUMBERED}\nSeq_Frame0000_AToBTransformStatus = OUT_OF_VIEW\n",
    )
    assert data.other == {"AToBTransformStatus": ("OUT_OF_VIEW", None)}


@pytest.mark.parametrize("numbers", ["1 2 3", NUMBERED + " 5", "one 0 0 0 " * 4])
def test_a_valid_transform_of_no_16_numbers_is_refused_with_its_frame(a_metafile, numbers):
    with pytest.raises(UserError, match="hand.igs.mha, frame 1: ProbeToTracker is not 16 numbers but '"):
        data_of(
            a_metafile,
            f"Seq_Frame0001_ProbeToTrackerTransform = {numbers}\n"
            "Seq_Frame0001_ProbeToTrackerTransformStatus = OK\n",
        )


def test_an_invalid_transform_may_be_anything(a_metafile):
    data = data_of(
        a_metafile,
        "Seq_Frame0001_ProbeToTrackerTransform = none\n"
        "Seq_Frame0001_ProbeToTrackerTransformStatus = MISSING\n",
    )
    assert not data.transforms["ProbeToTracker"].valid.any()


@pytest.mark.parametrize("word", ["nan", "-1.#IND", "1.#QNAN"])
def test_not_a_number_is_read_as_such(a_metafile, word):
    data = data_of(
        a_metafile,
        f"Seq_Frame0001_AToBTransform = {word} {NUMBERED[2:]}\nSeq_Frame0001_AToBTransformStatus = OK\n",
    )
    assert np.isnan(data.transforms["AToB"].matrices[1, 0, 0])


@pytest.mark.parametrize(("status", "valid"), [("OK", True), ("INVALID", False), ("Ok", False), (None, True)])
def test_an_image_is_valid_when_its_status_is_ok_or_not_told(a_metafile, status, valid):
    lines = "" if status is None else f"Seq_Frame0001_ImageStatus = {status}\n"
    assert data_of(a_metafile, lines).image_valid.tolist() == [True, valid]


def test_an_image_without_pixels_is_not_valid(a_metafile):
    assert not data_of(a_metafile, "", DimSize="0 0 2", pixels=b"").image_valid.any()


def test_a_frame_without_time_stamp_keeps_its_place_and_counts_as_invalid(a_metafile):
    lines = "Seq_Frame0001_Timestamp = 10\nSeq_Frame0003_Timestamp = 14\n" + "".join(
        f"Seq_Frame000{frame}_AToBTransform = {NUMBERED}\nSeq_Frame000{frame}_AToBTransformStatus = OK\n"
        for frame in range(5)
    )
    data = frame_data(read_header(a_metafile(DimSize="3 2 5", frames=lines)))
    assert data.timestamps_s.tolist() == [8, 10, 12, 14, 16]
    assert data.image_valid.tolist() == [False, True, False, True, False]
    assert data.transforms["AToB"].valid.tolist() == [False, True, False, True, False]


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ("", "no Timestamp in 2 of 2 frames"),
        ("Seq_Frame0000_Timestamp = 1\n", "no Timestamp in 1 of 2 frames"),
        ("Seq_Frame0000_Timestamp = 1\nSeq_Frame0001_Timestamp = noon\n", "frame 1: the Timestamp is 'noon'"),
        ("Seq_Frame0000_Timestamp = inf\nSeq_Frame0001_Timestamp = 2\n", "frame 0: the Timestamp is 'inf'"),
        (STAMPS + "Seq_Frame0002_FrameNumber = 7\n", "fields of frame 2, but 2 images"),
    ],
)
def test_time_stamps_and_frames_that_are_not_there_are_refused(a_metafile, frames, said):
    with pytest.raises(UserError, match=said):
        frame_data(read_header(a_metafile(frames=frames)))


def test_a_short_file_without_pixels_cannot_ask_for_all_memory(a_metafile):
    """Pixels that are there bound the number of frames; without any, the header alone says it."""
    header = read_header(a_metafile(DimSize="0 0 1000000000", pixels=b""))
    with pytest.raises(UserError, match="says that it has 1000000000 frames, and tells of 2"):
        frame_data(header)


def test_numbers_are_printed_so_that_they_come_back_bit_for_bit():
    random = np.random.default_rng(1)
    matrix = random.normal(size=(4, 4)) * 10.0 ** random.integers(-300, 300, (4, 4))
    matrix[0] = [-0.0, np.nextafter(1, 2), 5e-324, 1 / 3]
    lines = frame_lines(1 / 3, {"AToB": (matrix, True)}, {})
    read = np.array([float(word) for word in lines["AToBTransform"].split()])
    assert read.tobytes() == matrix.tobytes()
    assert float(lines["Timestamp"]) == 1 / 3


def test_a_kept_status_is_written_for_an_invalid_transform_alone():
    fields = {"AToBTransformStatus": "OUT_OF_VIEW", "FrameNumber": "3", "Gap": None}
    assert frame_lines(0, {"AToB": (np.eye(4), True)}, fields)["AToBTransformStatus"] == "OK"
    lost = frame_lines(0, {"AToB": (np.eye(4), False)}, fields)
    assert lost["AToBTransformStatus"] == "OUT_OF_VIEW"
    assert lost["FrameNumber"] == "3"
    assert "Gap" not in lost
    assert frame_lines(0, {"AToB": (np.eye(4), False)}, {})["AToBTransformStatus"] == "INVALID"
