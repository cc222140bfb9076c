"""PyTorch's side: the same weights, texts sorted by length in batches of one size. Tokens are given, so it is not charged
for tokenising. One line "go" on stdin → one line of JSON with the milliseconds on stdout."""

import json
import os
import sys
import time

import numpy as np
import torch

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, "../parity"), os.path.join(here, "../../golden")]
import safetensors  # noqa: E402
from tiny import MINILM, embed  # noqa: E402

work = json.load(open(sys.argv[1]))
torch.set_num_threads(work["ompThreads"])
weights = safetensors.read(work["weights"])
weights = {
    name: value.float() for name, value in weights.items() if name.startswith(("embeddings.", "encoder.")) and value.is_floating_point()
}


def batches():
    texts = work["ids"]
    for start in range(0, len(texts), work["batchSize"]):
        rows = texts[start : start + work["batchSize"]]
        t = max(len(row) for row in rows)
        ids = np.zeros((len(rows), t), np.int64)
        mask = np.zeros((len(rows), t), np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        yield torch.from_numpy(ids), torch.from_numpy(mask)


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    with torch.inference_mode():
        vectors = [embed(MINILM, weights, ids, mask, "mean", True) for ids, mask in batches()]
    answer = {"elapsedMs": 1000 * (time.perf_counter() - started)}
    if line.strip() == "vectors":
        answer["vectors"] = torch.cat(vectors).flatten().tolist()
    print(json.dumps(answer), flush=True)
