/* Products of rows by packed matrices, exact; included once for each set of instructions.

   VNNI: four products of unsigned weights by signed activations are added in 32 bits. AVX2: in pairs of 16 bits first,
   which hold 255 * 63 * 2 and, of int4 codes, 15 * 127 * 2 eight times. */

#ifdef PORTABLE
#include "portable.h"
#elif defined(VNNI)
typedef __m512i FN(Vec);
#define V FN(Vec)
enum { FN(LANES) = 16, FN(TILE) = 12, FN(DIRECT) = 12 };
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), v)
#define FOUR(p) _mm512_set1_epi32(*(const int32_t *)(p))
#define SET8(b) _mm512_set1_epi8(b)
#define SET32(b) _mm512_set1_epi32(b)
#define ZERO() _mm512_setzero_si512()
#define AND(a, b) _mm512_and_si512(a, b)
#define OR(a, b) _mm512_or_si512(a, b)
#define SHIFT16(a, n) _mm512_srli_epi16(a, n)
#define LEFT16(a, n) _mm512_slli_epi16(a, n)
#define ADD8(a, b) _mm512_add_epi8(a, b)
#define ADD16(a, b) _mm512_add_epi16(a, b)
#define ADD32(a, b) _mm512_add_epi32(a, b)
#define SUB32(a, b) _mm512_sub_epi32(a, b)
#define MUL16(a, b) _mm512_mullo_epi16(a, b)
#define MUL32(a, b) _mm512_mullo_epi32(a, b)
#define UNSIGNED(p) _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define SIGNED(p) _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define DOT(acc, w, x) _mm512_dpbusd_epi32(acc, w, x)
#else
typedef __m256i FN(Vec);
#define V FN(Vec)
enum { FN(LANES) = 8, FN(TILE) = 4, FN(DIRECT) = 1 << 30 };
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define FOUR(p) _mm256_set1_epi32(*(const int32_t *)(p))
#define SET8(b) _mm256_set1_epi8(b)
#define SET32(b) _mm256_set1_epi32(b)
#define ZERO() _mm256_setzero_si256()
#define AND(a, b) _mm256_and_si256(a, b)
#define OR(a, b) _mm256_or_si256(a, b)
#define SHIFT16(a, n) _mm256_srli_epi16(a, n)
#define LEFT16(a, n) _mm256_slli_epi16(a, n)
#define ADD8(a, b) _mm256_add_epi8(a, b)
#define ADD16(a, b) _mm256_add_epi16(a, b)
#define ADD32(a, b) _mm256_add_epi32(a, b)
#define SUB32(a, b) _mm256_sub_epi32(a, b)
#define MUL16(a, b) _mm256_mullo_epi16(a, b)
#define MUL32(a, b) _mm256_mullo_epi32(a, b)
#define UNSIGNED(p) _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#define SIGNED(p) _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#define DOT(acc, w, x) _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1)))
#endif
#define INLINE static inline __attribute__((always_inline))
#define VECS (BLOCK / FN(LANES))

/* `rows` rows by `vecs` vectors of a block, over `steps` times four columns: c (rows, 64) = or += sums. `lines` of 64
   bytes from `next` on, weights that come after these, are fetched meanwhile. */
INLINE void FN(tile8)(const uint8_t *w, int64_t steps, const int8_t *x, int32_t *c, int more, const uint8_t *next,
                      int64_t lines, const int rows, const int vecs) {
    const uint8_t *end = next + lines * 64;
    for (int at = 0; at < VECS; at += vecs) {
        V acc[VECS][FN(TILE)];
        for (int v = 0; v < vecs; v++)
            for (int r = 0; r < rows; r++)
                acc[v][r] = more ? LOAD(c + r * BLOCK + (at + v) * FN(LANES)) : ZERO();
        const uint8_t *from = w + at * sizeof(V);
        for (int64_t s = 0; s < steps; s++) {
            V weights[VECS];
            for (int v = 0; v < vecs; v++)
                weights[v] = LOAD(from + s * 4 * BLOCK + v * sizeof(V));
            for (int v = 0; v < vecs * (int)sizeof(V) / 64 && next < end; v++, next += 64)
                __builtin_prefetch(next, 0, 2);
            for (int r = 0; r < rows; r++) {
                const V four = FOUR(x + (s * rows + r) * 4);
                for (int v = 0; v < vecs; v++)
                    acc[v][r] = DOT(acc[v][r], weights[v], four);
            }
        }
        for (int v = 0; v < vecs; v++)
            for (int r = 0; r < rows; r++)
                STORE(c + r * BLOCK + (at + v) * FN(LANES), acc[v][r]);
    }
}

