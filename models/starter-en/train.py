"""Training, resumable: the network here, augmentation in processes beside it.

    python train.py --work DIR --hours 2

Stops by the clock, so that the learning rate's descent ends when the time does. Checkpoints (last.pt,
and best.pt by held-out word error) and log.txt lie in the work folder; started again, it goes on from
last.pt, the hours already spent counted.
"""

import argparse
import copy
import math
import multiprocessing
import os
import signal
import time

import numpy as np
import torch
import torch.nn.functional as F

import data
import evaluate
import export
import texts
import tokens as bpe
from mel import LogMel
from model import Ear
from muon import optimisers
from tokens import EOT, Tokens, encode, ranks

# CTC runs on letters: it ties the encoder to the sound, whatever the words.
CHARACTERS = " abcdefghijklmnopqrstuvwxyz'"
LETTERS = len(CHARACTERS)
# Exit code where it was asked to stop before the time was up (EX_TEMPFAIL of sysexits.h).
STOPPED = 75


def tokens_for(sentences):
    """Tokens of our words, of the given sentences, and common ones for words yet to come."""
    used = set()
    for s in texts.vocabulary() + sorted(sentences):
        used.update(encode(s))
    for piece, rank in ranks().items():
        text = piece.decode(errors="replace")
        if (text.strip().isascii() and text.strip().isalpha() and text.islower() and rank < 6000) or rank < 95:
            if text.strip(" abcdefghijklmnopqrstuvwxyz'") == "":
                used.add(rank)
    return Tokens(t for t in used if t < EOT)


def continued(path, wanted, letters):
    """(network, tokens): an exported file's weights, and rows for the tokens that are new to it.

    A new row starts near the shared "unused" one, whose place it takes in the softmax. Positions of
    the text beyond the file's are new as well; nothing reaches them.
    """
    tensors, used, shape = export.read(path)
    tokens = Tokens(sorted(set(used) | set(wanted)))
    net = Ear(tokens.rows, letters=letters, **shape)
    rows, unused = tensors.pop("rows"), tensors.pop("unused")
    weight = net.decoder.token_embedding.weight
    with torch.no_grad():
        spread = 0.2 * torch.from_numpy(rows[used]).std()
        weight.copy_(torch.from_numpy(unused) + spread * torch.randn_like(weight))
        for ids, places in ((used, [tokens.local[t] for t in used]),
                            ([bpe.EOT, bpe.SOT, bpe.NO_TIMESTAMPS, bpe.NO_SPEECH],
                             [tokens.eot, tokens.sot, tokens.no_timestamps, tokens.no_speech])):
            weight[places] = torch.from_numpy(rows[ids])
        weight[tokens.unused] = torch.from_numpy(unused)
        own = net.state_dict()
        for name, a in tensors.items():
            own[name][: len(a)] = torch.from_numpy(a)
    missing = [n for n in own if n not in tensors and not n.startswith("ctc") and "token_embedding" not in n]
    if missing:
        raise SystemExit(f"{path} lacks {missing}")
    return net, tokens


def curriculum(step, warm):
    """(most words, share of non-speech): attention breaks through on short utterances first."""
    for until, words in ((warm, 2), (warm * 1.6, 3), (warm * 2.4, 5)):
        if step < until:
            return words, 0.03
    return 99, 0.1


def rate(step, spent, peak):
    """Warm-up by steps, then level, then down by the share of the time spent."""
    down = 1 if spent < 0.3 else max(0.0, (1 - spent) / 0.7)
    return peak * min(1, (step + 1) / 100) * max(0.01, down)


def formants(count, r):
    """A factor for each utterance's formants; a part keeps its own."""
    return [1.0 if r.random() < 0.25 else round(float(r.uniform(0.78, 1.26)) / 0.02) * 0.02 for _ in range(count)]


def mask(mel, r):
    """SpecAugment, light."""
    for _ in range(2):
        w = r.integers(0, 10)
        k = r.integers(0, 80 - w)
        mel[:, k:k + w] = mel.mean()
        w = r.integers(0, 14)
        k = r.integers(0, max(1, mel.shape[2] - w))
        mel[:, :, k:k + w] = mel.mean()
    return mel


