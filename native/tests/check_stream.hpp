// A stream of single steps against the whole sequence at once.
#pragma once

#include <algorithm>
#include <memory>

#include "../stream.hpp"
#include "check_stack.hpp"

namespace checks {

template <class T> void check_stream(Random& random) {
  const Problem<T> p = streamable<T>(random);
  const Outputs<T> whole = infer(p, 1, nullptr);
  const auto packed =
      std::make_shared<const relembra::PackedStack<T>>(p.shape, given_of(p), 1);
  Outputs<T> streamed(p);
  std::copy(p.hidden.begin(), p.hidden.end(), streamed.hidden.begin());
  std::copy(p.cell.begin(), p.cell.end(), streamed.cell.begin());
  relembra::Stream<T> stream(packed, p.rows, or_null(streamed.hidden), or_null(streamed.cell), 3);
  const Extent inputs = p.shape.inputs, outputs = p.shape.outputs();
  std::vector<T> x(p.rows * inputs), y(p.rows * outputs);
  for (Extent t = 0; t < p.steps; ++t) {
    for (Extent r = 0; r < p.rows; ++r)
      std::copy_n(p.x.data() + (r * p.steps + t) * inputs, inputs, x.data() + r * inputs);
    stream.step(x.data(), y.data());
    for (Extent r = 0; r < p.rows; ++r)
      std::copy_n(y.data() + r * outputs, outputs,
                  streamed.y.data() + (r * p.steps + t) * outputs);
  }
  if (!(streamed == whole)) fail("a stream and the whole sequence differ:", p.kind.name);
}

}  // namespace checks