/* The same for int4, `groups` groups from w on; sums (rows, stride) of the activations' groups. */
INLINE void FN(tile4)(const uint8_t *w, int64_t groups, int64_t group, const int8_t *x, const int32_t *sums,
                      int64_t stride, int32_t *c, const int rows, const int vecs) {
    const V low = SET8(15);
    const int64_t octets = group / 8;
    for (int64_t g = 0; g < groups; g++, w += (2 + octets * 4) * BLOCK, x += group * rows)
        for (int at = 0; at < VECS; at += vecs) {
            V acc[VECS][FN(TILE)];
            for (int v = 0; v < vecs; v++)
                for (int r = 0; r < rows; r++)
                    acc[v][r] = ZERO();
            const uint8_t *from = w + 2 * BLOCK + at * sizeof(V);
#if defined(VNNI) || defined(PORTABLE)
            for (int64_t o = 0; o < octets; o++) {
                V lows[VECS], highs[VECS];
                for (int v = 0; v < vecs; v++) {
                    const uint8_t *place = from + o * 4 * BLOCK + v * sizeof(V);
                    const V both = LOAD(place);
                    __builtin_prefetch(place + (rows == 1 ? 4096 : (2 + octets * 4) * BLOCK));
                    lows[v] = AND(both, low);
                    highs[v] = AND(SHIFT16(both, 4), low);
                }
                for (int r = 0; r < rows; r++) {
                    const V first = FOUR(x + (o * 2 * rows + r) * 4), second = FOUR(x + ((o * 2 + 1) * rows + r) * 4);
                    for (int v = 0; v < vecs; v++)
                        acc[v][r] = DOT(DOT(acc[v][r], lows[v], first), highs[v], second);
                }
            }
#else
            for (int64_t part = 0; part < octets; part += 4) { /* 32 columns in 16 bits */
                V pairs[VECS][FN(TILE)];
                for (int v = 0; v < vecs; v++)
                    for (int r = 0; r < rows; r++)
                        pairs[v][r] = ZERO();
                for (int64_t o = part; o < part + 4; o++)
                    for (int v = 0; v < vecs; v++) {
                        const V both = LOAD(from + o * 4 * BLOCK + v * sizeof(V));
                        const V lows = AND(both, low), highs = AND(SHIFT16(both, 4), low);
                        for (int r = 0; r < rows; r++) {
                            const V one = _mm256_maddubs_epi16(lows, FOUR(x + (o * 2 * rows + r) * 4));
                            const V two = _mm256_maddubs_epi16(highs, FOUR(x + ((o * 2 + 1) * rows + r) * 4));
                            pairs[v][r] = ADD16(pairs[v][r], ADD16(one, two));
                        }
                    }
                for (int v = 0; v < vecs; v++)
                    for (int r = 0; r < rows; r++)
                        acc[v][r] = ADD32(acc[v][r], _mm256_madd_epi16(pairs[v][r], _mm256_set1_epi16(1)));
            }
#endif
            for (int v = 0; v < vecs; v++) {
                const int64_t place = (at + v) * FN(LANES);
                const V step = UNSIGNED(w + place), offset = SIGNED(w + BLOCK + place);
                for (int r = 0; r < rows; r++) {
                    int32_t *to = c + r * BLOCK + place;
                    const V sum = ADD32(MUL32(acc[v][r], step), MUL32(offset, SET32(sums[r * stride + g])));
                    STORE(to, g ? ADD32(LOAD(to), sum) : sum);
                }
            }
        }
}

