/* What quantized layers do for each row of activations, in one call instead of a dozen: codes of activations, and
   products of a few rows with int8 weights that lie row by row, (N, K).

   Codes are those of `quantize_rows`, bit for bit: built without contraction, rounded to even. Sums are of whole numbers
   and exact, so that instructions, numbers of rows and threads change nothing.

   Threads are those of the OpenMP runtime that is given to `tutti_use_openmp`, torch's own: those of a second one would
   wait actively beside the first one's. Without one, all is done by the caller's. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define X86 1
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))
#endif

enum { PAD = 32, MOST_ROWS = 4, OUTPUTS = 16 };

typedef void (*parallel_fn)(void (*)(void *), void *, unsigned, unsigned);
typedef int (*count_fn)(void);
static parallel_fn openmp_parallel;
static count_fn openmp_thread, openmp_threads;

void tutti_use_openmp(void *parallel, void *thread, void *threads) {
    openmp_parallel = (parallel_fn)parallel;
    openmp_thread = (count_fn)thread;
    openmp_threads = (count_fn)threads;
}

/* Whether this processor has the instructions that all below is for. */
int tutti_has_avx2(void) {
#ifdef X86
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") != 0;
#else
    return 0;
#endif
}

static void run(void (*work)(void *), void *job, int threads) {
    if (threads > 1)
        openmp_parallel(work, job, (unsigned)threads, 0);
    else
        work(job);
}

static void share(int threads, int64_t items, int64_t step, int64_t *first, int64_t *stop) {
    const int64_t index = threads > 1 ? openmp_thread() : 0, parts = threads > 1 ? openmp_threads() : 1;
    const int64_t blocks = (items + step - 1) / step;
    const int64_t end = blocks * (index + 1) / parts * step;
    *first = blocks * index / parts * step;
    *stop = end < items ? end : items;
}

static int usable(int threads, int64_t work) { return threads > 1 && openmp_parallel != NULL && work > 1 << 16 ? threads : 1; }

#ifdef X86

/* ---- codes ---- */

typedef struct {
    const float *x; /* (M, K) */
    int8_t *codes;  /* the same */
    float *top;     /* (M,) */
    int64_t m, k;
    int levels, threads;
} Codes;

AVX2 static float codes_of_row(const float *x, int8_t *codes, int64_t k, int levels) {
    /* Magnitudes are ordered as whole numbers are, infinity and NaN above all. */
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i most8 = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + 8 <= k; i += 8)
        most8 = _mm256_max_epi32(most8, _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + i)), magnitude));
    int32_t lanes[8], most = 0, bits;
    _mm256_storeu_si256((__m256i *)lanes, most8);
    for (int lane = 0; lane < 8; lane++)
        most = lanes[lane] > most ? lanes[lane] : most;
    for (; i < k; i++) {
        memcpy(&bits, x + i, 4);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    if (most >= 0x7f800000) { /* makes the whole row so, by its scale */
        memset(codes, 0, (size_t)k);
        return NAN;
    }
    float top;
    memcpy(&top, &most, 4);
    top = top < 1e-30f ? 1e-30f : top;
    const float by = 1.0f / top * (float)levels; /* in torch's order */
    const __m256 by8 = _mm256_set1_ps(by);
    for (i = 0; i + 32 <= k; i += 32) {
        const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), by8));
        const __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8), by8));
        const __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 16), by8));
        const __m256i d = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 24), by8));
        const __m256i all = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        _mm256_storeu_si256((__m256i *)(codes + i), _mm256_permutevar8x32_epi32(all, order));
    }
    for (; i < k; i++)
        codes[i] = (int8_t)_mm_cvtss_si32(_mm_set_ss(x[i] * by));
    return top;
}

static void some_codes(void *given) {
    const Codes *job = given;
    int64_t first, stop;
    share(job->threads, job->m, 1, &first, &stop);
    for (int64_t row = first; row < stop; row++)
        job->top[row] = codes_of_row(job->x + row * job->k, job->codes + row * job->k, job->k, job->levels);
}

/* ---- products: pairs are added in 16 bits, and |weight| <= 128 by |code| <= 127 keeps a pair below 2^15 ---- */

