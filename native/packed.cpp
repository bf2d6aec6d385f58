#include "packed.hpp"

#include "dispatch.hpp"
#include "pool.hpp"

namespace relembra {
namespace {

// Elements of weights below which waking a second thread costs more than it saves.
constexpr Extent worth_sharing = 1 << 15;

Extent gates_of(CellKind kind) {
  switch (kind) {
    case CellKind::lstm:
    case CellKind::general_lstm:
    case CellKind::staged_lstm: return 4;
    case CellKind::rnn_tanh:
    case CellKind::rnn_relu:
    case CellKind::general_rnn:
    case CellKind::staged_rnn: return 1;
    default: return 3;
  }
}

template <class T> Activation<T> as(const Activation<double>& a) {
  return {a.kind, static_cast<T>(a.slope), static_cast<T>(a.offset), static_cast<T>(a.alpha)};
}

Extent aligned(Extent elements) { return (elements + 15) / 16 * 16; }

}  // namespace

template <class T>
PackedStack<T>::PackedStack(const StackShape& shape, const std::vector<Weights<T>>& weights,
                            int threads)
    : shape_(shape) {
  const Kernels<T>& kernels = kernels_of<T>();
  Extent elements = 0;
  for (int i = 0; i < shape.layers * shape.directions; ++i) {
    Shape s{};
    s.kind = shape.kind;
    s.inputs = i < shape.directions ? shape.inputs : shape.outputs() * shape.directions;
    s.units = shape.units;
    s.outputs = shape.outputs();
    s.norm = shape.norm;
    kernels.measure(&s);
    PackedLayer<T> layer{};
    layer.shape = s;
    layer.options.gate = as<T>(shape.gate);
    layer.options.candidate = as<T>(shape.candidate);
    layer.options.state = as<T>(shape.state);
    layer.options.keep_hidden = static_cast<T>(shape.keep_hidden);
    layer.options.keep_cell = static_cast<T>(shape.keep_cell);
    layers_.push_back(layer);
    elements += aligned(s.packed_ih) + aligned(s.packed_hh) + 2 * aligned(s.packed_bias);
  }
  memory_ = block_of<T>(elements);
  Lease lease(elements > worth_sharing ? threads : 1);
  T* at = memory_.template as<T>();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    PackedLayer<T>& layer = layers_[i];
    Packing<T> packing{};
    packing.shape = &layer.shape;
    packing.weights = weights.at(i);
    packing.ih = at;
    packing.hh = packing.ih + aligned(layer.shape.packed_ih);
    packing.bias = packing.hh + aligned(layer.shape.packed_hh);
    at = packing.bias + aligned(layer.shape.packed_bias);
    if (packing.weights.peephole) {
      packing.peephole = at;
      at += aligned(layer.shape.packed_bias);
    }
    const int shares = lease.threads();
    lease.run(shares, [&](int share) { kernels.pack(&packing, share, shares); });
    layer.ih = packing.ih;
    layer.hh = packing.hh;
    layer.bias = packing.bias;
    layer.options.peephole = packing.peephole;
  }
  seen_ = seen(weights);
}

template <class T>
std::uint64_t PackedStack<T>::seen(const std::vector<Weights<T>>& weights) const {
  const Kernels<T>& kernels = kernels_of<T>();
  const Extent one = static_cast<Extent>(sizeof(T));
  const Extent gates = gates_of(shape_.kind), bias = gates * shape_.units;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Weights<T>& w = weights.at(i);
    sum = kernels.fingerprint(w.ih, bias * layers_[i].shape.inputs * one, sum);
    sum = kernels.fingerprint(w.hh, bias * shape_.outputs() * one, sum);
    const auto add = [&](const T* data, Extent elements) {
      if (data) sum = kernels.fingerprint(data, elements * one, sum);
    };
    add(w.bias_ih, bias);
    add(w.bias_hh, bias);
    add(w.hr, shape_.outputs() * shape_.units);
    add(w.peephole, bias - shape_.units);  // one for each gate but the candidate
    add(w.gain_ih, bias);
    add(w.gain_hh, bias);
    add(w.gain_c, shape_.units);
    add(w.bias_c, shape_.units);
  }
  return sum;
}

template class PackedStack<float>;
template class PackedStack<double>;

}  // namespace relembra
