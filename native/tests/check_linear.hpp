// A linear map of rows against the sum written out, and a row alone against the row in company.
#pragma once

#include <cmath>
#include <limits>

#include "../linear.hpp"
#include "problem.hpp"

namespace checks {

template <class T> void check_linear(Random& random) {
  Draw draw(random);
  const Extent inputs = draw.size(100), outputs = 1 + draw.size(200), rows = draw.size(60);
  auto weight = draw.normal<T>(inputs * outputs);
  const auto bias = draw.maybe<T>(outputs), x = draw.normal<T>(rows * inputs);
  const auto arrays = [&]() -> relembra::MapArrays<T> {
    return {or_null(weight), or_null(bias), nullptr};
  };
  const relembra::PackedLinear<T> map(arrays(), relembra::Storage::whole, inputs, outputs);
  std::vector<T> one(rows * outputs), many(rows * outputs);
  map.apply(or_null(x), rows, or_null(one), 1);
  map.apply(or_null(x), rows, or_null(many), 3);
  if (!same(one, many)) fail("the number of threads changes a linear map");
  std::vector<T> alone(outputs);
  for (Extent r = 0; r < rows; ++r) {
    map.apply(x.data() + r * inputs, 1, alone.data(), 1);
    const T* row = one.data() + r * outputs;
    if (!same(alone, {row, row + outputs})) fail("a row alone has other bits in a linear map");
    for (Extent o = 0; o < outputs; ++o) {
      double sum = bias.empty() ? 0.0 : bias[o], size = std::abs(sum);
      for (Extent i = 0; i < inputs; ++i) {
        const double product = double(x[r * inputs + i]) * double(weight[o * inputs + i]);
        sum += product;
        size += std::abs(product);
      }
      const double room = (inputs + 2) * size * std::numeric_limits<T>::epsilon();
      if (!(std::abs(double(row[o]) - sum) <= room)) fail("a linear map is wrong");
    }
  }
  if (!map.matches(arrays())) fail("a linear map does not know its weights");
  if (weight.empty()) return;
  weight.back() += T(1);
  if (map.matches(arrays())) fail("a linear map misses a change");
}

}  // namespace checks
