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
    {CellKind::staged_rnn, "staged rnn", 1, false, true, 0},
    {CellKind::staged_lstm, "staged lstm", 4, true, true, 3},
    {CellKind::staged_coupled_lstm, "staged coupled lstm", 3, true, true, 2},
    {CellKind::staged_gru, "staged gru", 3, false, true, 0},
    {CellKind::staged_gru_before, "staged gru before", 3, false, true, 0},
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

  Extent width() const { return shape.outputs() * shape.directions; }
  Extent states() const { return places() * rows * shape.outputs(); }
  Extent cells() const { return kind.has_cell ? places() * rows * shape.units : 0; }
  bool staged() const { return kind.kind >= CellKind::staged_rnn; }
  int places() const { return shape.layers * shape.directions; }
  Extent gate_rows() const { return kind.gates * shape.units; }
  Extent inputs_of(int place) const { return place < shape.directions ? shape.inputs : width(); }
  // Elements of each field of relembra::Weights, in its order.
  std::vector<Extent> sizes(int place) const {
    const Extent all = gate_rows(), units = shape.units, outputs = shape.outputs();
    const Extent bias = biases ? all : 0, gain = shape.norm ? all : 0;
    const Extent norm_c = shape.norm && kind.has_cell ? units : 0;
    return {all * inputs_of(place), all * outputs, bias, bias, shape.projection * units,
            peepholes ? kind.peepholes * units : 0, gain, gain, norm_c, biases ? norm_c : 0};
  }
  Extent weights_of(int place) const {
    Extent sum = 0;
    for (const Extent size : sizes(place)) sum += size;
    return sum;
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
  std::vector<T*> at;
  for (const Extent size : p.sizes(place)) {
    at.push_back(size ? all : nullptr);
    all += size;
  }
  return {at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8], at[9]};
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
    return {static_cast<relembra::Function>(draw.below(8)), 0.2, 0.5, 0.7};
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
  // The staged forms without an option of their own are there for normalisation and gate masks.
  const bool alone = kind.kind == CellKind::staged_rnn || kind.kind == CellKind::staged_gru;
  shape.gate_masks = kind.kind >= CellKind::staged_rnn && draw.one_in(2);
  if (kind.kind >= CellKind::staged_rnn)
    shape.norm = (alone && !shape.gate_masks) || draw.one_in(2);
  if (kind.kind >= CellKind::staged_rnn && kind.has_cell && shape.units > 1 && draw.one_in(2))
    shape.projection = 1 + draw.below(shape.units - 1);
  return shape;
}

template <class T> Masks<T> draw_masks(Draw& draw, const Problem<T>& p) {
  const Extent steps = p.rows * p.steps, units = p.shape.units, outputs = p.shape.outputs();
  const Extent state_masks = p.rows * (p.shape.gate_masks ? p.kind.gates : 1);
  return {draw.maybe<T>(state_masks * outputs), draw.maybe<T>(steps * units),
          draw.maybe<T>(steps * outputs), draw.maybe<T>(steps * units)};
}

template <class T> Problem<T> draw_problem(Random& random) {
  Draw draw(random);
  Problem<T> p{};
  p.kind = kinds[draw.below(sizeof kinds / sizeof *kinds)];
  p.shape = draw_shape(draw, p.kind);
  p.rows = draw.size(20);
  // Sometimes so many that what is computed again comes in several segments.
  p.steps = draw.one_in(10) ? 150 + draw.below(200) : draw.size(12);
  p.biases = !draw.one_in(4);
  p.peepholes = p.kind.peepholes && draw.one_in(2);
  p.wants_x = !draw.one_in(4);
  p.x = draw.normal<T>(p.rows * p.steps * p.shape.inputs);
  p.hidden = draw.maybe<T>(p.states());
  p.d_hidden = draw.maybe<T>(p.states());
  if (p.kind.has_cell) {
    p.cell = draw.maybe<T>(p.cells());
    p.d_cell = draw.maybe<T>(p.cells());
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
