"""The whole recipe in one command: synthesis, training, export and figures.

    python run.py --hours 8                 a night of two cores
    python run.py --hours 0.4 --scratch     a GPU with sixteen cores: twenty-four minutes
    python run.py --scratch                 from random weights

Where there is a GPU, batches are large and most cores augment. Training goes on from the model that is there
(--init), for which the rate is gentler, and its mean with what came of it is taken where that is better. Started
again after an interruption it goes on from where it was. Everything but the model's file lies in the work folder.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# train.py's exit code where it was asked to stop (EX_TEMPFAIL of sysexits.h).
STOPPED = 75


def step(script, *arguments):
    subprocess.run([sys.executable, os.path.join(HERE, script), *arguments], check=True)


def started(script, *arguments, niceness=0):
    return subprocess.Popen([sys.executable, os.path.join(HERE, script), *arguments],
                            preexec_fn=lambda: os.nice(niceness))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default=os.path.join(ROOT, "target", "starter-en"))
    parser.add_argument("--speech", default=os.environ.get(
        "ATTENDANT_SPEECH", os.path.join(os.path.dirname(ROOT), "shared", "speech")))
    parser.add_argument("--out", default=os.path.join(ROOT, "models", "starter-en.bin"))
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chunks", type=int, help="of 1200 utterances, 60 MB each [default: 90, with a GPU 260]")
    parser.add_argument("--workers", type=int, help="processes that synthesise [default: all cores but one; with a "
                        "GPU two in five, the others augment]")
    parser.add_argument("--init", default=os.path.join(ROOT, "models", "starter-en.bin"), metavar="FILE",
                        help="the exported file to go on from")
    parser.add_argument("--scratch", action="store_true", help="from random weights instead")
    a, more = parser.parse_known_args()
    work = ["--work", a.work]
    os.makedirs(a.work, exist_ok=True)
    cores, gpu = os.cpu_count() or 2, torch.cuda.is_available()
    workers = a.workers or max(1, cores * 2 // 5 if gpu else cores - 1)
    chunks = a.chunks or (260 if gpu else 90)
    if not a.scratch:
        # A copy: the file itself is replaced at the end, and started again the run must know what it began with.
        first_weights = os.path.join(a.work, "init.bin")
        if not os.path.exists(first_weights):
            shutil.copyfile(a.init, first_weights)
        more = ["--init", first_weights, "--rate", "7e-4", "--people", "0.4", *more]
    if gpu:
        if a.scratch:
            # Room for twice the network in the same 16 MB, by rounding to fewer bits, which training hears through.
            more = ["--width", "256", "--encoder-layers", "6", "--round-after", "0.8", *more]
        more = ["--seconds", "800", "--loaders", str(max(1, cores - workers - 1)), "--echo", "3", "--minutes", "1.5",
                "--people", "0.35", "--rate", "2e-3" if a.scratch else "1e-3", *more]

    def there(*parts):
        return os.path.exists(os.path.join(a.work, *parts))

    prepared = []
    for name in ("validation", "test"):
        if not there(name, "unseen.tsv"):
            prepared.append((("synth.py", *work, "--held-out", name), (name, "unseen.tsv")))
    if not there("people", "joined-0.tsv"):
        prepared.append((("people.py", *work, "--speech", a.speech, "--parts", "5" if gpu else "1"),
                         ("validation", "people.tsv")))
    if not there("people", "accents.tsv"):
        prepared.append((("accents.py", *work, "--count", "15000" if gpu else "3500"), None))
    if not there("people", "morphs-0.tsv"):
        prepared.append((("morphs.py", *work, "--speech", a.speech, "--parts", "4" if gpu else "1"), None))
    children = [(started(*command), wanted) for command, wanted in prepared]
    makers = [started("synth.py", *work, "--seed", str(a.seed), "--chunks", str(chunks), "--part", f"{k}/{workers}",
                      niceness=10) for k in range(workers)]
    trainer = None
    # Training saves where it is before it ends; Ctrl-C reaches it by itself, other stops are passed on.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: trainer and trainer.terminate())
    try:
        # What is trained on may grow while training goes on; what measures it may not.
        for child, wanted in [*children, (makers[0], ("corpus", "chunk-00000.tsv"))]:
            while child.poll() is None and wanted and not there(*wanted):
                time.sleep(1)
            if child.poll():
                raise SystemExit("synthesis failed; its error stands above")
        trainer = subprocess.Popen([sys.executable, os.path.join(HERE, "train.py"), *work, "--speech", a.speech,
                                    "--hours", str(a.hours), "--seed", str(a.seed), *more])
        code = trainer.wait()
        if code == STOPPED:
            print("stopped; the same command goes on from here", flush=True)
            raise SystemExit(STOPPED)
        if code != 0:
            raise SystemExit("training failed; its error stands above")
    finally:
        for child in [child for child, _ in children] + makers:
            child.terminate()
    chosen = os.path.join(a.work, "best.pt")
    if not a.scratch:
        step("blend.py", *work)
        chosen = os.path.join(a.work, "blend.pt")
    step("export.py", *work, "--checkpoint", chosen, "--out", a.out)
    step("evaluate.py", *work, "--checkpoint", chosen, "--set", "test")


if __name__ == "__main__":
    main()
