"""Reads a safetensors file into float32 PyTorch tensors."""

import json
import struct

import numpy as np
import torch

TYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64}


def read(path):
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
        data = f.read()
    header.pop("__metadata__", None)
    weights = {}
    for name, entry in header.items():
        if entry["dtype"] not in TYPES:
            continue
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[begin:end], TYPES[entry["dtype"]]).astype(np.float32)
        weights[name[5:] if name.startswith("bert.") else name] = torch.from_numpy(array.reshape(entry["shape"]))
    return weights
