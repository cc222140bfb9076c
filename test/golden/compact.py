"""int8 and binary vectors by numpy: what test/encode/compact-vectors.test.ts compares with."""

import json
import os

import numpy as np

rng = np.random.default_rng(7)
x = rng.normal(size=(6, 20)).astype(np.float32)
x /= np.linalg.norm(x, axis=1, keepdims=True)
short = x[:, :12] / np.linalg.norm(x[:, :12], axis=1, keepdims=True)
low, high = x.min(axis=0), x.max(axis=0)
step = (high.astype(np.float64) - low) / 255
codes = (np.rint((x - low) / step) - 128).astype(int)
bits = np.packbits(x > 0, axis=1)
signs = np.where(x > 0, 1, -1)
out = {
    "vectors": [float(v) for v in x.flatten()],
    "short": [float(v) for v in short.flatten()],
    "int8": codes.flatten().tolist(),
    "binary": bits.flatten().tolist(),
    "hamming": [int((signs[0] != row).sum()) for row in signs],
    "asymmetric": [float((x[0] * row).sum() / np.sqrt(20)) for row in signs],
}
json.dump(out, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "compact.json"), "w"))
