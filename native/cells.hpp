// The gate equations on vectors of units: forward, and backward from the saved gates. `show` gives
// the activated gates, in PyTorch's order, of what was saved.
//
// A position holds, for each group of units (one vector), `slots` vectors. The product with the
// input writes x_vectors of them from slot x_slot on, the product with the state h_vectors from
// h_slot on. `x_gate` and `h_gate` say which block of rows of PyTorch's weights each vector is.
#pragma once

#include "interface.hpp"
#include "simd.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

// What a cell sees of one row and one group of units at one step.
template <class T> struct ForwardPoint {
  const Vec<T>* sum;  // the slots, before the activation
  T* gates;           // where to keep what backward needs, or null
  const T* h_old;
  T* c;               // updated in place
  T* c_saved;         // or null
  // Of general cells only:
  const Options<T>* options;
  const T* peephole;  // of these units, one gate every `stride` elements, or null
  Index stride;
  Vec<T> kept;        // factor of the candidate: dropout
  Vec<T> keep_hidden, keep_cell;  // zoneout
};
template <class T> struct BackwardPoint {
  const T* gates;     // what forward kept
  Vec<T> h_old, h_new, c_old;
  const T* c_new;
  Vec<T> dh;          // gradient of the new state, complete
  T* dc;              // in: gradient of the new cell state; out: of the old one
  T* dh_old;          // out: the part of the old state's gradient that passes no product
  T* d_gates;         // out: gradients of the sums
  const Options<T>* options;
  const T* peephole;
  T* d_peephole;      // added to
  Index stride;
  Vec<T> kept, keep_hidden, keep_cell;
};

// h = tanh(a) or max(a, 0)
template <class T, bool Relu> struct Rnn {
  static constexpr int slots = 1, x_vectors = 1, h_vectors = 1, x_slot = 0, h_slot = 0;
  static constexpr int x_gate[] = {0}, h_gate[] = {0};
  static constexpr int gates = 1;
  static constexpr bool has_cell = false, has_direct = false, h_bias_apart = false;
  static constexpr bool needs_h_old = false, needs_h_new = true, saves_gates = false;
  static constexpr bool general = false, has_peepholes = false;

  template <bool Keep> RELEMBRA_INLINE static Vec<T> forward(const ForwardPoint<T>& p) {
    const Vec<T>* sum = p.sum;
    // NaN stays NaN: the comparison with it is false.
    if constexpr (Relu) return sum[0] < Vec<T>{} ? Vec<T>{} : sum[0];
    return hyperbolic_tangent<T>(sum[0]);
  }
  RELEMBRA_INLINE static void backward(const BackwardPoint<T>& p) {
    const Vec<T> h = p.h_new;
    Vec<T> d;
    if constexpr (Relu) d = h > Vec<T>{} ? p.dh : Vec<T>{};
    else d = p.dh * (T(1) - h * h);
    store<T>(p.d_gates, d);
  }
  RELEMBRA_INLINE static void show(const BackwardPoint<T>& p, Vec<T>* to) { to[0] = p.h_new; }
};

