/* Attention of rows over keys and values that lie anywhere; included once for each set of instructions. Several
   queries go together over sixteen keys at a time, so that these are read once for all that look at them. What comes
   out for a query is the same, to the last bit, whichever others go with it. */

/* Where a sequence's keys lie: side by side from a slot on, or in slots one by one; so many floats apart. */
typedef struct {
    const int64_t *slots; /* (context,) or NULL */
    int64_t start, context;
} FN(Place);

/* A head's query, its place, and where what it sees goes. */
typedef struct {
    const float *query;
    float *out; /* (e,) */
    FN(Place) place;
} FN(Query);

#ifdef VNNI
enum { FN(TOGETHER) = 16, FN(KEYS) = 16, FN(AT_ONCE) = 16 };
#else
enum { FN(TOGETHER) = 16, FN(KEYS) = 16, FN(AT_ONCE) = 4 };
#endif
/* Queries that go together at most, keys at a time, and keys whose sums stay in registers. */

INLINE int64_t FN(slot)(const FN(Place) *place, int64_t i) { return place->slots ? place->slots[i] : place->start + i; }

/* The sums of sixteen vectors, times `by`; each is added up in the order of `sum16`. */
#ifdef VNNI
#define PAIR(u, v, a, b) (__builtin_shufflevector(u, v, PICK_##a) + __builtin_shufflevector(u, v, PICK_##b))
#define PICK_low8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define PICK_high8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define PICK_low4 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define PICK_high4 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
#define PICK_low2 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29
#define PICK_high2 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31
#define PICK_even 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define PICK_odd 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
INLINE void FN(sums16)(const F16 *v, float by, float *out) {
    F16 eight[8], four[4], two[2];
    for (int i = 0; i < 8; i++)
        eight[i] = PAIR(v[2 * i], v[2 * i + 1], low8, high8);
    for (int i = 0; i < 4; i++)
        four[i] = PAIR(eight[2 * i], eight[2 * i + 1], low4, high4);
    for (int i = 0; i < 2; i++)
        two[i] = PAIR(four[2 * i], four[2 * i + 1], low2, high2);
    TO(out) = PAIR(two[0], two[1], even, odd) * by;
}
#else
INLINE void FN(sums16)(const F16 *v, float by, float *out) {
    for (int from = 0; from < 16; from += 8) {
        FN(F8) eight[8], four[4], two[2];
        for (int i = 0; i < 8; i++) {
            const FN(F8) *halves = (const FN(F8) *)(v + from + i);
            eight[i] = halves[0] + halves[1];
        }
        for (int i = 0; i < 4; i++) {
            const FN(F8) a = eight[2 * i], b = eight[2 * i + 1];
            four[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
                      __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
        }
        for (int i = 0; i < 2; i++) {
            const FN(F8) a = four[2 * i], b = four[2 * i + 1];
            two[i] = __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13) +
                     __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15);
        }
        const FN(F8) all = (__builtin_shufflevector(two[0], two[1], 0, 2, 4, 6, 8, 10, 12, 14) +
                            __builtin_shufflevector(two[0], two[1], 1, 3, 5, 7, 9, 11, 13, 15)) * by;
        memcpy(out + from, &all, sizeof(all));
    }
}
#endif

