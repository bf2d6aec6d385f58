// The worker threads. None exists before the first call that wants more than one.
#pragma once

namespace relembra {

// The right to use the workers for one call. When another Python thread has them, the lease is for
// one thread: the caller does all shares itself, one after another, with the same result.
class Lease {
 public:
  explicit Lease(int threads);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  int threads() const { return threads_; }

  // Calls f(share) for share = 0 ... shares - 1. Up to threads() shares run at the same time, so
  // that they may wait for each other; share i is done by thread i % threads().
  template <class F> void run(int shares, const F& f) {
    run(shares, [](const void* g, int share) { (*static_cast<const F*>(g))(share); }, &f);
  }

 private:
  void run(int shares, void (*f)(const void*, int), const void* context);

  struct Pool* pool_ = nullptr;
  int threads_ = 1;
};

}  // namespace relembra
