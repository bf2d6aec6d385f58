#include "linear.hpp"

#include <algorithm>

#include "dispatch.hpp"
#include "pool.hpp"

namespace relembra {
namespace {

// Multiply-adds below which waking a second thread costs more than it saves.
constexpr double worth_a_thread = 5e5;

}  // namespace

template <class T>
PackedLinear<T>::PackedLinear(const T* weight, const T* bias, Extent inputs, Extent outputs)
    : inputs_(inputs), outputs_(outputs), seen_(seen(weight, bias)), biased_(bias != nullptr) {
  const Kernels<T>& kernels = kernels_of<T>();
  panels_ = block_of<T>(kernels.linear_size(inputs, outputs));
  kernels.pack_linear(weight, inputs, outputs, panels_.template as<T>());
  if (!biased_) return;
  bias_ = block_of<T>(outputs);
  std::copy(bias, bias + outputs, bias_.template as<T>());
}

template <class T>
void PackedLinear<T>::apply(const T* x, Extent rows, T* y, int threads) const {
  const Kernels<T>& kernels = kernels_of<T>();
  const Linear<T> call{panels_.template as<T>(), biased_ ? bias_.template as<T>() : nullptr,
                       inputs_, outputs_, rows, x, y};
  const int useful = static_cast<int>(
      std::max(1.0, std::min(static_cast<double>(threads), work(rows) / worth_a_thread)));
  Lease lease(useful);
  const int shares = lease.threads() > 1 ? useful : 1;
  lease.run(shares, [&](int share) { kernels.linear(&call, share, shares); });
}

template <class T>
std::uint64_t PackedLinear<T>::seen(const T* weight, const T* bias) const {
  const Kernels<T>& kernels = kernels_of<T>();
  const Extent one = static_cast<Extent>(sizeof(T));
  const std::uint64_t first = kernels.fingerprint(weight, inputs_ * outputs_ * one, 0);
  return bias ? kernels.fingerprint(bias, outputs_ * one, first) : first;
}

template class PackedLinear<float>;
template class PackedLinear<double>;

}  // namespace relembra
