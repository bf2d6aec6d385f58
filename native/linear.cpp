#include "linear.hpp"

#include <algorithm>

#include "dispatch.hpp"
#include "pool.hpp"

namespace relembra {
namespace {

// Multiply-adds below which waking a second thread costs more than it saves.
constexpr double worth_a_thread = 5e5;

// A copy, or nothing of nothing.
template <class T> Block copy_of(const T* from, Extent count) {
  if (!from) return Block();
  Block to = block_of<T>(count);
  std::copy(from, from + count, to.template as<T>());
  return to;
}

}  // namespace

template <class T>
PackedLinear<T>::PackedLinear(const MapArrays<T>& from, Storage storage, Extent inputs,
                              Extent outputs)
    : storage_(storage),
      inputs_(inputs),
      outputs_(outputs),
      seen_(seen(from)),
      bias_(copy_of(from.bias, outputs)),
      scale_(copy_of(from.scale, outputs)) {
  const Kernels<T>& kernels = kernels_of<T>();
  panels_ = Block(static_cast<std::size_t>(kernels.linear_size(inputs, outputs)) *
                  bytes_of<T>(storage));
  kernels.pack_linear(storage, from.weight, inputs, outputs, panels_.template as<void>());
}

template <class T>
void PackedLinear<T>::apply(const T* x, Extent rows, T* y, int threads) const {
  const Kernels<T>& kernels = kernels_of<T>();
  const Linear<T> call{storage_, panels_.template as<void>(), scale_.template as<T>(),
                       bias_.template as<T>(), inputs_, outputs_, rows, x, y};
  const int useful = static_cast<int>(
      std::max(1.0, std::min(static_cast<double>(threads), work(rows) / worth_a_thread)));
  Lease lease(useful);
  const int shares = lease.threads() > 1 ? useful : 1;
  lease.run(shares, [&](int share) { kernels.linear(&call, share, shares); });
}

template <class T> std::uint64_t PackedLinear<T>::seen(const MapArrays<T>& arrays) const {
  const Kernels<T>& kernels = kernels_of<T>();
  std::uint64_t sum = kernels.fingerprint(
      arrays.weight, inputs_ * outputs_ * static_cast<Extent>(bytes_of<T>(storage_)), 0);
  for (const T* vector : {arrays.bias, arrays.scale})
    if (vector)
      sum = kernels.fingerprint(vector, outputs_ * static_cast<Extent>(sizeof(T)), sum);
  return sum;
}

template class PackedLinear<float>;
template class PackedLinear<double>;

}  // namespace relembra
