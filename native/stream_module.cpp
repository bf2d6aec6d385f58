#include "stream_module.hpp"

#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
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

struct Steps {  // of an array (B, T, features)
  Address data;
  Extent row, time;
};

template <class T>
std::shared_ptr<const relembra::PackedStack<T>> packed(const relembra::StackShape& shape,
                                                       relembra::Storage storage,
                                                       const std::vector<Address>& weights,
                                                       int threads) {
  const nb::gil_scoped_release unlocked;
  return std::make_shared<const relembra::PackedStack<T>>(
      shape, given_weights_of<T>(storage, weights), threads);
}

// A whole sequence without masks or lengths, by the packed weights.
template <class T>
void run(const relembra::PackedStack<T>& packed, Extent rows, Extent steps, const Steps& x,
         Address hidden0, Address cell0, const Steps& y, Address hidden, Address cell,
         int threads) {
  const relembra::StackShape& shape = packed.shape();
  const std::size_t walks = static_cast<std::size_t>(shape.layers * shape.directions);
  relembra::StackInput<T> input{{rows, steps, nullptr, nullptr, nullptr},
                                {at<const T>(x.data), x.row, x.time},
                                std::vector<relembra::Weights<T>>(walks),
                                at<const T>(hidden0),
                                at<const T>(cell0),
                                std::vector<relembra::Noise<T>>(walks),
                                std::vector<const T*>(static_cast<std::size_t>(shape.layers - 1)),
                                threads,
                                &packed};
  relembra::stack_forward<T>(shape, input,
                             {{at<T>(y.data), y.row, y.time}, at<T>(hidden), at<T>(cell)}, false);
}

void run_any(const PackedWeights& weights, Extent rows, Extent steps, Address x, Extent x_row,
             Extent x_time, Address hidden0, Address cell0, Address y, Extent y_row, Extent y_time,
             Address hidden, Address cell, int threads) {
  const auto compute = [&](const auto& packed) {
    run(packed, rows, steps, {x, x_row, x_time}, hidden0, cell0, {y, y_row, y_time}, hidden, cell,
        threads);
  };
  const Extent elements = (weights.single ? weights.single->bytes() : weights.twofold->bytes()) / 4;
  const double work = static_cast<double>(elements) * static_cast<double>(rows * steps);
  std::optional<nb::gil_scoped_release> unlocked;
  if (work > worth_unlocking) unlocked.emplace();
  if (weights.single) compute(*weights.single);
  else compute(*weights.twofold);
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
                            "A snapshot of a stack's weights, ten addresses for each layer and "
                            "direction, packed for the forward products. Of narrow storage twelve: "
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
      .def("run", &run_any,
           "Compute whole sequences without lengths, masks or noise: addresses and strides of the\n"
           "input, the initial states (or 0), the output, the final states.")
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
