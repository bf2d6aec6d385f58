#include "pool.hpp"

#include <pthread.h>
#include <sched.h>
#if defined(__linux__)
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>

namespace relembra {
namespace {

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// How the processor rounds, and what it does with denormal numbers: torch.set_flush_denormal sets
// it for the thread that asks. Workers take it over, else bits would depend on who computes.
#if defined(__SSE__)
using Mode = unsigned;
Mode mode() { return __builtin_ia32_stmxcsr(); }
void set_mode(Mode m) { __builtin_ia32_ldmxcsr(m); }
#elif defined(__aarch64__)
using Mode = std::uint64_t;
Mode mode() {
  Mode m;
  asm volatile("mrs %0, fpcr" : "=r"(m));
  return m;
}
void set_mode(Mode m) { asm volatile("msr fpcr, %0" : : "r"(m)); }
#else
using Mode = int;
Mode mode() { return 0; }
void set_mode(Mode) {}
#endif

// Some 50 to 150 microseconds: long enough for the next call of a training step, too short to take
// the core from torch's own threads.
constexpr int spins = 4000;

// torch's own threads go on spinning for milliseconds after their last loop, and a worker that the
// system lets wait for one, or for the caller, comes too late to be of use. So workers ask for short
// slices, which from Linux 6.12 on need not wait for a longer one to end, and keep off the processor
// of the caller.
#if defined(__linux__)
void ask_for_short_slices() {
#if defined(SYS_sched_setattr)
  struct {
    std::uint32_t size = 48, policy = 0;  // the policy that threads have anyway
    std::uint64_t flags = 0;
    std::int32_t nice = getpriority(PRIO_PROCESS, 0);
    std::uint32_t priority = 0;
    std::uint64_t slice = 100'000, deadline = 0, period = 0;  // nanoseconds
  } wish;
  static_assert(sizeof wish == 48);
  syscall(SYS_sched_setattr, 0, &wish, 0);  // an older system refuses or ignores it
#endif
}
int own_id() { return static_cast<int>(syscall(SYS_gettid)); }
int processor() { return sched_getcpu(); }
// Lets a thread run wherever the caller may, but for one processor.
bool keep_off(int id, int processor) {
  cpu_set_t allowed;
  if (processor < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  CPU_CLR(processor, &allowed);
  return CPU_COUNT(&allowed) > 0 && sched_setaffinity(id, sizeof allowed, &allowed) == 0;
}
#else
void ask_for_short_slices() {}
int own_id() { return 0; }
int processor() { return -1; }
bool keep_off(int, int) { return false; }
#endif

}  // namespace

struct Pool {
  std::mutex busy;       // held by the lease
  int workers = 0;       // guarded by `busy`, as is `avoided`
  int avoided = -1;      // the processor that all workers keep off
  std::atomic<int> ids[255]{};

  // The job. Written while no worker is inside and it is not open.
  void (*f)(const void*, int) = nullptr;
  const void* context = nullptr;
  int shares = 0, helpers = 0;
  Mode arithmetic{};

  alignas(64) std::atomic<std::uint32_t> calls{0};  // counts up whenever workers shall look up
  alignas(64) std::atomic<int> next{0};             // the share that nobody has taken yet
  alignas(64) std::atomic<bool> open{false};
  std::atomic<int> inside{0};                       // workers that may be looking at the job
  alignas(64) std::atomic<int> spinning{0};

  void take_shares() {
    for (int share; (share = next.fetch_add(1, std::memory_order_acq_rel)) < shares;)
      f(context, share);
  }

  void work(int index) {
    ids[index].store(own_id(), std::memory_order_relaxed);
    ask_for_short_slices();
    std::uint32_t seen = 0;
    for (;;) {
      spinning.fetch_add(1, std::memory_order_relaxed);
      for (int i = 0; i < spins && calls.load(std::memory_order_acquire) == seen; ++i) pause();
      spinning.fetch_sub(1, std::memory_order_relaxed);
      while (calls.load(std::memory_order_acquire) == seen) calls.wait(seen);
      seen = calls.load(std::memory_order_acquire);
      // Either we see that the job is closed, or its owner sees that we are inside.
      inside.fetch_add(1, std::memory_order_seq_cst);
      if (open.load(std::memory_order_seq_cst) && index < helpers) {
        set_mode(arithmetic);
        take_shares();
      }
      if (inside.fetch_sub(1, std::memory_order_seq_cst) == 1) inside.notify_one();
    }
  }

  // Of a worker that has yet to begin, the next call takes care.
  void part_from_caller() {
    const int here = processor();
    if (here == avoided) return;
    bool all = true;
    for (int i = 0; i < workers; ++i) {
      const int id = ids[i].load(std::memory_order_relaxed);
      all = id != 0 && keep_off(id, here) && all;
    }
    avoided = all ? here : -1;
  }

  void call_workers() {
    calls.fetch_add(1, std::memory_order_release);
    calls.notify_all();
  }

  // As many as the system gives; returns how many threads there are.
  int grow(int threads) {
    while (workers < threads - 1 && workers < 255) {
      try {
        std::thread([this, index = workers] { work(index); }).detach();
        ++workers;
        avoided = -1;
      } catch (const std::system_error&) {  // no more threads to be had: go on with those there are
        break;
      }
    }
    return workers + 1;
  }
};

namespace {

// Never destroyed: workers may sleep in it when the process ends.
std::atomic<Pool*> current{nullptr};

// A forked child has none of the parent's threads; it begins anew and leaves the old pool alone.
const int registered = pthread_atfork(
    nullptr, nullptr, [] { current.store(nullptr, std::memory_order_release); });

Pool* pool() {
  Pool* p = current.load(std::memory_order_acquire);
  if (p) return p;
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
  p->part_from_caller();
  p->call_workers();  // those asleep wake while the caller prepares the job
}

Lease::~Lease() {
  if (pool_) pool_->busy.unlock();
}

int Lease::ready(double seconds) const {
  if (!pool_) return 1;
  const auto awake = [&] {
    const int all = pool_->spinning.load(std::memory_order_relaxed) + 1;
    return all < threads_ ? all : threads_;
  };
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (awake() < threads_ && Clock::now() < end) pause();
  return awake();
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
  p.helpers = helpers;
  p.arithmetic = mode();
  p.next.store(0, std::memory_order_relaxed);
  p.open.store(true, std::memory_order_seq_cst);
  p.call_workers();
  p.take_shares();
  p.open.store(false, std::memory_order_seq_cst);
  for (int i = 0; i < 10 * spins && p.inside.load(std::memory_order_seq_cst) != 0; ++i) pause();
  for (int left; (left = p.inside.load(std::memory_order_seq_cst)) != 0;) p.inside.wait(left);
}

}  // namespace relembra
