"""Whisper's log-mel spectrogram, with filters computed here (Slaney's scale and normalisation)."""

import numpy as np
import torch

RATE, WINDOW, HOP, MELS = 16000, 400, 160, 80


def filters(mels=MELS, rate=RATE, window=WINDOW, warp=1.0):
    """The (mels, window / 2 + 1) filter bank.

    `warp` moves the filters, and so the formants that they see, as another length of vocal tract
    would; only training uses it.
    """
    def to_hz(m):
        return np.where(m < 15, m * 200 / 3, 1000 * np.exp((m - 15) * np.log(6.4) / 27))

    def to_mel(f):
        return f * 3 / 200 if f < 1000 else 15 + np.log(f / 1000) * 27 / np.log(6.4)
    edges = to_hz(np.linspace(0, to_mel(rate / 2), mels + 2))
    bend = 0.55 * rate / 2
    edges = np.where(edges < bend, edges * warp,
                     bend * warp + (edges - bend) * (rate / 2 - bend * warp) / (rate / 2 - bend))
    bins = np.arange(window // 2 + 1) * rate / window
    rise = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    bank = np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return bank.astype(np.float32)


class LogMel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("bank", torch.from_numpy(filters()))
        self.warps, self.banks = {}, None
        self.register_buffer("window", torch.hann_window(WINDOW))

    @torch.no_grad()
    def forward(self, audio, warps=None):
        """(batch, samples) to (batch, 80, samples / 160); `warps`, one an utterance, move the formants."""
        bank = self.bank
        if warps is not None:
            if new := set(warps) - self.warps.keys():
                self.warps |= {warp: len(self.warps) + k for k, warp in enumerate(sorted(new))}
                self.banks = torch.stack([torch.from_numpy(filters(warp=w)) for w in self.warps]).to(bank.device)
            bank = self.banks[[self.warps[w] for w in warps]]
        power = torch.stft(audio, WINDOW, HOP, window=self.window, return_complex=True)[..., :-1].abs() ** 2
        log = (bank @ power).clamp(min=1e-10).log10()
        # Whisper's floor lies under the loudest cell of the whole input; padding ends up on it.
        log = torch.maximum(log, log.amax((1, 2), keepdim=True) - 8)
        return (log + 4) / 4
