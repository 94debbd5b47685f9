#include "weights/scope.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "engine/error.h"
#include "weights/elements.h"

namespace mend {
namespace {

constexpr std::size_t kNamed = 3;  // faults of one kind that a message spells out
constexpr std::int64_t kMostStandInBytes = std::int64_t{1} << 28;  // more than most networks have

/// "2 keys are missing: a.weight, a.bias" or, with more than kNamed, the first ones and "...".
std::string summary(std::string_view what, const std::vector<std::string>& faults,
                    std::string_view separator) {
  const auto last = faults.begin() + std::min(kNamed, faults.size());
  return fmt::format("{} {}: {}{}", faults.size(), what, fmt::join(faults.begin(), last, separator),
                     faults.size() > kNamed ? fmt::format("{}...", separator) : "");
}

std::vector<std::int64_t> permuted(const std::vector<std::int64_t>& shape,
                                   const std::vector<int>& order) {
  if (order.size() != shape.size()) return shape;  // another rank: shown as it is stored
  std::vector<std::int64_t> result;
  for (const int d : order) result.push_back(shape[static_cast<std::size_t>(d)]);
  return result;
}

/// k,c,r,s -> {K,R,S,C}
Tensor kernel_of(const StoredTensor& stored, const Shape& shape) {
  const F32Elements oihw(stored);
  const auto [K, R, S, C] = shape;
  const Tensor tensor = Tensor::empty(shape);
  float* to = tensor.view<float>().data;
  const std::int64_t taps = std::int64_t{R} * S;
  // In the order of the result: one k of the file, some kilobytes, stays in L1 meanwhile.
  for (int k = 0; k < K; ++k) {
    const float* from = oihw.values().data() + k * C * taps;
    for (std::int64_t tap = 0; tap < taps; ++tap)
      for (int c = 0; c < C; ++c) *to++ = from[c * taps + tap];
  }
  return tensor;
}

/// (g,c),(k of the group),r,s -> {K,R,S,C}
Tensor transposed_kernel_of(const StoredTensor& stored, const Shape& shape, int groups) {
  const F32Elements iohw(stored);
  const auto [K, R, S, C] = shape;
  const int k_per_group = K / groups;
  const Tensor tensor = Tensor::empty(shape);
  const View<float> to = tensor.view<float>();
  const float* from = iohw.values().data();
  for (int g = 0; g < groups; ++g)
    for (int c = 0; c < C; ++c)
      for (int k = 0; k < k_per_group; ++k)
        for (int r = 0; r < R; ++r)
          for (int s = 0; s < S; ++s) to(g * k_per_group + k, r, s, c) = *from++;
  return tensor;
}

}  // namespace

ParameterStore::ParameterStore(Checkpoint checkpoint, std::string network)
    : checkpoint_(std::move(checkpoint)), network_(std::move(network)) {}

void ParameterStore::ignore(std::string key_or_path) { ignored_.insert(std::move(key_or_path)); }

const StoredTensor* ParameterStore::find(const std::string& key) const {
  const auto entry = checkpoint_.tensors.find(key);
  return entry == checkpoint_.tensors.end() ? nullptr : &entry->second;
}

bool ParameterStore::ignored(const std::string& key) const {
  if (key == "num_batches_tracked" || key.ends_with(".num_batches_tracked")) return true;
  // The key itself or any path above it.
  for (std::size_t end = key.size(); end != std::string::npos && end > 0;
       end = key.rfind('.', end - 1)) {
    if (ignored_.contains(key.substr(0, end))) return true;
  }
  return false;
}

std::shared_ptr<ParameterStore> ParameterStore::untrained(std::string network) {
  auto store = std::make_shared<ParameterStore>(Checkpoint{}, std::move(network));
  store->untrained_ = true;
  return store;
}

Tensor ParameterStore::made_up(const std::string& key, const Shape& shape) {
  made_up_[key] = shape.elements();
  const bool is_vector = shape.n == 1 && shape.h == 1 && shape.w == 1;
  const bool is_factor = key.ends_with("weight") || key.ends_with("var");  // of a norm, of PReLU
  // A kernel [K,R,S,C] sums R·S·C products, a matrix [1,1,rows,columns] `columns` of them: uniform
  // numbers of this bound keep the variance of what they are multiplied with.
  const double terms = shape.n > 1 ? double(shape.h) * shape.w * shape.c : shape.c;
  const float bound = is_vector ? 0.05f : static_cast<float>(std::sqrt(3.0 / std::max(1.0, terms)));
  const float centre = is_vector && is_factor ? 1.0f : 0.0f;
  const Tensor tensor = Tensor::empty(shape);
  float* values = tensor.view<float>().data;
  std::uint32_t state = static_cast<std::uint32_t>(made_up_.size());
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    state = state * 1664525u + 1013904223u;  // Numerical Recipes' generator
    values[i] = centre + bound * (static_cast<float>(state >> 8) / 8388608.0f - 1.0f);
  }
  return tensor;
}

