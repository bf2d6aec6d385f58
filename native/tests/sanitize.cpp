// Sweep and pool under the sanitizers: random stacks, forward and backward, from several callers at
// once and in a forked child. Arrays have exactly the sizes that the contract says, so that one
// element too many is found. Prints what it did; ends with 1 where results differ.
//
//     make sanitize
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../dispatch.hpp"
#include "../packed.hpp"
#include "../stack.hpp"

namespace {

using relembra::CellKind;
using relembra::Extent;

template <class T> struct Problem {
  relembra::StackShape shape;
  Extent rows, steps;
  std::vector<T> x, weights, hidden, cell, gap, d_y, state_mask, candidate_mask, zone, cell_zone;
  std::vector<std::int64_t> lengths;
  std::vector<char> mask, reset;
  int gates = 1, peepholes = 0;

  Extent walks() const { return shape.layers * shape.directions; }
  Extent states() const { return walks() * rows * shape.outputs(); }
  Extent cells() const { return walks() * rows * shape.units; }
  Extent width() const { return shape.outputs() * shape.directions; }
  // Elements of each field of a layer's weights.
  std::vector<Extent> sizes(int layer) const {
    const Extent units = gates * shape.units, inputs = layer ? width() : shape.inputs;
    const Extent norms = shape.norm ? units : 0, norm = shape.norm ? shape.units : 0;
    const Extent hr = shape.projection * shape.units;
    return {units * inputs, units * shape.outputs(), units, units, hr, peepholes * shape.units,
            norms,          norms,                   norm,  norm};
  }
};

template <class T> Problem<T> draw(std::mt19937& random) {
  const auto upto = [&](int n) { return static_cast<int>(random() % n) + 1; };
  std::normal_distribution<double> normal;
  const auto fill = [&](std::vector<T>& v, Extent n) {
    v.resize(n);
    for (T& x : v) x = static_cast<T>(0.3 * normal(random));
  };
  Problem<T> p;
  p.shape.kind = static_cast<CellKind>(random() % 13);
  switch (p.shape.kind) {
    case CellKind::lstm:
    case CellKind::general_lstm:
    case CellKind::staged_lstm: p.gates = 4; break;
    case CellKind::rnn_tanh:
    case CellKind::rnn_relu:
    case CellKind::general_rnn:
    case CellKind::staged_rnn: p.gates = 1; break;
    default: p.gates = 3;
  }
  const CellKind kind = p.shape.kind;
  const bool staged_lstm =
      kind == CellKind::staged_lstm || kind == CellKind::staged_coupled_lstm;
  const bool general_lstm =
      kind == CellKind::general_lstm || kind == CellKind::coupled_lstm || staged_lstm;
  if (general_lstm && random() % 2) p.peepholes = p.gates - 1;
  const auto function = [&]() -> relembra::Activation<double> {
    return {static_cast<relembra::Function>(random() % 8), 0.2, 0.5, 0.7};
  };
  p.shape.gate = function();
  p.shape.candidate = function();
  p.shape.state = function();
  p.shape.keep_hidden = 0.1;
  p.shape.keep_cell = 0.2;
  p.shape.inputs = upto(40);
  p.shape.units = random() % 4 ? upto(50) : 100 + upto(200);
  if (staged_lstm || kind == CellKind::staged_gru_before) p.shape.norm = random() % 2;
  else p.shape.norm = kind >= CellKind::staged_rnn;
  if (staged_lstm && p.shape.units > 1 && random() % 2)
    p.shape.projection = upto(static_cast<int>(p.shape.units) - 1);
  p.shape.layers = upto(2);
  p.shape.directions = upto(2);
  p.rows = static_cast<Extent>(random() % 20);
  p.steps = static_cast<Extent>(random() % 12);
  if (random() % 8 == 0) p.steps = 300 + upto(200);  // several segments, where not all is kept
  fill(p.x, p.rows * p.steps * p.shape.inputs);
  Extent weights = 0;
  for (int layer = 0; layer < p.shape.layers; ++layer)
    for (const Extent size : p.sizes(layer)) weights += p.shape.directions * size;
  fill(p.weights, weights);
  fill(p.hidden, p.states());
  fill(p.cell, p.cells());
  fill(p.d_y, p.rows * p.steps * p.width());
  if (random() % 2) fill(p.state_mask, p.rows * p.shape.outputs());
  if (random() % 2) fill(p.candidate_mask, p.rows * p.steps * p.shape.units);
  if (random() % 2) fill(p.zone, p.rows * p.steps * p.shape.outputs());
  if (random() % 2) fill(p.cell_zone, p.rows * p.steps * p.shape.units);
  if (random() % 2) fill(p.gap, p.rows * p.steps * p.width());
  if (random() % 2)
    for (Extent r = 0; r < p.rows; ++r)
      p.lengths.push_back(static_cast<std::int64_t>(random() % (p.steps + 1)));
  if (random() % 3 == 0)
    for (Extent i = 0; i < p.rows * p.steps; ++i) p.mask.push_back(random() % 2);
  if (random() % 3 == 0)
    for (Extent i = 0; i < p.rows * p.steps; ++i) p.reset.push_back(random() % 4 == 0);
  return p;
}

template <class T> struct Result {
  std::vector<T> y, hidden, cell, d_x, d_hidden0, d_cell0, d_weights, states, cells, gates;
};

template <class T> const T* or_null(const std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}

// Bit for bit: NaN equals itself.
template <class T> bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// The call's arrays, but for the weights.
template <class T> relembra::StackInput<T> input_of(const Problem<T>& p, int threads) {
  const auto flags = [](const std::vector<char>& v) {
    return reinterpret_cast<const bool*>(or_null(v));
  };
  relembra::StackInput<T> input{
      {p.rows, p.steps, or_null(p.lengths), flags(p.mask), flags(p.reset)},
      {p.x.data(), p.steps * p.shape.inputs, p.shape.inputs},
      {},
      p.hidden.data(),
      p.cell.data(),
      {},
      std::vector<const T*>(p.shape.layers - 1, or_null(p.gap)),
      threads};
  const auto mask_of = [](const std::vector<T>& v) { return v.empty() ? nullptr : v.data(); };
  input.noise.resize(p.shape.layers * p.shape.directions,
                     {mask_of(p.state_mask), mask_of(p.candidate_mask), mask_of(p.zone),
                      mask_of(p.cell_zone)});
  return input;
}

template <class T> Result<T> compute(const Problem<T>& p, int threads) {
  relembra::StackInput<T> input = input_of(p, threads);
  Result<T> r;
  r.y.resize(p.rows * p.steps * p.width());
  r.hidden.resize(p.states());
  r.cell.resize(p.cells());
  r.d_x.resize(p.x.size());
  r.d_hidden0.resize(p.states());
  r.d_cell0.resize(p.cells());
  r.d_weights.resize(p.weights.size());
  relembra::StackGradients<T> gradients{
      {p.d_y.data(), p.steps * p.width(), p.width()},
      nullptr,
      nullptr,
      {r.d_x.data(), p.steps * p.shape.inputs, p.shape.inputs},
      r.d_hidden0.data(),
      r.d_cell0.data(),
      {}};
  Extent at = 0;
  for (int layer = 0; layer < p.shape.layers; ++layer)
    for (int d = 0; d < p.shape.directions; ++d) {
      const T* w[relembra::weight_fields];
      T* g[relembra::weight_fields];
      const std::vector<Extent> sizes = p.sizes(layer);
      for (int i = 0; i < relembra::weight_fields; at += sizes[i++]) {
        w[i] = sizes[i] ? p.weights.data() + at : nullptr;
        g[i] = sizes[i] ? r.d_weights.data() + at : nullptr;
      }
      input.weights.push_back({w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9]});
      gradients.weights.push_back({g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8], g[9]});
    }
  const relembra::Sequence<T> y{r.y.data(), p.steps * p.width(), p.width()};
  const auto tape = relembra::stack_forward<T>(p.shape, input,
                                               {y, r.hidden.data(), r.cell.data()}, true);
  relembra::stack_backward<T>(*tape, input, {y.data, y.row, y.time}, gradients);
  // What is left at the end of a walk is what its last step shows.
  const bool has_cell = p.shape.kind == CellKind::lstm || p.shape.kind == CellKind::general_lstm ||
                        p.shape.kind == CellKind::coupled_lstm;
  r.states.resize(p.states() * p.steps);
  r.cells.resize(has_cell ? r.states.size() : 0);
  r.gates.resize(p.gates * r.states.size());
  relembra::StackTrace<T> trace{r.states.data(), has_cell ? r.cells.data() : nullptr, {}};
  for (int i = 0; i < p.gates; ++i) trace.gates.push_back(r.gates.data() + i * r.states.size());
  relembra::stack_trace<T>(*tape, input, {y.data, y.row, y.time}, trace);
  for (Extent i = 0; p.steps && i < p.shape.layers * p.shape.directions * p.rows; ++i) {
    const bool reverse = p.shape.directions == 2 && i / p.rows % 2;
    const T* shown = r.states.data() + (i * p.steps + (reverse ? 0 : p.steps - 1)) * p.shape.units;
    if (std::memcmp(shown, r.hidden.data() + i * p.shape.units, p.shape.units * sizeof(T))) {
      std::puts("the trace does not end with the final state");
      std::exit(1);
    }
  }
  // Inference writes the same.
  Result<T> again = r;
  relembra::stack_forward<T>(
      p.shape, input,
      {{again.y.data(), y.row, y.time}, again.hidden.data(), again.cell.data()}, false);
  if (!same(again.y, r.y) || !same(again.hidden, r.hidden)) {
    std::puts("inference and training differ");
    std::exit(1);
  }
  return r;
}

