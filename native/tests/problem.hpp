// Random stacks: every kind of cell with its options, sizes that include 0 and 1, and each optional
// array there or not. Arrays have exactly the sizes that the contract says, so that the sanitizers
// find one element too many.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "../stack.hpp"
#include "report.hpp"

namespace checks {

using relembra::CellKind;
using relembra::Extent;
using Random = std::mt19937;

// A new kind of cell is a line here; a new option is a member of Problem and a line in `draw`.
struct Kind {
  CellKind kind;
  const char* name;
  int gates;
  bool has_cell, options;
  int peepholes;  // rows, 0 where the cell has none
};
inline constexpr Kind kinds[] = {
    {CellKind::rnn_tanh, "rnn tanh", 1, false, false, 0},
    {CellKind::rnn_relu, "rnn relu", 1, false, false, 0},
    {CellKind::lstm, "lstm", 4, true, false, 0},
    {CellKind::gru, "gru", 3, false, false, 0},
    {CellKind::general_rnn, "general rnn", 1, false, true, 0},
    {CellKind::general_lstm, "general lstm", 4, true, true, 3},
    {CellKind::coupled_lstm, "coupled lstm", 3, true, true, 2},
    {CellKind::general_gru, "general gru", 3, false, true, 0},
};

// The masks of one layer and direction; empty where there are none.
template <class T> struct Masks {
  std::vector<T> state, candidate, hidden, cell;
};

template <class T> struct Problem {
  Kind kind;
  relembra::StackShape shape;
  Extent rows, steps;
  bool biases, peepholes, wants_x;
  std::vector<T> x, hidden, cell, d_y, d_hidden, d_cell;  // those absent are empty
  std::vector<std::vector<T>> weights;                    // (layers * directions), all parts
  std::vector<Masks<T>> noise;                            // (layers * directions)
  std::vector<std::vector<T>> gaps;                       // (layers - 1)
  std::vector<std::int64_t> lengths;
  std::vector<char> mask, reset;

  Extent width() const { return shape.units * shape.directions; }
  Extent states() const { return shape.layers * shape.directions * rows * shape.units; }
  int places() const { return shape.layers * shape.directions; }
  Extent gate_rows() const { return kind.gates * shape.units; }
  Extent inputs_of(int place) const { return place < shape.directions ? shape.inputs : width(); }
  Extent weights_of(int place) const {
    return gate_rows() * (inputs_of(place) + shape.units + (biases ? 2 : 0)) +
           (peepholes ? kind.peepholes * shape.units : 0);
  }
  relembra::Batch batch() const {
    const auto flags = [](const std::vector<char>& v) {
      return reinterpret_cast<const bool*>(or_null(v));
    };
    return {rows, steps, or_null(lengths), flags(mask), flags(reset)};
  }
};

// Where the parts of one layer and direction are in its array.
template <class Parts, class P, class T> Parts parts_of(const P& p, T* all, int place) {
  const Extent ih = p.gate_rows() * p.inputs_of(place), hh = p.gate_rows() * p.shape.units;
  T* bias = p.biases ? all + ih + hh : nullptr;
  T* after = all + ih + hh + (p.biases ? 2 * p.gate_rows() : 0);
  return {all, all + ih, bias, bias ? bias + p.gate_rows() : nullptr,
          p.peepholes ? after : nullptr};
}

class Draw {
 public:
  explicit Draw(Random& random) : random_(random) {}

  Extent below(Extent n) { return static_cast<Extent>(random_() % static_cast<unsigned>(n)); }
  bool one_in(int n) { return random_() % static_cast<unsigned>(n) == 0; }
  // 0, 1, or anything below n.
  Extent size(Extent n) { return one_in(4) ? below(2) : below(n); }

