// What the driver (compiled once) and the kernels (compiled for each instruction set) say to each
// other: plain structures and a table of functions. No member functions and no templates of the
// standard library here, because both kinds of translation units include this file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace relembra {

using Extent = std::ptrdiff_t;

enum class CellKind : int {
  rnn_tanh, rnn_relu, lstm, gru,
  // with options
  general_rnn, general_lstm, coupled_lstm, general_gru,
  // with the options above and, in several stages a step, layer normalisation, projection, and the
  // reset gate before the product
  staged_rnn, staged_lstm, staged_coupled_lstm, staged_gru, staged_gru_before
};

enum class Function : int {
  tanh, logistic, relu, hard_sigmoid, softsign, elu, identity,
  gelu  // x times the normal distribution, not its approximation by tanh
};

template <class T> struct Activation {
  Function kind;
  T slope, offset, alpha;  // of hard_sigmoid and elu
};

// What general cells can do beyond the plain ones. Masks are arrays of exactly the shapes given.
template <class T> struct Options {
  Activation<T> gate, candidate, state;
  T keep_hidden, keep_cell;   // zoneout in expectation, where there is no mask
  const T* peephole;          // (3 or 2, padded), or null
  const T* state_mask;        // (B, P) on the state into the product, or (B, G, P), or null
  const T* candidate_mask;    // (B, T, H), or null
  const T *hidden_mask, *cell_mask;  // (B, T, P) and (B, T, H) zoneout, or null
};

// The walk of some rows through time in one direction. Row r takes count[r] steps; rows stand in
// descending order of count, so at walk step s the rows 0 ... active(s) - 1 move. A position is a
// pair (s, r), numbered step by step. Masked and padded steps are no steps at all.
struct Walk {
  Extent rows;
  Extent steps;                 // of the first row
  Extent batch_steps;           // T
  bool reverse;
  const std::int32_t* row;      // (rows) which row of the batch
  const std::int32_t* count;    // (rows)
  const std::int32_t* active;   // (steps), or null: all rows take all steps
  const Extent* offset;         // (steps + 1) position of (s, 0), or null: s * rows
  const std::int32_t* time;     // (positions) t, or null: s, or count - 1 - s in reverse
  const std::uint8_t* reset;    // (positions) the state is cleared before the step, or null
  const std::uint8_t* cleared;  // (rows) a reset after the last step clears the final state, or null
  Extent base;                  // positions of the walks before this one
  Extent first;                 // a segment's first step in the whole walk, which count is of
};

// Several workers may share the rows of one walk, each with its own units, in step by a barrier.
struct Barrier {
  int arrived;
  int generation;
};

// An array (B, T, features) whose features are adjacent.
template <class T> struct Sequence {
  T* data;
  Extent row, time;  // strides
};

// G gates of H units, I inputs, P features of the state, which are H but for a projection.
template <class T> struct Weights {
  const T *ih, *hh, *bias_ih, *bias_hh;  // PyTorch's layout; the biases may be null
  const T* hr;                           // (P, H) projection, or null
  const T* peephole;                     // (3 or 2, H), or null
  const T *gain_ih, *gain_hh;            // (G*H) of the norms, or null
  const T *gain_c, *bias_c;              // (H) of the cell state's norm, or null
};
// How weights lie in memory. Narrow ones are for inference in float only: bf16, and 8-bit integers
// of which each output (row of the matrix) has a scale.
enum class Storage : int { whole, bf16, int8 };

// The matrices of a layer in that storage: PyTorch's layout with a scale for each row, or packed with
// a scale for each slot of a position, as the biases are.
template <class T> struct Narrow {
  Storage storage;
  const void *ih, *hh;
  const T *ih_scale, *hh_scale;          // of int8, else null
};

template <class T> struct WeightGradients {
  T *ih, *hh, *bias_ih, *bias_hh, *hr, *peephole, *gain_ih, *gain_hh, *gain_c, *bias_c;
};
inline constexpr int weight_fields = 10;  // of both

// Sizes of one layer and direction; filled by Kernels::measure.
struct Shape {
  CellKind kind;
  Extent inputs, units;
  Extent outputs;         // features of the state: the units, or fewer with a projection
  bool norm;              // layer normalisation
  bool gate_masks;        // the state mask has one for each gate
  Extent groups;          // vectors of units
  Extent padded;          // units, rounded up to whole vectors
  Extent position;        // elements of a position: gates and what backward needs beside them
  Extent packed_ih, packed_hh;            // elements, for the forward products
  Extent packed_ih_back, packed_hh_back;  // for dx and dh
  Extent packed_bias;
  Extent gradient;        // elements of one private gradient buffer
};

