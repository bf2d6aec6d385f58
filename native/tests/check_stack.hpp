// One stack in all the ways there are to compute it: with a tape of its own and in the caller's
// memory, for inference with and without weights packed before, with one thread and with several.
#pragma once

#include <cstring>
#include <memory>
#include <type_traits>

#include "../packed.hpp"
#include "problem.hpp"
#include "report.hpp"

namespace checks {

template <class T> struct Outputs {
  std::vector<T> y, hidden, cell;

  explicit Outputs(const Problem<T>& p)
      : y(p.rows * p.steps * p.width()), hidden(p.states()), cell(p.cells()) {}
  bool operator==(const Outputs& o) const {
    return same(y, o.y) && same(hidden, o.hidden) && same(cell, o.cell);
  }
};

template <class T> struct Gradients {
  std::vector<T> x, hidden, cell;
  std::vector<std::vector<T>> weights;

  explicit Gradients(const Problem<T>& p)
      : x(p.wants_x ? p.x.size() : 0), hidden(p.states()), cell(p.cells()) {
    for (const auto& w : p.weights) weights.emplace_back(w.size());
  }
  // Gradients of the weights are sums over rows, whose order depends on the number of threads.
  bool same_by_row(const Gradients& o) const {
    return same(x, o.x) && same(hidden, o.hidden) && same(cell, o.cell);
  }
  bool operator==(const Gradients& o) const {
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (!same(weights[i], o.weights[i])) return false;
    return same_by_row(o);
  }
};

// A sequence that lies row after row; of no data where there is none.
template <class V> auto dense(V& v, Extent steps, Extent width) {
  return relembra::Sequence<std::remove_pointer_t<decltype(or_null(v))>>{or_null(v), steps * width,
                                                                         width};
}

template <class T> std::vector<relembra::Weights<T>> weights_of(const Problem<T>& p) {
  std::vector<relembra::Weights<T>> weights;
  for (int place = 0; place < p.places(); ++place)
    weights.push_back(parts_of<relembra::Weights<T>>(p, p.weights[place].data(), place));
  return weights;
}

template <class T> relembra::GivenWeights<T> given_of(const Problem<T>& p) {
  return {relembra::Storage::whole, weights_of(p), {}};
}

template <class T> relembra::StackInput<T> input_of(const Problem<T>& p, int threads) {
  relembra::StackInput<T> input{};
  input.batch = p.batch();
  input.x = dense(p.x, p.steps, p.shape.inputs);
  input.weights = weights_of(p);
  input.hidden = or_null(p.hidden);
  input.cell = or_null(p.cell);
  for (const Masks<T>& m : p.noise)
    input.noise.push_back(
        {or_null(m.state), or_null(m.candidate), or_null(m.hidden), or_null(m.cell)});
  for (const auto& gap : p.gaps) input.gaps.push_back(or_null(gap));
  input.threads = threads;
  return input;
}

template <class T> relembra::StackOutput<T> output_of(const Problem<T>& p, Outputs<T>& to) {
  return {dense(to.y, p.steps, p.width()), or_null(to.hidden), or_null(to.cell)};
}

template <class T>
Gradients<T> backward(const Problem<T>& p, const relembra::StackInput<T>& input,
                      const relembra::Tape& tape, const Outputs<T>& seen) {
  Gradients<T> g(p);
  relembra::StackGradients<T> call{};
  call.d_y = dense(p.d_y, p.steps, p.width());
  call.d_hidden = or_null(p.d_hidden);
  call.d_cell = or_null(p.d_cell);
  call.d_x = dense(g.x, p.steps, p.shape.inputs);
  call.d_hidden0 = or_null(g.hidden);
  call.d_cell0 = or_null(g.cell);
  for (int place = 0; place < p.places(); ++place)
    call.weights.push_back(parts_of<relembra::WeightGradients<T>>(p, g.weights[place].data(), place));
  relembra::stack_backward<T>(tape, input, dense(seen.y, p.steps, p.width()), call);
  return g;
}

template <class T> struct Trained {
  Outputs<T> outputs;
  Gradients<T> gradients;
};

// With `recompute` every so many-th state is kept only.
template <class T> Trained<T> train(const Problem<T>& p, int threads, Extent recompute = 0) {
  auto input = input_of(p, threads);
  input.recompute = recompute;
  Outputs<T> outputs(p);
  const auto tape = relembra::stack_forward<T>(p.shape, input, output_of(p, outputs), true);
  const Gradients<T> gradients = backward(p, input, *tape, outputs);
  if (!(gradients == backward(p, input, *tape, outputs)))
    fail("backward changed its tape:", p.kind.name);
  return {outputs, gradients};
}

// The tape in memory of exactly the size that the contract says.
template <class T> Trained<T> train_in_memory(const Problem<T>& p, int threads) {
  bool gaps = false;
  for (const auto& gap : p.gaps) gaps = gaps || !gap.empty();
  const Extent bytes =
      relembra::tape_header + p.rows * p.steps * relembra::tape_step<T>(p.shape, gaps);
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, static_cast<std::size_t>(bytes))) fail("no memory");
  const auto input = input_of(p, threads);
  Outputs<T> outputs(p);
  relembra::stack_forward<T>(p.shape, input, output_of(p, outputs), true, memory);
  const auto tape = relembra::stack_restore<T>(p.shape, input, memory);
  const Gradients<T> gradients = backward(p, input, *tape, outputs);
  std::free(memory);
  return {outputs, gradients};
}