typedef struct {
    const int8_t *weight; /* (N, K) */
    const float *factor;  /* (N,) */
    float *out;           /* (M, N) */
    const int8_t *codes;  /* (M, stride), zeros behind K */
    int64_t m, n, k, stride;
    int threads;
} Product;

AVX2 static int32_t sum_of(__m256i v) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    return _mm_cvtsi128_si32(four);
}

AVX2 static inline __attribute__((always_inline)) void block(const Product *job, int64_t row, int64_t from,
                                                             const int outputs, const int count) {
    const __m256i ones = _mm256_set1_epi16(1);
    const int64_t whole = job->k / 32 * 32, left = job->k - whole;
    __m256i sums[2][MOST_ROWS];
    for (int r = 0; r < outputs; r++)
        for (int c = 0; c < count; c++)
            sums[r][c] = _mm256_setzero_si256();
    for (int64_t i = 0; i < job->k; i += 32) {
        __m256i x[MOST_ROWS];
        for (int c = 0; c < count; c++)
            x[c] = _mm256_loadu_si256((const __m256i *)(job->codes + (from + c) * job->stride + i));
        for (int r = 0; r < outputs; r++) {
            const int8_t *at = job->weight + (row + r) * job->k + i;
            int8_t tail[32] = {0};
            if (i >= whole) {
                memcpy(tail, at, (size_t)left);
                at = tail;
            }
            const __m256i w = _mm256_loadu_si256((const __m256i *)at), size = _mm256_abs_epi8(w);
            for (int c = 0; c < count; c++) {
                const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(x[c], w));
                sums[r][c] = _mm256_add_epi32(sums[r][c], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
    for (int r = 0; r < outputs; r++)
        for (int c = 0; c < count; c++)
            job->out[(from + c) * job->n + row + r] = (float)sum_of(sums[r][c]) * job->factor[row + r];
}

AVX2 static void outputs(const Product *job, int64_t first, int64_t stop) {
    for (int64_t from = 0; from < job->m; from += MOST_ROWS) {
        const int64_t count = job->m - from;
        int64_t row = first;
        for (; row + 2 <= stop; row += 2)
            switch (count) {
            case 1: block(job, row, from, 2, 1); break;
            case 2: block(job, row, from, 2, 2); break;
            case 3: block(job, row, from, 2, 3); break;
            default: block(job, row, from, 2, 4);
            }
        for (; row < stop; row++)
            for (int64_t c = 0; c < count && c < MOST_ROWS; c++)
                block(job, row, from + c, 1, 1);
    }
}

/* Weights stay in the nearest cache while all rows of activations go by. */
static void some_outputs(void *given) {
    const Product *job = given;
    int64_t first, stop;
    share(job->threads, job->n, OUTPUTS, &first, &stop);
    for (int64_t row = first; row < stop; row += OUTPUTS)
        outputs(job, row, row + OUTPUTS < stop ? row + OUTPUTS : stop);
}

#endif

/* x (M, K) → codes (M, K) within +-levels, and the rows' largest magnitudes (M,). Returns 0, or 1 where it cannot. */
int tutti_codes(int threads, int levels, const float *x, int64_t m, int64_t k, int8_t *codes, float *top) {
#ifdef X86
    Codes job = {x, codes, top, m, k, levels, usable(m > 1 ? threads : 1, m * k)};
    run(some_codes, &job, job.threads);
    return 0;
#else
    return 1;
#endif
}

/* codes (M, K) by weight (N, K), times factor (N,) → out (M, N). Returns 0, or 1 where memory is short. */
int tutti_product(int threads, const int8_t *codes, int64_t m, int64_t n, int64_t k, const int8_t *weight,
                  const float *factor, float *out) {
#ifdef X86
    const int64_t stride = (k + PAD - 1) / PAD * PAD;
    int8_t *padded = malloc((size_t)(m * stride));
    if (padded == NULL)
        return 1;
    for (int64_t row = 0; row < m; row++) {
        memcpy(padded + row * stride, codes + row * k, (size_t)k);
        memset(padded + row * stride + k, 0, (size_t)(stride - k));
    }
    Product job = {weight, factor, out, padded, m, n, k, stride, usable(threads, n * k)};
    run(some_outputs, &job, job.threads);
    free(padded);
    return 0;
#else
    return 1;
#endif
}
