"""The names under which the chosen transforms are recorded."""

from __future__ import annotations

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.errors import UserError  # noqa: E402
from USGanSimLib.mrml.recorder.recorded_chain import recorded_chain  # noqa: E402


def test_one_transform_leads_from_the_probe_to_the_reference(nodes):
    parent = nodes.new("ReferenceToRas")
    probe = nodes.new("ProbeToReference", parent)
    chain = recorded_chain(probe, None)
    assert chain.transforms == {"ProbeToReference": probe}
    assert chain.reference is parent


def test_two_tools_beside_each_other_meet_in_the_tracker(nodes):
    probe, reference = nodes.new("StylusToTracker"), nodes.new("PhantomToTracker")
    chain = recorded_chain(probe, reference)
    assert chain.transforms == {"ProbeToTracker": probe, "ReferenceToTracker": reference}
    assert chain.reference is reference


@pytest.mark.parametrize(
    ("name", "above"), [("ProbeToReference", "ReferenceToTracker"), ("my probe", "my frame")]
)
def test_a_probe_under_its_reference_is_given_in_it(nodes, name, above):
    reference = nodes.new(above)
    probe = nodes.new(name, reference)
    chain = recorded_chain(probe, reference)
    assert list(chain.transforms.values()) == [probe, reference]
    assert next(iter(chain.transforms)) == "ProbeToReference"


def test_names_that_tell_nothing_are_two_tools_of_one_tracker(nodes):
    chain = recorded_chain(nodes.new("a"), nodes.new("b"))
    assert list(chain.transforms) == ["ProbeToTracker", "ReferenceToTracker"]


@pytest.mark.parametrize(
    ("probe", "reference", "words"),
    [
        ("ProbeToTracker", None, "Choose the transform of the reference too"),
        (
            "ProbeToTracker",
            "ReferenceToCamera",
            "leads to Tracker and ReferenceToCamera to Camera: they do not meet",
        ),
    ],
)
def test_a_chain_that_does_not_lead_to_the_reference_is_refused(nodes, probe, reference, words):
    with pytest.raises(UserError, match=words):
        recorded_chain(nodes.new(probe), reference and nodes.new(reference))


def test_one_node_cannot_be_both(nodes):
    probe = nodes.new("ProbeToTracker")
    with pytest.raises(UserError, match="chosen as probe and as reference"):
        recorded_chain(probe, probe)
