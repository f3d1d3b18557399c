"""The files of a checkpoint: which there are and what names them. Torch is not imported."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from steelyard.errors import WeightsError
from steelyard.models.foreign import read_json, regular_file

SINGLE = "model.safetensors"
PICKLE = "pytorch_model.bin"
_INDEX = "model.safetensors.index.json"
_SAMPLES, _SAMPLE, _READ_WHOLE = 256, 4096, 64 << 20


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, in order.

    Raises:
        WeightsError: there are none, or a shard that the index names is not there.
    """
    index = folder / _INDEX
    if not index.exists():
        if not (folder / SINGLE).is_file():
            raise WeightsError(_nothing(folder))
        return [folder / SINGLE]
    files = [folder / name for name in sorted(set(_weight_map(index).values()))]
    missing = [f.name for f in files if not f.is_file()]
    if missing:
        raise WeightsError(f"{index}: {len(missing)} shards are missing ({missing[0]}); download the model again")
    return files


def digest(files: Iterable[Path]) -> str:
    """Names a checkpoint without reading all of it, in 16 hex digits.

    Small files are read whole. Of large ones the size and a megabyte of samples from all over are taken: two trainings
    of one model have the same size, and differ nearly everywhere.
    """
    found = hashlib.sha256()
    for path in files:
        with regular_file(path, None, WeightsError) as file:
            size = path.stat().st_size
            found.update(f"{path.name}:{size}".encode())
            for place in range(0, size, size // _SAMPLES if size > _READ_WHOLE else _SAMPLE):
                file.seek(place)
                found.update(file.read(_SAMPLE))
    return found.hexdigest()[:16]


def _nothing(folder: Path) -> str:
    if (folder / PICKLE).is_file():
        convert = f"from steelyard.engines.checkpoint.pickled import convert; convert(Path('{folder}'))"
        return (
            f"{folder}: the weights are a pickle ({PICKLE}), which can run code and is not read. Convert it once, "
            f'tensors only: python -c "from pathlib import Path; {convert}"'
        )
    return f"{folder}: no {SINGLE} there; download the model again"


def _weight_map(index: Path) -> dict[str, str]:
    files = read_json(index, WeightsError).get("weight_map")
    if not isinstance(files, dict) or not all(isinstance(name, str) for name in files.values()):
        raise WeightsError(f"{index}: not an index of shards (no weight_map of texts); download the model again")
    outside = [v for v in files.values() if Path(v).name != v]
    if outside:
        raise WeightsError(f"{index}: names a file outside its folder: {outside[0]!r}")
    return files