def targets(said, tokens, r):
    """Decoder inputs and targets, padded; what is nothing ends at once, mostly through no-speech."""
    rows = [tokens.encode(s) for s in said]
    n = max(map(len, rows)) + 2
    given = torch.full((len(rows), n), tokens.eot)
    wanted = torch.full((len(rows), n), -100)
    for i, row in enumerate(rows):
        end = tokens.no_speech if not row and r.random() < 0.7 else tokens.eot
        given[i, : len(row) + 2] = torch.tensor([tokens.sot, tokens.no_timestamps] + row)
        wanted[i, 1: len(row) + 2] = torch.tensor(row + [end])
    return given, wanted


def losses(net, mel, said, tokens, bias, r, device, apart=False):
    """Of the decoder and of the CTC head; `apart`, the head learns without moving the encoder."""
    memory = net.encoder(mel)
    given, wanted = targets(said, tokens, r)
    logits = net.decoder.logits(net.decoder(given.to(device), memory)) + bias
    attention = F.cross_entropy(logits.flatten(0, 1), wanted.to(device).flatten(), ignore_index=-100,
                                label_smoothing=0.02)
    letters = [[CHARACTERS.index(c) for c in s] for s in said]
    log = F.log_softmax(net.ctc(memory.detach() if apart else memory).float(), -1).transpose(0, 1)
    # By the letter over the whole batch: an utterance without any would otherwise outweigh the rest.
    ctc = F.ctc_loss(log, torch.tensor([c for row in letters for c in row]),
                     torch.full((len(said),), memory.shape[1]), torch.tensor([len(row) for row in letters]),
                     blank=LETTERS, zero_infinity=True, reduction="sum") / max(1, sum(map(len, said)))
    return attention, ctc