/* int4 groups of a block as int8 weights + 128, in the order of those. */
static void FN(spread)(const uint8_t *w, int64_t groups, int64_t group, uint8_t *to) {
    const V low = SET8(15), even = SET32(0x00ff00ff);
    for (int64_t g = 0; g < groups; g++) {
        const uint8_t *from = w + 2 * BLOCK;
        for (int v = 0; v < VECS; v++) {
            const V step = UNSIGNED(w + v * FN(LANES)), offset = SIGNED(w + BLOCK + v * FN(LANES));
            const V steps = MUL32(step, SET32(0x00010001));
            const V bytes = ADD8(MUL32(AND(offset, SET32(255)), SET32(0x01010101)), SET8((char)128));
            for (int64_t o = 0; o < group / 8; o++) {
                const V both = LOAD(from + o * 4 * BLOCK + v * sizeof(V));
                const V halves[2] = {AND(both, low), AND(SHIFT16(both, 4), low)};
                for (int half = 0; half < 2; half++) {
                    const V first = MUL16(AND(halves[half], even), steps), second = MUL16(SHIFT16(halves[half], 8), steps);
                    const V all = OR(AND(first, even), LEFT16(second, 8));
                    STORE(to + (o * 2 + half) * 4 * BLOCK + v * sizeof(V), ADD8(all, bytes));
                }
            }
        }
        w += 2 * BLOCK + group * BLOCK / 2;
        to += group * BLOCK;
    }
}

#define ROWS_8(r, v) case r: FN(tile8)(w, steps, x, c, more, next, lines, r, v); break;
#define ROWS_4(r, v) case r: FN(tile4)(w, groups, group, x, sums, stride, c, r, v); break;

static void FN(any8)(const uint8_t *w, int64_t steps, const int8_t *x, int32_t *c, int more, const uint8_t *next,
                     int64_t lines, int64_t rows) {
    switch (rows) {
#ifdef VNNI
        ROWS_8(1, 4) ROWS_8(2, 4) ROWS_8(3, 4) ROWS_8(4, 4) ROWS_8(5, 4) ROWS_8(6, 4) ROWS_8(7, 2) ROWS_8(8, 2)
        ROWS_8(9, 2) ROWS_8(10, 2) ROWS_8(11, 2) ROWS_8(12, 2)
#elif defined(PORTABLE)
        ROWS_8(1, 8) ROWS_8(2, 4) ROWS_8(3, 4) ROWS_8(4, 4)
#else
        ROWS_8(1, 8) ROWS_8(2, 4) ROWS_8(3, 2) ROWS_8(4, 2)
#endif
    }
}

static void FN(any4)(const uint8_t *w, int64_t groups, int64_t group, const int8_t *x, const int32_t *sums,
                     int64_t stride, int32_t *c, int64_t rows) {
    switch (rows) {
#ifdef VNNI
        ROWS_4(1, 4) ROWS_4(2, 4) ROWS_4(3, 4) ROWS_4(4, 4) ROWS_4(5, 2) ROWS_4(6, 2) ROWS_4(7, 2) ROWS_4(8, 2)
        ROWS_4(9, 2) ROWS_4(10, 2) ROWS_4(11, 2) ROWS_4(12, 2)
#elif defined(PORTABLE)
        ROWS_4(1, 4) ROWS_4(2, 4) ROWS_4(3, 4) ROWS_4(4, 4)
#else
        ROWS_4(1, 4) ROWS_4(2, 2) ROWS_4(3, 2) ROWS_4(4, 1)
#endif
    }
}

/* Rows of a tile where there are so many: as many in each, so that none is left over that is hardly worth the weights. */
static inline int64_t FN(tile_of)(int64_t rows) {
    const int64_t tiles = (rows + FN(TILE) - 1) / FN(TILE);
    return (rows + tiles - 1) / tiles;
}

