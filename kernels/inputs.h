// The inputs of one call by slot; those behind the last that was given, and those left out, are absent.
#pragma once

#include "engine/op.h"

namespace mend {

/// The shape of input i; empty if it is absent.
inline Shape slot(const Shapes& in, std::size_t i) { return i < in.size() ? in[i] : Shape{}; }

/// Input i; undefined if it is absent.
inline const Tensor& input_at(Inputs inputs, std::size_t i) {
  static const Tensor kAbsent;
  return i < inputs.size() ? inputs[i] : kAbsent;
}

/// Input i as pixels of T; no data if it is absent.
template <class T>
View<const T> view_of(Inputs inputs, std::size_t i) {
  return i < inputs.size() ? inputs[i].view<const T>() : View<const T>{};
}

}  // namespace mend
