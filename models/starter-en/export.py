"""A checkpoint as a GGML file that whisper.cpp loads: q5_0, q8_0 or f16. And back, to train on from one.

    python export.py --work DIR --out ../starter-en.bin
"""

import argparse
import math
import os
import struct

import numpy as np

import mel
import quant
import tokens as bpe
from evaluate import load

# whisper.cpp writes at most half of this, less four; training never uses later positions.
TEXT_CONTEXT = 160


def full_embedding(weight, tokens):
    """All of Whisper's rows: those in use at their places, the shared "unused" one everywhere else."""
    out = np.repeat(weight[tokens.unused][None], bpe.N_VOCAB, 0)
    out[tokens.used] = weight[: len(tokens.used)]
    for place, row in ((bpe.EOT, tokens.eot), (bpe.SOT, tokens.sot), (bpe.NO_SPEECH, tokens.no_speech),
                       (bpe.NO_TIMESTAMPS, tokens.no_timestamps)):
        out[place] = weight[row]
    return out


def finest(net):
    """The finest format in which the file stays within 16 MB."""
    weights = sum(math.prod(a.shape) for name, a in net.state_dict().items() if quant.stored(name, a.shape, -1) == -1)
    # The embedding has a row for each of Whisper's tokens; what is not quantised takes some two megabytes.
    weights += (bpe.N_VOCAB - net.shape["tokens"]) * net.shape["width"]
    return quant.Q8_0 if quant.size(weights // 32 * 32, quant.Q8_0) < 14.3e6 else quant.Q5_0


def write(net, tokens, path, kind=None):
    """Writes beside `path` and renames, so that a reader never sees half a model."""
    kind = kind or finest(net)
    s = net.shape
    with open(path + ".tmp", "wb") as f:
        f.write(struct.pack("<12i", 0x67676D6C, bpe.N_VOCAB, s["audio_context"], s["width"], s["heads"],
                            s["encoder_layers"], TEXT_CONTEXT, s["width"], s["heads"],
                            s["decoder_layers"], s["mels"], quant.FTYPE[kind]))
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
            form = quant.stored(name, a.shape, kind)
            if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
                a = a.reshape(-1, 1)
            f.write(struct.pack("<3i", a.ndim, len(name), form))
            f.write(struct.pack(f"<{a.ndim}i", *reversed(a.shape)) + name.encode() + quant.encode(a, form))
    os.replace(path + ".tmp", path)
    return os.path.getsize(path)


def read(path):
    """({name: array}, [GPT-2 ids in use], shape) of a file that `write` made.

    The ids in use are those whose row of the embedding is not the one that most rows share. The row
    itself comes as "unused", the CTC head is not in the file.
    """
    with open(path, "rb") as f:
        magic, vocab, context, width, heads, layers, text, _, _, decoder_layers, mels, _ = struct.unpack(
            "<12i", f.read(48))
        if magic != 0x67676D6C or vocab != bpe.N_VOCAB:
            raise ValueError(f"{path}: not a GGML file of an English Whisper with {bpe.N_VOCAB} tokens")
        rows, columns = struct.unpack("<2i", f.read(8))
        f.seek(4 * rows * columns, os.SEEK_CUR)
        for _ in range(struct.unpack("<i", f.read(4))[0]):
            f.seek(struct.unpack("<i", f.read(4))[0], os.SEEK_CUR)
        tensors = {}
        while head := f.read(12):
            dimensions, length, kind = struct.unpack("<3i", head)
            shape = struct.unpack(f"<{dimensions}i", f.read(4 * dimensions))[::-1]
            name, n = f.read(length).decode(), int(np.prod(shape))
            if kind not in (quant.F32, quant.F16, quant.Q5_0, quant.Q8_0):
                raise ValueError(f"{path}: {name} is of type {kind}; only f32, f16, q5_0 and q8_0 are read")
            a = quant.decode(f.read(quant.size(n, kind)), kind)
            tensors[name] = a.reshape(shape[:1] if name.endswith("conv1.bias")
                                                         or name.endswith("conv2.bias") else shape)
    full = tensors.pop("decoder.token_embedding.weight")
    rows, which, count = np.unique(full, axis=0, return_inverse=True, return_counts=True)
    unused = count.argmax()
    used = np.nonzero(which.reshape(-1)[: bpe.EOT] != unused)[0].tolist()
    tensors["rows"], tensors["unused"] = full, rows[unused]
    shape = dict(width=width, heads=heads, encoder_layers=layers, decoder_layers=decoder_layers, mels=mels,
                 audio_context=context)
    return tensors, used, shape


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--checkpoint")
    parser.add_argument("--out", default="../starter-en.bin")
    parser.add_argument("--kind", choices=quant.NAMES, help="[default: q8_0 where that fits 16 MB, else q5_0]")
    a = parser.parse_args()
    net, tokens, state = load(a.checkpoint or os.path.join(a.work, "best.pt"))
    size = write(net, tokens, a.out, quant.NAMES.get(a.kind))
    print(f"{a.out}: {size / 1e6:.1f} MB, step {state['step']}, held-out word error {state['best']:.3f}")


if __name__ == "__main__":
    main()
