// Several recurrent layers as one call, forward and backward.
#pragma once

#include <memory>
#include <vector>

#include "interface.hpp"
#include "plan.hpp"

namespace relembra {

struct StackShape {
  CellKind kind;
  Extent inputs, units;
  int layers, directions;
  // Of general cells: gate, candidate, state; zoneout in expectation.
  Activation<double> gate, candidate, state;
  double keep_hidden, keep_cell;
  // Of staged cells only.
  Extent projection = 0;  // features of the state, 0 for as many as units
  bool norm = false;      // layer normalisation
  bool gate_masks = false;  // the state's masks are (B, G, P)

  Extent outputs() const { return projection ? projection : units; }
};

// The masks of one layer and direction; null where there are none.
template <class T> struct Noise {
  const T *state, *candidate, *hidden, *cell;
};

template <class T> class PackedStack;

// A call's arrays; addresses that are null mean what the engine's contract says of absent parts.
template <class T> struct StackInput {
  Batch batch;
  Sequence<const T> x;
  std::vector<Weights<T>> weights;  // (layers * directions)
  const T *hidden, *cell;           // (layers * directions, B, P), and H for the cell state
  std::vector<Noise<T>> noise;      // (layers * directions)
  std::vector<const T*> gaps;       // (layers - 1) dropout masks (B, T, directions * P), or null
  int threads;
  const PackedStack<T>* packed = nullptr;  // the weights for forward, or null: pack them
  // Keep the state after about so many steps, and compute the rest again in backward; 0: keep all.
  // Not with a tape in memory of the caller's.
  Extent recompute = 0;
};
template <class T> struct StackOutput {
  Sequence<T> y;                    // (B, T, directions * P)
  T *hidden, *cell;                 // (layers * directions, B, P), and H for the cell state
};
template <class T> struct StackGradients {
  Sequence<const T> d_y;            // data may be null
  const T *d_hidden, *d_cell;       // may be null
  Sequence<T> d_x;                  // data may be null
  T *d_hidden0, *d_cell0;           // (layers * directions, B, P), and H for the cell state
  std::vector<WeightGradients<T>> weights;
};

template <class T> struct StackTrace {
  T *hidden, *cell;                 // (layers * directions, B, T, H)
  std::vector<T*> gates;            // the same, one for each gate
};

// What forward keeps for backward.
class Tape {
 public:
  virtual ~Tape() = default;
  virtual Extent bytes() const = 0;
};

// Returns null unless `keep`. With `memory` the tape lies there, and can be restored from there.
template <class T>
std::unique_ptr<Tape> stack_forward(const StackShape& shape, const StackInput<T>& input,
                                    const StackOutput<T>& output, bool keep, void* memory = nullptr);

// A tape in memory of the caller's, aligned to 64 bytes: it takes `tape_header` bytes and, for each
// row and step, no more than `tape_step` bytes. They are the same for all instruction sets.
constexpr Extent tape_header = 64;
template <class T> Extent tape_step(const StackShape& shape, bool gaps);

// The tape that forward left in `memory`, which must outlive it. The input is that of forward.
template <class T>
std::unique_ptr<Tape> stack_restore(const StackShape& shape, const StackInput<T>& input,
                                    void* memory);

// `y` is what forward wrote. May be called again: the tape is only read.
template <class T>
void stack_backward(const Tape& tape, const StackInput<T>& input, Sequence<const T> y,
                    const StackGradients<T>& gradients);

// States and gates of every step, from what forward kept. Steps that are not taken show the state
// that was held, and zero gates. `y` is what forward wrote.
template <class T>
void stack_trace(const Tape& tape, const StackInput<T>& input, Sequence<const T> y,
                 const StackTrace<T>& trace);

}  // namespace relembra
