"""PyTorch's side: the same batches through the same weights, and the differences."""

import json
import os
import sys

import numpy as np
import torch

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, "../../golden")]
import safetensors  # noqa: E402
from tiny import MINILM, embed, info_nce  # noqa: E402

folder = sys.argv[1]
listing = json.load(open(os.path.join(folder, "list.json")))
entries = {entry["name"]: entry for entry in listing["saved"]}


def load(name):
    entry = entries[name]
    kind = {"float32": np.float32, "int64": np.int64}[entry["dtype"]]
    return torch.from_numpy(np.fromfile(os.path.join(folder, name), kind).reshape(entry["dims"]).copy())


weights = safetensors.read(listing["weights"])
weights = {name: value for name, value in weights.items() if name.startswith(("embeddings.", "encoder.")) and value.is_floating_point()}

worst = cosine = 0.0
with torch.no_grad():
    for i in range(listing["batches"]):
        expected = embed(MINILM, weights, load(f"ids_{i}"), load(f"mask_{i}"), "mean", True)
        found = load(f"embeddings_{i}")
        worst = max(worst, float((expected - found).abs().max()))
        cosine = max(cosine, float((1 - (expected.double() * found.double()).sum(1)).abs().max()))
print(f"embeddings: largest absolute difference {worst:.2e} (limit 1e-5), largest 1 - cosine {cosine:.1e}")

ok = worst <= 1e-5
for dtype in [torch.float32, torch.float64]:
    w = {name: value.detach().to(dtype, copy=True).requires_grad_() for name, value in weights.items()}
    ids, mask = load("ids_train"), load("mask_train")
    e = embed(MINILM, w, ids, mask, "mean", True)
    n = len(ids) // 2
    loss = info_nce(e[:n], e[n:], listing["temperature"], False)
    loss.backward()
    table = torch.zeros_like(weights["embeddings.word_embeddings.weight"])
    table.index_add_(0, ids.flatten(), load("grad_rows"))
    whole = torch.cat([v.grad.flatten() for v in w.values()]).double().norm()
    rows = []
    for name, value in w.items():
        found = table if name == "embeddings.word_embeddings.weight" else load("grad_" + name)
        # A key bias has no gradient at all (softmax does not see it): rounding is compared with the whole gradient then.
        length = max(float(value.grad.double().norm()), 1e-4 * float(whole))
        rows.append((float((value.grad.double() - found.double()).norm()) / length, name))
    error, name = max(rows)
    relative = abs(float(loss) - float(load("loss"))) / abs(float(loss))
    print(f"against {dtype}: loss {float(loss):.6f}, relative difference {relative:.1e}; gradients of {len(rows)} weights, largest relative difference {error:.1e} ({name}), limit 1e-4")
    ok = ok and error <= 1e-4
sys.exit(0 if ok else 1)
