"""The chain in words: frames by PLUS names, ages by the clock, and nothing observed in the end."""

from __future__ import annotations

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from USGanSimLib.mrml.likely_nodes import likely_image, likely_probe, likely_reference  # noqa: E402
from USGanSimLib.mrml.live.chain_watch import ChainWatch, age_words  # noqa: E402


@pytest.fixture
def watch(clock):
    watch = ChainWatch(clock)
    yield watch
    watch.close()


def test_a_chain_up_to_the_world_is_told_link_by_link(nodes, clock, watch):
    reference = nodes.new("ReferenceToRas")
    probe = nodes.new("ProbeToReference", reference)
    watch.watch(probe, reference)
    nodes.receive(probe, 3)
    clock.now_s += 0.016
    assert watch.words(probe, reference, "model") == (
        "Image → Probe (model) → Reference (ProbeToReference, 16 ms ago) → RAS (ReferenceToRas, static)"
    )


def test_a_parent_that_moves_makes_its_child_no_younger(nodes, clock, watch):
    reference = nodes.new("ReferenceToRas")
    probe = nodes.new("ProbeToReference", reference)
    watch.watch(probe, reference)
    nodes.move(probe, 1)
    clock.now_s += 2
    nodes.move(reference, 5)
    assert [link.age_s for link in watch.links(probe, reference)] == [2, 0]


def test_a_message_that_repeats_the_pose_counts_as_new(nodes, clock, watch):
    probe = nodes.new("ProbeToReference")
    nodes.receive(probe, 1)
    watch.watch(probe, None)
    clock.now_s += 9
    nodes.receive(probe, 1)
    assert watch.links(probe, None)[0].age_s == 0


def test_a_tracker_beside_the_reference_is_passed_backwards(nodes, watch):
    probe, reference = nodes.new("ProbeToTracker"), nodes.new("ReferenceToTracker")
    watch.watch(probe, reference)
    assert watch.words(probe, reference, "CAL.json") == (
        "Image → Probe (CAL.json) → Tracker (ProbeToTracker, static) → Reference (inverse of ReferenceToTracker, "
        "static) → Tracker (ReferenceToTracker, static) = RAS"
    )


def test_the_trackers_word_is_told_in_place_of_the_age(nodes, watch):
    probe = nodes.new("ProbeToReference")
    watch.watch(probe, None)
    nodes.receive(probe, 1, "MISSING")
    assert "(ProbeToReference, status MISSING)" in watch.words(probe, None, "model")


def test_without_a_reference_transform_the_world_is_the_models_frame(nodes, watch):
    parent = nodes.new("ReferenceToRas")
    probe = nodes.new("ProbeToReference", parent)
    assert watch.words(probe, None, "model").endswith("RAS (ReferenceToRas, static) = the model's Reference")
    assert watch.words(nodes.new("ProbeToReference"), None, "model").endswith(
        "Reference (ProbeToReference, static) = RAS"
    )


def test_a_name_that_plus_would_not_give_stands_for_itself(nodes, watch):
    assert watch.words(nodes.new("LinearTransform"), None, "model").startswith(
        "Image → LinearTransform (model) → RAS"
    )


def test_only_the_chain_is_observed_and_nothing_after_close(nodes, watch):
    event = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
    parent, probe, other = (
        nodes.new("ReferenceToRas"),
        nodes.new("ProbeToReference"),
        nodes.new("StylusToReference"),
    )
    probe.SetAndObserveTransformNodeID(parent.GetID())
    # Slicer's own observers of a parent are counted before.
    before = {node: node.HasObserver(event) for node in (parent, probe, other)}
    watch.watch(probe, None)
    watch.watch(probe, None)
    assert (parent.HasObserver(event), probe.HasObserver(event)) == (1, 1)
    watch.watch(other, None)
    assert other.HasObserver(event)
    assert probe.HasObserver(event) == before[probe]
    watch.close()
    assert {node: node.HasObserver(event) for node in (parent, probe, other)} == before


@pytest.mark.parametrize(("age_s", "words"), [(0.0164, "16 ms ago"), (2.44, "2.4 s ago"), (300, "5 min ago")])
def test_ages_are_told_as_a_person_would(age_s, words):
    assert age_words(age_s) == words


# What is chosen for a person


def test_the_probe_is_the_only_node_that_is_called_so(scene, nodes):
    assert likely_probe(scene) is None
    nodes.new("StylusToTracker")
    probe = nodes.new("ProbeToPatient")
    assert likely_probe(scene) is probe
    nodes.new("ProbeToTable")
    assert likely_probe(scene) is None


def test_a_usual_name_wins_over_others(scene, nodes):
    nodes.new("ProbeToTracker")
    probe = nodes.new("ProbeToReference")
    nodes.new("ProbeToTable")
    assert likely_probe(scene) is probe


def test_the_reference_is_the_parent_or_the_node_beside_it(scene, nodes):
    tracked = nodes.new("ReferenceToTracker")
    assert likely_reference(scene, nodes.new("ProbeToTracker")) is tracked
    parent = nodes.new("ReferenceToRas")
    child = nodes.new("ProbeToReference", parent)
    assert likely_reference(scene, child) is parent
    assert likely_reference(scene, child, "Phantom") is None
    assert likely_reference(scene, nodes.new("ProbeToReference")) is None


def test_an_image_is_guessed_where_only_one_streams(scene):
    assert likely_image(scene) is None
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    received = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Probe camera")
    received.SetDescription("Received by OpenIGTLink")
    assert likely_image(scene) is received
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image_Reference")
    assert likely_image(scene) is None
