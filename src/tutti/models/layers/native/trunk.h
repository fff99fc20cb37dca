/* A block of a transformer trunk: layer norms, attention of all tokens of a picture to all, two products with an
   activation between them; included once for each set of instructions. */

/* x / (1 + e^-x) */
INLINE F16 FN(sigmoid_times)(F16 x, F16 by) { return x / (1.0f + FN(exp16)(-by)); }

/* The error function, to 2e-7 (Abramowitz and Stegun, 7.1.26). */
INLINE F16 FN(erf16)(F16 x) {
    const F16 size = (F16)((FN(I16))x & 0x7fffffff);
    const F16 t = 1.0f / (1.0f + 0.3275911f * size);
    F16 p = ALL(1.061405429f);
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const F16 out = 1.0f - p * t * FN(exp16)(-size * size);
    return (F16)((FN(I16))out | ((FN(I16))x & (int32_t)0x80000000));
}

INLINE F16 FN(active16)(F16 x, int64_t activation) {
    switch (activation) {
    case QUICK_GELU: return FN(sigmoid_times)(x, x * 1.702f);
    case TANH_GELU: return FN(sigmoid_times)(x, (x + 0.044715f * x * x * x) * 1.5957691216f);
    case SILU: return FN(sigmoid_times)(x, x);
    case RELU: return FN(where)((FN(I16))(x > 0.0f), x, ALL(0.0f));
    default: return 0.5f * x * (1.0f + FN(erf16)(x * 0.70710678118f));
    }
}

static void FN(active)(float *x, int64_t n, int64_t activation) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        TO(x + i) = FN(active16)(AT(x + i), activation);
    if (i < n) {
        float some[16] = {0};
        memcpy(some, x + i, (size_t)(n - i) * 4);
        TO(some) = FN(active16)(AT(some), activation);
        memcpy(x + i, some, (size_t)(n - i) * 4);
    }
}

/* out = (x - mean) / deviation * weight + shift */
static void FN(layer_norm)(const float *x, const float *weight, const float *shift, float eps, int64_t n, float *out) {
    F16 sum = ALL(0.0f), squares = ALL(0.0f);
    int64_t i = 0;
    float all = 0, left = 0;
    for (; i + 16 <= n; i += 16)
        sum += AT(x + i);
    for (; i < n; i++)
        all += x[i];
    const float mean = (FN(sum16)(sum) + all) / (float)n;
    for (i = 0; i + 16 <= n; i += 16) {
        const F16 off = AT(x + i) - mean;
        squares += off * off;
    }
    for (; i < n; i++)
        left += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / sqrtf((FN(sum16)(squares) + left) / (float)n + eps);
    for (i = 0; i + 16 <= n; i += 16)
        TO(out + i) = (AT(x + i) - mean) * scale * AT(weight + i) + AT(shift + i);
    for (; i < n; i++)
        out[i] = (x[i] - mean) * scale * weight[i] + shift[i];
}

typedef struct {
    const Trunk *t;
    float *x; /* (rows, D): states, in place */
    float *inputs, *attended, *inner;
    uint8_t *own;
    Acts acts; /* of all rows; `k` and `groups` change from product to product */
    int64_t batch, tokens, own_bytes, widest;
    int threads;
} FN(Seen);

static int64_t FN(lay_trunk)(FN(Seen) *job, const Trunk *t, int64_t batch, int64_t tokens, int threads, uint8_t *scratch) {
    const int64_t rows = batch * tokens, widest = up(t->inner > t->width ? t->inner : t->width, BLOCK);
    int64_t at = 0;
    float **pieces[] = {&job->inputs, &job->attended, &job->inner, &job->acts.top};
    const int64_t sizes[] = {3 * t->width, t->width, t->inner, 1};
    for (int i = 0; i < 4; i++) {
        *pieces[i] = (float *)(scratch + at);
        at += up(rows * sizes[i] * 4, BLOCK);
    }
    job->acts.codes = (int8_t *)(scratch + at);
    at += rows * widest;
    job->acts.sums = (int32_t *)(scratch + at);
    at += up(rows * (widest / 8 + 4), BLOCK);
    job->own = scratch + at;
    job->widest = widest;
    job->own_bytes = up(FN(product_bytes)(rows) + widest * 5 + FN(TOGETHER) * up(tokens, 16) * 4, BLOCK);
    return at + job->own_bytes * threads;
}

