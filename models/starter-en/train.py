"""Training, resumable: the network here, augmentation in processes beside it.

    python train.py --work DIR --hours 2

Stops by the clock, so that the learning rate's descent ends when the time does. Checkpoints (last.pt,
and best.pt by held-out word error) and log.txt lie in the work folder; started again, it goes on from
last.pt, the hours already spent counted.
"""

import argparse
import contextlib
import copy
import math
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import torch
import torch.nn.functional as F

import data
import evaluate
import export
import quant
import texts
import tokens as bpe
from mel import LogMel
from model import Ear
from muon import optimisers
from tokens import EOT, Tokens, encode, ranks

# CTC runs on letters: it ties the encoder to the sound, whatever the words.
CHARACTERS = " abcdefghijklmnopqrstuvwxyz'"
LETTERS = len(CHARACTERS)
# Batches on the device that wait for their turn, so that those used again come among others.
WAITING = 48
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


def vary(mel, masks, r, longest):
    """Another pace for the batch, another slope of the band for each utterance, and SpecAugment, light."""
    n, bands, frames = mel.shape
    if r.random() < 0.5:
        wanted = min(int(frames * r.uniform(0.88, 1.14)) // 2 * 2, longest)
        mel = F.interpolate(mel, size=wanted, mode="linear")
        frames = wanted
    some = lambda *size: torch.rand(*size, device=mel.device)
    band = torch.linspace(-1, 1, bands, device=mel.device)
    low = mel.amin((1, 2), keepdim=True)
    # Up to 10 dB from the lowest band to the highest; a unit of the spectrogram is 40 dB.
    mel = torch.maximum(mel + (some(n, 1, 1) - 0.5) * 0.25 * band[None, :, None], low)
    for _ in range(2 if masks else 0):
        for axis, size, widest in ((1, bands, 10), (2, frames, 14)):
            width = some(n, 1) * widest
            start = some(n, 1) * (size - width)
            place = torch.arange(size, device=mel.device)[None]
            hidden = (place >= start) & (place < start + width)
            mel = torch.where(hidden.unsqueeze(3 - axis), mel.mean((1, 2), keepdim=True), mel)
    return mel


class Batch:
    """Utterances on the device with what the decoder and the CTC head should make of them.

    What is nothing ends at once, mostly through no-speech.
    """

    def __init__(self, audio, said, tokens, r, device):
        rows = [tokens.encode(s) for s in said]
        ends = [tokens.no_speech if not row and r.random() < 0.7 else tokens.eot for row in rows]
        n = max(map(len, rows)) + 2
        start = [tokens.sot, tokens.no_timestamps]
        self.audio = torch.from_numpy(audio).to(device)
        self.given = torch.tensor([start + row + [tokens.eot] * (n - 2 - len(row)) for row in rows]).to(device)
        self.wanted = torch.tensor([[-100] + row + [end] + [-100] * (n - 2 - len(row))
                                    for row, end in zip(rows, ends)]).to(device)
        self.letters = torch.tensor([CHARACTERS.index(c) for s in said for c in s]).to(device)
        self.lengths = torch.tensor([len(s) for s in said])
        self.uses = 0

    def __len__(self):
        return len(self.audio)


def losses(net, mel, batch, bias, apart=False):
    """Of the decoder and of the CTC head; `apart`, the head learns without moving the encoder."""
    with torch.autocast(mel.device.type, torch.bfloat16, enabled=mel.device.type == "cuda"):
        memory = net.encoder(mel)
        logits = net.decoder.logits(net.decoder(batch.given, memory))
        letters = net.ctc(memory.detach() if apart else memory)
    attention = F.cross_entropy((logits.float() + bias).flatten(0, 1), batch.wanted.flatten(), ignore_index=-100,
                                label_smoothing=0.02)
    log = F.log_softmax(letters.float(), -1).transpose(0, 1)
    # By the letter over the whole batch: an utterance without any would otherwise outweigh the rest.
    ctc = F.ctc_loss(log, batch.letters, torch.full((len(batch),), memory.shape[1]), batch.lengths, blank=LETTERS,
                     zero_infinity=True, reduction="sum") / max(1, len(batch.letters))
    return attention, ctc


class Supply:
    """Batches as the loaders make them, each used `echo` times among others (data echoing: Choi and others, 2019).

    A thread brings them to the device while the network works.
    """

    def __init__(self, queue, tokens, echo, seed, device):
        self.queue, self.tokens, self.echo, self.device = queue, tokens, echo, device
        self.r = np.random.default_rng(seed)
        self.ready, self.failed = [], False
        self.changed = threading.Condition()
        threading.Thread(target=self._fill, daemon=True).start()

    def _fill(self):
        try:
            while (got := self.queue.get()) is not None:
                batch = Batch(*got, self.tokens, self.r, self.device)
                with self.changed:
                    self.changed.wait_for(lambda: len(self.ready) < WAITING)
                    self.ready.append(batch)
                    self.changed.notify_all()
        finally:
            with self.changed:
                self.failed = True
                self.changed.notify_all()

    def take(self):
        """One of the batches that are there; waits where there is none."""
        with self.changed:
            self.changed.wait_for(lambda: self.ready or self.failed)
            if self.failed:
                raise SystemExit("the process that augments has failed; its error stands above")
            k = int(self.r.integers(len(self.ready)))
            batch = self.ready[k]
            batch.uses += 1
            if batch.uses >= self.echo:
                del self.ready[k]
                self.changed.notify_all()
        return batch


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
    parser.add_argument("--echo", type=int, default=1, help="uses of what they make, each in other colours")
    parser.add_argument("--round-after", type=float, default=1,
                        help="share of the time after which the network hears through the weights rounded to q5_0")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5, help="between evaluations")
    parser.add_argument("--steps", type=int, help="stop after so many, for trials")
    a = parser.parse_args()

    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
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
    supply = Supply(batches, tokens, a.echo, a.seed + step, device)
    held = evaluate.sets(a.work)
    mel, r = LogMel().to(device), np.random.default_rng(a.seed + step)
    bias = torch.zeros(tokens.rows, device=device)
    bias[tokens.unused] = tokens.unused_bias
    began, earlier = time.time(), spent
    checked, since, waiting = time.time(), (time.time(), utterances), 0.0
    sums = torch.zeros(3, device=device)

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
        batch = supply.take()
        waiting += time.time() - t
        through = quant.heard_through(net) if share >= a.round_after else contextlib.nullcontext()
        with through:
            x = mel(batch.audio.float(), formants(len(batch), r))
            if a.echo > 1 or utterances > a.mask_after:
                x = vary(x, utterances > a.mask_after, r, 2 * shape["audio_context"])
            attention, ctc = losses(net, x, batch, bias, apart=bool(a.init) and step < 200)
            weight = 0.5 if step < 4 * a.warm else 0.3
            net.zero_grad(set_to_none=True)
            ((1 - weight) * attention + weight * ctc).backward()
        lr = rate(step, share, a.rate)
        for o in opts:
            for group in o.param_groups:
                group["lr"] = lr
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for o in opts:
            o.step()
        decay = min(0.997, (step + 1) / (step + 20))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - decay)
        step += 1
        utterances += len(batch)
        sums += torch.stack([attention.detach(), ctc.detach(), torch.ones_like(ctc)])
        if step % 25 == 0 and (device.type == "cpu" or step % 200 == 0):
            sums = (sums / sums[2]).tolist()
            pace = (utterances - since[1]) / (time.time() - since[0])
            log(f"{step} seen {utterances} att {sums[0]:.3f} ctc {sums[1]:.3f} lr {lr:.1e} "
                f"{pace:.1f}/s waited {waiting:.1f} s, {spent / 60:.1f} min")
            since, waiting, sums = (time.time(), utterances), 0.0, torch.zeros(3, device=device)
        if time.time() - checked > a.minutes * 60:
            with quant.heard_through(average):
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
    with quant.heard_through(average):
        report, _ = evaluate.measure(average, tokens, held)
    score = evaluate.score(report)
    log(f"== end, step {step}: word error {score:.3f}\n" + evaluate.show(report))
    better, best = score < best, min(best, score)
    keep(last)
    if better:
        keep(os.path.join(a.work, "best.pt"))


if __name__ == "__main__":
    main()