// The weights packed before, or null.
template <class T>
Outputs<T> infer(const Problem<T>& p, int threads,
                 std::type_identity_t<const relembra::PackedStack<T>*> packed) {
  auto input = input_of(p, threads);
  input.packed = packed;
  Outputs<T> outputs(p);
  relembra::stack_forward<T>(p.shape, input, output_of(p, outputs), false);
  return outputs;
}

// What is left at the end of a walk is what its last step shows.
template <class T> void check_trace(const Problem<T>& p) {
  const auto input = input_of(p, 2);
  Outputs<T> outputs(p);
  const auto tape = relembra::stack_forward<T>(p.shape, input, output_of(p, outputs), true);
  const Extent units = p.shape.units, each = p.places() * p.rows * p.steps * units;
  std::vector<T> states(each), cells(p.kind.has_cell ? each : 0), gates(p.kind.gates * each);
  relembra::StackTrace<T> trace{states.data(), or_null(cells), {}};
  for (int i = 0; i < p.kind.gates; ++i) trace.gates.push_back(gates.data() + i * each);
  const Outputs<T>& seen = outputs;
  relembra::stack_trace<T>(*tape, input, dense(seen.y, p.steps, p.width()), trace);
  for (Extent i = 0; p.steps && i < p.places() * p.rows; ++i) {
    const bool reverse = p.shape.directions == 2 && i / p.rows % 2;
    const T* shown = states.data() + (i * p.steps + (reverse ? 0 : p.steps - 1)) * units;
    if (std::memcmp(shown, outputs.hidden.data() + i * units,
                    static_cast<std::size_t>(units) * sizeof(T)))
      fail("the trace does not end with the final state:", p.kind.name);
  }
}

// Weights in bf16 and int8: the number of threads, of packing too, changes no result.
inline void check_narrow(const Problem<float>& p, Random& random) {
  const bool bf16 = random() % 2;
  const Extent size = bf16 ? 2 : 1;
  std::vector<std::vector<char>> matrices;
  std::vector<std::vector<float>> vectors;
  const auto matrix = [&](Extent elements) -> const void* {
    std::vector<char>& bytes = matrices.emplace_back(static_cast<std::size_t>(elements * size));
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (bf16)  // small numbers: exponents below that of one
      for (Extent i = 1; i < elements * 2; i += 2)
        bytes[static_cast<std::size_t>(i)] = static_cast<char>(random() % 2 ? 0xbd : 0x3d);
    return bytes.data();
  };
  const auto vector = [&](Extent elements) -> const float* {
    return vectors.emplace_back(static_cast<std::size_t>(elements), 0.002f).data();
  };
  relembra::GivenWeights<float> given{
      bf16 ? relembra::Storage::bf16 : relembra::Storage::int8, {}, {}};
  for (int place = 0; place < p.places(); ++place) {
    const Extent rows = p.gate_rows();
    const void* ih = matrix(rows * p.inputs_of(place));
    const void* hh = matrix(rows * p.shape.units);
    given.narrow.push_back({given.storage, ih, hh, bf16 ? nullptr : vector(rows),
                            bf16 ? nullptr : vector(rows)});
    given.weights.push_back({});
    given.weights.back().bias_ih = vector(rows);
  }
  const relembra::PackedStack<float> one(p.shape, given, 1), many(p.shape, given, 3);
  if (!one.matches(given)) fail("narrow weights do not know their own:", p.kind.name);
  if (!(infer(p, 1, &one) == infer(p, 3, &many)))
    fail("the number of threads changes the result of narrow weights:", p.kind.name);
}

template <class T> void check_stack(Random& random) {
  const Problem<T> p = draw_problem<T>(random);
  const char* name = p.kind.name;
  const Trained<T> one = train(p, 1), many = train(p, 3);
  if (!(one.outputs == many.outputs)) fail("the number of threads changes the output:", name);
  if (!one.gradients.same_by_row(many.gradients))
    fail("the number of threads changes the gradient of a row:", name);
  const Trained<T> outside = train_in_memory(p, 1);
  if (!(outside.outputs == one.outputs) || !(outside.gradients == one.gradients))
    fail("a tape in the caller's memory changes the result:", name);
  const Trained<T> sparse = train(p, 3, 1);
  if (!(sparse.outputs == many.outputs) || !(sparse.gradients == many.gradients))
    fail("recomputation changes the result:", name);
  if (!p.staged()) check_trace(p);
  if constexpr (sizeof(T) == sizeof(float))
    if (!p.staged()) check_narrow(p, random);
  if (!(infer(p, 2, nullptr) == one.outputs)) fail("inference and training differ:", name);
  relembra::PackedStack<T> packed(p.shape, given_of(p), 3);
  if (!(infer(p, 1, &packed) == one.outputs)) fail("packed weights give other bits:", name);
  if (!packed.matches(given_of(p))) fail("packed weights do not know their own:", name);
  Problem<T> changed = p;
  changed.weights.back().back() += T(1);
  if (packed.matches(given_of(changed))) fail("packed weights miss a change:", name);
}

}  // namespace checks
