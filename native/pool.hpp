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

  // Threads that would begin at once: the caller and the workers that are not asleep. Only so many
  // shares may wait for each other, else all would wait for the sleepers. Those were called when
  // the lease began; waits for them at most so long, which pays where there is much to do.
  int ready(double seconds) const;

  // Calls f(share) for share = 0 ... shares - 1. Threads take the next share when they are free, so
  // a worker that comes late holds nobody up.
  template <class F> void run(int shares, const F& f) {
    run(shares, [](const void* g, int share) { (*static_cast<const F*>(g))(share); }, &f);
  }

 private:
  void run(int shares, void (*f)(const void*, int), const void* context);

  struct Pool* pool_ = nullptr;
  int threads_ = 1;
};

}  // namespace relembra
