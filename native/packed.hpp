// The weights of a stack, packed once for many calls in inference.
#pragma once

#include <vector>

#include "interface.hpp"
#include "memory.hpp"
#include "stack.hpp"

namespace relembra {

// The forward products' weights of one layer and direction.
template <class T> struct PackedLayer {
  Shape shape;
  const T *ih, *hh, *bias;
  Options<T> options;  // without masks
};

// A snapshot: it copies, and later changes of the weights do not reach it.
template <class T> class PackedStack {
 public:
  PackedStack(const StackShape& shape, const std::vector<Weights<T>>& weights, int threads);

  const StackShape& shape() const { return shape_; }
  const PackedLayer<T>& layer(int layer, int direction) const {
    return layers_[static_cast<std::size_t>(layer * shape_.directions + direction)];
  }
  // Whether these arrays hold what was packed.
  bool matches(const std::vector<Weights<T>>& weights) const { return seen(weights) == seen_; }
  Extent bytes() const { return static_cast<Extent>(memory_.bytes()); }

 private:
  std::uint64_t seen(const std::vector<Weights<T>>& weights) const;

  StackShape shape_;
  std::vector<PackedLayer<T>> layers_;  // (layers * directions)
  Block memory_;
  std::uint64_t seen_;
};

}  // namespace relembra
