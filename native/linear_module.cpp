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

// A map of either type.
class AnyLinear {
 public:
  AnyLinear(bool twofold, Address weight, Address bias, Extent inputs, Extent outputs) {
    if (twofold)
      twofold_ = std::make_unique<relembra::PackedLinear<double>>(
          at<const double>(weight), at<const double>(bias), inputs, outputs);
    else
      single_ = std::make_unique<relembra::PackedLinear<float>>(
          at<const float>(weight), at<const float>(bias), inputs, outputs);
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
    return single_ ? single_->matches(at<const float>(a.at(0)), at<const float>(a.at(1)))
                   : twofold_->matches(at<const double>(a.at(0)), at<const double>(a.at(1)));
  }

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
  nb::class_<AnyLinear>(m, "PackedLinear", "A snapshot of a linear map's weight and bias, packed.")
      .def(nb::init<bool, Address, Address, Extent, Extent>(), nb::arg("twofold"),
           nb::arg("weight"), nb::arg("bias"), nb::arg("inputs"), nb::arg("outputs"))
      .def("apply", &AnyLinear::apply)
      .def("matches", &AnyLinear::matches,
           "Whether weight and bias still hold what was packed.");
}