/* Bytes that `product` needs for so many rows, for each thread. */
static int64_t FN(product_bytes)(int64_t rows) { return BLOCK * CHUNK + rows * BLOCK * (int64_t)sizeof(int32_t); }

/* Its part of out (rows, stride) = or += codes by the matrix. */
static void FN(product)(Member one, const Matrix *m, const Acts *acts, float *out, int64_t stride, int adds,
                        uint8_t *scratch) {
    const int64_t rows = acts->rows, width = up(m->k, 4), bytes = block_bytes(m), tile = FN(tile_of)(rows);
    const int direct = m->kind == INT4 && rows <= FN(DIRECT);
    int32_t *c = (int32_t *)(scratch + BLOCK * CHUNK);
    int64_t first, stop;
    share(one, m->n, BLOCK, &first, &stop);
    for (int64_t row = first; row < stop; row += BLOCK) {
        const uint8_t *w = (const uint8_t *)m->weight + row / BLOCK * bytes;
        if (direct)
            for (int64_t r = 0; r < rows; r += tile) {
                const int64_t some = rows - r < tile ? rows - r : tile;
                FN(any4)(w, m->k / m->group, m->group, acts->codes + r * width, acts->sums + r * acts->groups,
                         acts->groups, c + r * BLOCK, some);
            }
        else
            for (int64_t k = 0; k < width; k += CHUNK) {
                const int64_t columns = width - k < CHUNK ? width - k : CHUNK;
                const uint8_t *from = w + k * BLOCK, *next = from + columns * BLOCK;
                if (m->kind == INT4) {
                    const int64_t group_bytes = 2 * BLOCK + m->group * BLOCK / 2, groups = columns / m->group;
                    FN(spread)(w + k / m->group * group_bytes, groups, m->group, scratch);
                    from = scratch, next = w + (k / m->group + groups) * group_bytes;
                }
                const int64_t lines = columns * (m->kind == INT4 ? BLOCK / 2 : BLOCK) / 64;
                for (int64_t r = 0; r < rows; r += tile) {
                    const int64_t some = rows - r < tile ? rows - r : tile;
                    FN(any8)(from, columns / 4, acts->codes + r * width + k * some, c + r * BLOCK, k > 0, next,
                             r == 0 && rows > 1 ? lines : 0, some);
                }
            }
        const int64_t count = stop - row < BLOCK ? stop - row : BLOCK;
        const float *factor = m->factor + row, *bias = m->bias == NULL ? NULL : m->bias + row;
        for (int64_t r = 0; r < rows; r++) {
            int32_t all = 0;
            if (!direct)
                for (int64_t g = 0; g < acts->groups; g++)
                    all += acts->sums[r * acts->groups + g];
            const float top = acts->top[r];
            const int32_t *sum = c + r * BLOCK;
            float *to = out + r * stride + row;
            for (int64_t i = 0; i < count; i++) {
                float value = (float)(sum[i] - 128 * all) * factor[i] * top;
                if (bias != NULL)
                    value += bias[i];
                to[i] = adds ? to[i] + value : value;
            }
        }
    }
}

/* A row of activations into its place among the acts; `plain` (K,) is scratch. */
static void FN(act)(const float *x, int64_t row, int levels, Acts *acts, int8_t *plain) {
    const int64_t k = acts->k, width = up(k, 4), group = k / acts->groups;
    acts->top[row] = codes_of_row(x, plain, k, levels);
    for (int64_t i = k; i < width; i++)
        plain[i] = 0;
    for (int64_t g = 0; g < acts->groups; g++) {
        int32_t sum = 0;
        for (int64_t i = g * group; i < (g + 1) * group; i++)
            sum += plain[i];
        acts->sums[row * acts->groups + g] = sum;
    }
    const int64_t most = FN(tile_of)(acts->rows), tile = row / most * most, left = acts->rows - tile;
    const int64_t some = left < most ? left : most;
    const int32_t *from = (const int32_t *)plain;
    int32_t *to = (int32_t *)(acts->codes + tile * width) + (row - tile);
    for (int64_t i = 0; i < width / 4; i++)
        to[i * some] = from[i];
}
