#!/usr/bin/env python3
"""Writes the small PyTorch files of tests/data/torch (PyTorch 1.13; needed only to change them).

Every file holds the same tensors, so one test reads them all:
  conv.weight  f32 [2,3,1,2], 0..11          half  f16 [3]: 0.5, -2, 65504
  slice        f32, every second element of a storage that `shared` uses too
  transposed   f32 [3,2], strides (1, 3)     bfloat bf16 [2]     double f64 [2]
  long i64 [2], int i32, short i16, char i8, byte u8, flag bool      scalar f32 []   empty f32 [0]
"""
import collections
import os
import sys

import torch

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../data/torch")


def tensors():
    shared = torch.arange(8, dtype=torch.float32)
    return collections.OrderedDict(
        [
            ("conv.weight", torch.arange(12, dtype=torch.float32).reshape(2, 3, 1, 2)),
            ("shared", shared),
            ("slice", shared[1::2]),
            ("transposed", torch.arange(6, dtype=torch.float32).reshape(2, 3).t()),
            ("half", torch.tensor([0.5, -2, 65504], dtype=torch.float16)),
            ("bfloat", torch.tensor([1.5, -3], dtype=torch.bfloat16)),
            ("double", torch.tensor([0.25, 1e30], dtype=torch.float64)),
            ("long", torch.tensor([-1, 2**40])),
            ("int", torch.tensor([7], dtype=torch.int32)),
            ("short", torch.tensor([-7], dtype=torch.int16)),
            ("char", torch.tensor([-8], dtype=torch.int8)),
            ("byte", torch.tensor([200], dtype=torch.uint8)),
            ("flag", torch.tensor([True, False])),
            ("scalar", torch.tensor(3.5)),
            ("empty", torch.zeros(0)),
        ]
    )


def save(name, value, **options):
    torch.save(value, os.path.join(OUT, name), **options)


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 1)
        self.norm = torch.nn.BatchNorm2d(2)

    def forward(self, x):
        return self.norm(self.conv(x))


def main():
    os.makedirs(OUT, exist_ok=True)
    for protocol in (2, 3, 4, 5):
        save(f"zip_protocol{protocol}.pth", tensors(), pickle_protocol=protocol)
        save(
            f"legacy_protocol{protocol}.pth",
            tensors(),
            pickle_protocol=protocol,
            _use_new_zipfile_serialization=False,
        )
    tiny = {"conv.weight": torch.tensor([[1.0, 2.0]]), "conv.bias": torch.tensor([3.0])}
    save("tiny_zip.pth", tiny)
    save("tiny_legacy.pth", tiny, _use_new_zipfile_serialization=False)

    zeros = {key: torch.zeros_like(value) for key, value in tiny.items()}
    prefixed = {"module." + key: torch.nn.Parameter(value) for key, value in tiny.items()}
    save("nested.pth", {"epoch": 7, "params": zeros, "params_ema": prefixed, "pro": True})
    save("lightning.pth", {"state_dict": {"generator." + k: v for k, v in tiny.items()}})
    save("nan.pth", {"good": torch.ones(2), "bad": torch.tensor([1.0, float("nan")])})

    torch.manual_seed(1)
    module = torch.nn.Sequential(Block(), torch.nn.PReLU()).eval()
    save("module.pth", module)
    save("module_state.pth", module.state_dict())
    torch.jit.trace(module, torch.zeros(1, 1, 2, 2)).save(os.path.join(OUT, "script.pt"))


main()
