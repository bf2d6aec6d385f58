#include "packed.hpp"

#include <stdexcept>

#include "dispatch.hpp"
#include "kinds.hpp"
#include "pool.hpp"

namespace relembra {
namespace {

// Elements of weights below which waking a second thread costs more than it saves.
constexpr Extent worth_sharing = 1 << 15;

Extent aligned(Extent elements) { return (elements + 15) / 16 * 16; }

}  // namespace

template <class T>
PackedStack<T>::PackedStack(const StackShape& shape, const GivenWeights<T>& given, int threads)
    : shape_(shape), storage_(given.storage) {
  if (storage_ != Storage::whole && is_staged(shape.kind))
    throw std::logic_error("cells whose step has several stages take weights in full only");
  const Kernels<T>& kernels = kernels_of<T>();
  const Extent bytes = static_cast<Extent>(bytes_of<T>(storage_));
  // What matrices of so many weights take, in elements of T.
  const auto room = [&](Extent weights) {
    return aligned((weights * bytes + static_cast<Extent>(sizeof(T)) - 1) /
                   static_cast<Extent>(sizeof(T)));
  };
  const Extent vectors = storage_ == Storage::int8 ? 4 : 2;  // biases, peepholes, scales
  Extent elements = 0;
  for (int i = 0; i < shape.layers * shape.directions; ++i) {
    Shape s{};
    s.kind = shape.kind;
    s.inputs = i < shape.directions ? shape.inputs : shape.outputs() * shape.directions;
    s.units = shape.units;
    s.outputs = shape.outputs();
    s.norm = shape.norm;
    s.gate_masks = shape.gate_masks;
    kernels.measure(&s);
    PackedLayer<T> layer{};
    layer.shape = s;
    layer.options.gate = as<T>(shape.gate);
    layer.options.candidate = as<T>(shape.candidate);
    layer.options.state = as<T>(shape.state);
    layer.options.keep_hidden = static_cast<T>(shape.keep_hidden);
    layer.options.keep_cell = static_cast<T>(shape.keep_cell);
    layers_.push_back(layer);
    elements += room(s.packed_ih) + room(s.packed_hh) + vectors * aligned(s.packed_bias);
  }
  memory_ = block_of<T>(elements);
  Lease lease(elements > worth_sharing ? threads : 1);
  T* at = memory_.template as<T>();
  const auto take = [&](Extent count) {
    T* taken = at;
    at += count;
    return taken;
  };
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    PackedLayer<T>& layer = layers_[i];
    const Shape& s = layer.shape;
    Packing<T> packing{};
    packing.shape = &s;
    packing.weights = given.weights.at(i);
    T* const ih = take(room(s.packed_ih));
    T* const hh = take(room(s.packed_hh));
    layer.bias = packing.bias = take(aligned(s.packed_bias));
    if (packing.weights.peephole) packing.peephole = take(aligned(s.packed_bias));
    layer.options.peephole = packing.peephole;
    const int shares = lease.threads();
    if (storage_ == Storage::whole) {
      layer.ih = packing.ih = ih;
      layer.hh = packing.hh = hh;
    } else {
      const Narrow<T>& from = given.narrow.at(i);
      const NarrowPacking<T> narrow{&s, from, ih, hh};
      lease.run(shares, [&](int share) { kernels.pack_narrow(&narrow, share, shares); });
      layer.narrow = {storage_, ih, hh, nullptr, nullptr};
      // Scales lie as biases do: those of the one product and of the other.
      const auto pack_scale = [&](const T* ih_scale, const T* hh_scale) {
        Packing<T> scales{};
        scales.shape = &s;
        scales.weights.bias_ih = ih_scale;
        scales.weights.bias_hh = hh_scale;
        scales.bias = take(aligned(s.packed_bias));
        kernels.pack(&scales, 0, 1);
        return scales.bias;
      };
      if (from.ih_scale) {
        layer.narrow.ih_scale = pack_scale(from.ih_scale, nullptr);
        layer.narrow.hh_scale = pack_scale(nullptr, from.hh_scale);
      }
    }
    lease.run(shares, [&](int share) { kernels.pack(&packing, share, shares); });
  }
  seen_ = seen(given);
}

template <class T> std::uint64_t PackedStack<T>::seen(const GivenWeights<T>& given) const {
  const Kernels<T>& kernels = kernels_of<T>();
  const Extent one = static_cast<Extent>(sizeof(T));
  const Extent stored = static_cast<Extent>(bytes_of<T>(storage_));
  const Extent gates = gates_of(shape_.kind), bias = gates * shape_.units;
  std::uint64_t sum = 0;
  const auto add = [&](const void* data, Extent bytes) {
    if (data) sum = kernels.fingerprint(data, bytes, sum);
  };
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Weights<T>& w = given.weights.at(i);
    const bool whole = storage_ == Storage::whole;
    const Narrow<T> narrow = whole ? Narrow<T>{storage_, w.ih, w.hh, nullptr, nullptr}
                                   : given.narrow.at(i);
    add(narrow.ih, bias * layers_[i].shape.inputs * stored);
    add(narrow.hh, bias * shape_.outputs() * stored);
    add(narrow.ih_scale, bias * one);
    add(narrow.hh_scale, bias * one);
    add(w.bias_ih, bias * one);
    add(w.bias_hh, bias * one);
    add(w.hr, shape_.outputs() * shape_.units * one);
    add(w.peephole, (bias - shape_.units) * one);  // one for each gate but the candidate
    add(w.gain_ih, bias * one);
    add(w.gain_hh, bias * one);
    add(w.gain_c, shape_.units * one);
    add(w.bias_c, shape_.units * one);
  }
  return sum;
}

template class PackedStack<float>;
template class PackedStack<double>;

}  // namespace relembra
