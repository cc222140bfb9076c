"""Golden numbers for maps: PCA, exact neighbours and trustworthiness, by scikit-learn (Debian's python3-sklearn).

Vectors come from the generator that test/map/vectors.ts has as well, so only results are stored.
"""
import json
import pathlib

import numpy as np
import sklearn
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors


def vectors(n, d, groups, seed):
    """Groups of points: centre per group plus noise, from a 32-bit linear congruential generator."""
    state = seed & 0xFFFFFFFF

    def uniform():
        nonlocal state
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        return state / 2**32 - 0.5

    centres = np.array([[uniform() for _ in range(d)] for _ in range(groups)])
    rows = [[2 * centres[i % groups][j] + 0.6 * uniform() for j in range(d)] for i in range(n)]
    return np.array(rows, dtype=np.float32)


n, d, k = 300, 24, 10
x = vectors(n, d, 5, 7)
unit = x / np.linalg.norm(x, axis=1, keepdims=True)
components = PCA(n_components=2, svd_solver="full").fit(x.astype(np.float64))
points = components.transform(x.astype(np.float64))
for c in range(2):
    if components.components_[c][np.argmax(np.abs(components.components_[c]))] < 0:
        points[:, c] *= -1

_, cosine = NearestNeighbors(n_neighbors=k + 1, metric="cosine", algorithm="brute").fit(x).kneighbors(x)
_, euclid = NearestNeighbors(n_neighbors=k + 1, metric="euclidean", algorithm="brute").fit(x).kneighbors(x)
# A layout that is wrong on purpose: the first two coordinates only.
plane = x[:, :2].astype(np.float32)
result = {
    "made_with": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}",
    "n": n,
    "d": d,
    "k": k,
    "pca": np.round(points, 6).tolist(),
    "explained": components.explained_variance_ratio_.tolist(),
    "cosine": cosine[:, 1:].tolist(),
    "euclidean": euclid[:, 1:].tolist(),
    "trust_plane": trustworthiness(x, plane, n_neighbors=k, metric="cosine"),
    "trust_pca": trustworthiness(x, points.astype(np.float32), n_neighbors=k, metric="cosine"),
}
path = pathlib.Path(__file__).with_name("map.json")
path.write_text(json.dumps(result) + "\n")
print(f"wrote {path.name}")
