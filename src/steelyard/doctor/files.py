"""A model's folder held against its recipe file by file; nothing is run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from steelyard.doctor.finding import Confidence, Fault, Finding
from steelyard.engines.checkpoint.tokenizer import Tokenizer
from steelyard.models.foreign import read_header, read_json
from steelyard.models.recipe import Recipe

_CERTAIN = Confidence.CERTAIN
_NUMBERS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def compare_files(claimed: Recipe, recipe: Recipe) -> list[Finding]:
    """What the files say against what the recipe says.

    Args:
        claimed: as read from the folder by :func:`steelyard.models.folder.read_recipe`.
        recipe: what is right.

    Raises:
        WeightsError: tokenizer or weights cannot be read.
    """
    folder = Path(str(claimed.sources.folder))
    other = _model(claimed, recipe)
    if other:
        return other
    return [
        *_running(claimed, recipe),
        *_templates(claimed, recipe),
        *_limit(claimed, recipe),
        *_wrapping(folder, recipe),
        *_numbers(folder),
    ]


def _model(claimed: Recipe, recipe: Recipe) -> list[Finding]:
    pairs = [(n, getattr(claimed, n), getattr(recipe, n)) for n in ("kind", "architecture", "dimension")]
    pairs = [(n, a, b) for n, a, b in pairs if a != b]
    if not pairs and recipe.parameters and claimed.parameters:
        ratio = claimed.parameters / recipe.parameters
        if not 0.9 < ratio < 1.1:
            pairs = [("parameters", claimed.parameters, recipe.parameters)]
    if not pairs:
        return []
    seen = "; ".join(f"{n} {a}, the recipe says {b}" for n, a, b in pairs)
    mend = f"Put the files of {recipe.title} here, or name the recipe of what is here (--recipe)"
    return [Finding(Fault.ANOTHER_MODEL, _CERTAIN, f"this is not {recipe.name}", f"config.json: {seen}", mend)]


def _running(claimed: Recipe, recipe: Recipe) -> list[Finding]:
    found = []
    if claimed.pooling != recipe.pooling:
        what = f"wrong pooling: the files say {claimed.pooling!r}, the recipe {recipe.pooling!r}"
        mend = f"Set pooling_mode in 1_Pooling/config.json to {recipe.pooling!r}, and no other"
        found.append(Finding(Fault.POOLING, _CERTAIN, what, "1_Pooling/config.json (or no modules.json)", mend))
    if recipe.normalise and not claimed.normalise:
        what = "vectors are not normalised: modules.json lists no Normalize"
        mend = "Add sentence_transformers.models.Normalize as the last module"
        found.append(Finding(Fault.NOT_NORMALISED, _CERTAIN, what, "modules.json", mend))
    return found


def _templates(claimed: Recipe, recipe: Recipe) -> list[Finding]:
    place = "config_sentence_transformers.json: prompts"
    found = []
    for side in ("query", "document"):
        has, wanted = _template(claimed, side), _template(recipe, side)
        if has == wanted:
            continue
        fault, what = _difference(side, has, wanted, instructed=side == "query" and recipe.instruction is not None)
        seen = f"{place}: {has!r}; the recipe says {wanted!r}"
        found.append(Finding(fault, _CERTAIN, what, seen, f"Set the prompt {side!r} to {_prompt(wanted)!r}"))
    return found


def _template(recipe: Recipe, side: str) -> str:
    text = recipe.query_template if side == "query" else recipe.document_template
    return text.replace("{instruction}", recipe.instruction or "")


def _difference(side: str, has: str, wanted: str, *, instructed: bool) -> tuple[Fault, str]:
    noun = "instruction" if instructed else "template"
    plural = "queries" if side == "query" else "documents"
    if has == "{text}":
        fault = Fault.INSTRUCTION_MISSING if instructed else Fault.TEMPLATE_MISSING
        return fault, f"the folder puts no {noun} on {plural}"
    if has == wanted.replace("{text}", wanted):
        fault = Fault.INSTRUCTION_DOUBLED if instructed else Fault.TEMPLATE_DOUBLED
        return fault, f"the folder puts the {noun} on {plural} twice"
    return Fault.TEMPLATE_WRONG, f"the folder puts another {noun} on {plural}"


def _prompt(template: str) -> str:
    return template.replace("{text}", "")


def _limit(claimed: Recipe, recipe: Recipe) -> list[Finding]:
    if not claimed.max_tokens or not recipe.max_tokens or claimed.max_tokens >= recipe.max_tokens:
        return []
    what = f"texts are cut without a word at {claimed.max_tokens} tokens, where the model reads {recipe.max_tokens}"
    mend = f"Set max_seq_length in sentence_bert_config.json to {recipe.max_tokens}"
    place = "max_seq_length or max_position_embeddings"
    return [Finding(Fault.TRUNCATION, _CERTAIN, what, place, mend)]


def _wrapping(folder: Path, recipe: Recipe) -> list[Finding]:
    """The special tokens that the tokenizer puts around a text by itself."""
    bare = Tokenizer(folder / "tokenizer.json", 1 << 30)
    ids, inner = bare.encode(["a"])[0], bare.encode_bare(["a"])[0]
    place = f"tokenizer.json: wraps {inner} into {ids}"
    named = "end token (EOS)" if recipe.eos_id is not None else "closing token"
    closing = [recipe.eos_id] if recipe.eos_id is not None else ids[-1:] if len(ids) > len(inner) else []
    count = sum(1 for i in ids if i in closing)
    wanted = recipe.eos_id is not None or recipe.architecture != "qwen3"
    if wanted and not count:
        what = f"the tokenizer puts no {named} behind a text, so the state that is pooled is another's"
        mend = "Take the publisher's tokenizer.json, whose post-processor appends it"
        return [Finding(Fault.END_MISSING, _CERTAIN, what, place, mend)]
    if count > 1:
        what = f"the tokenizer puts the {named} behind a text {count} times"
        return [Finding(Fault.END_DOUBLED, _CERTAIN, what, place, "Take the publisher's tokenizer.json")]
    return []


def _numbers(folder: Path) -> list[Finding]:
    """The type that config.json claims against the type that most of the weights have."""
    config = read_json(folder / "config.json")
    claimed = config.get("dtype") or config.get("torch_dtype")
    sizes: Counter[str] = Counter()
    for path in folder.glob("*.safetensors"):
        for tensor in read_header(path).values():
            sizes[tensor.dtype] += tensor.end - tensor.begin
    if not sizes or not claimed:
        return []
    most = sizes.most_common(1)[0][0]
    if _NUMBERS.get(most, most) == claimed:
        return []
    what = f"the weights are in {_NUMBERS.get(most, most)}, config.json claims {claimed}"
    mend = "Take the publisher's weights; converting back does not restore what was rounded"
    return [Finding(Fault.DTYPE, _CERTAIN, what, "header of the safetensors files", mend)]