Tensor ParameterStore::stand_in(const std::string& key, const Shape& shape) {
  if (untrained_ && !ignored(key)) return made_up(key, shape);
  stand_in_bytes_ += shape.elements() * static_cast<std::int64_t>(sizeof(float));
  if (stand_in_bytes_ > kMostStandInBytes && !faults().empty()) refuse(faults());
  return Tensor::zeros(shape);
}

std::vector<std::string> ParameterStore::faults() const {
  std::vector<std::string> faults;
  if (!misshaped_.empty()) {
    faults.push_back(misshaped_.size() == 1 ? misshaped_.front()
                                            : summary("keys have other shapes", misshaped_, ", "));
  }
  if (!missing_.empty()) faults.push_back(summary("missing", missing_, ", "));
  return faults;
}

void ParameterStore::refuse(const std::vector<std::string>& faults) const {
  throw CheckpointError(
      fmt::format("{}: does not fit {}: {}", checkpoint_.path, network_, fmt::join(faults, "; ")));
}

void ParameterStore::finish() const {
  std::vector<std::string> surplus;
  for (const auto& [key, tensor] : checkpoint_.tensors) {
    if (!used_.contains(key) && !ignored(key)) surplus.push_back(key);
  }
  std::vector<std::string> all = faults();
  if (!surplus.empty()) all.push_back(summary("surplus", surplus, ", "));
  if (!all.empty()) refuse(all);
}

Scope::Scope(std::shared_ptr<ParameterStore> store, std::string path)
    : store_(std::move(store)), path_(std::move(path)) {}

Scope Scope::operator/(std::string_view name) const { return Scope(store_, key(name)); }
Scope Scope::operator/(int index) const { return Scope(store_, key(std::to_string(index))); }

