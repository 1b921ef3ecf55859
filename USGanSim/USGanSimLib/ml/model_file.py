"""A model is one safetensors file: the generator's weights, and ModelInfo as JSON in its header.

Reading it never runs code: safetensors holds numbers alone, and a pickle under that name is refused unread.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..errors import UserError
from ..files import replacing_file
from ..geometry.field_of_view import FieldOfView
from ..model.info import METADATA_KEY, ModelInfo, read_model_header
from .generators import AnyGenerator, network_from_dict, new_generator

_HINT = "Choose a model.safetensors that 'usgansim train' wrote, or train again."


def save_model(path: Path, state: Mapping[str, Tensor], info: ModelInfo) -> None:
    """Write the generator's `state_dict()` and its metadata to `path`, whole or not at all."""
    tensors = {name: _stored(name, tensor).detach().cpu().contiguous() for name, tensor in state.items()}
    content = safetensors.torch.save(tensors, metadata={METADATA_KEY: info.to_json()})
    with replacing_file(path) as part:
        part.write_bytes(content)


def load_model(path: Path) -> tuple[AnyGenerator, ModelInfo]:
    """The generator (on the CPU, in eval mode) and the metadata of a model file.

    Raises UserError when the file is missing, no safetensors file, cut short, not written by this software, or when
    its weights are missing, unknown, of another shape or type than its own settings ask for, or not finite.
    """
    info = read_model_header(path).info
    try:
        state = safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise UserError(f"{path} is damaged: {error}.", "Copy the file again.") from error
    settings = network_from_dict(info.network)
    if (settings.width_px, settings.height_px) != (info.geometry.width_px, info.geometry.height_px):
        raise UserError(
            f"{path} is damaged: a network for {settings.width_px}×{settings.height_px} px has the "
            f"geometry of {info.geometry.width_px}×{info.geometry.height_px} px.",
            _HINT,
        )
    generator = new_generator(
        settings, info.field or FieldOfView.whole((settings.width_px, settings.height_px))
    )
    require_same_weights(
        path, state, {name: _stored(name, own) for name, own in generator.state_dict().items()}
    )
    generator.load_state_dict(state)
    return generator.requires_grad_(False).eval(), info


def require_same_weights(path: Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise UserError where weights are missing, unknown, of another shape or type than expected, or not finite."""
    missing, unknown = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or unknown:
        raise UserError(
            f"{path} does not hold the weights of its own settings: {len(missing)} missing "
            f"{missing[:1]}, {len(unknown)} unknown {unknown[:1]}.",
            _HINT,
        )
    for name, tensor in state.items():
        wanted = expected[name]
        if (tensor.shape, tensor.dtype) != (wanted.shape, wanted.dtype):
            raise UserError(
                f"{path}: '{name}' is {_described(tensor)}, where its settings ask for {_described(wanted)}.",
                _HINT,
            )
        bad = tensor.numel() - int(torch.isfinite(tensor).sum())
        if bad:
            raise UserError(f"{path}: {bad} of {tensor.numel()} weights in '{name}' are not finite.", _HINT)


def _stored(name: str, tensor: Tensor) -> Tensor:
    """As the file holds it: the millions of features of a learned volume with half of their bits."""
    return tensor.half() if name.endswith(".features") else tensor


def _described(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
