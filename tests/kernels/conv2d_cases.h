// The sizes that convolutions are tried on, on every device: each has broken a rung, or nearly.
#pragma once

#include <ostream>
#include <vector>

#include "kernels/conv2d/conv2d.h"

namespace mend::test {

struct ConvCase {
  const char* name;
  Shape x;
  op::Conv2d op;
  bool has_bias = true, has_residual = false;

  friend std::ostream& operator<<(std::ostream& out, const ConvCase& c) { return out << c.name; }
};

inline op::Conv2d conv(int kernel, int outputs, int padding = 0, int stride = 1, int dilation = 1,
                       int groups = 1, PaddingMode mode = PaddingMode::kZeros) {
  op::Conv2d op;
  op.kernel_h = op.kernel_w = kernel;
  op.outputs = outputs;
  op.padding_h = op.padding_w = padding;
  op.stride = stride;
  op.dilation = dilation;
  op.groups = groups;
  op.padding_mode = mode;
  return op;
}

inline op::Conv2d with(op::Conv2d op, Activation activation, float scale = 1.0f) {
  op.activation = activation;
  op.scale = scale;
  return op;
}

inline op::Conv2d oblong(int kernel_h, int kernel_w, int padding_h, int padding_w, int outputs) {
  op::Conv2d op = conv(kernel_h, outputs);
  op.kernel_w = kernel_w;
  op.padding_h = padding_h;
  op.padding_w = padding_w;
  return op;
}

inline std::vector<ConvCase> awkward_convolutions() {
  constexpr PaddingMode kReflect = PaddingMode::kReflect, kReplicate = PaddingMode::kReplicate;
  // clang-format off
  std::vector<ConvCase> cases = {
      {"one pixel, 3x3",              {1, 1, 1, 1},    conv(3, 1, 1)},
      {"one pixel, 1x1",              {1, 1, 1, 127},  conv(1, 65)},
      {"width 7",                     {1, 5, 7, 16},   conv(3, 64, 1)},
      {"width 2, kernel 5",           {1, 3, 2, 6},    conv(5, 20, 2)},
      {"first layer 3 -> 64",         {1, 9, 31, 3},   conv(3, 64, 1)},
      {"last layer 64 -> 3",          {1, 9, 31, 64},  conv(3, 3, 1)},
      {"37 -> 3, narrow",             {1, 5, 3, 37},   conv(3, 3, 1)},
      {"20 -> 1, kernel 5",           {2, 7, 19, 20},  conv(5, 1, 2)},
      {"24 -> 2, dilated, reflect",   {1, 9, 14, 24},  conv(3, 2, 2, 1, 2, 1, kReflect)},
      {"33 -> 3, stride 2, residual", {1, 9, 21, 33},  with(conv(3, 3, 1, 2), {ActivationKind::kPrelu}, 0.5f), true, true},
      {"64 -> 48",                    {1, 4, 26, 64},  conv(3, 48, 1)},
      {"odd channels 127 -> 33",      {1, 6, 13, 127}, conv(3, 33, 1)},
      {"17 -> 100",                   {1, 4, 14, 17},  conv(3, 100, 1)},
      {"batch of 3",                  {3, 4, 9, 5},    conv(3, 7, 1)},
      {"no padding",                  {1, 8, 17, 12},  conv(3, 12)},
      {"no bias",                     {1, 5, 9, 4},    conv(3, 12, 1), false},
      {"stride 2",                    {1, 9, 21, 12},  conv(3, 24, 1, 2)},
      {"stride 2, kernel 4",          {1, 10, 30, 8},  conv(4, 16, 1, 2)},
      {"stride 4, kernel 4",          {1, 13, 18, 3},  conv(4, 8, 0, 4)},
      {"stride 3, kernel 1",          {1, 7, 20, 5},   conv(1, 9, 0, 3)},
      {"dilation 4",                  {1, 13, 18, 6},  conv(3, 20, 4, 1, 4)},
      {"dilation 2, no padding",      {1, 9, 30, 3},   conv(3, 32, 0, 1, 2)},
      {"padding wider than kernel",   {1, 4, 5, 3},    conv(3, 5, 4)},
      {"kernel 11",                   {1, 14, 23, 4},  conv(11, 6, 5)},
      {"kernel 2",                    {1, 6, 15, 7},   conv(2, 18, 1)},
      {"1x3",                         {1, 5, 19, 4},   oblong(1, 3, 0, 1, 10)},
      {"7x1",                         {1, 9, 19, 4},   oblong(7, 1, 3, 0, 10)},
      {"2 groups",                    {1, 5, 14, 6},   conv(3, 8, 1, 1, 1, 2)},
      {"4 groups, wide",              {1, 4, 27, 80},  conv(3, 272, 1, 1, 1, 4)},
      {"depthwise",                   {2, 6, 19, 37},  conv(3, 37, 1, 1, 1, 37)},
      {"depthwise, 5 channels",       {1, 6, 19, 5},   conv(7, 5, 3, 1, 1, 5)},
      {"depthwise, times 3",          {1, 6, 11, 7},   conv(3, 21, 1, 1, 1, 7)},
      {"depthwise, stride 2",         {1, 9, 20, 24},  conv(3, 24, 1, 2, 1, 24)},
      {"depthwise, dilated, reflect", {1, 9, 20, 24},  conv(3, 24, 2, 1, 2, 24, kReflect)},
      {"depthwise, rows left over",   {2, 7, 21, 40},  with(conv(3, 40, 1, 1, 1, 40, kReflect), {ActivationKind::kPrelu}, 0.5f), true, true},
      {"depthwise, one pixel",        {1, 1, 1, 64},   conv(3, 64, 1, 1, 1, 64)},
      {"reflect",                     {1, 6, 17, 5},   conv(3, 17, 1, 1, 1, 1, kReflect)},
      {"reflect 3 of 4",              {1, 4, 4, 3},    conv(7, 5, 3, 1, 1, 1, kReflect)},
      {"reflect, stride 2",           {1, 7, 16, 3},   conv(3, 5, 1, 2, 1, 1, kReflect)},
      {"replicate",                   {1, 6, 17, 5},   conv(3, 17, 1, 1, 1, 1, kReplicate)},
      {"replicate beyond the image",  {1, 2, 2, 3},    conv(7, 5, 3, 1, 1, 1, kReplicate)},
      {"rows longer than a segment",  {1, 2, 1000, 2}, conv(3, 4, 1)},
      {"1x1, long rows",              {1, 30, 41, 12}, conv(1, 40)},
      {"residual",                    {1, 5, 20, 8},   with(conv(3, 24, 1), {}, -1.0f), true, true},
      {"1x1, scale and residual",     {2, 5, 20, 8},   with(conv(1, 13), {}, 0.2f), true, true},
      {"all of the epilogue",         {1, 5, 20, 8},
       with(conv(3, 21, 1), {ActivationKind::kLeakyRelu, 0.2f}, 0.3f), true, true},
      {"depthwise, epilogue",         {1, 5, 20, 19},
       with(conv(3, 19, 1, 1, 1, 19), {ActivationKind::kPrelu}, 0.3f), true, true},
  };
  // clang-format on
  for (int kind = 0; kind <= static_cast<int>(ActivationKind::kHardSwish); ++kind) {
    const Activation activation{static_cast<ActivationKind>(kind), 0.3f};
    cases.push_back(
        {name_of(activation.kind).data(), {1, 3, 9, 6}, with(conv(3, 21, 1), activation)});
  }
  return cases;
}

}  // namespace mend::test
