// Linear maps with weights packed once.
#pragma once

#include "interface.hpp"
#include "memory.hpp"

namespace relembra {

// A snapshot of weight (outputs, inputs) and of bias (outputs), which may be null.
template <class T> class PackedLinear {
 public:
  PackedLinear(const T* weight, const T* bias, Extent inputs, Extent outputs);

  // y (rows, outputs) = x (rows, inputs) W^T + b, row after row in memory.
  void apply(const T* x, Extent rows, T* y, int threads) const;

  // Multiply-adds of so many rows.
  double work(Extent rows) const {
    return static_cast<double>(rows) * static_cast<double>(inputs_) * static_cast<double>(outputs_);
  }
  // Whether these arrays hold what was packed.
  bool matches(const T* weight, const T* bias) const { return seen(weight, bias) == seen_; }

 private:
  std::uint64_t seen(const T* weight, const T* bias) const;

  Extent inputs_, outputs_;
  std::uint64_t seen_;
  Block panels_, bias_;
  bool biased_;
};

}  // namespace relembra
