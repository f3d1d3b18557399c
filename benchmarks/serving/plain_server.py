"""What is written in an afternoon: FastAPI around sentence-transformers; a yardstick of load.py.

    python benchmarks/serving/plain_server.py CHECKPOINT PORT

Texts come finished, with the model's template on.
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer


class Request(BaseModel):
    """OpenAI's request as far as it is needed."""

    input: list[str] | str
    model: str


def build(checkpoint: str) -> FastAPI:
    """The application around a checkpoint."""
    model = SentenceTransformer(checkpoint, device="cpu")
    app = FastAPI()

    @app.get("/v1/models")
    def models() -> dict[str, object]:
        return {"object": "list", "data": [{"id": "plain"}]}

    @app.post("/v1/embeddings")
    def embeddings(request: Request) -> dict[str, object]:
        texts = [request.input] if isinstance(request.input, str) else request.input
        rows = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        data = [{"object": "embedding", "index": i, "embedding": row.tolist()} for i, row in enumerate(rows)]
        usage = {"prompt_tokens": 0, "total_tokens": 0}
        return {"object": "list", "model": request.model, "data": data, "usage": usage}

    return app


if __name__ == "__main__":
    uvicorn.run(build(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
