"""
Golden vectors of a Model2Vec table, restated from its definition with NumPy: writes static.json beside this file
(`npm run golden static`). The test makes the same table, weights and mapping from the same generator.
"""

import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tiny import random_tensor  # noqa: E402

OUT = os.path.dirname(os.path.abspath(__file__))
PIECES, ROWS, D, SEED = 40, 12, 6, 9
TEXTS = [[3, 4, 5], [7], [], [39, 39, 0, 11, 20, 21], list(range(40))]

table = random_tensor("embeddings.table", (PIECES, D), SEED).astype(np.float64)
small = random_tensor("embeddings.small", (ROWS, D), SEED).astype(np.float64)
weights = 1 + random_tensor("weights.weight", (PIECES,), SEED).astype(np.float64)
mapping = [(7 * i + 3) % ROWS for i in range(PIECES)]


def embed(ids, rows, use_weights, normalise):
    if not ids:
        return np.zeros(D)
    v = np.mean([(weights[i] if use_weights else 1.0) * rows(i) for i in ids], axis=0)
    return v / np.linalg.norm(v) if normalise else v


cases = []
for mapped in (False, True):
    rows = (lambda i: small[mapping[i]]) if mapped else (lambda i: table[i])
    for use_weights in (False, True):
        for normalise in (False, True):
            vectors = [embed(ids, rows, use_weights, normalise) for ids in TEXTS]
            cases.append(dict(mapped=mapped, weighted=use_weights, normalise=normalise, vectors=[float(f"{x:.9g}") for v in vectors for x in v]))

result = dict(madeBy="test/golden/static.py", pieces=PIECES, rows=ROWS, dimensions=D, seed=SEED, mapping=mapping, texts=TEXTS, cases=cases)
with open(os.path.join(OUT, "static.json"), "w") as f:
    json.dump(result, f, separators=(",", ":"))
    f.write("\n")
print("wrote static.json")
