"""Speech codecs of the telephone network, where their libraries are installed: GSM 06.10, AMR, Opus.

Called as shared libraries; what is missing is left out. An utterance goes through encoder and decoder
frame by frame, and comes back as long as it was.
"""

import ctypes

import numpy as np


def _library(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


def _frames(a, n):
    """int16 frames of n samples, the last one filled with silence."""
    a = np.clip(a * 32767, -32768, 32767).astype("<i2")
    return np.concatenate([a, np.zeros(-len(a) % n, "<i2")]).reshape(-1, n)


class Gsm:
    """Full rate, 13 kbit/s."""
    rate = 8000

    def __init__(self):
        self.lib = _library("libgsm.so.1")
        if self.lib:
            self.lib.gsm_create.restype = ctypes.c_void_p
            self.coder, self.decoder = (ctypes.c_void_p(self.lib.gsm_create()) for _ in range(2))

    def __call__(self, a, _r):
        frame, out = ctypes.create_string_buffer(33), []
        for samples in _frames(a, 160):
            heard = np.zeros(160, "<i2")
            self.lib.gsm_encode(self.coder, samples.ctypes.data_as(ctypes.c_void_p), frame)
            self.lib.gsm_decode(self.decoder, frame, heard.ctypes.data_as(ctypes.c_void_p))
            out.append(heard)
        return np.concatenate(out)[: len(a)].astype(np.float32) / 32768


class Amr:
    """Narrow band, one of its eight rates from 4.75 to 12.2 kbit/s."""
    rate = 8000

    def __init__(self):
        self.lib = _library("libopencore-amrnb.so.0")
        if self.lib:
            self.lib.Encoder_Interface_init.restype = ctypes.c_void_p
            self.lib.Decoder_Interface_init.restype = ctypes.c_void_p
            self.coder = ctypes.c_void_p(self.lib.Encoder_Interface_init(0))
            self.decoder = ctypes.c_void_p(self.lib.Decoder_Interface_init())

    def __call__(self, a, r):
        frame, out, mode = ctypes.create_string_buffer(64), [], r.randrange(8)
        for samples in _frames(a, 160):
            heard = np.zeros(160, "<i2")
            self.lib.Encoder_Interface_Encode(self.coder, mode, samples.ctypes.data_as(ctypes.c_void_p), frame, 0)
            self.lib.Decoder_Interface_Decode(self.decoder, frame, heard.ctypes.data_as(ctypes.c_void_p), 0)
            out.append(heard)
        return np.concatenate(out)[: len(a)].astype(np.float32) / 32768


class Opus:
    """At 16 kHz and 6 to 24 kbit/s, one frame in fifty lost and concealed."""
    rate = 16000
    VOIP, SET_BITRATE, SET_COMPLEXITY = 2048, 4002, 4010

    def __init__(self):
        self.lib = _library("libopus.so.0")
        if self.lib:
            self.lib.opus_encoder_create.restype = self.lib.opus_decoder_create.restype = ctypes.c_void_p
            error = ctypes.c_int()
            self.coder = ctypes.c_void_p(self.lib.opus_encoder_create(16000, 1, self.VOIP, ctypes.byref(error)))
            self.decoder = ctypes.c_void_p(self.lib.opus_decoder_create(16000, 1, ctypes.byref(error)))
            self.lib.opus_encoder_ctl(self.coder, self.SET_COMPLEXITY, ctypes.c_int(2))

    def __call__(self, a, r):
        self.lib.opus_encoder_ctl(self.coder, self.SET_BITRATE, ctypes.c_int(r.choice([6000, 8000, 12000, 24000])))
        packet, out = ctypes.create_string_buffer(400), []
        for samples in _frames(a, 320):
            heard = np.zeros(320, "<i2")
            n = self.lib.opus_encode(self.coder, samples.ctypes.data_as(ctypes.c_void_p), 320, packet, 400)
            lost = r.random() < 0.02
            self.lib.opus_decode(self.decoder, None if lost else packet, 0 if lost else n,
                                 heard.ctypes.data_as(ctypes.c_void_p), 320, 0)
            out.append(heard)
        return np.concatenate(out)[: len(a)].astype(np.float32) / 32768


def installed():
    """One of each codec whose library is here."""
    return [c for c in (Gsm(), Amr(), Opus()) if c.lib]
