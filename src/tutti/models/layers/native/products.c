/* What quantized layers do for each row of activations, in one call instead of a dozen: codes of activations, and
   products of a few rows with int8 weights that lie row by row, (N, K).

   Codes are those of `quantize_rows`, bit for bit: built without contraction, rounded to even. Sums are of whole numbers
   and exact, so that instructions, numbers of rows and threads change nothing. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "forms.h"
#include "team.h"
#include "order.h"

#if defined(__GNUC__) && defined(PORTABLE_ONLY) /* to try what other processors than x86 run */
#define COMPILED 1
#elif defined(__x86_64__) && defined(__GNUC__)
#define X86 1
#define COMPILED 1
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))
#elif defined(__aarch64__) && defined(__GNUC__)
#define COMPILED 1
#include <arm_neon.h>
#include <sys/auxv.h>
#endif
#ifdef COMPILED
#include "codes.h"
#endif

enum { PAD = 32, MOST_ROWS = 4, OUTPUTS = 16 };

/* Whether this processor has the instructions that all below is for. */
int tutti_has_avx2(void) {
#ifdef X86
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") != 0;
#elif defined(COMPILED)
    return 1;
#else
    return 0;
#endif
}

#ifdef COMPILED

/* ---- codes ---- */

typedef struct {
    const float *x; /* (M, K) */
    int8_t *codes;  /* the same */
    float *top;     /* (M,) */
    int64_t m, k;
    int levels, threads;
} Codes;

static void some_codes(void *given) {
    const Codes *job = given;
    int64_t first, stop;
    share(member(job->threads), job->m, 1, &first, &stop);
    for (int64_t row = first; row < stop; row++)
        job->top[row] = codes_of_row(job->x + row * job->k, job->codes + row * job->k, job->k, job->levels);
}
#endif

#ifdef X86

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
    share(member(job->threads), job->n, OUTPUTS, &first, &stop);
    for (int64_t row = first; row < stop; row += OUTPUTS)
        outputs(job, row, row + OUTPUTS < stop ? row + OUTPUTS : stop);
}

#endif

/* ---- packed products, decode steps and blocks of trunks, for each set of instructions ---- */

#ifdef X86
#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#pragma GCC optimize("fp-contract=fast")
#define FN(name) name##_avx2
#include "packed.h"
#include "rows.h"
#include "attend.h"
#include "step.h"
#include "trunk.h"
#include "unset.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prefer-vector-width=512")
#pragma GCC optimize("fp-contract=fast")
#define VNNI 1
#define FN(name) name##_vnni
#include "packed.h"
#include "rows.h"
#include "attend.h"
#include "step.h"
#include "trunk.h"
#include "unset.h"
#undef VNNI
#pragma GCC pop_options
#define ANY(function) function##_avx2
#define BEST(function, ...) (instructions == 2 ? function##_vnni(__VA_ARGS__) : function##_avx2(__VA_ARGS__))
#elif defined(COMPILED)
#define PORTABLE 1
#pragma GCC optimize("fp-contract=fast")
#define FN(name) name##_neon
#include "packed.h"
#include "rows.h"
#include "attend.h"
#include "step.h"
#include "trunk.h"
#include "unset.h"

#define ANY(function) function##_neon
#ifdef __aarch64__
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#define DOTPROD 1
#define FN(name) name##_dot
#include "packed.h"
#include "rows.h"
#include "attend.h"
#include "step.h"
#include "trunk.h"
#include "unset.h"
#undef DOTPROD
#pragma GCC pop_options
#define HAS_DOT ((getauxval(AT_HWCAP) & (1UL << 20)) != 0) /* HWCAP_ASIMDDP */
#define BEST(function, ...) ((void)instructions, HAS_DOT ? function##_dot(__VA_ARGS__) : function##_neon(__VA_ARGS__))
#else
#define BEST(function, ...) ((void)instructions, function##_neon(__VA_ARGS__))
#endif
#endif

/* x (M, K) → codes (M, K) within +-levels, and the rows' largest magnitudes (M,). Returns 0, or 1 where it cannot. */
int tutti_codes(int threads, int levels, const float *x, int64_t m, int64_t k, int8_t *codes, float *top) {
#ifdef COMPILED
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

/* Bytes of what is given: whoever was built for others must not be called. */
int64_t tutti_form_bytes(void) { return sizeof(Matrix) + sizeof(Change) + sizeof(Layer) + sizeof(Decoder) + sizeof(Step) + sizeof(Trunk); }

/* Sets of instructions that this processor has: 2 AVX-512 with VNNI, 1 AVX2 with FMA, 0 neither. */
int tutti_instructions(void) {
#ifdef X86
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return 0;
    return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
               ? 2
               : 1;
#elif defined(COMPILED)
    return 2;
#else
    return 0;
#endif
}

/* x (rows, K) by a packed matrix → out (rows, N). Returns 0, or 1 where it cannot. */
int tutti_multiply(int instructions, int threads, int levels, const Matrix *m, const float *x, int64_t rows, float *out) {
#ifdef COMPILED
    threads = usable(threads, m->n * m->k);
    return BEST(multiply_rows, threads, levels, m, x, rows, out);
#else
    return 1;
#endif
}

/* Bytes of scratch that a step of so many rows takes. */
int64_t tutti_step_bytes(int threads, const Decoder *d, int64_t rows, int64_t longest) {
#ifdef COMPILED
    ANY(Job) job;
    return ANY(lay)(&job, d, rows, longest, threads, NULL);
#else
    return 0;
#endif
}

/* Bytes of scratch that a block of a trunk takes for so many pictures of so many tokens. */
int64_t tutti_trunk_bytes(int threads, const Trunk *t, int64_t batch, int64_t tokens) {
#ifdef COMPILED
    ANY(Seen) job;
    return ANY(lay_trunk)(&job, t, batch, tokens, threads, NULL);
#else
    return 0;
#endif
}

/* x (batch, tokens, D) through a block of a trunk, in place. Returns 0, or 1 where it cannot. */
int tutti_trunk(int instructions, int threads, const Trunk *t, float *x, int64_t batch, int64_t tokens,
                uint8_t *scratch) {
#ifdef COMPILED
    threads = openmp_parallel == NULL ? 1 : threads;
    BEST(trunk, t, x, batch, tokens, threads, scratch);
    return 0;
#else
    return 1;
#endif
}

/* A decode step. Returns 0, or 1 where it cannot. */
int tutti_step(int instructions, int threads, const Decoder *d, const Step *s) {
#ifdef COMPILED
    threads = openmp_parallel == NULL ? 1 : threads;
    BEST(step, d, s, threads);
    return 0;
#else
    return 1;
#endif
}
