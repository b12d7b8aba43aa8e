"""The network: Whisper's architecture, tensor for tensor, with a CTC head for training only.

Parameter names are those of Whisper's state dict, so that export is a walk over it.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x, memory=None, causal=False):
        source = x if memory is None else memory
        batch, n, width = x.shape
        split = lambda y: y.view(batch, -1, self.heads, width // self.heads).transpose(1, 2)
        y = F.scaled_dot_product_attention(split(self.query(x)), split(self.key(source)),
                                           split(self.value(source)), is_causal=causal)
        return self.out(y.transpose(1, 2).reshape(batch, n, width))


class Block(nn.Module):
    def __init__(self, width, heads, cross=False, dropout=0.0):
        super().__init__()
        self.attn, self.attn_ln = Attention(width, heads), nn.LayerNorm(width)
        if cross:
            self.cross_attn, self.cross_attn_ln = Attention(width, heads), nn.LayerNorm(width)
        # whisper.cpp evaluates GELU in its tanh form.
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))
        self.mlp_ln = nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, memory=None, causal=False):
        x = x + self.drop(self.attn(self.attn_ln(x), causal=causal))
        if memory is not None:
            x = x + self.drop(self.cross_attn(self.cross_attn_ln(x), memory))
        return x + self.drop(self.mlp(self.mlp_ln(x)))


def sinusoids(length, width):
    step = math.log(10000) / (width // 2 - 1)
    angles = torch.arange(length)[:, None] * torch.exp(-step * torch.arange(width // 2))[None]
    return torch.cat([angles.sin(), angles.cos()], 1)


class Encoder(nn.Module):
    def __init__(self, width, heads, layers, mels, context):
        super().__init__()
        self.conv1 = nn.Conv1d(mels, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        # At PyTorch's default the content drowns in the positional sinusoids and nothing is learnt.
        nn.init.kaiming_normal_(self.conv1.weight)
        nn.init.kaiming_normal_(self.conv2.weight)
        with torch.no_grad():
            self.conv1.weight.mul_(2.0)
            self.conv2.weight.mul_(1.5)
        self.register_buffer("positional_embedding", sinusoids(context, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln_post = nn.LayerNorm(width)

    def forward(self, mel):
        x = F.gelu(self.conv1(mel), approximate="tanh")
        x = F.gelu(self.conv2(x), approximate="tanh").transpose(1, 2)
        x = x + self.positional_embedding[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.ln_post(x)


class Decoder(nn.Module):
    def __init__(self, tokens, width, heads, layers, context):
        super().__init__()
        self.token_embedding = nn.Embedding(tokens, width)
        nn.init.normal_(self.token_embedding.weight, std=width ** -0.5)
        self.positional_embedding = nn.Parameter(torch.randn(context, width) * 0.01)
        self.blocks = nn.ModuleList(Block(width, heads, cross=True) for _ in range(layers))
        self.ln = nn.LayerNorm(width)

    def forward(self, tokens, memory):
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, memory, causal=True)
        return self.ln(x)

    def logits(self, x):
        return x @ self.token_embedding.weight.T


class Ear(nn.Module):
    """`tokens` counts the rows of the embedding (see tokens.Tokens.rows).

    Ten seconds of context are as much as training ever hears (data.CONTEXT); the line cuts what is longer.
    """

    def __init__(self, tokens, width=192, heads=3, encoder_layers=4, decoder_layers=2,
                 mels=80, audio_context=500, text_context=448, letters=28):
        super().__init__()
        self.shape = dict(tokens=tokens, width=width, heads=heads, encoder_layers=encoder_layers,
                          decoder_layers=decoder_layers, mels=mels, audio_context=audio_context,
                          text_context=text_context, letters=letters)
        self.encoder = Encoder(width, heads, encoder_layers, mels, audio_context)
        self.decoder = Decoder(tokens, width, heads, decoder_layers, text_context)
        self.ctc = nn.Linear(width, letters + 1)

    @torch.no_grad()
    def greedy(self, mel, tokens, longest=36):
        """Rows of local ids for a batch, each cut at end-of-text."""
        memory = self.encoder(mel)
        text = torch.tensor([[tokens.sot, tokens.no_timestamps]] * len(mel), device=mel.device)
        done = torch.zeros(len(mel), dtype=torch.bool, device=mel.device)
        never = [tokens.sot, tokens.no_timestamps, tokens.unused, tokens.no_speech]
        for _ in range(longest):
            logits = self.decoder.logits(self.decoder(text, memory)[:, -1])
            logits[:, never] = -1e9
            best = logits.argmax(-1)
            best[done] = tokens.eot
            done |= best == tokens.eot
            text = torch.cat([text, best[:, None]], 1)
            if done.all():
                break
        rows = text[:, 2:].tolist()
        return [row[: row.index(tokens.eot)] if tokens.eot in row else row for row in rows]
