/* Threads: those of the OpenMP runtime that is given to `tutti_use_openmp`, torch's own, since those of a second one
   would wait actively beside the first one's. Without one, all is done by the caller's. */

#include <stdint.h>
#include <stddef.h>

typedef void (*parallel_fn)(void (*)(void *), void *, unsigned, unsigned);
typedef int (*count_fn)(void);
typedef void (*barrier_fn)(void);
static parallel_fn openmp_parallel;
static count_fn openmp_thread, openmp_threads;
static barrier_fn openmp_barrier;

void tutti_use_openmp(void *parallel, void *thread, void *threads, void *barrier) {
    openmp_parallel = (parallel_fn)parallel;
    openmp_thread = (count_fn)thread;
    openmp_threads = (count_fn)threads;
    openmp_barrier = (barrier_fn)barrier;
}

/* One of the threads that do a job together. */
typedef struct {
    int64_t index, count;
} Member;

static Member member(int threads) {
    Member one = {0, 1};
    if (threads > 1) {
        one.index = openmp_thread();
        one.count = openmp_threads(); /* may be fewer than were asked for */
    }
    return one;
}

static void run(void (*work)(void *), void *job, int threads) {
    if (threads > 1)
        openmp_parallel(work, job, (unsigned)threads, 0);
    else
        work(job);
}

/* Wait until all are here. */
static inline void meet(Member one) {
    if (one.count > 1)
        openmp_barrier();
}

/* Its part of so many items, in blocks of `step`. */
static inline void share(Member one, int64_t items, int64_t step, int64_t *first, int64_t *stop) {
    const int64_t blocks = (items + step - 1) / step;
    const int64_t end = blocks * (one.index + 1) / one.count * step;
    *first = blocks * one.index / one.count * step;
    *stop = end < items ? end : items;
}

static int usable(int threads, int64_t work) { return threads > 1 && openmp_parallel != NULL && work > 1 << 16 ? threads : 1; }
