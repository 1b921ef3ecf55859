"""Model files: what was written comes back; everything else is refused unread."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.ml.benchmark import untrained_model
from USGanSimLib.ml.model_file import load_model, save_model
from USGanSimLib.model.info import METADATA_KEY, read_model_header
from USGanSimLib.model.recipes import choose_recipe


@pytest.fixture(scope="module")
def model():
    return untrained_model(choose_recipe("paper", generator_channels=32), 40, 32)


@pytest.fixture
def path(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, model[0].state_dict(), model[1])
    return path


@pytest.fixture
def write(model, tmp_path):
    """A function that writes a model file by hand, with some tensors changed and others left out."""

    def write(info=model[1], without=(), **changed):
        tensors = {name: value for name, value in model[0].state_dict().items() if name not in without}
        named = {name.replace("__", "."): value for name, value in changed.items()}
        path = tmp_path / "by_hand.safetensors"
        safetensors.torch.save_file({**tensors, **named}, path, {METADATA_KEY: info.to_json()})
        return path

    return write


def test_weights_and_metadata_come_back_bit_for_bit(model, path):
    generator, info = load_model(path)
    assert not generator.training
    for name, tensor in model[0].state_dict().items():
        assert torch.equal(generator.state_dict()[name], tensor)
    assert np.array_equal(info.geometry.image_to_probe, model[1].geometry.image_to_probe)
    assert info.normalisation == model[1].normalisation
    assert info.intended_use.endswith("Not for clinical use.")


def test_a_learned_volume_comes_back_with_half_its_bits(tmp_path):
    recipe = choose_recipe("beams", generator_channels=4, volume_cells=16, plane_cells=16)
    generator, info = untrained_model(recipe, 40, 32)
    save_model(tmp_path / "model.safetensors", generator.state_dict(), info)
    again, same_info = load_model(tmp_path / "model.safetensors")
    assert same_info.network == info.network
    for (name, tensor), loaded in zip(
        generator.state_dict().items(), again.state_dict().values(), strict=True
    ):
        assert loaded.dtype == tensor.dtype
        # A half has 11 bits of precision, and 2^-24 is its least step.
        assert torch.equal(loaded, tensor) or (
            name.endswith(".features") and torch.allclose(loaded, tensor, rtol=2**-11, atol=2**-25)
        )


def test_another_library_reads_the_weights(model, path):
    with safetensors.safe_open(path, "numpy") as file:
        assert np.array_equal(file.get_tensor("to_image.bias"), model[0].to_image.bias.numpy())


def test_the_paper_generator_has_3_41_million_parameters_in_its_file(tmp_path):
    generator, info = untrained_model(choose_recipe("paper"), 160, 120)
    save_model(tmp_path / "paper.safetensors", generator.state_dict(), info)
    assert read_model_header(tmp_path / "paper.safetensors").parameters == pytest.approx(3.41e6, rel=2e-3)


def test_a_truncated_file_is_refused_with_its_size(path):
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(UserError, match=r"cut short: (\d+) of (\d+) bytes") as caught:
        load_model(path)
    there, wanted = (int(word) for word in caught.value.message.split() if word.isdigit())
    assert wanted - there == 100


@pytest.mark.parametrize("kept", [0, 7, 100])
def test_a_file_cut_in_its_header_is_refused(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="not a safetensors file"):
        load_model(path)


def test_a_file_with_bytes_too_many_is_refused(path):
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(UserError, match="damaged"):
        load_model(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_model(tmp_path / "none.safetensors")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_renamed_pickle_is_refused_and_not_run(tmp_path):
    sprung = tmp_path / "sprung"
    path = tmp_path / "pickle.safetensors"
    path.write_bytes(pickle.dumps([Trap(sprung), "x" * 1000]))
    with pytest.raises(UserError, match="not a safetensors file"):
        load_model(path)
    assert not sprung.exists()
    pickle.loads(path.read_bytes())[0].close()
    assert sprung.exists()  # the trap was a good one


def test_a_renamed_torch_checkpoint_is_refused(model, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    torch.save(model[0].state_dict(), path)
    with pytest.raises(UserError, match="not a safetensors file"):
        load_model(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {METADATA_KEY: "{}"}])
def test_a_foreign_safetensors_file_is_refused(tmp_path, metadata):
    path = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path, metadata)
    with pytest.raises(UserError, match="not a model of this software"):
        load_model(path)


def test_missing_and_unknown_weights_are_refused_by_name(write):
    with pytest.raises(UserError, match=r"1 missing \['to_image.bias'\], 0 unknown"):
        load_model(write(without=["to_image.bias"]))
    with pytest.raises(UserError, match=r"0 missing \[\], 1 unknown \['extra'\]"):
        load_model(write(extra=torch.zeros(1)))


@pytest.mark.parametrize(
    ("bias", "told"),
    [(torch.zeros(2), r"\(2,\) float32"), (torch.zeros(1, dtype=torch.float16), r"\(1,\) float16")],
)
def test_weights_of_another_shape_or_type_are_refused(write, bias, told):
    with pytest.raises(
        UserError, match=rf"'to_image.bias' is {told}, where its settings ask for \(1,\) float32"
    ):
        load_model(write(to_image__bias=bias))


def test_weights_that_are_not_finite_are_refused_with_their_number(write):
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 0, :2] = torch.tensor([np.nan, np.inf])
    with pytest.raises(UserError, match=r"2 of 9 weights in 'to_image.weight' are not finite"):
        load_model(write(to_image__weight=weight))


def test_settings_of_another_image_size_are_refused(write, model):
    other = dataclasses.replace(model[1], network={**model[1].network, "width_px": 80})
    with pytest.raises(UserError, match="80×32 px has the geometry of 40×32 px"):
        load_model(write(info=other))


def test_settings_of_a_newer_version_are_refused(write, model):
    newer = dataclasses.replace(model[1], network={**model[1].network, "attention": 1})
    with pytest.raises(UserError, match="not understood"):
        load_model(write(info=newer))


def test_a_model_that_cannot_be_written_leaves_nothing(model, tmp_path):
    with pytest.raises(UserError, match="could not be written"):
        save_model(tmp_path / "missing" / "model.safetensors", model[0].state_dict(), model[1])
    assert list(tmp_path.iterdir()) == []
