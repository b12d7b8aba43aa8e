"""Word error of a checkpoint on the held-out sets, by set and by category.

    python evaluate.py --work DIR --set test
"""

import argparse
import os

import numpy as np
import torch

import augment
import data
from mel import LogMel
from model import Ear
from tokens import Tokens

SETS = ("trained", "unseen", "people")
# What the demo line's flows ask for. The rest (names, letters, random words) shows what is still to learn.
LINE = ("yes no idk agent control digit string number order_status new_order return billing technical "
        "extra").split()
# What people say in the sets of people that a line asks for; their sentences lie outside the vocabulary.
ANSWERS = ("people_digit", "people_digits", "people_yesno")


def word_errors(heard, said):
    """(edits, words) between two transcripts."""
    h, s = heard.split(), said.split()
    row = list(range(len(h) + 1))
    for i, word in enumerate(s, 1):
        last, row[0] = row[:], i
        for j, other in enumerate(h, 1):
            row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (word != other))
    return row[-1], len(s)


def sets(work, which="validation"):
    """{set: [(category, voice, text, audio)]}, half of it wide band, half by G.711, always the same.

    Beside SETS there are "cut", people's answers of one word with their edges cut off, and "nothing".
    """
    out = {}
    for name in SETS:
        folder = os.path.join(work, which)
        if not os.path.exists(os.path.join(folder, name + ".tsv")):
            continue
        store = data.Store(folder)
        items = [i for i in store.items if os.path.basename(i[0].filename) == name + ".pcm"]
        line, rows = augment.Line(99), []
        for k, item in enumerate(items):
            a = store.samples(item).astype("f") / 32768
            a = np.concatenate([np.zeros(3200, "f"), a, np.zeros(4800, "f")])
            quiet = np.sqrt((a ** 2).mean()) * 10 ** (-30 / 20)
            a = line.send(a, lambda n: line.g.standard_normal(n).astype("f") * quiet,
                          kind=("wide", "g711")[k % 2])
            rows.append((item[3], item[4], item[5], a))
        out[name] = rows
    # The answers of one word again, without their faint beginnings and ends, as an eager detector passes them on.
    line, rows = augment.Line(97), []
    for category, voice, text, a in out.get("people", []):
        if category in ANSWERS and " " not in text:
            a = np.concatenate([np.zeros(3200, "f"), line.cut(a[3200:-4800]), np.zeros(4800, "f")])
            rows.append(("cut", voice, text, line.send(a, kind="g711")))
    if rows:
        out["cut"] = rows
    line = augment.Line(98)
    store = data.Store(os.path.join(work, which))
    longest = sorted(store.items, key=lambda i: -i[2])[: 40 if which == "validation" else 200]
    out["nothing"] = [("nothing", "-", "", line.nothing(store.samples(i))) for i in longest]
    return out


def transcribe(net, tokens, audios):
    device = next(net.parameters()).device
    mel, batch = LogMel().to(device), 24 if device.type == "cpu" else 256
    order = sorted(range(len(audios)), key=lambda i: len(audios[i]))
    out = [None] * len(audios)
    for k in range(0, len(order), batch):
        part = order[k:k + batch]
        padded = torch.from_numpy(data.pad([audios[i] for i in part], extra=8000)).to(device)
        padded = padded[:, : len(net.encoder.positional_embedding) * data.FRAME]
        for i, row in zip(part, net.greedy(mel(padded), tokens)):
            out[i] = tokens.decode(row)
    return out


def measure(net, tokens, held):
    """{set: {category or "all" or "voice": (word error, exact share, count)}} and some examples."""
    net.eval()
    report, examples = {}, []
    for name, rows in held.items():
        heard = transcribe(net, tokens, [a for *_, a in rows])
        tally = {}
        for (category, voice, text, _), h in zip(rows, heard):
            e, w = word_errors(h, text)
            speaker = "people" if name in ("people", "cut") else voice.split("+")[0]
            keys = ["all", category, speaker] + (["line", "line " + speaker] if category in LINE else [])
            keys += ["answers"] if category in ANSWERS else []
            for key in keys:
                t = tally.setdefault(key, [0, 0, 0, 0])
                t[0] += e
                t[1] += w
                t[2] += h == text
                t[3] += 1
        report[name] = {k: (t[0] / max(1, t[1]), t[2] / t[3], t[3]) for k, t in tally.items()}
        examples += [(name, t, h) for (_, _, t, _), h in list(zip(rows, heard))[:4]]
    net.train()
    return report, examples


def score(report):
    """What the best model is chosen by: mean word error of the sets of voices, and of people's numbers and answers,
    whole and cut."""
    asked = {name: tally.get("answers", tally["all"]) for name, tally in report.items() if name != "nothing"}
    return float(np.mean([error for error, *_ in asked.values()]))


def show(report):
    lines = []
    for name, tally in report.items():
        parts = [f"{k} {w * 100:.0f}%/{x * 100:.0f}={n}" for k, (w, x, n) in sorted(tally.items())]
        lines.append(f"  {name}: " + "  ".join(parts))
    return "\n".join(lines)


def load(path, ema=True):
    state = torch.load(path, map_location="cpu", weights_only=False)
    net = Ear(**state["shape"])
    net.load_state_dict(state["ema" if ema else "net"])
    return net.eval(), Tokens(state["used"]), state


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--checkpoint")
    parser.add_argument("--set", default="validation", choices=["validation", "test"])
    parser.add_argument("--all", action="store_true", help="print every transcript")
    a = parser.parse_args()
    torch.set_num_threads(1)
    net, tokens, state = load(a.checkpoint or os.path.join(a.work, "best.pt"))
    held = sets(a.work, a.set)
    report, _ = measure(net, tokens, held)
    print(f"step {state['step']}, utterances {state['utterances']}; word error / exact = count")
    print(show(report))
    if a.all:
        for name, rows in held.items():
            for (category, voice, text, _), h in zip(rows, transcribe(net, tokens, [x for *_, x in rows])):
                print("=" if h == text else "x", name, category, voice, text, "->", h, sep="\t")


if __name__ == "__main__":
    main()
