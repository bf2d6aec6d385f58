// The core without Python, for the sanitizers and for machines without Python: random stacks,
// streams and linear maps, alone, from several callers at once, and in a forked child.
//
//     sanitize [rounds] [no-fork]
//
// Prints what it did; ends with 1 at the first finding.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "check_linear.hpp"
#include "check_stack.hpp"
#include "check_stream.hpp"

namespace {

template <class T> void check_everything(checks::Random& random) {
  checks::check_stack<T>(random);
  checks::check_stream<T>(random);
  checks::check_linear<T>(random);
}

void rounds(unsigned seed, int count) {
  checks::Random random(seed);
  for (int i = 0; i < count; ++i) {
    check_everything<float>(random);
    check_everything<double>(random);
  }
}

// The child has none of the pool's threads, and the pool is alive when it begins.
void check_forked_child() {
  const pid_t child = fork();
  if (child == 0) {
    rounds(9, 5);
    _exit(0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  if (status != 0) checks::fail("the forked child failed");
}

}  // namespace

int main(int count, char** arguments) {
  const int repeats = count > 1 ? std::atoi(arguments[1]) : 60;
  // ThreadSanitizer supports no threads in a forked child.
  const bool forks = count < 3 || std::strcmp(arguments[2], "no-fork") != 0;
  rounds(1, repeats);
  std::vector<std::thread> callers;
  for (unsigned i = 0; i < 4; ++i) callers.emplace_back(rounds, 2 + i, repeats / 4);
  for (std::thread& caller : callers) caller.join();
  if (forks) check_forked_child();
  const int made = 2 * (repeats + repeats / 4 * 4);
  std::printf("%d stacks, streams and linear maps, single and from 4 callers%s: no finding\n", made,
              forks ? ", and in a forked child" : "");
}
