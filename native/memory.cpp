#include "memory.hpp"

#include <pthread.h>

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
constexpr std::size_t kept_at_most = std::size_t{512} << 20;

struct Kept {
  void* data;
  std::size_t bytes;
};
struct Shelf {
  std::mutex mutex;
  std::vector<Kept> blocks;
  std::size_t bytes = 0;
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

Block::Block(std::size_t bytes) : bytes_(rounded(bytes ? bytes : 1)) {
  Shelf& s = shelf();
  {
    const std::lock_guard lock(s.mutex);
    // The smallest that is large enough, and no more than half wasted.
    std::size_t best = s.blocks.size();
    for (std::size_t i = 0; i < s.blocks.size(); ++i)
      if (s.blocks[i].bytes >= bytes_ && s.blocks[i].bytes <= 2 * bytes_ &&
          (best == s.blocks.size() || s.blocks[i].bytes < s.blocks[best].bytes))
        best = i;
    if (best < s.blocks.size()) {
      data_ = s.blocks[best].data;
      bytes_ = s.blocks[best].bytes;
      s.bytes -= bytes_;
      s.blocks[best] = s.blocks.back();
      s.blocks.pop_back();
      return;
    }
  }
  data_ = std::aligned_alloc(bytes_ >= 2 * huge ? huge : 64, bytes_);
  if (!data_) throw std::bad_alloc();
#if defined(__linux__)
  if (bytes_ >= 2 * huge) madvise(data_, bytes_, MADV_HUGEPAGE);  // a wish: no harm if refused
#endif
}

Block::~Block() {
  if (!data_ || borrowed_) return;
  Shelf& s = shelf();
  const std::lock_guard lock(s.mutex);
  // The oldest go first, so that sizes no longer in use do not stay.
  s.blocks.push_back({data_, bytes_});
  s.bytes += bytes_;
  while (s.bytes > kept_at_most || s.blocks.size() > 32) {
    std::free(s.blocks.front().data);
    s.bytes -= s.blocks.front().bytes;
    s.blocks.erase(s.blocks.begin());
  }
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