def save(path, **state):
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--speech", default=os.environ.get("ATTENDANT_SPEECH", "../../../shared/speech"))
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--encoder-layers", type=int, default=4)
    parser.add_argument("--decoder-layers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--init", metavar="FILE", help="go on from an exported file's weights, without the curriculum; "
                        "new words get tokens of their own")
    parser.add_argument("--adam", action="store_true", help="AdamW for the matrices as well")
    parser.add_argument("--seconds", type=float, default=80, help="audio in a batch")
    parser.add_argument("--people", type=float, default=0.13, help="share of people's speech")
    parser.add_argument("--warm", type=int, default=250, help="steps of the curriculum's first stage")
    parser.add_argument("--mask-after", type=float, default=1e6,
                        help="utterances before SpecAugment; before it fits, masking only slows it down")
    parser.add_argument("--loaders", type=int, default=1, help="processes that augment")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5, help="between evaluations")
    parser.add_argument("--steps", type=int, help="stop after so many, for trials")
    a = parser.parse_args()

    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    os.makedirs(a.work, exist_ok=True)
    last = os.path.join(a.work, "last.pt")
    log_file = open(os.path.join(a.work, "log.txt"), "a")

    def log(line):
        print(line, flush=True)
        print(time.strftime("%H:%M:%S"), line, file=log_file, flush=True)

    state = torch.load(last, map_location="cpu", weights_only=False) if os.path.exists(last) else None
    speech = a.speech if os.path.isdir(a.speech) else None
    wanted = tokens_for({i[5] for i in data.Store(os.path.join(a.work, "people")).items})
    if a.init:
        a.warm = 0
    if state:
        tokens, net = Tokens(state["used"]), Ear(**state["shape"])
        if new := set(wanted.used) - set(tokens.used):
            raise SystemExit(f"{last} lacks {len(new)} tokens of the text as it is now. Export it, and start in a new "
                             "work folder with --init and the exported file.")
    elif a.init:
        net, tokens = continued(a.init, wanted.used, LETTERS)
    else:
        tokens = wanted
        net = Ear(tokens=tokens.rows, width=a.width, heads=a.width // 64, encoder_layers=a.encoder_layers,
                  decoder_layers=a.decoder_layers, letters=LETTERS)
    shape, net = net.shape, net.to(device)
    average = copy.deepcopy(net)
    opts = optimisers(net, a.rate, not a.adam)
    step, utterances, spent, best = 0, 0, 0.0, math.inf
    if state:
        net.load_state_dict(state["net"])
        average.load_state_dict(state["ema"])
        for o, s in zip(opts, state["optimisers"]):
            o.load_state_dict(s)
        step, utterances, spent, best = state["step"], state["utterances"], state["spent"], state["best"]
    log(f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} M parameters, {tokens.rows} tokens, "
        f"{device}, {a.hours} h, from step {step}")

    context = multiprocessing.get_context("spawn")
    stage = context.Array("d", curriculum(step, a.warm))
    batches = context.Queue(16)
    for k in range(a.loaders):
        context.Process(target=data.serve, daemon=True, args=(
            batches, stage, a.work, speech, tokens, a.seed + 7919 * (k + 1) + step, a.people, a.seconds)).start()
    held = evaluate.sets(a.work)
    mel, r = LogMel().to(device), np.random.default_rng(a.seed + step)
    bias = torch.zeros(tokens.rows, device=device)
    bias[tokens.unused] = tokens.unused_bias
    began, earlier = time.time(), spent
    checked, since, waiting = time.time(), (time.time(), utterances), 0.0
    sums = [0.0, 0.0, 0]

    def keep(path):
        save(path, net=net.state_dict(), ema=average.state_dict(), optimisers=[o.state_dict() for o in opts],
             used=tokens.used, shape=shape, step=step, utterances=utterances, spent=spent, best=best)

    asked_to_stop = []
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: asked_to_stop.append(1))
    while True:
        spent = earlier + time.time() - began
        share = spent / (a.hours * 3600)
        if share >= 1 or (a.steps and step >= a.steps):
            break
        stage[0], stage[1] = curriculum(step, a.warm)
        if asked_to_stop:
            keep(last)
            log(f"stopped at step {step}; started again, it goes on from here")
            raise SystemExit(STOPPED)
        t = time.time()
        got = batches.get()
        while got is not None and got[2] > stage[0]:
            got = batches.get()
        waiting += time.time() - t
        if got is None:
            raise SystemExit("the process that augments has failed; its error stands above")
        audio, said, _ = got
        x = mel(torch.from_numpy(audio).to(device), formants(len(audio), r))
        if utterances > a.mask_after:
            x = mask(x, r)
        attention, ctc = losses(net, x, said, tokens, bias, r, device, apart=bool(a.init) and step < 200)
        weight = 0.5 if step < 4 * a.warm else 0.3
        lr = rate(step, share, a.rate)
        for o in opts:
            for group in o.param_groups:
                group["lr"] = lr
        net.zero_grad(set_to_none=True)
        ((1 - weight) * attention + weight * ctc).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for o in opts:
            o.step()
        decay = min(0.997, (step + 1) / (step + 20))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - decay)
        step += 1
        utterances += len(said)
        sums = [sums[0] + attention.item(), sums[1] + ctc.item(), sums[2] + 1]
        if step % 25 == 0:
            pace = (utterances - since[1]) / (time.time() - since[0])
            log(f"{step} seen {utterances} att {sums[0] / sums[2]:.3f} ctc {sums[1] / sums[2]:.3f} lr {lr:.1e} "
                f"{pace:.1f}/s waited {waiting:.1f} s, {spent / 60:.1f} min")
            since, waiting, sums = (time.time(), utterances), 0.0, [0.0, 0.0, 0]
        if time.time() - checked > a.minutes * 60:
            report, examples = evaluate.measure(average, tokens, held)
            score = evaluate.score(report)
            log(f"== step {step}: word error {score:.3f}\n" + evaluate.show(report))
            for name, text, heard in examples:
                log(f"     {name}: {text} -> {heard}")
            better, best = score < best, min(best, score)
            keep(last)
            if better:
                keep(os.path.join(a.work, "best.pt"))
            checked = time.time()
    report, _ = evaluate.measure(average, tokens, held)
    score = evaluate.score(report)
    log(f"== end, step {step}: word error {score:.3f}\n" + evaluate.show(report))
    better, best = score < best, min(best, score)
    keep(last)
    if better:
        keep(os.path.join(a.work, "best.pt"))


if __name__ == "__main__":
    main()
