#include "linear_module.hpp"

#include <nanobind/stl/vector.h>

#include <memory>
#include <vector>

#include "linear.hpp"
#include "packed_module.hpp"

namespace nb = nanobind;
using relembra::Extent;

namespace {

// Multiply-adds of a call above which other Python threads may run meanwhile.
constexpr double worth_unlocking = 1e6;

using relembra::Storage;

// Weight, bias and, of narrow storage, scale; 0 where there is none.
template <class T> relembra::MapArrays<T> arrays_at(const std::vector<Address>& a) {
  return {at<const void>(a.at(0)), at<const T>(a.at(1)), at<const T>(a.size() > 2 ? a[2] : 0)};
}

// A map of either type.
class AnyLinear {
 public:
  AnyLinear(bool twofold, const std::vector<Address>& arrays, Extent inputs, Extent outputs,
            Storage storage) {
    if (twofold)
      twofold_ = std::make_unique<relembra::PackedLinear<double>>(
          arrays_at<double>(arrays), Storage::whole, inputs, outputs);
    else
      single_ = std::make_unique<relembra::PackedLinear<float>>(arrays_at<float>(arrays), storage,
                                                                inputs, outputs);
  }
  void apply(Address x, Extent rows, Address y, int threads) const {
    if ((single_ ? single_->work(rows) : twofold_->work(rows)) < worth_unlocking) {
      compute(x, rows, y, threads);
      return;
    }
    const nb::gil_scoped_release unlocked;
    compute(x, rows, y, threads);
  }
  bool matches(const std::vector<Address>& a) const {
    return single_ ? single_->matches(arrays_at<float>(a)) : twofold_->matches(arrays_at<double>(a));
  }
  Extent bytes() const { return single_ ? single_->bytes() : twofold_->bytes(); }

 private:
  void compute(Address x, Extent rows, Address y, int threads) const {
    if (single_) single_->apply(at<const float>(x), rows, at<float>(y), threads);
    else twofold_->apply(at<const double>(x), rows, at<double>(y), threads);
  }
  std::unique_ptr<relembra::PackedLinear<float>> single_;
  std::unique_ptr<relembra::PackedLinear<double>> twofold_;
};

}  // namespace

void define_linear(nb::module_& m) {
  nb::class_<AnyLinear>(m, "PackedLinear", "A snapshot of a linear map's weight, bias and scales, packed.")
      .def(nb::init<bool, const std::vector<Address>&, Extent, Extent, Storage>(),
           nb::arg("twofold"), nb::arg("arrays"), nb::arg("inputs"), nb::arg("outputs"),
           nb::arg("storage") = Storage::whole)
      .def_prop_ro("bytes", &AnyLinear::bytes)
      .def("apply", &AnyLinear::apply)
      .def("matches", &AnyLinear::matches,
           "Whether the arrays still hold what was packed.");
}
