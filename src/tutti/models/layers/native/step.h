/* A decode step of a LLaMA-type decoder: one token of each sequence through all blocks, by all threads together.
   Included once for each set of instructions. */

/* What a thread prepares of its input, for all rows by itself (few rows) or with the others. */
typedef struct {
    float *rows; /* (T, widest) */
    int8_t *plain;
    Acts acts;
} FN(Inputs);

typedef struct {
    const Decoder *decoder;
    const Step *step;
    float *inputs, *attended, *gates, *cosine, *sine;
    uint8_t *inner; /* `Inputs`, shared ones first, then each thread's own */
    uint8_t *own;   /* what products and attention of each thread need */
    int64_t inner_bytes, own_bytes;
    int threads;
} FN(Job);

static int64_t FN(widest)(const Decoder *d) {
    const int64_t heads = d->heads * d->head_width, most = heads > d->inner ? heads : d->inner;
    return most > d->width ? most : d->width;
}

static int64_t FN(inputs_bytes)(const Decoder *d, int64_t rows) {
    const int64_t widest = up(FN(widest)(d), BLOCK);
    return rows * (widest * 4 + widest + widest / 8 + 256) + widest + 256;
}

/* Cuts the pieces of a step out of its scratch; returns how many bytes they take. */
static int64_t FN(lay)(FN(Job) *job, const Decoder *d, int64_t rows, int64_t longest, int threads, uint8_t *scratch) {
    const int64_t inputs = (d->heads + 2 * d->kv_heads) * d->head_width, attended = d->heads * d->head_width;
    int64_t at = 0;
    float **pieces[] = {&job->inputs, &job->attended, &job->gates, &job->cosine, &job->sine};
    const int64_t sizes[] = {inputs, attended, 2 * d->inner, d->head_width / 2, d->head_width / 2};
    for (int i = 0; i < 5; i++) {
        *pieces[i] = (float *)(scratch + at);
        at += up(rows * sizes[i] * 4, BLOCK);
    }
    job->inner = scratch + at;
    job->inner_bytes = up(FN(inputs_bytes)(d, rows), BLOCK);
    at += job->inner_bytes * (threads + 1);
    job->own = scratch + at;
    job->own_bytes = up(FN(product_bytes)(rows) + up(longest, 16) * 4, BLOCK);
    return at + job->own_bytes * threads;
}

enum { FN(BY_ITSELF) = 2 };
/* Rows up to which each thread prepares all of them: takes less time than waiting for the others. */

static void FN(begin)(const FN(Job) *job, Member one, int64_t width, FN(Inputs) *in) {
    const int64_t rows = job->step->rows, widest = up(FN(widest)(job->decoder), BLOCK);
    uint8_t *from = job->inner + (rows <= FN(BY_ITSELF) ? one.index + 1 : 0) * job->inner_bytes;
    in->rows = (float *)from;
    in->acts.codes = (int8_t *)(from + rows * widest * 4);
    in->acts.sums = (int32_t *)(from + rows * widest * 5);
    in->acts.top = (float *)(from + rows * (widest * 5 + widest / 8 + 64));
    in->plain = (int8_t *)(job->inner + (one.index + 1) * job->inner_bytes + rows * (widest * 5 + widest / 8 + 256));
    in->acts.rows = rows;
    in->acts.k = width;
    in->acts.groups = width / group_of(width);
}

/* Which rows a thread prepares. */
static void FN(mine)(const FN(Job) *job, Member one, int64_t *first, int64_t *stop) {
    *first = 0, *stop = job->step->rows;
    if (*stop > FN(BY_ITSELF))
        share(one, *stop, 1, first, stop);
}

static void FN(ready)(const FN(Job) *job, Member one) {
    if (job->step->rows > FN(BY_ITSELF))
        meet(one);
}

static int FN(coded)(const Matrix *m) { return m->n > 0 && m->kind != FLOAT32; }

