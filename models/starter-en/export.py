"""A checkpoint as a GGML file that whisper.cpp loads: q8_0, or f16.

    python export.py --work DIR --out ../starter-en.bin
"""

import argparse
import os
import struct

import numpy as np

import mel
import tokens as bpe
from evaluate import load

F32, F16, Q8_0 = 0, 1, 8
# The header's file type: whisper.cpp reads the quantisation's version from the thousands.
FTYPE = {F16: 1, Q8_0: 2007}
# whisper.cpp writes at most half of this, less four; training never uses later positions.
TEXT_CONTEXT = 160


def q8_0(a):
    """Blocks of 32 along each row: one f16 scale, then 32 signed bytes."""
    blocks = a.astype(np.float32).reshape(-1, 32)
    scale = np.abs(blocks).max(1, keepdims=True) / 127
    values = np.rint(np.divide(blocks, scale, out=np.zeros_like(blocks), where=scale > 0)).astype(np.int8)
    out = np.empty(len(blocks), np.dtype([("d", "<f2"), ("q", "i1", 32)]))
    out["d"], out["q"] = scale[:, 0], values
    return out.tobytes()


def full_embedding(weight, tokens):
    """All of Whisper's rows: those in use at their places, the shared "unused" one everywhere else."""
    out = np.repeat(weight[tokens.unused][None], bpe.N_VOCAB, 0)
    out[tokens.used] = weight[: len(tokens.used)]
    for place, row in ((bpe.EOT, tokens.eot), (bpe.SOT, tokens.sot), (bpe.NO_SPEECH, tokens.no_speech),
                       (bpe.NO_TIMESTAMPS, tokens.no_timestamps)):
        out[place] = weight[row]
    return out


def write(net, tokens, path, kind=Q8_0):
    """Writes beside `path` and renames, so that a reader never sees half a model."""
    s = net.shape
    with open(path + ".tmp", "wb") as f:
        f.write(struct.pack("<12i", 0x67676D6C, bpe.N_VOCAB, s["audio_context"], s["width"], s["heads"],
                            s["encoder_layers"], TEXT_CONTEXT, s["width"], s["heads"],
                            s["decoder_layers"], s["mels"], FTYPE[kind]))
        f.write(struct.pack("<2i", *mel.filters().shape) + mel.filters().tobytes())
        ranked = sorted(bpe.ranks(), key=bpe.ranks().get)
        f.write(struct.pack("<i", len(ranked)))
        for piece in ranked:
            f.write(struct.pack("<i", len(piece)) + piece)
        for name, tensor in net.state_dict().items():
            if name.startswith("ctc"):
                continue
            a = tensor.float().cpu().numpy()
            if name == "decoder.token_embedding.weight":
                a = full_embedding(a, tokens)
            elif name == "decoder.positional_embedding":
                a = a[:TEXT_CONTEXT]
            if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
                a, stored = a.reshape(-1, 1), F32
            elif a.ndim == 1 or "positional" in name:
                stored = F32
            else:
                stored = kind if a.ndim == 2 else F16
            f.write(struct.pack("<3i", a.ndim, len(name), stored))
            f.write(struct.pack(f"<{a.ndim}i", *reversed(a.shape)) + name.encode())
            f.write(q8_0(a) if stored == Q8_0 else a.astype("<f2" if stored == F16 else "<f4").tobytes())
    os.replace(path + ".tmp", path)
    return os.path.getsize(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--checkpoint")
    parser.add_argument("--out", default="../starter-en.bin")
    parser.add_argument("--f16", action="store_true")
    a = parser.parse_args()
    net, tokens, state = load(a.checkpoint or os.path.join(a.work, "best.pt"))
    size = write(net, tokens, a.out, F16 if a.f16 else Q8_0)
    print(f"{a.out}: {size / 1e6:.1f} MB, step {state['step']}, held-out word error {state['best']:.3f}")


if __name__ == "__main__":
    main()