/* Scores of a query by some keys, times `by`. */
INLINE void FN(score)(const FN(Query) *q, const float *keys, int64_t apart, int64_t first, int64_t count, float by,
                      float *scores, const int64_t e) {
    if (count == FN(KEYS) && e % 16 == 0) {
        F16 all[FN(KEYS)] __attribute__((aligned(64)));
        for (int from = 0; from < FN(KEYS); from += FN(AT_ONCE)) {
            F16 acc[FN(AT_ONCE)];
            const float *at[FN(AT_ONCE)];
            for (int i = 0; i < FN(AT_ONCE); i++) {
                acc[i] = ALL(0.0f);
                at[i] = keys + FN(slot)(&q->place, first + from + i) * apart;
            }
            for (int64_t j = 0; j < e; j += 16) {
                const F16 part = AT(q->query + j);
                for (int i = 0; i < FN(AT_ONCE); i++)
                    acc[i] += part * AT(at[i] + j);
            }
            for (int i = 0; i < FN(AT_ONCE); i++)
                all[from + i] = acc[i];
        }
        FN(sums16)(all, by, scores);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        scores[i] = FN(dot)(q->query, keys + FN(slot)(&q->place, first + i) * apart, e) * by;
}

/* out += weights times some values. */
INLINE void FN(see)(const FN(Query) *q, const float *values, int64_t apart, int64_t first, int64_t count,
                    const float *weights, const int64_t e) {
    const int64_t whole = e / 16;
    for (int64_t from = 0; from < whole; from += 8) {
        F16 acc[8];
        const int64_t some = whole - from < 8 ? whole - from : 8;
        for (int64_t j = 0; j < some; j++)
            acc[j] = AT(q->out + (from + j) * 16);
        for (int64_t i = 0; i < count; i++) {
            const float *value = values + FN(slot)(&q->place, first + i) * apart + from * 16;
            for (int64_t j = 0; j < some; j++)
                acc[j] += AT(value + j * 16) * weights[i];
        }
        for (int64_t j = 0; j < some; j++)
            TO(q->out + (from + j) * 16) = acc[j];
    }
    for (int64_t j = whole * 16; j < e; j++)
        for (int64_t i = 0; i < count; i++)
            q->out[j] += values[FN(slot)(&q->place, first + i) * apart + j] * weights[i];
}

/* Scores (stride,) of a query become weights that add up to what is returned. */
INLINE float FN(weights)(float *scores, int64_t n) {
    float most = -INFINITY;
    F16 sum = ALL(0.0f);
    for (int64_t i = 0; i < n; i++)
        most = scores[i] > most ? scores[i] : most;
    for (int64_t i = n; i < up(n, 16); i++)
        scores[i] = -INFINITY;
    for (int64_t i = 0; i < n; i += 16) {
        const F16 p = FN(exp16)(AT(scores + i) - most);
        TO(scores + i) = p;
        sum += p;
    }
    return FN(sum16)(sum);
}

/* Up to sixteen queries over keys and values of one head; scores (queries, stride) is scratch. */
INLINE void FN(attend)(const FN(Query) *queries, int64_t count, const float *keys, const float *values, int64_t apart,
                       float *scores, int64_t stride, const int64_t e) {
    const float by = 1.0f / sqrtf((float)e);
    int64_t longest = 0;
    for (int64_t q = 0; q < count; q++)
        longest = queries[q].place.context > longest ? queries[q].place.context : longest;
    for (int64_t i = 0; i < longest; i += FN(KEYS))
        for (int64_t q = 0; q < count; q++) {
            const int64_t left = queries[q].place.context - i;
            if (left > 0)
                FN(score)(queries + q, keys, apart, i, left < FN(KEYS) ? left : FN(KEYS), by, scores + q * stride + i, e);
        }
    float shares[FN(TOGETHER)];
    for (int64_t q = 0; q < count; q++) {
        shares[q] = 1.0f / FN(weights)(scores + q * stride, queries[q].place.context);
        for (int64_t j = 0; j < e; j++)
            queries[q].out[j] = 0;
    }
    for (int64_t i = 0; i < longest; i += FN(KEYS))
        for (int64_t q = 0; q < count; q++) {
            const int64_t left = queries[q].place.context - i;
            if (left > 0)
                FN(see)(queries + q, values, apart, i, left < FN(KEYS) ? left : FN(KEYS), scores + q * stride + i, e);
        }
    for (int64_t q = 0; q < count; q++)
        for (int64_t j = 0; j < e; j++)
            queries[q].out[j] *= shares[q];
}

static void FN(attend_any)(const FN(Query) *queries, int64_t count, const float *keys, const float *values, int64_t apart,
                           float *scores, int64_t stride, int64_t e) {
    switch (e) { /* the usual ones, so that sums stay in registers */
    case 64: FN(attend)(queries, count, keys, values, apart, scores, stride, 64); break;
    case 128: FN(attend)(queries, count, keys, values, apart, scores, stride, 128); break;
    default: FN(attend)(queries, count, keys, values, apart, scores, stride, e);
    }
}
