"""
Every encoder family in plain PyTorch, written from the papers and not from our graph: one text at a time without any
padding, one head at a time, in float64. Used by architectures.py and true_shapes.py.
"""

import math

import numpy as np
import torch

from tiny import random_tensor, uniforms

# One small encoder of each family.
POST = dict(vocabSize=61, hiddenSize=24, layers=2, heads=3, ffnSize=40)
FAMILIES = {
    "bert": dict(POST, maxPositions=160, typeVocabSize=2, layerNormEps=1e-12, activation="gelu"),
    "bert-tanh": dict(POST, maxPositions=160, typeVocabSize=2, layerNormEps=1e-12, activation="gelu-tanh"),
    "bert-relu": dict(POST, maxPositions=160, typeVocabSize=2, layerNormEps=1e-12, activation="relu"),
    "roberta": dict(POST, maxPositions=162, typeVocabSize=1, layerNormEps=1e-5, activation="gelu", padId=1),
    "distilbert": dict(POST, maxPositions=160, layerNormEps=1e-12, activation="gelu"),
    "mpnet": dict(POST, maxPositions=162, layerNormEps=1e-5, activation="gelu", padId=1, buckets=32),
    # heads · headSize is not the hidden size, as in InstructOR-xl.
    "t5": dict(vocabSize=61, hiddenSize=24, headSize=12, layers=2, heads=4, ffnSize=40, normEps=1e-6, buckets=32, maxDistance=128, activation="relu", gated=False),
    "t5-gated": dict(vocabSize=61, hiddenSize=24, headSize=4, layers=2, heads=3, ffnSize=40, normEps=1e-6, buckets=32, maxDistance=128, activation="gelu-tanh", gated=True),
}


def bucket(r, buckets, max_distance):
    """As the original code takes it: the logarithm in float32."""
    half = buckets // 2
    exact = half // 2
    m = abs(r)
    base = half if r > 0 else 0
    if m < exact:
        return base + m
    n = torch.tensor(m, dtype=torch.float32)
    large = exact + (torch.log(n / exact) / math.log(max_distance / exact) * (half - exact)).to(torch.int64).item()
    return base + min(large, half - 1)


def act(x, kind):
    if kind == "relu":
        return x.clamp(min=0)
    if kind == "gelu":
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


class Reader:
    """Weights as float64, made when asked for; remembers what was asked."""

    def __init__(self, seed):
        self.seed = seed
        self.shapes = {}

    def __call__(self, name, *dims):
        self.shapes[name] = list(dims)
        return torch.from_numpy(random_tensor(name, dims, self.seed)).double()


def layer_norm(x, w, name, eps):
    d = x.shape[-1]
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + eps) * w(name + ".weight", d) + w(name + ".bias", d)


def attention(x, w, names, heads, size, scale, biased, extra):
    """One head at a time; extra(head) is added to its scores, [t, t]."""
    d = x.shape[1]
    q, k, v = (x @ w(n + ".weight", heads * size, d).T + (w(n + ".bias", heads * size) if biased else 0) for n in names[:3])
    mixed = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scores = q[:, part] @ k[:, part].T * scale + extra(head)
        e = torch.exp(scores - scores.max(1, keepdim=True)[0])
        mixed.append(e / e.sum(1, keepdim=True) @ v[:, part])
    out = torch.cat(mixed, 1) @ w(names[3] + ".weight", d, heads * size).T
    return out + w(names[3] + ".bias", d) if biased else out