  template <class T> std::vector<T> normal(Extent n) {
    std::vector<T> v(static_cast<std::size_t>(n));
    for (T& x : v) x = static_cast<T>(0.3 * normal_(random_));
    return v;
  }
  template <class T> std::vector<T> maybe(Extent n) {
    return one_in(2) ? normal<T>(n) : std::vector<T>();
  }
  std::vector<char> flags(Extent n, int chance) {
    std::vector<char> v(static_cast<std::size_t>(n));
    for (char& x : v) x = one_in(chance);
    return v;
  }

 private:
  Random& random_;
  std::normal_distribution<double> normal_;
};

inline relembra::StackShape draw_shape(Draw& draw, const Kind& kind) {
  const auto function = [&]() -> relembra::Activation<double> {
    return {static_cast<relembra::Function>(draw.below(7)), 0.2, 0.5, 0.7};
  };
  relembra::StackShape shape{};
  shape.kind = kind.kind;
  shape.inputs = 1 + draw.size(40);
  // Sometimes so many that the members of a team share the units of a row.
  shape.units = draw.one_in(4) ? 100 + draw.below(200) : 1 + draw.size(50);
  shape.layers = 1 + static_cast<int>(draw.below(3));
  shape.directions = 1 + static_cast<int>(draw.below(2));
  shape.gate = function();
  shape.candidate = function();
  shape.state = function();
  shape.keep_hidden = draw.one_in(2) ? 0.1 : 0.0;
  shape.keep_cell = draw.one_in(2) ? 0.2 : 0.0;
  return shape;
}

template <class T> Masks<T> draw_masks(Draw& draw, const Problem<T>& p) {
  const Extent each = p.rows * p.steps * p.shape.units;
  return {draw.maybe<T>(p.rows * p.shape.units), draw.maybe<T>(each), draw.maybe<T>(each),
          draw.maybe<T>(each)};
}

template <class T> Problem<T> draw_problem(Random& random) {
  Draw draw(random);
  Problem<T> p{};
  p.kind = kinds[draw.below(sizeof kinds / sizeof *kinds)];
  p.shape = draw_shape(draw, p.kind);
  p.rows = draw.size(20);
  p.steps = draw.size(12);
  p.biases = !draw.one_in(4);
  p.peepholes = p.kind.peepholes && draw.one_in(2);
  p.wants_x = !draw.one_in(4);
  p.x = draw.normal<T>(p.rows * p.steps * p.shape.inputs);
  p.hidden = draw.maybe<T>(p.states());
  p.d_hidden = draw.maybe<T>(p.states());
  if (p.kind.has_cell) {
    p.cell = draw.maybe<T>(p.states());
    p.d_cell = draw.maybe<T>(p.states());
  }
  p.d_y = draw.maybe<T>(p.rows * p.steps * p.width());
  for (int place = 0; place < p.places(); ++place) {
    p.weights.push_back(draw.normal<T>(p.weights_of(place)));
    p.noise.push_back(p.kind.options ? draw_masks(draw, p) : Masks<T>{});
  }
  for (int gap = 1; gap < p.shape.layers; ++gap)
    p.gaps.push_back(draw.maybe<T>(p.rows * p.steps * p.width()));
  if (draw.one_in(2))
    for (Extent r = 0; r < p.rows; ++r) p.lengths.push_back(draw.below(p.steps + 1));
  if (draw.one_in(3)) p.mask = draw.flags(p.rows * p.steps, 2);
  if (draw.one_in(3)) p.reset = draw.flags(p.rows * p.steps, 4);
  return p;
}

// The same for one direction, without what a stream of steps cannot have.
template <class T> Problem<T> streamable(Random& random) {
  Problem<T> p = draw_problem<T>(random);
  while (p.shape.directions != 1) p = draw_problem<T>(random);
  p.lengths.clear();
  p.mask.clear();
  p.reset.clear();
  for (auto& masks : p.noise) masks = {};
  for (auto& gap : p.gaps) gap.clear();
  return p;
}

}  // namespace checks