template <class T> void check(const Problem<T>& p) {
  const Result<T> one = compute(p, 1), many = compute(p, 3);
  if (!same(one.y, many.y) || !same(one.hidden, many.hidden) || !same(one.d_x, many.d_x) ||
      !same(one.states, many.states) || !same(one.cells, many.cells) ||
      !same(one.gates, many.gates)) {
    std::puts("the number of threads changes the result");
    std::exit(1);
  }
  if (!same(many.y, sparse.y) || !same(many.hidden, sparse.hidden) || !same(many.d_x, sparse.d_x) ||
      !same(many.d_hidden0, sparse.d_hidden0) || !same(many.d_weights, sparse.d_weights)) {
    std::puts("recomputation changes the result");
    std::exit(1);
  }
}

// Weights in bf16 and int8: the number of threads, of packing too, changes no result.
void check_narrow(const Problem<float>& p, std::mt19937& random) {
  const bool bf16 = random() % 2;
  const Extent size = bf16 ? 2 : 1;
  std::vector<std::vector<char>> matrices;
  std::vector<std::vector<float>> vectors;
  const auto matrix = [&](Extent elements) -> const void* {
    std::vector<char>& bytes = matrices.emplace_back(elements * size);
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (bf16)  // small numbers: exponents below that of one
      for (Extent i = 1; i < elements * 2; i += 2)
        bytes[i] = static_cast<char>(random() % 2 ? 0xbd : 0x3d);
    return bytes.data();
  };
  const auto vector = [&](Extent elements) -> const float* {
    return vectors.emplace_back(elements, 0.002f).data();
  };
  relembra::GivenWeights<float> given{
      bf16 ? relembra::Storage::bf16 : relembra::Storage::int8, {}, {}};
  for (int i = 0; i < p.shape.layers * p.shape.directions; ++i) {
    const Extent rows = p.gates * p.shape.units;
    const Extent inputs = i < p.shape.directions ? p.shape.inputs : p.width();
    const void* ih = matrix(rows * inputs);
    const void* hh = matrix(rows * p.shape.units);
    given.narrow.push_back({given.storage, ih, hh, bf16 ? nullptr : vector(rows),
                            bf16 ? nullptr : vector(rows)});
    given.weights.push_back({});
    given.weights.back().bias_ih = vector(rows);
  }
  std::vector<std::vector<float>> found;
  for (int threads : {1, 3}) {
    const relembra::PackedStack<float> packed(p.shape, given, threads);
    if (!packed.matches(given)) {
      std::puts("packed weights do not match what they were packed of");
      std::exit(1);
    }
    relembra::StackInput<float> input = input_of(p, threads);
    input.packed = &packed;
    std::vector<float> y(p.rows * p.steps * p.width()), hidden(p.states()), cell(p.states());
    relembra::stack_forward<float>(
        p.shape, input, {{y.data(), p.steps * p.width(), p.width()}, hidden.data(), cell.data()},
        false);
    found.push_back(std::move(y));
    found.push_back(std::move(hidden));
  }
  if (!same(found[0], found[2]) || !same(found[1], found[3])) {
    std::puts("the number of threads changes the result of narrow weights");
    std::exit(1);
  }
}

void rounds(unsigned seed, int count) {
  std::mt19937 random(seed);
  for (int i = 0; i < count; ++i) {
    const Problem<float> single = draw<float>(random);
    check(single);
    check_narrow(single, random);
    check(draw<double>(random));
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int repeats = count > 1 ? std::atoi(arguments[1]) : 60;
  // ThreadSanitizer supports no threads in a forked child.
  const bool forks = count < 3 || std::strcmp(arguments[2], "no-fork") != 0;
  rounds(1, repeats);
  std::vector<std::thread> callers;
  for (unsigned i = 0; i < 4; ++i) callers.emplace_back(rounds, 2 + i, repeats / 4);
  for (std::thread& caller : callers) caller.join();
  if (forks) {
    const pid_t child = fork();
    if (child == 0) {
      rounds(9, 5);
      _exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    if (status != 0) {
      std::puts("the forked child failed");
      return 1;
    }
  }
  std::printf("%d stacks, single and from 4 callers%s: no finding\n", 2 * repeats + 2 * repeats,
              forks ? ", and in a forked child" : "");
}
