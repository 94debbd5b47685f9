#!/usr/bin/env python3
"""Prints the numbers that tests/restore/metrics_agreement_test.cpp and lpips_test.cpp expect, from the
published tools, on pictures that the tests make again by the same formulas.

    metrics_expected.py ssim        scikit-image 0.26.0
    metrics_expected.py ms_ssim     pytorch-msssim 1.0.0
    metrics_expected.py delta_e     scikit-image 0.26.0
    metrics_expected.py niqe DIR    BasicSR 1.4.2; DIR: its unpacked source archive
    metrics_expected.py lpips       lpips 0.1.4, torchvision's AlexNet and VGG16

Each needs numpy and the tool that it names; the tools need no GPU and no downloaded weights.
"""
import sys
import types

import numpy as np


def hashed(x, y, c, seed):
    h = (x * 374761393 + y * 668265263 + c * 2246822519 + seed * 3266489917) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return h ^ (h >> 16)


def pictures(width, height, channels):
    """The test and the reference picture, uint8 [height, width, channels]."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    t = (x * (3 + c) + 2 * y + ((x * y) >> 5)) & 255
    wave = np.where(t < 128, 2 * t, 510 - 2 * t)
    reference = (3 * wave + (hashed(x, y, c, 1) & 255)) // 4
    noise = hashed(x, y, c, 2) % 33
    return np.clip(reference + noise - 16, 0, 255).astype(np.uint8), reference.astype(np.uint8)


def ssim():
    from skimage.metrics import structural_similarity
    for channels, width, height in ((1, 61, 47), (3, 61, 47)):
        test, reference = pictures(width, height, channels)
        common = dict(data_range=255, channel_axis=2)
        print(channels, width, height, "gaussian", repr(structural_similarity(
            test, reference, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, **common)),
            "defaults", repr(structural_similarity(test, reference, **common)))


def ms_ssim():
    import pytorch_msssim
    import torch
    for channels, width, height in ((1, 208, 176), (3, 208, 176)):
        planes = [torch.tensor(p.astype(float).tolist(), dtype=torch.float64).permute(2, 0, 1)[None]
                  for p in pictures(width, height, channels)]
        print(channels, width, height, repr(pytorch_msssim.ms_ssim(*planes, data_range=255).item()))
    # Odd sides mirrored, as in Wang's msssim.m, around the tool's windows.
    from pytorch_msssim.ssim import _fspecial_gauss_1d, _ssim
    planes = [torch.tensor(p.astype(float).tolist(), dtype=torch.float64).permute(2, 0, 1)[None]
              for p in pictures(207, 175, 1)]
    product = 1
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mean, contrast = _ssim(*planes, 255, _fspecial_gauss_1d(11, 1.5)[None], size_average=False)
        product *= (mean if scale == 4 else contrast).item() ** weight
        planes = [torch.nn.functional.avg_pool2d(torch.nn.functional.pad(
            p, (0, p.shape[3] % 2, 0, p.shape[2] % 2), mode="replicate"), 2) for p in planes]
    print(1, 207, 175, "mirrored", repr(product))


def delta_e():
    from skimage import color
    labs = [color.rgb2lab(p) for p in pictures(61, 47, 3)]
    print("CIEDE2000", repr(color.deltaE_ciede2000(*labs).mean()),
          "CIE76", repr(color.deltaE_cie76(*labs).mean()))


def niqe(basicsr):
    """BasicSR's functions without the rest of it, which needs OpenCV and torchvision."""
    from scipy.special import gamma  # noqa: F401  (imported by the source that is run here)
    import scipy.ndimage

    def load(name, path, replace=()):
        module = types.ModuleType(name)
        text = open(f"{basicsr}/{path}").read()
        for old, new in replace:
            assert old in text, old
            text = text.replace(old, new)
        module.__file__ = f"{basicsr}/{path}"
        sys.modules[name] = module
        exec(compile(text, path, "exec"), module.__dict__)
        return module

    for name in ("cv2", "basicsr", "basicsr.metrics", "basicsr.utils", "scipy.ndimage.filters"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["scipy.ndimage.filters"].convolve = scipy.ndimage.convolve
    registry = types.ModuleType("basicsr.utils.registry")
    registry.METRIC_REGISTRY = types.SimpleNamespace(register=lambda: lambda f: f)
    sys.modules[registry.__name__] = registry
    color = load("color", "basicsr/utils/color_util.py")
    sys.modules["basicsr.utils"].bgr2ycbcr = color.bgr2ycbcr
    load("basicsr.metrics.metric_util", "basicsr/metrics/metric_util.py")
    load("basicsr.utils.matlab_functions", "basicsr/utils/matlab_functions.py")
    module = load("basicsr.metrics.niqe", "basicsr/metrics/niqe.py")
    # The same source in double, as the MATLAB code computes: f32 adds noise of its own.
    load("basicsr.utils.matlab_functions", "basicsr/utils/matlab_functions.py",
         ((".float()", ".double()"), ("torch.FloatTensor", "torch.DoubleTensor"),
          ("torch.linspace(1, out_length, out_length)",
           "torch.linspace(1, out_length, out_length, dtype=torch.float64)"),
          ("torch.linspace(0, p - 1, p)", "torch.linspace(0, p - 1, p, dtype=torch.float64)")))
    in_double = load("basicsr.metrics.niqe", "basicsr/metrics/niqe.py")

    # A pristine model made by a formula: no measured one is needed to compare implementations.
    i = np.arange(36)
    mean = np.where(i % 3 == 0, 0.8, 0.25)
    covariance = 0.02 * np.eye(36) + 0.01 / (1 + np.abs(i[:, None] - i[None, :]))
    for channels, width, height in ((1, 300, 200), (3, 300, 200)):
        test, reference = pictures(width, height, channels)
        for name, picture in (("test", test), ("reference", reference)):
            luma = picture.astype(np.float32)
            luma = module.to_y_channel(luma[..., ::-1]) if channels == 3 else luma
            luma = np.squeeze(luma).round()
            exact = np.squeeze(picture.astype(int))
            if channels == 3:  # halves go up, as MATLAB rounds; NumPy would round them to even
                exact = 16 + (2 * exact @ [65481, 128553, 24966] + 255000) // 510000
            exact = exact.astype(float)
            released = np.load(f"{basicsr}/basicsr/metrics/niqe_pris_params.npz")
            window = released["gaussian_window"]
            print(channels, width, height, name,
                  "formula", repr(module.niqe(luma, mean, covariance, window)),
                  "in double", repr(in_double.niqe(exact, mean, covariance, window)),
                  "released model", repr(module.calculate_niqe(
                      picture[..., ::-1] if channels == 3 else picture[..., 0], 0,
                      "HWC" if channels == 3 else "HW")),
                  "in double", repr(in_double.niqe(
                      exact, released["mu_pris_param"], released["cov_pris_param"],
                      window)))


def procedural_fill(key, seed, offset, scale, count):
    """tests/support/golden.h"""
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        h = 0xCBF29CE484222325
        for letter in key.encode():
            h = ((h ^ letter) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        z = np.uint64(h ^ ((seed * int(golden)) & 0xFFFFFFFFFFFFFFFF)) \
            + golden * np.arange(1, count + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(11)).astype(np.float64) * 2.0 ** -53
    return (offset + scale * (2 * u - 1)).astype(np.float32)


def lpips():
    import torch
    for name in ("lpips.trainer",):  # the training code wants packages that the metric does not
        sys.modules[name] = types.ModuleType(name)
    import lpips as tool
    import torchvision
    trunks = {"alex": torchvision.models.alexnet, "vgg": torchvision.models.vgg16}
    for net, trunk in trunks.items():
        metric = tool.LPIPS(pretrained=False, net=net, pnet_rand=True, verbose=False)
        state = metric.state_dict()
        for key in state:
            if key.startswith("net."):  # "net.slice2.3.weight" is torchvision's "features.3.weight"
                official = "features." + key.split(".", 2)[2]
                fan_in = state[key][0].numel()
                scale = (6 / fan_in) ** 0.5 if key.endswith("weight") else 0.1
                values = procedural_fill(official, 7, 0, scale, state[key].numel())
            elif key.startswith("lin") and not key.startswith("lins."):
                values = procedural_fill(key, 7, 0.5, 0.5, state[key].numel())
            else:
                continue
            state[key] = torch.tensor(values).reshape(state[key].shape)
        for key in state:  # the same parameters by another name
            if key.startswith("lins."):
                state[key] = state["lin" + key[len("lins."):]]
        metric.load_state_dict(state)
        planes = [torch.tensor(p).permute(2, 0, 1)[None].float() / 255 * 2 - 1
                  for p in pictures(70, 66, 3)]
        with torch.no_grad():
            value, layers = metric(*planes, retPerLayer=True)
        print(net, repr(value.item()), [round(layer.item(), 6) for layer in layers])


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