static void FN(multiply)(const FN(Job) *job, Member one, const Matrix *m, const FN(Inputs) *in, float *out,
                         int64_t stride, int adds) {
    if (m->n == 0)
        return;
    if (m->kind == FLOAT32)
        FN(float_product)(one, m, in->rows, job->step->rows, out, stride, adds);
    else
        FN(product)(one, m, &in->acts, out, stride, adds, job->own + one.index * job->own_bytes);
    if (m->changed > 0 && job->step->adapters != NULL)
        FN(changes)(one, m, in->rows, job->step->adapters, job->step->rows, out, stride);
}

static void FN(normed)(const FN(Job) *job, Member one, const float *weight, int coded, FN(Inputs) *in) {
    const Decoder *d = job->decoder;
    int64_t first, stop;
    FN(begin)(job, one, d->width, in);
    FN(mine)(job, one, &first, &stop);
    for (int64_t row = first; row < stop; row++) {
        float *to = in->rows + row * d->width;
        FN(norm)(job->step->x + row * d->width, weight, d->eps, d->width, to);
        if (coded)
            FN(act)(to, row, d->levels, &in->acts, in->plain);
    }
    FN(ready)(job, one);
}

/* New keys and values into the cache, and attention of every head: by (row, key-value head). */
static void FN(look)(const FN(Job) *job, Member one, int64_t index) {
    const Decoder *d = job->decoder;
    const Step *s = job->step;
    const Layer *layer = d->layers + index;
    const int64_t e = d->head_width, half = e / 2, group = d->heads / d->kv_heads;
    const int64_t stride = (d->heads + 2 * d->kv_heads) * e;
    float *scores = (float *)(job->own + one.index * job->own_bytes + FN(product_bytes)(s->rows));
    int64_t first, stop;
    share(one, s->rows * d->kv_heads, 1, &first, &stop);
    for (int64_t item = first; item < stop; item++) {
        const int64_t row = item / d->kv_heads, head = item % d->kv_heads;
        float *in = job->inputs + row * stride, *query = in + head * group * e, *key = in + (d->heads + head) * e;
        const float *value = in + (d->heads + d->kv_heads + head) * e;
        const float *cosine = job->cosine + row * half, *sine = job->sine + row * half;
        float *keys = s->keys[index] + head * s->capacity * e, *values = s->values[index] + head * s->capacity * e;
        FN(turn)(key, cosine, sine, half);
        memcpy(keys + s->slots[row] * e, key, (size_t)e * 4);
        memcpy(values + s->slots[row] * e, value, (size_t)e * 4);
        FN(Place) place = {s->places[row], s->starts[row], s->contexts[row]};
        if (layer->window > 0 && layer->window < place.context) {
            const int64_t skipped = place.context - layer->window;
            place.slots = place.slots == NULL ? NULL : place.slots + skipped;
            place.start += skipped;
            place.context = layer->window;
        }
        for (int64_t h = 0; h < group; h++) {
            FN(turn)(query + h * e, cosine, sine, half);
            float *to = job->attended + (row * d->heads + head * group + h) * e;
            FN(attend_any)(query + h * e, keys, values, &place, scores, to, e);
        }
    }
}

static void FN(block)(const FN(Job) *job, Member one, int64_t index) {
    const Decoder *d = job->decoder;
    const Layer *layer = d->layers + index;
    const int64_t heads = d->heads * d->head_width, stride = heads + 2 * d->kv_heads * d->head_width;
    int64_t first, stop, at = 0;
    FN(Inputs) in;
    int coded = FN(coded)(layer->inputs) || FN(coded)(layer->inputs + 1) || FN(coded)(layer->inputs + 2);
    FN(normed)(job, one, layer->norms[0], coded, &in);
    for (int i = 0; i < 3; at += layer->inputs[i++].n)
        FN(multiply)(job, one, layer->inputs + i, &in, job->inputs + at, stride, 0);
    meet(one);
    FN(look)(job, one, index);
    meet(one);
    FN(begin)(job, one, heads, &in);
    if (FN(coded)(&layer->output)) {
        FN(mine)(job, one, &first, &stop);
        for (int64_t row = first; row < stop; row++)
            FN(act)(job->attended + row * heads, row, d->levels, &in.acts, in.plain);
        FN(ready)(job, one);
    }
    in.rows = job->attended;
    FN(multiply)(job, one, &layer->output, &in, job->step->x, d->width, 1);
    meet(one);
    coded = FN(coded)(layer->gates) || FN(coded)(layer->gates + 1);
    FN(normed)(job, one, layer->norms[1], coded, &in);
    FN(multiply)(job, one, layer->gates, &in, job->gates, 2 * d->inner, 0);
    FN(multiply)(job, one, layer->gates + 1, &in, job->gates + d->inner, 2 * d->inner, 0);
    meet(one);
    FN(begin)(job, one, d->inner, &in);
    FN(mine)(job, one, &first, &stop);
    for (int64_t row = first; row < stop; row++) {
        const float *gate = job->gates + row * 2 * d->inner;
        float *to = in.rows + row * d->inner;
        FN(gated)(gate, gate + d->inner, d->inner, to);
        if (FN(coded)(&layer->down))
            FN(act)(to, row, d->levels, &in.acts, in.plain);
    }
    FN(ready)(job, one);
    FN(multiply)(job, one, &layer->down, &in, job->step->x, d->width, 1);
    meet(one);
}

