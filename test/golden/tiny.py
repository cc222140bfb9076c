"""The tiny encoder of kernels/model/random.ts, and BERT, pooling and InfoNCE in plain PyTorch. Needs Debian's python3-torch."""

import math
import re

import numpy as np
import torch
import torch.nn.functional as F

TINY = dict(vocabSize=97, hiddenSize=32, layers=2, heads=4, ffnSize=64, maxPositions=40, typeVocabSize=2, layerNormEps=1e-12, activation="gelu")
MINILM = dict(vocabSize=30522, hiddenSize=384, layers=6, heads=12, ffnSize=1536, maxPositions=512, typeVocabSize=2, layerNormEps=1e-12, activation="gelu")


def fnv1a(name):
    h = 0x811C9DC5
    for c in name.encode():
        h = ((h ^ c) * 0x01000193) & 0xFFFFFFFF
    return h


def uniforms(seed, count):
    """counterUniform(seed, 0..count-1) of kernels/model/random.ts."""
    m = np.uint32
    with np.errstate(over="ignore"):
        a = m(seed) + (np.arange(count, dtype=m) + m(1)) * m(0x6D2B79F5)
        x = (a ^ (a >> m(15))) * (a | m(1))
        x = x ^ (x + (x ^ (x >> m(7))) * (x | m(61)))
        return ((x ^ (x >> m(14))) >> m(8)).astype(np.float64) / 2**24


def random_tensor(name, dims, seed):
    norm = bool(re.search(r"layer_?norm\.weight$", name, re.I))
    scale = 0.2 if norm else 0.1 if name.endswith(".bias") else 0.5 if name.startswith("embeddings.") else 0.25
    u = uniforms((seed + fnv1a(name)) & 0xFFFFFFFF, int(np.prod(dims)))
    return ((1.0 if norm else 0.0) + scale * (2 * u - 1)).astype(np.float32).reshape(dims)


def weight_shapes(c):
    d, f = c["hiddenSize"], c["ffnSize"]
    shapes = {
        "embeddings.word_embeddings.weight": (c["vocabSize"], d),
        "embeddings.position_embeddings.weight": (c["maxPositions"], d),
        "embeddings.token_type_embeddings.weight": (c["typeVocabSize"], d),
        "embeddings.LayerNorm.weight": (d,),
        "embeddings.LayerNorm.bias": (d,),
    }
    for layer in range(c["layers"]):
        p = f"encoder.layer.{layer}."
        for name, out, inner in [
            ("attention.self.query", d, d),
            ("attention.self.key", d, d),
            ("attention.self.value", d, d),
            ("attention.output.dense", d, d),
            ("intermediate.dense", f, d),
            ("output.dense", d, f),
        ]:
            shapes[p + name + ".weight"] = (out, inner)
            shapes[p + name + ".bias"] = (out,)
        for name in ["attention.output.LayerNorm", "output.LayerNorm"]:
            shapes[p + name + ".weight"] = (d,)
            shapes[p + name + ".bias"] = (d,)
    return shapes


def random_weights(c, seed):
    return {name: torch.from_numpy(random_tensor(name, dims, seed)) for name, dims in weight_shapes(c).items()}


def encode(c, w, ids, mask):
    """Token vectors [b, t, d]; ids and mask int64 [b, t]."""
    d, h = c["hiddenSize"], c["heads"]
    b, t = ids.shape
    norm = lambda x, p: F.layer_norm(x, (d,), w[p + ".weight"], w[p + ".bias"], c["layerNormEps"])
    linear = lambda x, p: F.linear(x, w[p + ".weight"], w[p + ".bias"])
    heads = lambda x: x.view(b, t, h, d // h).transpose(1, 2)
    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:t] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, "embeddings.LayerNorm")
    bias = (1.0 - mask.to(x.dtype))[:, None, None, :] * torch.finfo(x.dtype).min
    for layer in range(c["layers"]):
        p = f"encoder.layer.{layer}."
        q, k, v = (heads(linear(x, p + "attention.self." + n)) for n in ("query", "key", "value"))
        scores = q @ k.transpose(-1, -2) / math.sqrt(d // h) + bias
        a = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d)
        x = norm(linear(a, p + "attention.output.dense") + x, p + "attention.output.LayerNorm")
        f = linear(F.gelu(linear(x, p + "intermediate.dense")), p + "output.dense")
        x = norm(f + x, p + "output.LayerNorm")
    return x


def pool(x, mask, kind):
    m = mask.to(x.dtype)[:, :, None]
    if kind == "mean":
        return (x * m).sum(1) / m.sum(1).clamp(min=1e-9)
    if kind == "cls":
        return x[:, 0]
    return x.masked_fill(m == 0, -1e9).max(1)[0]


def embed(c, w, ids, mask, pooling, normalise):
    e = pool(encode(c, w, ids, mask), mask, pooling)
    return F.normalize(e, dim=1) if normalise else e


def info_nce(anchors, positives, temperature, symmetric):
    z = anchors @ positives.T / temperature
    target = torch.arange(len(z))
    loss = F.cross_entropy(z, target)
    return (loss + F.cross_entropy(z.T, target)) / 2 if symmetric else loss


def random_texts(c, seed, texts, tokens):
    """Ids from 1, each text of its own length (at least 2), padded with 0."""
    u = uniforms(seed, texts * (tokens + 1)).reshape(texts, tokens + 1)
    lengths = 2 + np.floor(u[:, 0] * (tokens - 1)).astype(np.int64)
    lengths[0] = tokens
    mask = (np.arange(tokens)[None, :] < lengths[:, None]).astype(np.int64)
    ids = (1 + np.floor(u[:, 1:] * (c["vocabSize"] - 1)).astype(np.int64)) * mask
    return torch.from_numpy(ids), torch.from_numpy(mask)