/* Rows of x into codes, normed on the way if `norm` says how; then all wait for one another. */
static Acts FN(coded_rows)(const FN(Seen) *job, Member one, const float *x, int64_t k, const float *norm,
                           const float *shift) {
    Acts acts = job->acts;
    uint8_t *own = job->own + one.index * job->own_bytes + FN(product_bytes)(acts.rows);
    int8_t *plain = (int8_t *)own;
    float *row_ = (float *)(own + job->widest);
    int64_t first, stop;
    acts.k = k, acts.groups = k / group_of(k);
    share(one, acts.rows, 1, &first, &stop);
    for (int64_t row = first; row < stop; row++) {
        const float *from = x + row * k;
        if (norm != NULL) {
            FN(layer_norm)(from, norm, shift, job->t->eps, k, row_);
            from = row_;
        }
        FN(act)(from, row, job->t->levels, &acts, plain);
    }
    meet(one);
    return acts;
}

/* Attention of all heads of all pictures, sixteen queries at a time. */
static void FN(look_around)(const FN(Seen) *job, Member one) {
    const Trunk *t = job->t;
    const int64_t e = t->width / t->heads, stride = 3 * t->width, tiles = (job->tokens + FN(TOGETHER) - 1) / FN(TOGETHER);
    uint8_t *own = job->own + one.index * job->own_bytes + FN(product_bytes)(job->acts.rows);
    float *scores = (float *)(own + job->widest * 5);
    int64_t first, stop;
    share(one, job->batch * t->heads * tiles, 1, &first, &stop);
    for (int64_t item = first; item < stop; item++) {
        const int64_t picture = item / tiles / t->heads, head = item / tiles % t->heads;
        const int64_t from = item % tiles * FN(TOGETHER), left = job->tokens - from;
        const float *base = job->inputs + picture * job->tokens * stride + head * e;
        FN(Query) queries[FN(TOGETHER)];
        const int64_t count = left < FN(TOGETHER) ? left : FN(TOGETHER);
        for (int64_t q = 0; q < count; q++)
            queries[q] = (FN(Query)){base + (from + q) * stride,
                                     job->attended + (picture * job->tokens + from + q) * t->width + head * e,
                                     {NULL, 0, job->tokens}};
        FN(attend_any)(queries, count, base + t->width, base + 2 * t->width, stride, scores, up(job->tokens, 16), e);
    }
}

static void FN(see_block)(void *given) {
    const FN(Seen) *job = given;
    const Trunk *t = job->t;
    const Member one = member(job->threads);
    uint8_t *own = job->own + one.index * job->own_bytes;
    int64_t first, stop, at = 0;
    Acts acts = FN(coded_rows)(job, one, job->x, t->width, t->norms[0], t->shifts[0]);
    for (int i = 0; i < 3; at += t->inputs[i++].n)
        if (t->inputs[i].n > 0)
            FN(product)(one, t->inputs + i, &acts, job->inputs + at, 3 * t->width, 0, own);
    meet(one);
    FN(look_around)(job, one);
    meet(one);
    acts = FN(coded_rows)(job, one, job->attended, t->width, NULL, NULL);
    FN(product)(one, &t->output, &acts, job->x, t->width, 1, own);
    meet(one);
    acts = FN(coded_rows)(job, one, job->x, t->width, t->norms[1], t->shifts[1]);
    FN(product)(one, &t->first, &acts, job->inner, t->inner, 0, own);
    meet(one);
    share(one, acts.rows, 1, &first, &stop);
    for (int64_t row = first; row < stop; row++)
        FN(active)(job->inner + row * t->inner, t->inner, t->activation);
    acts = FN(coded_rows)(job, one, job->inner, t->inner, NULL, NULL); /* of rows that this thread has just made */
    FN(product)(one, &t->second, &acts, job->x, t->width, 1, own);
}

static void FN(trunk)(const Trunk *t, float *x, int64_t batch, int64_t tokens, int threads, uint8_t *scratch) {
    FN(Seen) job = {.t = t, .x = x, .batch = batch, .tokens = tokens, .threads = threads};
    job.acts.rows = batch * tokens;
    FN(lay_trunk)(&job, t, batch, tokens, threads, scratch);
    run(FN(see_block), &job, threads);
}
