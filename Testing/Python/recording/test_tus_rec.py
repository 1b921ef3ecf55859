"""HDF5 scans written by h5py as the TUS-REC challenge describes them."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USGanSimLib.errors import UserError
from USGanSimLib.recording.exchange.tus_rec import import_tus_rec, read_calib_matrix
from USGanSimLib.recording.sequence_file import read_sweep

h5py = pytest.importorskip("h5py", reason="h5py is not installed")

CALIB_MATRIX = """scaling_from_pixel_to_mm
0.25,0,0,0
0,0.2,0,0
0,0,1,0
0,0,0,1
spatial_calibration_from_image_coordinate_system_to_tracking_tool_coordinate_system
0,-1,0,-70
1,0,0,-80
0,0,1,-46
0,0,0,1
"""


def poses(count: int) -> np.ndarray:
    random = np.random.default_rng(4)
    matrices = np.tile(np.eye(4, dtype=np.float32), (count, 1, 1))
    matrices[:, :3, :3] = Rotation.random(count, random_state=random).as_matrix()
    matrices[:, :3, 3] = random.normal(0, 100, (count, 3))
    return matrices


@pytest.fixture
def scan(tmp_path):
    """Writes a scan; arguments replace its data sets, None leaves one out."""

    def write(name="RH_Per_L_DtP.h5", **data):
        known = {"frames": np.random.default_rng(3).integers(0, 256, (7, 6, 8), np.uint8), "tforms": poses(7)}
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, value in (known | data).items():
                if value is not None:
                    file[key] = value
        return path

    return write


def test_a_scan_becomes_a_recording_with_its_images_and_poses(scan, tmp_path):
    path, out = scan(), tmp_path / "x.igs.mha"
    assert import_tus_rec(path, out) == 7
    sweep = read_sweep(out)
    with h5py.File(path) as file:
        assert np.array_equal(sweep.frames, file["frames"][()])
        assert np.array_equal(
            sweep.transforms["ProbeToReference"].matrices, file["tforms"][()].astype(np.float64)
        )
    assert sweep.transforms["ProbeToReference"].valid.all()
    np.testing.assert_allclose(sweep.timestamps_s, np.arange(7) / 20)


def test_later_sets_have_images_and_transforms_in_files_of_their_own(scan, tmp_path):
    images, transforms = scan("frames.h5", tforms=None), scan("transfs.h5", frames=None)
    assert import_tus_rec(images, tmp_path / "x.igs.mha", transforms) == 7
    with pytest.raises(UserError, match="frames.h5 has no 'tforms'; it has frames"):
        import_tus_rec(images, tmp_path / "y.igs.mha")


def test_the_calibration_counts_pixels_from_zero_and_goes_through_both_matrices(scan, tmp_path):
    csv = tmp_path / "calib_matrix.csv"
    csv.write_text(CALIB_MATRIX)
    # The set's first pixel is (1, 1): 0.25 and 0.2 mm, turned by 90° and moved.
    np.testing.assert_allclose(read_calib_matrix(csv) @ (0, 0, 0, 1), (-70.2, -79.75, -46, 1))
    np.testing.assert_allclose(
        read_calib_matrix(csv) @ (639, 479, 0, 1), (-70 - 480 * 0.2, -80 + 640 * 0.25, -46, 1)
    )
    import_tus_rec(scan(), tmp_path / "x.igs.mha", calibration=csv)
    track = read_sweep(tmp_path / "x.igs.mha").transforms["ImageToProbe"]
    assert np.array_equal(track.matrices, np.tile(read_calib_matrix(csv), (7, 1, 1)))


def test_a_pose_that_is_not_a_number_is_invalid(scan, tmp_path):
    matrices = poses(7)
    matrices[3] = np.nan
    import_tus_rec(scan(tforms=matrices), tmp_path / "x.igs.mha")
    assert (
        read_sweep(tmp_path / "x.igs.mha").transforms["ProbeToReference"].valid.tolist()
        == [True] * 3 + [False] + [True] * 3
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"frames": np.zeros((7, 6, 8), np.float32)}, "type float32"),
        ({"frames": np.zeros((7, 6), np.uint8)}, r"shape \(7, 6\)"),
        ({"frames": np.zeros((5, 6, 8), np.uint8)}, "has 5 frames, .* has 7 transforms"),
        ({"tforms": np.zeros((7, 3, 4))}, r"'tforms' of shape \(7, 3, 4\)"),
        ({"tforms": np.tile(np.diag([2.0, 2, 2, 1]), (7, 1, 1))}, "not a rigid transform in 7 of 7"),
        ({"tforms": np.full((7, 4, 4), b"x")}, "type |S1"),
        ({"frames": None}, "has no 'frames'; it has tforms"),
    ],
)
def test_what_is_no_such_set_is_refused_and_nothing_written(scan, tmp_path, data, said):
    with pytest.raises(UserError, match=said):
        import_tus_rec(scan(**data), tmp_path / "x.igs.mha")
    assert [path.suffix for path in tmp_path.iterdir()] == [".h5"]


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="is no HDF5 file"):
        import_tus_rec(tmp_path / "x.h5", tmp_path / "x.igs.mha")
    with pytest.raises(UserError, match="no such file"):
        import_tus_rec(tmp_path / "y.h5", tmp_path / "x.igs.mha")
    for link in (h5py.SoftLink("/none"), h5py.ExternalLink("none.h5", "/frames")):
        with h5py.File(tmp_path / "link.h5", "w") as file:
            file["frames"] = link
        with pytest.raises(UserError, match="is damaged at 'frames'|has no 'frames'"):
            import_tus_rec(tmp_path / "link.h5", tmp_path / "x.igs.mha")
    (tmp_path / "calib.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="it is not text"):
        read_calib_matrix(tmp_path / "calib.csv")
    (tmp_path / "calib.csv").write_text(CALIB_MATRIX.replace("0,0,1,-46\n", ""))
    with pytest.raises(UserError, match="7 rows of numbers, where two 4×4 matrices have 8"):
        read_calib_matrix(tmp_path / "calib.csv")


def test_without_h5py_the_sentence_says_what_to_install(scan, tmp_path, monkeypatch):
    path = scan()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match="pip install h5py"):
        import_tus_rec(path, tmp_path / "x.igs.mha")