template <class T> struct Layer {
  const Shape* shape;
  const Options<T>* options;          // of general cells
  const T *ih, *hh, *bias;            // packed
  const T *ih_back, *hh_back;         // packed for backward; ih_back null when dx is not wanted
  const Walk* walks;                  // (teams)
  Barrier* barriers;                  // (teams)
  int teams, members;
  Sequence<const T> x;
  const T *hidden0, *cell0;           // (B, P) and (B, H), or null for zeros
  T* gates;                           // (positions, position), or null in inference
  T* cells;                           // (positions, padded), or null
  T* scratch;                         // (teams) of scratch_stride elements
  Extent scratch_stride;
  Extent chunk;                       // positions that are worked on at a time
  const Narrow<T>* narrow;            // packed, in the place of ih and hh; or null
};

template <class T> struct Forward {
  Layer<T> layer;
  Sequence<T> output;
  T *hidden, *cell;                   // (B, P) and (B, H) final states
};

template <class T> struct Backward {
  Layer<T> layer;
  Sequence<const T> output;           // what forward gave
  Sequence<const T> d_output;         // data may be null: zeros
  const T *d_hidden, *d_cell;         // (B, P) and (B, H), or null: zeros
  Sequence<T> d_x;                    // data may be null: not wanted
  bool add_to_d_x;                    // the other direction has been there
  bool whole;                         // not a segment
  bool go_on;                         // add to the private gradients: later segments were there
  T *d_hidden0, *d_cell0;             // (B, P) and (B, H)
  T* gradients;                       // (teams) of shape.gradient elements
  WeightGradients<T> weights;
};

// What forward kept of the steps that were taken, in the order of the batch.
template <class T> struct Tracing {
  Layer<T> layer;
  Sequence<const T> output;           // what forward gave
  T *hidden, *cell;                   // (B, T, H); cell is null where the cell has none
  T* const* gates;                    // as many as the cell has, in PyTorch's order: (B, T, H)
};

template <class T> struct Packing {
  const Shape* shape;
  Weights<T> weights;
  T *ih, *hh, *bias, *ih_back, *hh_back;  // those not wanted are null
  T* peephole;                            // or null
};

template <class T> struct NarrowPacking {
  const Shape* shape;
  Narrow<T> from;
  void *ih, *hh;
};

// Y = X W^T + b; x and y row after row.
template <class T> struct Linear {
  Storage storage;
  const void* panels;                 // packed
  const T *scale, *bias;              // (outputs); scale of int8, bias may be null
  Extent inputs, outputs, rows;
  const T* x;                         // (rows, inputs)
  T* y;                               // (rows, outputs)
};

template <class T> struct Kernels {
  int width;
  void (*measure)(Shape*);
  // Elements of scratch that a team needs.
  Extent (*forward_scratch)(const Layer<T>*);
  Extent (*backward_scratch)(const Layer<T>*);
  // Each is called once for every share in 0 ... shares - 1, by any thread.
  void (*pack)(const Packing<T>*, int share, int shares);
  void (*pack_narrow)(const NarrowPacking<T>*, int share, int shares);
  void (*forward)(const Forward<T>*, int share);    // teams * members shares
  void (*backward)(const Backward<T>*, int share);  // teams * members shares
  void (*collect)(const Backward<T>*, int share, int shares);
  void (*trace)(const Tracing<T>*, int team);
  // Elementwise, for the tests of the mathematics.
  void (*apply)(int function, const T* x, T* y, Extent n);
  // Linear maps: elements of the packed weights; packing; the map, once for every share.
  Extent (*linear_size)(Extent inputs, Extent outputs);
  void (*pack_linear)(Storage, const void* weight, Extent inputs, Extent outputs, void* to);
  void (*linear)(const Linear<T>*, int share, int shares);
  // A fingerprint of memory that goes on from another one.
  std::uint64_t (*fingerprint)(const void* data, Extent bytes, std::uint64_t start);
};

struct KernelTable {
  const Kernels<float>* single;
  const Kernels<double>* twofold;
};

}  // namespace relembra
