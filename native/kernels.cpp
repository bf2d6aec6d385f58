// Compiled once for each instruction set: RELEMBRA_ISA names the set, the flags enable it.
#include "fingerprint.hpp"
#include "general_cells.hpp"
#include "linear_kernel.hpp"
#include "staged.hpp"
#include "sweep.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

template <class T> using Tanh = Rnn<T, false>;
template <class T> using Relu = Rnn<T, true>;
template <class T> using AnyLstm = GeneralLstm<T, false>;
template <class T> using CoupledLstm = GeneralLstm<T, true>;
template <class T> using AnyStagedLstm = StagedLstm<T, false>;
template <class T> using StagedCoupledLstm = StagedLstm<T, true>;

// Calls f with the sweep of a kind of cell whose step has one stage.
template <class T, class F> RELEMBRA_INLINE auto with_fused(CellKind kind, F&& f) {
  switch (kind) {
    case CellKind::rnn_relu: return f(Sweep<T, Relu>{});
    case CellKind::lstm: return f(Sweep<T, Lstm>{});
    case CellKind::gru: return f(Sweep<T, Gru>{});
    case CellKind::general_rnn: return f(Sweep<T, GeneralRnn>{});
    case CellKind::general_lstm: return f(Sweep<T, AnyLstm>{});
    case CellKind::coupled_lstm: return f(Sweep<T, CoupledLstm>{});
    case CellKind::general_gru: return f(Sweep<T, GeneralGru>{});
    default: return f(Sweep<T, Tanh>{});
  }
}

// Calls f with the sweep of any kind of cell.
template <class T, class F> RELEMBRA_INLINE auto with_sweep(CellKind kind, F&& f) {
  switch (kind) {
    case CellKind::staged_rnn: return f(StagedSweep<T, StagedRnn>{});
    case CellKind::staged_lstm: return f(StagedSweep<T, AnyStagedLstm>{});
    case CellKind::staged_coupled_lstm: return f(StagedSweep<T, StagedCoupledLstm>{});
    case CellKind::staged_gru: return f(StagedSweep<T, StagedGru>{});
    case CellKind::staged_gru_before: return f(StagedSweep<T, StagedGruBefore>{});
    default: return with_fused<T>(kind, static_cast<F&&>(f));
  }
}

template <class T> void measure(Shape* shape) {
  with_sweep<T>(shape->kind, [&](auto sweep) { decltype(sweep)::measure(shape); });
}
template <class T> Extent forward_scratch(const Layer<T>* l) {
  return with_sweep<T>(l->shape->kind, [&](auto s) { return decltype(s)::forward_scratch(l); });
}
template <class T> Extent backward_scratch(const Layer<T>* l) {
  return with_sweep<T>(l->shape->kind, [&](auto s) { return decltype(s)::backward_scratch(l); });
}
template <class T> void pack(const Packing<T>* call, int share, int shares) {
  with_sweep<T>(call->shape->kind, [&](auto s) { decltype(s)::pack(call, share, shares); });
}
template <class T> void pack_narrow(const NarrowPacking<T>* call, int share, int shares) {
  with_fused<T>(call->shape->kind, [&](auto s) { decltype(s)::pack_narrow(call, share, shares); });
}
template <class T> void forward(const Forward<T>* call, int share) {
  with_sweep<T>(call->layer.shape->kind, [&](auto s) { decltype(s)::forward(call, share); });
}
template <class T> void backward(const Backward<T>* call, int share) {
  with_sweep<T>(call->layer.shape->kind, [&](auto s) { decltype(s)::backward(call, share); });
}
template <class T> void collect(const Backward<T>* call, int share, int shares) {
  with_sweep<T>(call->layer.shape->kind, [&](auto s) { decltype(s)::collect(call, share, shares); });
}
template <class T> void trace(const Tracing<T>* call, int team) {
  with_fused<T>(call->layer.shape->kind, [&](auto s) { decltype(s)::trace(call, team); });
}

template <class T> void apply(int function, const T* x, T* y, Extent n) {
  for (Extent i = 0; i < n; i += width<T>) {
    const int lanes = static_cast<int>(n - i < width<T> ? n - i : width<T>);
    const Vec<T> v = load_upto<T>(x + i, lanes);
    const Vec<T> r = function == 0   ? exponential<T>(v)
                     : function == 1 ? logistic<T>(v)
                                     : hyperbolic_tangent<T>(v);
    store_upto<T>(y + i, r, lanes);
  }
}

template <class T>
constexpr Kernels<T> kernels{
    width<T>,           measure<T>,        forward_scratch<T>, backward_scratch<T>, pack<T>,
    pack_narrow<T>,     forward<T>,        backward<T>,        collect<T>,          trace<T>, apply<T>,
    LinearMap<T>::size, LinearMap<T>::pack, LinearMap<T>::run,  fingerprint};

}  // namespace

extern const KernelTable table;
const KernelTable table{&kernels<float>, &kernels<double>};

}  // namespace relembra::RELEMBRA_ISA
