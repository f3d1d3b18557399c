"""Adds, replaces, deletes and compacts for ever; says of every commit that it returned. Killed by its test."""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path

from steelyard.index.entry import Entry
from steelyard.index.index import Index


def main(folder: Path, seed: int) -> None:
    random.seed(seed)
    with Index.create(folder, "bm25") as index:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for turn in itertools.count():
            ids = [f"d{random.randrange(200)}" for _ in range(random.randrange(1, 30))]
            choice = random.random()
            if choice < 0.6:
                sys.stdout.write(f"try add {seed}.{turn} {' '.join(ids)}\n")
                sys.stdout.flush()
                index.add([Entry(i, f"{i} 第{seed}.{turn}次") for i in ids])
            elif choice < 0.8:
                sys.stdout.write(f"try delete - {' '.join(ids)}\n")
                sys.stdout.flush()
                index.delete(ids)
            else:
                sys.stdout.write("try compact -\n")
                sys.stdout.flush()
                index.compact()
            sys.stdout.write("done\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
