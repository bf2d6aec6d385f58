#include "stream_module.hpp"

#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <vector>

#include "packed_module.hpp"
#include "stream.hpp"

namespace nb = nanobind;
using relembra::Extent;

namespace {

// Multiply-adds of a step above which other Python threads may run meanwhile: some half a
// millisecond. Beside a busy Python thread a step that gave the lock away waits for it up to the
// interpreter's 5 ms, so short steps keep it.
constexpr double worth_unlocking = 1e7;

template <class T>
std::shared_ptr<const relembra::PackedStack<T>> packed(const relembra::StackShape& shape,
                                                       const std::vector<Address>& weights,
                                                       int threads) {
  const nb::gil_scoped_release unlocked;
  return std::make_shared<const relembra::PackedStack<T>>(shape, weights_of<T>(weights), threads);
}

class AnyStream {
 public:
  AnyStream(const PackedWeights& weights, Extent rows, Address hidden, Address cell, int threads) {
    if (weights.single)
      single_ = std::make_unique<relembra::Stream<float>>(weights.single, rows, at<float>(hidden),
                                                          at<float>(cell), threads);
    else
      twofold_ = std::make_unique<relembra::Stream<double>>(
          weights.twofold, rows, at<double>(hidden), at<double>(cell), threads);
  }
  void step(Address x, Address y) {
    if ((single_ ? single_->work() : twofold_->work()) < worth_unlocking) {
      compute(x, y);
      return;
    }
    const nb::gil_scoped_release unlocked;
    compute(x, y);
  }

 private:
  void compute(Address x, Address y) {
    if (single_) single_->step(at<const float>(x), at<float>(y));
    else twofold_->step(at<const double>(x), at<double>(y));
  }
  std::unique_ptr<relembra::Stream<float>> single_;
  std::unique_ptr<relembra::Stream<double>> twofold_;
};

}  // namespace

void define_stream(nb::module_& m) {
  nb::class_<PackedWeights>(m, "PackedWeights",
                            "A snapshot of a stack's weights, ten addresses for each layer and "
                            "direction, packed for the forward products.")
      .def("__init__",
           [](PackedWeights* self, const relembra::StackShape& shape, bool twofold,
              const std::vector<Address>& weights, int threads) {
             PackedWeights made;
             if (twofold) made.twofold = packed<double>(shape, weights, threads);
             else made.single = packed<float>(shape, weights, threads);
             new (self) PackedWeights(std::move(made));
           })
      .def("matches",
           [](const PackedWeights& self, const std::vector<Address>& weights) {
             return self.single ? self.single->matches(weights_of<float>(weights))
                                : self.twofold->matches(weights_of<double>(weights));
           },
           "Whether the arrays, whose shapes must be the same, still hold what was packed.")
      .def_prop_ro("bytes", [](const PackedWeights& self) {
        return self.single ? self.single->bytes() : self.twofold->bytes();
      });
  nb::class_<AnyStream>(m, "Stream",
                        "Steps of `rows` streams; the states at the addresses are updated.")
      .def(nb::init<const PackedWeights&, Extent, Address, Address, int>())
      .def("step", &AnyStream::step);
}