def post_norm(c, w, ids, family):
    d, h, f = c["hiddenSize"], c["heads"], c["ffnSize"]
    t = len(ids)
    x = w("embeddings.word_embeddings.weight", c["vocabSize"], d)[ids]
    first = c["padId"] + 1 if family in ("roberta", "mpnet") else 0
    x = x + w("embeddings.position_embeddings.weight", c["maxPositions"], d)[first : first + t]
    if family in ("bert", "roberta"):
        x = x + w("embeddings.token_type_embeddings.weight", c["typeVocabSize"], d)[0]
    x = layer_norm(x, w, "embeddings.LayerNorm", c["layerNormEps"])
    if family == "mpnet":
        table = w("encoder.relative_attention_bias.weight", c["buckets"], h)
        places = torch.tensor([[bucket(j - i, c["buckets"], 128) for j in range(t)] for i in range(t)])
        extra = lambda head: table[places, head]
    else:
        extra = lambda head: 0.0
    for layer in range(c["layers"]):
        if family == "distilbert":
            p = f"transformer.layer.{layer}."
            names = [p + "attention." + n for n in ("q_lin", "k_lin", "v_lin", "out_lin")]
            n1, lin1, lin2, n2 = p + "sa_layer_norm", p + "ffn.lin1", p + "ffn.lin2", p + "output_layer_norm"
        elif family == "mpnet":
            p = f"encoder.layer.{layer}."
            names = [p + "attention.attn." + n for n in "qkvo"]
            n1, lin1, lin2, n2 = p + "attention.LayerNorm", p + "intermediate.dense", p + "output.dense", p + "output.LayerNorm"
        else:
            p = f"encoder.layer.{layer}."
            names = [p + "attention.self." + n for n in ("query", "key", "value")] + [p + "attention.output.dense"]
            n1, lin1, lin2, n2 = p + "attention.output.LayerNorm", p + "intermediate.dense", p + "output.dense", p + "output.LayerNorm"
        x = layer_norm(x + attention(x, w, names, h, d // h, 1 / math.sqrt(d // h), True, extra), w, n1, c["layerNormEps"])
        inner = act(x @ w(lin1 + ".weight", f, d).T + w(lin1 + ".bias", f), c["activation"])
        x = layer_norm(x + inner @ w(lin2 + ".weight", d, f).T + w(lin2 + ".bias", d), w, n2, c["layerNormEps"])
    return x


def t5(c, w, ids):
    d, h, f, s = c["hiddenSize"], c["heads"], c["ffnSize"], c["headSize"]
    t = len(ids)
    rms = lambda x, name: w(name + ".weight", d) * x / torch.sqrt((x**2).mean(-1, keepdim=True) + c["normEps"])
    x = w("shared.weight", c["vocabSize"], d)[ids]
    table = w("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", c["buckets"], h)
    places = torch.tensor([[bucket(j - i, c["buckets"], c["maxDistance"]) for j in range(t)] for i in range(t)])
    for block in range(c["layers"]):
        p = f"encoder.block.{block}.layer."
        names = [p + "0.SelfAttention." + n for n in "qkvo"]
        x = x + attention(rms(x, p + "0.layer_norm"), w, names, h, s, 1.0, False, lambda head: table[places, head])
        y = rms(x, p + "1.layer_norm")
        ff = p + "1.DenseReluDense."
        if c["gated"]:
            inner = act(y @ w(ff + "wi_0.weight", f, d).T, c["activation"]) * (y @ w(ff + "wi_1.weight", f, d).T)
        else:
            inner = act(y @ w(ff + "wi.weight", f, d).T, c["activation"])
        x = x + inner @ w(ff + "wo.weight", d, f).T
    return rms(x, "encoder.final_layer_norm")


def pooled(x, kind, skip):
    """x [t, d] of one text; the first `skip` tokens do not count."""
    kept = x[skip:]
    n = len(kept)
    if kind == "mean":
        return kept.sum(0) / n
    if kind == "mean-sqrt-length":
        return kept.sum(0) / math.sqrt(n)
    if kind == "weighted-mean":
        weights = torch.arange(skip + 1, skip + n + 1, dtype=torch.float64)
        return (kept * weights[:, None]).sum(0) / weights.sum()
    if kind == "max":
        return kept.max(0)[0]
    return kept[-1] if kind == "last-token" else x[0]


def texts(c, seed, lengths):
    """Ids from 2 (0 and 1 are padding in some families), one tensor per text."""
    u = uniforms(seed, sum(lengths))
    ids = (2 + np.floor(u * (c["vocabSize"] - 2))).astype(np.int64)
    return [torch.from_numpy(part) for part in np.split(ids, np.cumsum(lengths)[:-1])]


def numbers(rows):
    return [float(f"{v:.8g}") for row in rows for v in row.tolist()]


def encode(c, w, ids, family):
    """Token vectors of one text, float64 [t, d]."""
    return t5(c, w, ids) if family == "t5" else post_norm(c, w, ids, family)
