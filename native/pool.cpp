#include "pool.hpp"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace relembra {
namespace {

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Some 20 to 50 microseconds: long enough for the next call of a loop over layers, too short to
// take the core from torch's own threads.
constexpr int spins = 1000;

}  // namespace

struct Pool {
  struct alignas(64) Worker {
    std::atomic<std::uint32_t> ticket{0};  // counts up once for each job
  };

  std::mutex busy;
  std::vector<std::unique_ptr<Worker>> workers;
  // The job; written before the tickets are, read only by those who got one.
  void (*f)(const void*, int) = nullptr;
  const void* context = nullptr;
  int shares = 0, stride = 1;
  alignas(64) std::atomic<std::int32_t> pending{0};

  void work(int index) {
    Worker& own = *workers_of_this[index];
    std::uint32_t seen = 0;
    for (;;) {
      for (int i = 0; i < spins && own.ticket.load(std::memory_order_acquire) == seen; ++i) pause();
      while (own.ticket.load(std::memory_order_acquire) == seen) own.ticket.wait(seen);
      ++seen;
      for (int share = index + 1; share < shares; share += stride) f(context, share);
      if (pending.fetch_sub(1, std::memory_order_acq_rel) == 1) pending.notify_one();
    }
  }

  // Called with `busy` held. As many as the system gives; returns how many threads there are.
  int grow(int threads) {
    while (static_cast<int>(workers.size()) < threads - 1 && workers.size() < most) {
      workers.push_back(std::make_unique<Worker>());
      const int index = static_cast<int>(workers.size()) - 1;
      workers_of_this[index] = workers.back().get();
      try {
        std::thread([this, index] { work(index); }).detach();
      } catch (const std::system_error&) {  // no more threads to be had: go on with those there are
        workers.pop_back();
        break;
      }
    }
    return static_cast<int>(workers.size()) + 1;
  }

  static constexpr std::size_t most = 255;
  // A second list that never moves while threads read it.
  Worker* workers_of_this[most] = {};
};

namespace {

// Never destroyed: workers may sleep in it when the process ends.
std::atomic<Pool*> current{nullptr};

// A forked child has none of the parent's threads; it begins anew and leaves the old pool alone.
void after_fork_in_child() { current.store(nullptr, std::memory_order_release); }

Pool* pool() {
  Pool* p = current.load(std::memory_order_acquire);
  if (p) return p;
  static const int registered = pthread_atfork(nullptr, nullptr, after_fork_in_child);
  (void)registered;
  Pool* fresh = new Pool;
  if (current.compare_exchange_strong(p, fresh, std::memory_order_acq_rel)) return fresh;
  delete fresh;
  return p;
}

}  // namespace

Lease::Lease(int threads) {
  if (threads < 2) return;
  Pool* p = pool();
  if (!p->busy.try_lock()) return;
  pool_ = p;
  const int had = p->grow(threads);
  threads_ = threads < had ? threads : had;
}

Lease::~Lease() {
  if (pool_) pool_->busy.unlock();
}

void Lease::run(int shares, void (*f)(const void*, int), const void* context) {
  const int helpers = (shares < threads_ ? shares : threads_) - 1;
  if (helpers < 1) {
    for (int share = 0; share < shares; ++share) f(context, share);
    return;
  }
  Pool& p = *pool_;
  p.f = f;
  p.context = context;
  p.shares = shares;
  p.stride = helpers + 1;
  p.pending.store(helpers, std::memory_order_release);
  for (int i = 0; i < helpers; ++i) {
    p.workers_of_this[i]->ticket.fetch_add(1, std::memory_order_release);
    p.workers_of_this[i]->ticket.notify_one();
  }
  for (int share = 0; share < shares; share += helpers + 1) f(context, share);
  for (int i = 0; i < 20 * spins && p.pending.load(std::memory_order_acquire) != 0; ++i) pause();
  for (std::int32_t left; (left = p.pending.load(std::memory_order_acquire)) != 0;)
    p.pending.wait(left);
}

}  // namespace relembra
