"""Writes src/steelyard/doctor/shipped/{e5-small,minilm-en}.json from the weights that packages ship.

Those of minilm-en are the published ones. Those of e5-small are in 4 bits, so the published checkpoint is as far from
them as 4 bits round: that distance is measured by moving every weight by a uniform draw from its own rounding step, and
twice of it is what the file says of itself (``within``). About a minute a model.

Run: python tools/shipped_golden.py [e5-small] [minilm-en]
"""

import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from steelyard.doctor.compare import loss
from steelyard.doctor.golden import SHIPPED, Golden, wanted_texts
from steelyard.doctor.local import LocalReference
from steelyard.doctor.record import record_folder
from steelyard.engines.builtin.e5_rebuild import write_e5_checkpoint
from steelyard.engines.builtin.packaged import with_checkpoint
from steelyard.models.recipe import Sources
from steelyard.models.registry import load_recipe

BLOCK = 32


def moved(folder: Path) -> None:
    """Moves each weight within its rounding step: the largest of a block of 32 lies 8 steps from 0."""
    generator = torch.Generator().manual_seed(0)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if tensor.dim() > 1 and tensor.shape[-1] % BLOCK == 0:
            blocks = tensor.float().unflatten(-1, (-1, BLOCK))
            step = blocks.abs().amax(dim=-1, keepdim=True) / 8
            draw = torch.rand(blocks.shape, generator=generator) - 0.5
            tensors[name] = (blocks + draw * step).flatten(-2).contiguous()
    save_file(tensors, path)


def e5_small() -> Golden:
    """What 4 bits lose is measured, and said of the file."""
    recipe = load_recipe("e5-small")
    with tempfile.TemporaryDirectory() as place:
        folder, other = (write_e5_checkpoint(Path(place) / name) for name in ("packaged", "moved"))
        moved(other)
        reference, away = (
            LocalReference(recipe.model_copy(update={"sources": Sources(folder=str(f))})) for f in (folder, other)
        )
        right, _ = wanted_texts(recipe)
        here, there = reference.vectors(right), away.vectors(right)
        assert here is not None
        assert there is not None
        lost = loss(there, here)
        sys.stderr.write(f"rounding to 4 bits in blocks of 32 loses about {lost:.4f}\n")
        return record_folder(reference, recipe, within=round(2 * lost, 3))


def minilm_en() -> Golden:
    """The published values in fp32, so nothing is lost."""
    recipe = with_checkpoint(load_recipe("minilm-en"))
    return record_folder(LocalReference(recipe), recipe)


def main(names: list[str]) -> None:
    """Measures, records, writes."""
    makers = {"e5-small": e5_small, "minilm-en": minilm_en}
    SHIPPED.mkdir(exist_ok=True)
    for name in names or makers:
        makers[name]().write(SHIPPED / f"{name}.json")


if __name__ == "__main__":
    main(sys.argv[1:])
