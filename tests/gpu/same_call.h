// Whether a function of a library is declared by us as by its own header.
#pragma once

#include <type_traits>

namespace mend::test {

/// Whether two types are passed and stored alike: pointers, numbers of one kind and size, structures of one size.
template <class A, class B>
constexpr bool kAlike =
    sizeof(A) == sizeof(B) &&
    std::is_pointer_v<A> == std::is_pointer_v<B>&& std::is_floating_point_v<A> ==
        std::is_floating_point_v<B> &&
    (std::is_integral_v<A> || std::is_enum_v<A>) == (std::is_integral_v<B> || std::is_enum_v<B>);

template <class Ours, class Theirs>
struct SameCall : std::false_type {};
template <class R, class... A, class S, class... B>
struct SameCall<R (*)(A...), S (*)(B...)> {
  static constexpr bool agrees() {
    if constexpr (sizeof...(A) == sizeof...(B)) {
      return kAlike<R, S> && (kAlike<A, B> && ...);
    } else {
      return false;
    }
  }
  static constexpr bool value = agrees();
};

}  // namespace mend::test
