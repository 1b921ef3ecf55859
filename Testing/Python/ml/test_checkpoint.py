from __future__ import annotations

import contextlib
import errno
import os
import pickle
import resource

import pytest
import torch

from USGanSimLib.errors import UserError
from USGanSimLib.geometry.field_of_view import FieldOfView
from USGanSimLib.ml.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint

CPU = torch.device("cpu")
HASH = "ab" * 32


@pytest.fixture
def state(tiny):
    recipe = tiny().recipe
    return TrainingState.initial(recipe, recipe.network(40, 32), FieldOfView.whole((40, 32)), 0, CPU)


def saved(path, state, settings):
    save_checkpoint(path, state, settings, HASH)
    return path


def plain(value) -> bool:
    if isinstance(value, dict):
        return all(plain(key) and plain(entry) for key, entry in value.items())
    if isinstance(value, list | tuple):
        return all(map(plain, value))
    return value is None or type(value) in (int, float, str, bool, torch.Tensor)


def test_a_checkpoint_holds_tensors_and_plain_python_alone(tmp_path, state, tiny):
    content = torch.load(saved(tmp_path / "c.pt", state, tiny()), weights_only=True)
    assert plain({**content, "states": None})
    assert all(plain(dict(part)) for part in content["states"].values())
    assert set(content["states"]) == {"generator", "discriminator", "average", "optimiser_g", "optimiser_d"}


def test_a_checkpoint_brings_networks_optimisers_and_step_back(tmp_path, state, tiny):
    settings = tiny()
    state.generator(torch.randn(2, 100), torch.randn(2, 3, 3)).sum().backward()
    state.optimiser_g.step()
    state.step = 5
    back = load_checkpoint(saved(tmp_path / "c.pt", state, settings))
    other = TrainingState.initial(
        settings.recipe, settings.recipe.network(40, 32), FieldOfView.whole((40, 32)), 1, CPU
    )
    back.restore(other)
    assert (other.step, back.settings, back.training_set_sha256) == (5, settings, HASH)
    for name, weight in state.generator.state_dict().items():
        assert torch.equal(weight, other.generator.state_dict()[name])
    moments = [
        optimiser.state_dict()["state"][0]["exp_avg"] for optimiser in (state.optimiser_g, other.optimiser_g)
    ]
    assert moments[0].abs().max() > 0
    assert torch.equal(*moments)


def test_the_same_seed_begins_with_the_same_weights_whatever_was_drawn_before(tiny):
    recipe = tiny().recipe
    first = TrainingState.initial(recipe, recipe.network(40, 32), FieldOfView.whole((40, 32)), 4, CPU)
    torch.randn(100)
    drawn = torch.get_rng_state()
    second = TrainingState.initial(recipe, recipe.network(40, 32), FieldOfView.whole((40, 32)), 4, CPU)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert torch.equal(first.discriminator.first.weight, second.discriminator.first.weight)


@contextlib.contextmanager
def files_limited_to(size_bytes: int):
    """A disk that takes only so much: the kernel refuses to let any file grow further."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_writer_that_fails_half_way_leaves_the_last_checkpoint(tmp_path, state, tiny):
    path = saved(tmp_path / "c.pt", state, tiny())
    state.step = 9
    with files_limited_to(path.stat().st_size // 2), pytest.raises(UserError, match="could not be written"):
        save_checkpoint(path, state, tiny(), HASH)
    assert load_checkpoint(path).step == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.pt"]


def test_a_full_disk_is_said_in_one_line_and_leaves_the_last_checkpoint(tmp_path, state, tiny, monkeypatch):
    path = saved(tmp_path / "c.pt", state, tiny())
    state.step = 9

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="The disk is full") as caught:
        save_checkpoint(path, state, tiny(), HASH)
    assert "\n" not in str(caught.value)
    assert load_checkpoint(path).step == 0


def test_weights_that_are_not_finite_never_replace_a_good_checkpoint(tmp_path, state, tiny):
    path = saved(tmp_path / "c.pt", state, tiny())
    state.step = 9
    with torch.no_grad():
        state.discriminator.first.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(UserError, match="discriminator are not finite after step 9"):
        save_checkpoint(path, state, tiny(), HASH)
    assert load_checkpoint(path).step == 0


def test_a_missing_checkpoint_is_said(tmp_path):
    with pytest.raises(UserError, match="no checkpoint .*without --resume"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_a_checkpoint_that_was_cut_short_is_refused(tmp_path, state, tiny):
    path = saved(tmp_path / "c.pt", state, tiny())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="cannot be read"):
        load_checkpoint(path)


class Harm:
    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_with_code_in_it_is_refused_and_does_not_run(tmp_path):
    harm = Harm()
    harm.path = tmp_path / "harmed"
    (tmp_path / "c.pt").write_bytes(pickle.dumps(harm, protocol=2))
    with pytest.raises(UserError, match="cannot be read") as caught:
        load_checkpoint(tmp_path / "c.pt")
    assert "\n" not in str(caught.value)
    assert not harm.path.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.update(settings=3),
        lambda content: content.update(step="x"),
        lambda content: content.update(step=-5),
        lambda content: content["states"].pop("average"),
        lambda content: content["states"].update(generator={}),
        lambda content: content["states"].update(generator=3),
        lambda content: content["states"].update(optimiser_g={"state": 3, "param_groups": 4}),
        lambda content: content.update(states=3),
    ],
)
def test_a_checkpoint_with_a_part_missing_or_another_is_refused(tmp_path, state, tiny, damage):
    path = saved(tmp_path / "c.pt", state, tiny())
    content = torch.load(path, weights_only=True)
    damage(content)
    torch.save(content, path)
    with pytest.raises(UserError, match="cannot be read|is damaged"):
        load_checkpoint(path).restore(state)