static void FN(whole)(void *given) {
    const FN(Job) *job = given;
    const Decoder *d = job->decoder;
    const int64_t half = d->head_width / 2;
    const Member one = member(job->threads);
    int64_t first, stop;
    share(one, job->step->rows, 1, &first, &stop);
    for (int64_t row = first; row < stop; row++)
        for (int64_t i = 0; i < half; i++) {
            const float angle = (float)job->step->positions[row] * d->frequencies[i];
            job->cosine[row * half + i] = cosf(angle);
            job->sine[row * half + i] = sinf(angle);
        }
    for (int64_t index = 0; index < d->count; index++) /* angles are there when all have met in the first block */
        FN(block)(job, one, index);
    for (int64_t row = first; row < stop; row++) {
        float *x = job->step->x + row * d->width;
        FN(norm)(x, d->norm, d->eps, d->width, x);
    }
}

typedef struct {
    const Matrix *matrix;
    const float *x;
    float *out;
    Acts acts;
    int8_t *plain;
    uint8_t *own;
    int64_t own_bytes, plain_bytes;
    int levels, threads;
} FN(Multiplied);

static void FN(multiplied)(void *given) {
    const FN(Multiplied) *job = given;
    const Member one = member(job->threads);
    Acts acts = job->acts;
    int64_t first, stop;
    share(one, acts.rows, 1, &first, &stop);
    for (int64_t row = first; row < stop; row++)
        FN(act)(job->x + row * acts.k, row, job->levels, &acts, job->plain + one.index * job->plain_bytes);
    meet(one);
    FN(product)(one, job->matrix, &acts, job->out, job->matrix->n, 0, job->own + one.index * job->own_bytes);
}

/* x (rows, K) by a packed matrix → out (rows, N). Returns 0, or 1 where memory is short. */
static int FN(multiply_rows)(int threads, int levels, const Matrix *m, const float *x, int64_t rows, float *out) {
    const int64_t width = up(m->k, BLOCK), groups = m->k / group_of(m->k);
    const int64_t own = FN(product_bytes)(rows), codes = up(rows * width, BLOCK), sums = up(rows * groups * 4, BLOCK);
    uint8_t *scratch = aligned_alloc(BLOCK, (size_t)(up(codes + sums + rows * 4, BLOCK) + threads * (own + width)));
    if (scratch == NULL)
        return 1;
    uint8_t *rest = scratch + up(codes + sums + rows * 4, BLOCK);
    FN(Multiplied) job = {
        m, x, out, {(int8_t *)scratch, (float *)(scratch + codes + sums), (int32_t *)(scratch + codes), rows, m->k, groups},
        (int8_t *)(rest + threads * own), rest, own, width, levels, threads,
    };
    run(FN(multiplied), &job, threads);
    free(scratch);
    return 0;
}

static void FN(step)(const Decoder *d, const Step *s, int threads) {
    FN(Job) job = {.decoder = d, .step = s, .threads = threads};
    FN(lay)(&job, d, s->rows, s->longest, threads, s->scratch);
    run(FN(whole), &job, threads);
}
