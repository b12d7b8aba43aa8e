"""The whole recipe in one command: synthesis, training, export and figures.

    python run.py --hours 8                 a night of two cores
    python run.py --hours 1 --workers 12    an hour of a GPU with sixteen cores
    python run.py --scratch                 from random weights

Training goes on from the model that is there (--init), for which the rate is gentler, and its mean with what
came of it is taken where that is better. Started again after an interruption it goes on from where it was.
Everything but the model's file lies in the work folder.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# train.py's exit code where it was asked to stop (EX_TEMPFAIL of sysexits.h).
STOPPED = 75


def step(script, *arguments):
    subprocess.run([sys.executable, os.path.join(HERE, script), *arguments], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default=os.path.join(ROOT, "target", "starter-en"))
    parser.add_argument("--speech", default=os.environ.get(
        "ATTENDANT_SPEECH", os.path.join(os.path.dirname(ROOT), "shared", "speech")))
    parser.add_argument("--out", default=os.path.join(ROOT, "models", "starter-en.bin"))
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chunks", type=int, default=90, help="of 1200 utterances, 70 MB each")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1),
                        help="processes that synthesise")
    parser.add_argument("--init", default=os.path.join(ROOT, "models", "starter-en.bin"), metavar="FILE",
                        help="the exported file to go on from")
    parser.add_argument("--scratch", action="store_true", help="from random weights instead")
    a, more = parser.parse_known_args()
    work = ["--work", a.work]
    os.makedirs(a.work, exist_ok=True)
    if not a.scratch:
        # A copy: the file itself is replaced at the end, and started again the run must know what it began with.
        first_weights = os.path.join(a.work, "init.bin")
        if not os.path.exists(first_weights):
            shutil.copyfile(a.init, first_weights)
        more = ["--init", first_weights, "--rate", "7e-4", "--people", "0.4", *more]
    for name in ("validation", "test"):
        if not os.path.exists(os.path.join(a.work, name, "unseen.tsv")):
            step("synth.py", *work, "--held-out", name)
    if not os.path.exists(os.path.join(a.work, "validation", "people.tsv")):
        step("people.py", *work, "--speech", a.speech)
    if not os.path.exists(os.path.join(a.work, "people", "accents.tsv")):
        step("accents.py", *work)
    makers = [subprocess.Popen(
        [sys.executable, os.path.join(HERE, "synth.py"), *work, "--seed", str(a.seed), "--chunks",
         str(a.chunks), "--part", f"{k}/{a.workers}"], preexec_fn=lambda: os.nice(10))
        for k in range(a.workers)]
    trainer = None
    # Training saves where it is before it ends; Ctrl-C reaches it by itself, other stops are passed on.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: trainer and trainer.terminate())
    try:
        first = os.path.join(a.work, "corpus", "chunk-00000.tsv")
        while not os.path.exists(first):
            if makers[0].poll() not in (None, 0):
                raise SystemExit("synthesis failed; its error stands above")
            time.sleep(1)
        trainer = subprocess.Popen([sys.executable, os.path.join(HERE, "train.py"), *work, "--speech", a.speech,
                                    "--hours", str(a.hours), "--seed", str(a.seed), *more])
        code = trainer.wait()
        if code == STOPPED:
            print("stopped; the same command goes on from here", flush=True)
            raise SystemExit(STOPPED)
        if code != 0:
            raise SystemExit("training failed; its error stands above")
    finally:
        for maker in makers:
            maker.terminate()
    chosen = os.path.join(a.work, "best.pt")
    if not a.scratch:
        step("blend.py", *work)
        chosen = os.path.join(a.work, "blend.pt")
    step("export.py", *work, "--checkpoint", chosen, "--out", a.out)
    step("evaluate.py", *work, "--checkpoint", chosen, "--set", "test")


if __name__ == "__main__":
    main()