std::string Scope::key(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

bool Scope::has(std::string_view name) const { return store_->find(key(name)) != nullptr; }

bool Scope::any() const {
  const auto& tensors = store_->checkpoint_.tensors;
  if (path_.empty()) return !tensors.empty();
  const std::string below = path_ + ".";
  const auto first = tensors.lower_bound(below);
  return first != tensors.end() && first->first.starts_with(below);
}

std::vector<std::int64_t> Scope::shape_of(std::string_view name) const {
  const StoredTensor* stored = store_->find(key(name));
  return stored == nullptr ? std::vector<std::int64_t>{} : stored->shape;
}

void Scope::ignore(std::string_view name) const { store_->ignore(key(name)); }

const StoredTensor* Scope::claim(const std::string& key, const std::vector<std::int64_t>& wanted,
                                 const std::vector<int>& order, std::string_view letters) const {
  const StoredTensor* stored = store_->find(key);
  store_->used_.insert(key);
  if (stored == nullptr) {
    if (!store_->ignored(key) && !store_->untrained_) store_->missing_.push_back(key);
    return nullptr;
  }
  if (stored->shape == wanted) return stored;
  const bool comparable = order.size() == stored->shape.size();
  store_->misshaped_.push_back(fmt::format(
      "{}: checkpoint has {}{}, {} wants {}", key, to_string(permuted(stored->shape, order)),
      comparable && !letters.empty() ? fmt::format(" ({})", letters) : "", store_->network_,
      to_string(permuted(wanted, order))));
  return nullptr;
}

Tensor Scope::bind(Parameter parameter, const Shape& shape,
                   const std::function<Tensor()>& load) const {
  const auto same = store_->bound_.find(parameter.key);
  if (same != store_->bound_.end() && same->second.tensor.shape() == shape) {
    return same->second.tensor;
  }
  const auto given = store_->replaced_.find(parameter.key);
  const Tensor tensor = given == store_->replaced_.end() ? load() : given->second;
  assert(tensor.shape() == shape);
  parameter.tensor = tensor.named(parameter.key);
  return (store_->bound_[parameter.key] = std::move(parameter)).tensor;
}

Tensor Scope::kernel(std::string_view name, int K, int R, int S, int C) const {
  return kernel_stored_as(name, {K, C, R, S}, K, R, S, C);
}

Tensor Scope::kernel_stored_as(std::string_view name, const std::vector<std::int64_t>& stored_shape,
                               int K, int R, int S, int C) const {
  const std::string full = key(name);
  const Shape shape{K, R, S, C};
  const bool as_usual = stored_shape.size() == 4;
  const StoredTensor* stored =
      claim(full, stored_shape, as_usual ? std::vector{0, 2, 3, 1} : std::vector<int>{},
            as_usual ? "k,r,s,c" : "");
  return bind({full, {}, ParameterLayout::kKernel, stored_shape}, shape, [&] {
    return stored == nullptr ? store_->stand_in(full, shape) : kernel_of(*stored, shape);
  });
}

Tensor Scope::transposed_kernel(std::string_view name, int K, int R, int S, int C,
                                int groups) const {
  const std::string full = key(name);
  const Shape shape{K, R, S, C};
  const int k_per_group = K / groups;
  const std::vector<std::int64_t> stored_shape{std::int64_t{groups} * C, k_per_group, R, S};
  const StoredTensor* stored = claim(full, stored_shape, {0, 1, 2, 3}, "c,k,r,s");
  return bind({full, {}, ParameterLayout::kTransposedKernel, stored_shape, groups}, shape, [&] {
    return stored == nullptr ? store_->stand_in(full, shape)
                             : transposed_kernel_of(*stored, shape, groups);
  });
}

Tensor Scope::vector(std::string_view name, int count) const {
  // The one lookup that does not care how the file splits the extents: [C], [1,C,1,1], [C,1,1] ...
  const StoredTensor* stored = store_->find(key(name));
  const bool fits = stored != nullptr && stored->elements() == count;
  return dense(name, fits ? stored->shape : std::vector<std::int64_t>{count}, vector_shape(count));
}

Tensor Scope::matrix(std::string_view name, int rows, int columns) const {
  return dense(name, {rows, columns}, {1, 1, rows, columns});
}

Tensor Scope::dense(std::string_view name, const std::vector<std::int64_t>& stored_shape,
                    const Shape& shape) const {
  const std::string full = key(name);
  const StoredTensor* stored = claim(full, stored_shape, {}, "");
  return bind({full, {}, ParameterLayout::kSame, stored_shape}, shape, [&] {
    return stored == nullptr ? store_->stand_in(full, shape)
                             : Tensor::from(shape, F32Elements(*stored).values());
  });
}

Tensor Scope::derived(std::string_view name, const Tensor& value,
                      const std::vector<std::string>& sources) const {
  for (const std::string& source : sources) {
    const std::string below = key(source) + ".";
    std::erase_if(store_->bound_,
                  [&](const auto& entry) { return entry.first.starts_with(below); });
  }
  const Shape& s = value.shape();
  if (s.n == 1 && s.h == 1 && s.w == 1) {
    return bind({key(name), {}, ParameterLayout::kSame, {s.c}}, s, [&] { return value; });
  }
  return bind({key(name), {}, ParameterLayout::kKernel, {s.n, s.c, s.h, s.w}}, s,
              [&] { return value; });
}

}  // namespace mend
