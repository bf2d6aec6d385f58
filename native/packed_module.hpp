// Packed weights of either type, as Python holds them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "packed.hpp"

// Addresses of tensors that Python has checked and holds; 0 is null.
using Address = std::uintptr_t;
template <class T> T* at(Address address) { return reinterpret_cast<T*>(address); }

// As many for each layer and direction as there are fields, in their order.
template <class T>
std::vector<relembra::Weights<T>> weights_of(const std::vector<Address>& a) {
  std::vector<relembra::Weights<T>> weights;
  for (std::size_t i = 0; i + relembra::weight_fields <= a.size(); i += relembra::weight_fields)
    weights.push_back({at<const T>(a[i]), at<const T>(a[i + 1]), at<const T>(a[i + 2]),
                       at<const T>(a[i + 3]), at<const T>(a[i + 4]), at<const T>(a[i + 5]),
                       at<const T>(a[i + 6]), at<const T>(a[i + 7]), at<const T>(a[i + 8]),
                       at<const T>(a[i + 9])});
  return weights;
}

// Two more where they are narrow: of each layer and direction the scales come last.
inline relembra::GivenWeights<float> narrow_weights_of(relembra::Storage storage,
                                                       const std::vector<Address>& a) {
  constexpr std::size_t fields = relembra::weight_fields;
  relembra::GivenWeights<float> given{storage, {}, {}};
  for (std::size_t i = 0; i + fields + 2 <= a.size(); i += fields + 2) {
    given.narrow.push_back({storage, at<const void>(a[i]), at<const void>(a[i + 1]),
                            at<const float>(a[i + fields]), at<const float>(a[i + fields + 1])});
    relembra::Weights<float> others{};
    others.bias_ih = at<const float>(a[i + 2]);
    others.bias_hh = at<const float>(a[i + 3]);
    others.peephole = at<const float>(a[i + 5]);
    given.weights.push_back(others);
  }
  return given;
}
template <class T>
relembra::GivenWeights<T> given_weights_of(relembra::Storage storage,
                                           const std::vector<Address>& a) {
  if constexpr (sizeof(T) == sizeof(float))
    if (storage != relembra::Storage::whole) return narrow_weights_of(storage, a);
  return {relembra::Storage::whole, weights_of<T>(a), {}};
}

struct PackedWeights {  // one of the two
  std::shared_ptr<const relembra::PackedStack<float>> single;
  std::shared_ptr<const relembra::PackedStack<double>> twofold;

  template <class T> const relembra::PackedStack<T>* as() const {
    if constexpr (sizeof(T) == sizeof(float)) return single.get();
    else return twofold.get();
  }
};
