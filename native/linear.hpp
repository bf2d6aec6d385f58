// Linear maps with weights packed once.
#pragma once

#include "interface.hpp"
#include "memory.hpp"

namespace relembra {

// Where a map's arrays are: weight (outputs, inputs) in its storage, bias and scale (outputs). The
// bias may be null; only int8 has scales.
template <class T> struct MapArrays {
  const void* weight;
  const T *bias, *scale;
};

// A snapshot of them.
template <class T> class PackedLinear {
 public:
  PackedLinear(const MapArrays<T>& from, Storage storage, Extent inputs, Extent outputs);

  // y (rows, outputs) = x (rows, inputs) W^T + b, row after row in memory.
  void apply(const T* x, Extent rows, T* y, int threads) const;

  // Multiply-adds of so many rows.
  double work(Extent rows) const {
    return static_cast<double>(rows) * static_cast<double>(inputs_) * static_cast<double>(outputs_);
  }
  // Whether these arrays hold what was packed.
  bool matches(const MapArrays<T>& arrays) const { return seen(arrays) == seen_; }
  Extent bytes() const {
    return static_cast<Extent>(panels_.bytes() + bias_.bytes() + scale_.bytes());
  }

 private:
  std::uint64_t seen(const MapArrays<T>& arrays) const;

  Storage storage_;
  Extent inputs_, outputs_;
  std::uint64_t seen_;
  Block panels_, bias_, scale_;  // bias and scale may be absent
};

}  // namespace relembra
