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
  const T *ih, *hh, *bias;  // ih and hh null where the weights are narrow
  Options<T> options;       // without masks
  Narrow<T> narrow;
  const Narrow<T>* narrow_or_null() const {
    return narrow.storage == Storage::whole ? nullptr : &narrow;
  }
};

// The weights to pack: of narrow storage `narrow` has the matrices, and `weights` the rest.
template <class T> struct GivenWeights {
  Storage storage;
  std::vector<Weights<T>> weights;  // (layers * directions)
  std::vector<Narrow<T>> narrow;    // likewise, or none
};

// A snapshot: it copies, and later changes of the weights do not reach it.
template <class T> class PackedStack {
 public:
  PackedStack(const StackShape& shape, const GivenWeights<T>& given, int threads);

  const StackShape& shape() const { return shape_; }
  const PackedLayer<T>& layer(int layer, int direction) const {
    return layers_[static_cast<std::size_t>(layer * shape_.directions + direction)];
  }
  // Whether these arrays hold what was packed.
  bool matches(const GivenWeights<T>& given) const { return seen(given) == seen_; }
  Storage storage() const { return storage_; }
  Extent bytes() const { return static_cast<Extent>(memory_.bytes()); }

 private:
  std::uint64_t seen(const GivenWeights<T>& given) const;

  StackShape shape_;
  Storage storage_;
  std::vector<PackedLayer<T>> layers_;  // (layers * directions)
  Block memory_;
  std::uint64_t seen_;
};

}  // namespace relembra
