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
#include "../stack.hpp"

namespace {

using relembra::CellKind;
using relembra::Extent;

template <class T> struct Problem {
  relembra::StackShape shape;
  Extent rows, steps;
  std::vector<T> x, weights, hidden, cell, gap, d_y, state_mask, candidate_mask, zone;
  std::vector<std::int64_t> lengths;
  std::vector<char> mask, reset;
  int gates = 1;

  Extent states() const {
    return shape.layers * shape.directions * rows * shape.units;
  }
  Extent width() const { return shape.units * shape.directions; }
};

template <class T> Problem<T> draw(std::mt19937& random) {
  const auto upto = [&](int n) { return static_cast<int>(random() % n) + 1; };
  std::normal_distribution<double> normal;
  const auto fill = [&](std::vector<T>& v, Extent n) {
    v.resize(n);
    for (T& x : v) x = static_cast<T>(0.3 * normal(random));
  };
  Problem<T> p;
  p.shape.kind = static_cast<CellKind>(random() % 8);
  switch (p.shape.kind) {
    case CellKind::lstm:
    case CellKind::general_lstm: p.gates = 4; break;
    case CellKind::gru:
    case CellKind::general_gru:
    case CellKind::coupled_lstm: p.gates = 3; break;
    default: p.gates = 1;
  }
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
  p.shape.layers = upto(2);
  p.shape.directions = upto(2);
  p.rows = static_cast<Extent>(random() % 20);
  p.steps = static_cast<Extent>(random() % 12);
  fill(p.x, p.rows * p.steps * p.shape.inputs);
  Extent weights = 0;
  for (int layer = 0; layer < p.shape.layers; ++layer)
    weights += p.shape.directions * p.gates * p.shape.units *
               ((layer ? p.width() : p.shape.inputs) + p.shape.units + 2);
  fill(p.weights, weights);
  fill(p.hidden, p.states());
  fill(p.cell, p.states());
  fill(p.d_y, p.rows * p.steps * p.width());
  if (random() % 2) fill(p.state_mask, p.rows * p.shape.units);
  if (random() % 2) fill(p.candidate_mask, p.rows * p.steps * p.shape.units);
  if (random() % 2) fill(p.zone, p.rows * p.steps * p.shape.units);
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
  std::vector<T> y, hidden, cell, d_x, d_hidden0, d_cell0, d_weights;
};

template <class T> const T* or_null(const std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}

// Bit for bit: NaN equals itself.
template <class T> bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T> Result<T> compute(const Problem<T>& p, int threads) {
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
                      mask_of(p.zone)});
  Result<T> r;
  r.y.resize(p.rows * p.steps * p.width());
  r.hidden.resize(p.states());
  r.cell.resize(p.states());
  r.d_x.resize(p.x.size());
  r.d_hidden0.resize(p.states());
  r.d_cell0.resize(p.states());
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
      const Extent rows = p.gates * p.shape.units;
      const Extent ih = rows * (layer ? p.width() : p.shape.inputs), hh = rows * p.shape.units;
      const T* w = p.weights.data() + at;
      T* g = r.d_weights.data() + at;
      input.weights.push_back({w, w + ih, w + ih + hh, w + ih + hh + rows, nullptr});
      gradients.weights.push_back({g, g + ih, g + ih + hh, g + ih + hh + rows, nullptr});
      at += ih + hh + 2 * rows;
    }
  const relembra::Sequence<T> y{r.y.data(), p.steps * p.width(), p.width()};
  const auto tape = relembra::stack_forward<T>(p.shape, input,
                                               {y, r.hidden.data(), r.cell.data()}, true);
  relembra::stack_backward<T>(*tape, input, {y.data, y.row, y.time}, gradients);
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
  if (!same(one.y, many.y) || !same(one.hidden, many.hidden) || !same(one.d_x, many.d_x)) {
    std::puts("the number of threads changes the result");
    std::exit(1);
  }
}

void rounds(unsigned seed, int count) {
  std::mt19937 random(seed);
  for (int i = 0; i < count; ++i) {
    check(draw<float>(random));
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
