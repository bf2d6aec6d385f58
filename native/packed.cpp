#include "packed.hpp"

#include "dispatch.hpp"
#include "pool.hpp"

namespace relembra {
namespace {

// Elements of weights below which waking a second thread costs more than it saves.
constexpr Extent worth_sharing = 1 << 15;

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
    s.inputs = i < shape.directions ? shape.inputs : shape.units * shape.directions;
    s.units = shape.units;
    kernels.measure(&s);
    layers_.push_back({s, nullptr, nullptr, nullptr});
    elements += aligned(s.packed_ih) + aligned(s.packed_hh) + aligned(s.packed_bias);
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
    const int shares = lease.threads();
    lease.run(shares, [&](int share) { kernels.pack(&packing, share, shares); });
    layer.ih = packing.ih;
    layer.hh = packing.hh;
    layer.bias = packing.bias;
  }
}

template class PackedStack<float>;
template class PackedStack<double>;

}  // namespace relembra
