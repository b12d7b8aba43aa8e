"""The optimisers: Muon for the matrices, AdamW for everything else.

Muon orthogonalises each matrix's momentum, which needs far fewer utterances than AdamW for the same
error. Newton-Schulz runs in float32, on all matrices of one shape together.
"""

import torch


def orthogonalise(g, steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = g.shape[-2] > g.shape[-1]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Its learning rate is on AdamW's scale: updates are brought to AdamW's usual size."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for shape, params in shapes.items():
                updates = []
                for p in params:
                    m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                    m.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(m, group["momentum"]))
                size = 0.2 * max(shape) ** 0.5
                for p, u in zip(params, orthogonalise(torch.stack(updates))):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(u, alpha=-group["lr"] * size)


def optimisers(net, lr, muon=True, weight_decay=0.01):
    """Both, as a list; every group remembers its share of the schedule's rate in `scale`."""
    matrices, rest = [], []
    for name, p in net.named_parameters():
        inner = p.ndim == 2 and ".blocks." in name
        (matrices if inner and muon else rest).append(p)
    out = [torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True)]
    if matrices:
        out.append(Muon(matrices, lr=lr, weight_decay=weight_decay))
    return out
