// Packed weights of either type, as Python holds them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "packed.hpp"

// Addresses of tensors that Python has checked and holds; 0 is null.
using Address = std::uintptr_t;
template <class T> T* at(Address address) { return reinterpret_cast<T*>(address); }

// Five for each layer and direction.
template <class T>
std::vector<relembra::Weights<T>> weights_of(const std::vector<Address>& a) {
  std::vector<relembra::Weights<T>> weights;
  for (std::size_t i = 0; i + 4 < a.size(); i += 5)
    weights.push_back({at<const T>(a[i]), at<const T>(a[i + 1]), at<const T>(a[i + 2]),
                       at<const T>(a[i + 3]), at<const T>(a[i + 4])});
  return weights;
}

// Seven where they are narrow: of each layer and direction the scales come last.
inline relembra::GivenWeights<float> narrow_weights_of(relembra::Storage storage,
                                                       const std::vector<Address>& a) {
  relembra::GivenWeights<float> given{storage, {}, {}};
  for (std::size_t i = 0; i + 6 < a.size(); i += 7) {
    given.narrow.push_back({storage, at<const void>(a[i]), at<const void>(a[i + 1]),
                            at<const float>(a[i + 5]), at<const float>(a[i + 6])});
    given.weights.push_back({nullptr, nullptr, at<const float>(a[i + 2]),
                             at<const float>(a[i + 3]), at<const float>(a[i + 4])});
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
