"""PyTorch's side: the same weights, texts sorted by length in batches of one size. Tokens are given, so it is not charged
for tokenising. One JSON object a line on stdin, one a line on stdout."""

import ctypes
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

cores = int(sys.argv[2])
weights = safetensors.read(sys.argv[1])
weights = {
    name: value.float() for name, value in weights.items() if name.startswith(("embeddings.", "encoder.")) and value.is_floating_point()
}


def blas_threads(count):
    """False where the BLAS is not OpenBLAS; its threads are then those of the environment."""
    try:
        ctypes.CDLL("libopenblas.so.0").openblas_set_num_threads(count)
        return True
    except (OSError, AttributeError):
        return False


def use(omp, blas):
    # set_num_threads sets OpenBLAS's count as well, so it comes first.
    torch.set_num_threads(omp)
    blas_threads(blas)


def batches(texts, size):
    for start in range(0, len(texts), size):
        rows = texts[start : start + size]
        t = max(len(row) for row in rows)
        ids = np.zeros((len(rows), t), np.int64)
        mask = np.zeros((len(rows), t), np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        yield torch.from_numpy(ids), torch.from_numpy(mask)


def encode(task):
    started, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        vectors = [embed(MINILM, weights, ids, mask, "mean", True) for ids, mask in batches(task["ids"], task["batchSize"])]
    answer = {"elapsedMs": 1000 * (time.perf_counter() - started), "cpuMs": 1000 * (time.process_time() - cpu)}
    if task.get("vectors"):
        answer["vectors"] = torch.cat(vectors).flatten().tolist()
    return answer


def fastest(task):
    """Which numbers of PyTorch's own and of BLAS threads are the fastest here: tried in turns, three times if they take no
    longer than 20 s; the best of each counts. On a busy machine some stay untried, the likeliest ones come first."""
    settings = list(dict.fromkeys([(1, cores), (cores, cores), (cores, 1)]))
    times = {setting: [] for setting in settings}
    use(*settings[0])
    encode(task)
    started = time.perf_counter()
    for setting in settings * 3:
        if time.perf_counter() - started > 20:
            break
        use(*setting)
        times[setting].append(encode(task)["elapsedMs"])
    tried = {setting: min(ms) for setting, ms in times.items() if ms}
    best = min(tried, key=lambda setting: tried[setting], default=settings[0])
    use(*best)
    return {
        "version": torch.__version__,
        "omp": best[0],
        "blas": best[1],
        "tried": [{"omp": omp, "blas": blas, "ms": ms} for (omp, blas), ms in tried.items()],
    }


for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps(fastest(task) if task["do"] == "fastest" else encode(task)), flush=True)
