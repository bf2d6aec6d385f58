// One step of a stack at a time, with everything that a step needs made before the first.
#pragma once

#include <memory>
#include <vector>

#include "memory.hpp"
#include "packed.hpp"
#include "plan.hpp"

namespace relembra {

// Streams of `rows` rows. The states (layers, rows, units) belong to the caller and are updated in
// place. `step` allocates nothing. One thread at a time.
template <class T> class Stream {
 public:
  Stream(std::shared_ptr<const PackedStack<T>> weights, Extent rows, T* hidden, T* cell,
         int threads);

  // x (rows, inputs) and y (rows, units), row after row.
  void step(const T* x, T* y);

  // Multiply-adds of a step.
  double work() const { return work_; }

 private:
  std::shared_ptr<const PackedStack<T>> weights_;
  Plan plan_;
  std::vector<Forward<T>> calls_;  // (layers)
  Block memory_;
  double work_;
  int threads_;
};

}  // namespace relembra
