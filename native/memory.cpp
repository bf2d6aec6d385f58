#include "memory.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace relembra {
namespace {

constexpr std::size_t huge = std::size_t{2} << 20;  // bytes of a large page
constexpr std::size_t large = std::size_t{1} << 20;  // from here on it counts what is kept
constexpr std::size_t kept_at_most = std::size_t{512} << 20;

struct Kept {
  void* data;
  std::size_t bytes;
};

struct Shelf {
  std::mutex mutex;
  std::vector<Kept> blocks;  // the oldest first
  std::size_t kept = 0, used = 0, peak = 0, most = 0, asked = 0, fresh = 0;

  // What may be held in all: the most that was ever in use, and some.
  std::size_t limit() const { return most + most / 8 + large; }

  void count(std::size_t bytes) {
    used += bytes;
    peak = std::max(peak, used);
    most = std::max(most, used);
    ++asked;
  }

  Kept remove(std::size_t i) {
    const Kept block = blocks[i];
    kept -= block.bytes;
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
    return block;
  }

  // The smallest that is large enough; no more than half wasted, unless to take it saves throwing
  // it away.
  bool take(std::size_t bytes, Kept& to) {
    std::size_t best = blocks.size();
    for (std::size_t i = 0; i < blocks.size(); ++i)
      if (blocks[i].bytes >= bytes &&
          (best == blocks.size() || blocks[i].bytes < blocks[best].bytes))
        best = i;
    if (best == blocks.size()) return false;
    const bool crowded = bytes >= large && used + kept + bytes > limit();
    if (blocks[best].bytes > 2 * bytes && !crowded) return false;
    to = remove(best);
    return true;
  }

  // The oldest go first, so that sizes no longer in use do not stay.
  void make_room() {
    while (!blocks.empty() && (kept > kept_at_most || used + kept > limit()))
      std::free(remove(0).data);
  }
};

Shelf& shelf() {
  static Shelf* s = new Shelf;  // never destroyed: tapes may outlive everything
  return *s;
}

// A fork copies the shelf as it is: the child must not find it locked by a thread that it has not.
const int registered = pthread_atfork([] { shelf().mutex.lock(); }, [] { shelf().mutex.unlock(); },
                                      [] { shelf().mutex.unlock(); });

}  // namespace

#if defined(RELEMBRA_CHECKED_MEMORY)

// For the sanitizers: every block is fresh, of the size asked for, and full of something else, so
// that who reads too far is found, and who reads what was never written gets other results.
Block::Block(std::size_t bytes) : bytes_(bytes) {
  if (posix_memalign(&data_, 64, bytes ? bytes : 1)) throw std::bad_alloc();
  static std::atomic<unsigned> count{0};
  constexpr int patterns[] = {0xff, 0x00, 0x3c, 0xbd};
  std::memset(data_, patterns[count++ % 4], bytes);
}

Block::~Block() {
  if (!borrowed_) std::free(data_);
}

#else

namespace {

std::size_t rounded(std::size_t bytes) {
  const std::size_t unit = bytes >= 2 * huge ? huge : std::size_t{4096};
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

MemoryUse memory_use() {
  Shelf& s = shelf();
  const std::lock_guard lock(s.mutex);
  return {s.used, s.peak, s.kept, s.asked, s.fresh, s.most};
}

void restart_peak() {
  Shelf& s = shelf();
  const std::lock_guard lock(s.mutex);
  s.peak = s.used;
}

Block::Block(std::size_t bytes) : bytes_(rounded(bytes ? bytes : 1)) {
  Shelf& s = shelf();
  {
    const std::lock_guard lock(s.mutex);
    Kept found{};
    if (s.take(bytes_, found)) {
      data_ = found.data;
      bytes_ = found.bytes;
      s.count(bytes_);
      return;
    }
    s.count(bytes_);
    ++s.fresh;
    if (bytes_ >= large) s.make_room();
  }
  data_ = std::aligned_alloc(bytes_ >= 2 * huge ? huge : 64, bytes_);
  if (!data_) {
    const std::lock_guard lock(s.mutex);
    s.used -= bytes_;
    throw std::bad_alloc();
  }
#if defined(__linux__)
  if (bytes_ >= 2 * huge) madvise(data_, bytes_, MADV_HUGEPAGE);  // a wish: no harm if refused
#endif
}

Block::~Block() {
  if (!data_ || borrowed_) return;
  Shelf& s = shelf();
  const std::lock_guard lock(s.mutex);
  s.blocks.push_back({data_, bytes_});
  s.kept += bytes_;
  s.used -= bytes_;
  if (s.blocks.size() > 32) std::free(s.remove(0).data);
  s.make_room();
}

#endif

Block::Block(Block&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)),
      borrowed_(std::exchange(other.borrowed_, false)) {}

Block& Block::operator=(Block&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(borrowed_, other.borrowed_);
  return *this;
}

}  // namespace relembra