// i, f, o = logistic, g = tanh;  c = f c' + i g;  h = o tanh(c)
template <class T> struct Lstm {
  static constexpr int slots = 4, x_vectors = 4, h_vectors = 4, x_slot = 0, h_slot = 0;
  static constexpr int x_gate[] = {0, 1, 2, 3}, h_gate[] = {0, 1, 2, 3};
  static constexpr int gates = 4;
  static constexpr bool has_cell = true, has_direct = false, h_bias_apart = false;
  static constexpr bool needs_h_old = false, needs_h_new = false, saves_gates = true;
  static constexpr bool general = false, has_peepholes = false;

  template <bool Keep> RELEMBRA_INLINE static Vec<T> forward(const ForwardPoint<T>& p) {
    const Vec<T>* sum = p.sum;
    const Vec<T> i = logistic<T>(sum[0]), f = logistic<T>(sum[1]);
    const Vec<T> g = hyperbolic_tangent<T>(sum[2]), o = logistic<T>(sum[3]);
    const Vec<T> c = fma(f, load<T>(p.c), i * g);
    store<T>(p.c, c);
    if constexpr (Keep) {
      store<T>(p.gates, i);
      store<T>(p.gates + width<T>, f);
      store<T>(p.gates + 2 * width<T>, g);
      store<T>(p.gates + 3 * width<T>, o);
      store<T>(p.c_saved, c);
    }
    return o * hyperbolic_tangent<T>(c);
  }
  RELEMBRA_INLINE static void backward(const BackwardPoint<T>& p) {
    const Vec<T> i = load<T>(p.gates), f = load<T>(p.gates + width<T>);
    const Vec<T> g = load<T>(p.gates + 2 * width<T>), o = load<T>(p.gates + 3 * width<T>);
    const Vec<T> shown = hyperbolic_tangent<T>(load<T>(p.c_new));
    const Vec<T> d_out = p.dh * shown;
    const Vec<T> dc = fma(p.dh * o, T(1) - shown * shown, load<T>(p.dc));
    store<T>(p.dc, dc * f);
    store<T>(p.d_gates, dc * g * (i * (T(1) - i)));
    store<T>(p.d_gates + width<T>, dc * p.c_old * (f * (T(1) - f)));
    store<T>(p.d_gates + 2 * width<T>, dc * i * (T(1) - g * g));
    store<T>(p.d_gates + 3 * width<T>, d_out * (o * (T(1) - o)));
  }
  RELEMBRA_INLINE static void show(const BackwardPoint<T>& p, Vec<T>* to) {
    for (int q = 0; q < gates; ++q) to[q] = load<T>(p.gates + q * width<T>);
  }
};

// r, z = logistic;  n = tanh(x part + r * h part);  h = (1 - z) n + z h'
// Slots: n from the input, r, z, n from the state; so each product writes adjacent vectors.
template <class T> struct Gru {
  static constexpr int slots = 4, x_vectors = 3, h_vectors = 3, x_slot = 0, h_slot = 1;
  static constexpr int x_gate[] = {2, 0, 1}, h_gate[] = {0, 1, 2};
  static constexpr int gates = 3;
  static constexpr bool has_cell = false, has_direct = true, h_bias_apart = true;
  static constexpr bool needs_h_old = true, needs_h_new = false, saves_gates = true;
  static constexpr bool general = false, has_peepholes = false;

  template <bool Keep> RELEMBRA_INLINE static Vec<T> forward(const ForwardPoint<T>& p) {
    const Vec<T>* sum = p.sum;
    const Vec<T> r = logistic<T>(sum[1]), z = logistic<T>(sum[2]);
    const Vec<T> n = hyperbolic_tangent<T>(fma(r, sum[3], sum[0]));
    if constexpr (Keep) {
      store<T>(p.gates, n);
      store<T>(p.gates + width<T>, r);
      store<T>(p.gates + 2 * width<T>, z);
      store<T>(p.gates + 3 * width<T>, sum[3]);
    }
    return fma(z, load<T>(p.h_old) - n, n);
  }
  RELEMBRA_INLINE static void backward(const BackwardPoint<T>& p) {
    const Vec<T> n = load<T>(p.gates), r = load<T>(p.gates + width<T>);
    const Vec<T> z = load<T>(p.gates + 2 * width<T>), part = load<T>(p.gates + 3 * width<T>);
    const Vec<T> dz = p.dh * (p.h_old - n);
    const Vec<T> dn = p.dh * (T(1) - z) * (T(1) - n * n);
    store<T>(p.dh_old, p.dh * z);
    store<T>(p.d_gates, dn);
    store<T>(p.d_gates + width<T>, dn * part * (r * (T(1) - r)));
    store<T>(p.d_gates + 2 * width<T>, dz * (z * (T(1) - z)));
    store<T>(p.d_gates + 3 * width<T>, dn * r);
  }
  RELEMBRA_INLINE static void show(const BackwardPoint<T>& p, Vec<T>* to) {
    for (int q = 0; q < gates; ++q) to[q] = load<T>(p.gates + (q + 1) % gates * width<T>);
  }
};

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
