"""GGML's block formats for weights: q8_0 (8.5 bits each) and q5_0 (5.5), 32 weights of a row to a block.

Formulas as in ggml's reference quantisation: q8_0 scales a block's largest magnitude to 127; q5_0 scales its
largest value, sign and all, to -16 of -16..15. `rounded` gives in PyTorch what comes back from q5_0, so that
the end of training can hear through the weights that will be shipped.
"""

import contextlib

import numpy as np
import torch

F32, F16, Q5_0, Q8_0 = 0, 1, 6, 8
# The header's file type: whisper.cpp reads the quantisation's version from the thousands.
FTYPE = {F16: 1, Q5_0: 2008, Q8_0: 2007}
NAMES = {"f16": F16, "q5_0": Q5_0, "q8_0": Q8_0}
_Q8_0 = np.dtype([("d", "<f2"), ("q", "i1", 32)])
_Q5_0 = np.dtype([("d", "<f2"), ("high", "<u4"), ("low", "u1", 16)])


def stored(name, shape, kind):
    """The format of a tensor in a file of that kind: whisper.cpp wants biases, norms and positions in f32,
    convolutions in f16."""
    if name in ("encoder.conv1.bias", "encoder.conv2.bias") or len(shape) == 1 or "positional" in name:
        return F32
    return kind if len(shape) == 2 else F16


def encode(a, kind):
    """The bytes of an array."""
    if kind in (F32, F16):
        return a.astype("<f2" if kind == F16 else "<f4").tobytes()
    blocks = a.astype(np.float32).reshape(-1, 32)
    if kind == Q8_0:
        scale = np.abs(blocks).max(1, keepdims=True) / 127
        out = np.empty(len(blocks), _Q8_0)
        out["d"] = scale[:, 0]
        out["q"] = np.rint(np.divide(blocks, scale, out=np.zeros_like(blocks), where=scale > 0))
        return out.tobytes()
    scale = np.take_along_axis(blocks, np.abs(blocks).argmax(1)[:, None], 1) / -16
    share = np.divide(blocks, scale, out=np.zeros_like(blocks), where=scale != 0)
    values = np.clip(np.floor(share + 16.5), 0, 31).astype(np.uint32)
    out = np.empty(len(blocks), _Q5_0)
    out["d"] = scale[:, 0]
    out["low"] = (values[:, :16] & 15) | ((values[:, 16:] & 15) << 4)
    out["high"] = ((values >> 4) << np.arange(32, dtype=np.uint32)).sum(1, dtype=np.uint32)
    return out.tobytes()


def size(n, kind):
    """Bytes of n weights."""
    return n // 32 * {Q8_0: 34, Q5_0: 22}[kind] if kind in (Q8_0, Q5_0) else n * (4 if kind == F32 else 2)


def decode(raw, kind):
    """The weights, flat, as float32."""
    if kind in (F32, F16):
        return np.frombuffer(raw, "<f4" if kind == F32 else "<f2").astype(np.float32)
    blocks = np.frombuffer(raw, _Q8_0 if kind == Q8_0 else _Q5_0)
    if kind == Q8_0:
        values = blocks["q"].astype(np.float32)
    else:
        low = np.concatenate([blocks["low"] & 15, blocks["low"] >> 4], 1)
        high = blocks["high"][:, None] >> np.arange(32, dtype=np.uint32) & 1
        values = (low + 16 * high).astype(np.float32) - 16
    return (values * blocks["d"].astype(np.float32)[:, None]).reshape(-1)


def rounded(w):
    """What q5_0 makes of a matrix."""
    blocks = w.reshape(-1, 32)
    scale = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -16
    share = torch.where(scale == 0, torch.zeros_like(blocks), blocks / scale)
    values = (share + 16.5).floor().clamp(0, 31) - 16
    return (values * scale.half().float()).view_as(w)


@contextlib.contextmanager
def heard_through(net):
    """Within, the network has the weights that come back from q5_0; gradients taken there are applied to its own
    (the straight-through estimator: Bengio and others, 2013)."""
    matrices = [p for name, p in net.named_parameters()
                if not name.startswith("ctc") and stored(name, p.shape, Q5_0) == Q5_0]
    with torch.no_grad():
        own = [p.clone() for p in matrices]
        torch._foreach_copy_(matrices, [rounded(p) for p in matrices])
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(matrices, own)
