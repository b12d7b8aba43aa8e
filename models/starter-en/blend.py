"""The mean of a checkpoint's weights and those of the file that its training went on from.

    python blend.py --work DIR --shares 0.3,0.5,0.7,1

Training that goes on leaves what it does not rehearse a little behind; between the two there is often a
network that is better than both (Wortsman and others, Robust fine-tuning of zero-shot models, CVPR 2022).
Each share of the new weights is tried on the validation sets, and the best becomes blend.pt.
"""

import argparse
import os

import torch

import evaluate
import train


def blended(old, new, share):
    """The state between two of equal shape; `share` of the new one, 0 to 1."""
    return {name: torch.lerp(old[name].float(), new[name].float(), share) for name in new if name in old} | {
        name: new[name] for name in new if name not in old}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", default="../../target/starter-en")
    parser.add_argument("--init", metavar="FILE", help="the exported file [default: init.bin in the work folder]")
    parser.add_argument("--checkpoint", help="[default: best.pt in the work folder]")
    parser.add_argument("--shares", default="0.3,0.5,0.7,1", help="of the new weights, parted by commas")
    a = parser.parse_args()
    torch.set_num_threads(1)
    net, tokens, state = evaluate.load(a.checkpoint or os.path.join(a.work, "best.pt"))
    old, old_tokens = train.continued(a.init or os.path.join(a.work, "init.bin"), tokens.used, train.LETTERS)
    if old_tokens.used != tokens.used:
        raise SystemExit("the file knows tokens that the checkpoint does not: it is not what training went on from")
    # The head on letters is not in the file; the checkpoint's is kept.
    first = {name: a for name, a in old.state_dict().items() if not name.startswith("ctc")}
    held, tried = evaluate.sets(a.work), []
    for share in map(float, a.shares.split(",")):
        weights = blended(first, state["ema"], share)
        net.load_state_dict(weights)
        report, _ = evaluate.measure(net.eval(), tokens, held)
        tried.append((evaluate.score(report), share, weights))
        print(f"{share:.0%} new: word error {tried[-1][0]:.3f}\n" + evaluate.show(report), flush=True)
    score, share, weights = min(tried, key=lambda t: t[0])
    train.save(os.path.join(a.work, "blend.pt"), **(state | dict(net=weights, ema=weights, best=score)))
    print(f"blend.pt: {share:.0%} new, word error {score:.3f}")


if __name__ == "__main__":
    main()
