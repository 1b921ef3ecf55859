"""The PLUS device sets in Resources/PLUS send what the modules expect, under the names that they expect."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from USGanSimLib.recording.calibration_file import read_calibration
from USGanSimLib.recording.orientation import to_mf

FILES = (
    "PlusDeviceSet_Server_USGanSim_Replay.xml",
    "PlusDeviceSet_Server_USGanSim_NDIPolaris_FrameGrabber.xml",
)


@pytest.fixture(params=FILES)
def device_set(request, repository) -> Path:
    return repository / "Resources" / "PLUS" / request.param


def root_of(path: Path) -> ElementTree.Element:
    return ElementTree.parse(path).getroot()


def test_every_device_set_is_tested(repository):
    assert {path.name for path in (repository / "Resources" / "PLUS").iterdir()} == set(FILES)


def test_the_pose_and_the_image_are_sent_under_the_names_of_the_modules(device_set):
    server = root_of(device_set).find("PlusOpenIGTLinkServer")
    assert "ProbeToReference" in [entry.get("Name") for entry in server.iter("Transform")]
    assert [(entry.get("Name"), entry.get("EmbeddedTransformToFrame")) for entry in server.iter("Image")] == [
        ("Image", "Reference")
    ]
    assert {entry.get("Type") for entry in server.iter("Message")} == {"IMAGE", "TRANSFORM"}
    assert server.get("ListeningPort") == "18944"


def test_every_channel_that_is_used_is_made(device_set):
    root = root_of(device_set)
    made = {entry.get("Id") for entry in root.iter("OutputChannel")}
    used = {entry.get("Id") for entry in root.iter("InputChannel")}
    assert used | {root.find("PlusOpenIGTLinkServer").get("OutputChannelId")} <= made


def test_images_are_of_an_orientation_that_we_read(device_set):
    for source in root_of(device_set).iter("DataSource"):
        if source.get("Type") == "Video":
            to_mf(np.zeros((1, 2, 2), np.uint8), source.get("PortUsImageOrientation"), device_set.name)


def test_image_to_probe_is_there_to_be_replaced(device_set):
    np.testing.assert_array_equal(read_calibration(device_set).image_to_probe, np.eye(4))
