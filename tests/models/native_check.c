/* Holds the compiled part against sums that are taken one by one: see `test_native_portable.py`. */

#include "products.c"

#include <stdio.h>

static uint32_t state = 1;
static int32_t drawn(int32_t low, int32_t high) {
    state = state * 1664525u + 1013904223u;
    return low + (int32_t)((state >> 8) % (uint32_t)(high - low + 1));
}

enum { N = 130, MOST = 30 };

static int products(int kind, int64_t k, int levels) {
    const int64_t n = kind == INT4 ? 128 : N, group = kind == INT4 ? group_of(k) : 0;
    int8_t *values = malloc((size_t)(n * k));
    float factor[N], *x = malloc((size_t)(MOST * k) * 4), *out = malloc((size_t)(MOST * n) * 4);
    Matrix m = {.n = n, .k = k, .factor = factor, .kind = kind, .group = (int32_t)group};
    uint8_t *packed = malloc((size_t)(up(n, BLOCK) / BLOCK * block_bytes(&m)));
    m.weight = packed;
    for (int64_t i = 0; i < n; i++)
        factor[i] = 1.0f;
    if (kind == INT8) {
        for (int64_t i = 0; i < n * k; i++)
            values[i] = (int8_t)drawn(-128, 127);
        tutti_order8(values, n, k, packed);
    } else { /* written as `forms.h` says */
        for (int64_t row = 0; row < n; row++)
            for (int64_t g = 0; g < k / group; g++) {
                uint8_t *at = packed + row / BLOCK * block_bytes(&m) + g * (2 * BLOCK + group * BLOCK / 2);
                const int32_t step = drawn(1, 8), offset = drawn(-128, 7);
                at[row % BLOCK] = (uint8_t)step;
                at[BLOCK + row % BLOCK] = (uint8_t)offset;
                for (int64_t i = 0; i < group; i++) {
                    const int32_t code = drawn(0, 15);
                    uint8_t *byte = at + 2 * BLOCK + i / 8 * 4 * BLOCK + row % BLOCK * 4 + i % 4;
                    *byte = i % 8 < 4 ? (uint8_t)code : (uint8_t)(*byte | code << 4);
                    values[row * k + g * group + i] = (int8_t)(step * code + offset);
                }
            }
    }
    for (int rows = 1; rows <= MOST; rows += rows < 6 ? 1 : 7) {
        for (int64_t i = 0; i < rows * k; i++)
            x[i] = (float)(i % k ? drawn(-levels, levels) : levels);
        if (tutti_multiply(levels > 63 ? 2 : 1, 1, levels, &m, x, rows, out))
            return printf("no memory\n");
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < n; i++) {
                int32_t sum = 0;
                for (int64_t j = 0; j < k; j++)
                    sum += values[i * k + j] * (int32_t)x[r * k + j];
                if (out[r * n + i] != (float)sum * (float)levels)
                    return printf("kind %d, %d rows, %ld columns: %f for %d\n", kind, rows, (long)k, out[r * n + i], sum);
            }
    }
    free(values), free(x), free(out), free(packed);
    return 0;
}

static int codes(void) {
    float x[37];
    int8_t found[37];
    float top;
    for (int turn = 0; turn < 200; turn++) {
        float most = 0;
        for (int i = 0; i < 37; i++) {
            x[i] = (float)drawn(-4000, 4000) / (turn % 2 ? 8.0f : 7.0f);
            most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
        }
        tutti_codes(1, 127, x, 1, 37, found, &top);
        for (int i = 0; i < 37; i++)
            if (top != most || found[i] != (int8_t)nearbyintf(x[i] * (1.0f / most * 127.0f)))
                return printf("code %d is %d\n", i, found[i]);
    }
    return 0;
}

/* Sixteen queries together, and one by one, over keys side by side and in slots. */
static int attention(void) {
    enum { KEYS = 53, E = 64, QUERIES = 16 };
    static float keys[KEYS * E], values[KEYS * E], queries[QUERIES * E], together[QUERIES * E], alone[E], scores[QUERIES * 64];
    static int64_t slots[KEYS];
    ANY(Query) all[QUERIES];
    for (int i = 0; i < KEYS * E; i++)
        keys[i] = (float)drawn(-100, 100) / 50, values[i] = (float)drawn(-100, 100) / 50;
    for (int i = 0; i < KEYS; i++)
        slots[i] = (i * 7) % KEYS;
    for (int q = 0; q < QUERIES; q++) {
        for (int j = 0; j < E; j++)
            queries[q * E + j] = (float)drawn(-100, 100) / 50;
        all[q] = (ANY(Query)){queries + q * E, together + q * E, {q % 2 ? slots : NULL, 0, KEYS - 3 * q}};
    }
    ANY(attend_any)(all, QUERIES, keys, values, E, scores, 64, E);
    for (int q = 0; q < QUERIES; q++) {
        ANY(Query) one = all[q];
        double sum = 0, weights[KEYS], wanted;
        one.out = alone;
        ANY(attend_any)(&one, 1, keys, values, E, scores, 64, E);
        if (memcmp(alone, together + q * E, sizeof(alone)))
            return printf("query %d depends on others\n", q);
        for (int64_t i = 0; i < one.place.context; i++) {
            const int64_t at = q % 2 ? slots[i] : i;
            double dot = 0;
            for (int j = 0; j < E; j++)
                dot += (double)one.query[j] * keys[at * E + j];
            sum += weights[i] = exp(dot / 8);
        }
        for (int j = 0; j < E; j++) {
            wanted = 0;
            for (int64_t i = 0; i < one.place.context; i++)
                wanted += weights[i] / sum * values[(q % 2 ? slots[i] : i) * E + j];
            if (fabs(wanted - alone[j]) > 1e-4)
                return printf("query %d: %f for %f\n", q, alone[j], wanted);
        }
    }
    return 0;
}

int main(void) {
    const int64_t widths[] = {64, 96, 320, 1184};
    for (int i = 0; i < 4; i++)
        for (int levels = 63; levels <= 127; levels += 64)
            if (products(INT8, widths[i], levels) || products(INT4, widths[i], levels))
                return 1;
    if (products(INT8, 515, 127) || codes() || attention())
        return 1;
    printf("right\n");
    return 0;
}
