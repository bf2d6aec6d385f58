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
                                                       relembra::Storage storage,
                                                       const std::vector<Address>& weights,
                                                       int threads) {
  const nb::gil_scoped_release unlocked;
  return std::make_shared<const relembra::PackedStack<T>>(
      shape, given_weights_of<T>(storage, weights), threads);
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
  nb::enum_<relembra::Storage>(m, "Storage")
      .value("whole", relembra::Storage::whole)
      .value("bf16", relembra::Storage::bf16)
      .value("int8", relembra::Storage::int8);
  nb::class_<PackedWeights>(m, "PackedWeights",
                            "A snapshot of a stack's weights, five addresses for each layer and "
                            "direction, packed for the forward products. Of narrow storage seven: "
                            "the scales of both matrices, or 0, come last.")
      .def("__init__",
           [](PackedWeights* self, const relembra::StackShape& shape, bool twofold,
              const std::vector<Address>& weights, int threads, relembra::Storage storage) {
             PackedWeights made;
             if (twofold) made.twofold = packed<double>(shape, storage, weights, threads);
             else made.single = packed<float>(shape, storage, weights, threads);
             new (self) PackedWeights(std::move(made));
           },
           nb::arg("shape"), nb::arg("twofold"), nb::arg("weights"), nb::arg("threads"),
           nb::arg("storage") = relembra::Storage::whole)
      .def("matches",
           [](const PackedWeights& self, const std::vector<Address>& weights) {
             if (self.twofold)
               return self.twofold->matches(
                   given_weights_of<double>(relembra::Storage::whole, weights));
             return self.single->matches(given_weights_of<float>(self.single->storage(), weights));
           },
           "Whether the arrays, whose shapes must be the same, still hold what was packed.")
      .def_prop_ro("storage", [](const PackedWeights& self) {
        return self.single ? self.single->storage() : self.twofold->storage();
      })
      .def_prop_ro("bytes", [](const PackedWeights& self) {
        return self.single ? self.single->bytes() : self.twofold->bytes();
      });
  nb::class_<AnyStream>(m, "Stream",
                        "Steps of `rows` streams; the states at the addresses are updated.")
      .def(nb::init<const PackedWeights&, Extent, Address, Address, int>())
      .def("step", &AnyStream::step);
}
