/* A decode step of a LLaMA-type decoder: one token of each sequence, or a few of one, through all blocks, by all
   threads together. Included once for each set of instructions. */

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
    float *asked;   /* (R, D): rows that the last block goes on with, where not all are asked for */
    uint8_t *inner; /* `Inputs`, shared ones first, then each thread's own */
    uint8_t *own;   /* what products and attention of each thread need */
    int64_t inner_bytes, alone_bytes, own_bytes, scores;
    int threads;
} FN(Job);

enum { FN(BY_ITSELF) = 2 };
/* Rows up to which each thread prepares all of them: takes less time than waiting for the others. */

static int64_t FN(widest)(const Decoder *d) {
    const int64_t heads = d->heads * d->head_width, most = heads > d->inner ? heads : d->inner;
    return most > d->width ? most : d->width;
}

static int64_t FN(inputs_bytes)(const Decoder *d, int64_t rows) {
    const int64_t widest = up(FN(widest)(d), BLOCK);
    return up(rows * (widest * 4 + widest + widest / 8 + 256) + widest + 256, BLOCK);
}

/* Cuts the pieces of a step out of its scratch; returns how many bytes they take. */
static int64_t FN(lay)(FN(Job) *job, const Decoder *d, int64_t rows, int64_t longest, int threads, uint8_t *scratch) {
    const int64_t inputs = (d->heads + 2 * d->kv_heads) * d->head_width, attended = d->heads * d->head_width;
    int64_t at = 0;
    float **pieces[] = {&job->inputs, &job->attended, &job->gates, &job->cosine, &job->sine, &job->asked};
    const int64_t sizes[] = {inputs, attended, 2 * d->inner, d->head_width / 2, d->head_width / 2, d->width};
    for (int i = 0; i < 6; i++) {
        *pieces[i] = (float *)(scratch + at);
        at += up(rows * sizes[i] * 4, BLOCK);
    }
    job->inner = scratch + at;
    job->inner_bytes = FN(inputs_bytes)(d, rows);
    job->alone_bytes = FN(inputs_bytes)(d, rows < FN(BY_ITSELF) ? rows : FN(BY_ITSELF));
    at += job->inner_bytes + job->alone_bytes * threads;
    job->own = scratch + at;
    job->scores = up(longest, 16);
    job->own_bytes = up(FN(product_bytes)(rows) + FN(TOGETHER) * job->scores * 4, BLOCK);
    return at + job->own_bytes * threads;
}

static void FN(begin)(const FN(Job) *job, Member one, int64_t rows, int64_t width, FN(Inputs) *in) {
    const int64_t widest = up(FN(widest)(job->decoder), BLOCK);
    uint8_t *alone = job->inner + job->inner_bytes + one.index * job->alone_bytes;
    uint8_t *from = rows <= FN(BY_ITSELF) ? alone : job->inner;
    in->rows = (float *)from;
    in->acts.codes = (int8_t *)(from + rows * widest * 4);
    in->acts.sums = (int32_t *)(from + rows * widest * 5);
    in->acts.top = (float *)(from + rows * (widest * 5 + widest / 8 + 64));
    in->plain = (int8_t *)(alone + job->alone_bytes - up(widest + 64, BLOCK)); /* behind the rows */
    in->acts.rows = rows;
    in->acts.k = width;
    in->acts.groups = width / group_of(width);
}

/* Which rows a thread prepares. */
static void FN(mine)(Member one, int64_t rows, int64_t *first, int64_t *stop) {
    *first = 0, *stop = rows;
    if (rows > FN(BY_ITSELF))
        share(one, rows, 1, first, stop);
}

static void FN(ready)(Member one, int64_t rows) {
    if (rows > FN(BY_ITSELF))
        meet(one);
}

static int FN(coded)(const Matrix *m) { return m->n > 0 && m->kind != FLOAT32; }

static void FN(multiply)(const FN(Job) *job, Member one, const Matrix *m, const FN(Inputs) *in, float *out,
                         int64_t stride, int adds) {
    const int64_t rows = in->acts.rows;
    if (m->n == 0)
        return;
    if (m->kind == FLOAT32)
        FN(float_product)(one, m, in->rows, rows, out, stride, adds);
    else
        FN(product)(one, m, &in->acts, out, stride, adds, job->own + one.index * job->own_bytes);
    if (m->changed > 0 && job->step->adapters != NULL)
        FN(changes)(one, m, in->rows, job->step->adapters, rows, out, stride);
}

static void FN(normed)(const FN(Job) *job, Member one, const float *x, int64_t rows, const float *weight, int coded,
                       FN(Inputs) *in) {
    const Decoder *d = job->decoder;
    int64_t first, stop;
    FN(begin)(job, one, rows, d->width, in);
    FN(mine)(one, rows, &first, &stop);
    for (int64_t row = first; row < stop; row++) {
        float *to = in->rows + row * d->width;
        FN(norm)(x + row * d->width, weight, d->eps, d->width, to);
        if (coded)
            FN(act)(to, row, d->levels, &in->acts, in->plain);
    }
    FN(ready)(one, rows);
}

/* A row's new key and value of one key-value head into the cache. */
INLINE void FN(keep)(const FN(Job) *job, int64_t index, int64_t row, int64_t head) {
    const Decoder *d = job->decoder;
    const Step *s = job->step;
    const int64_t e = d->head_width, half = e / 2, place = (head * s->capacity + s->slots[row]) * e;
    float *key = job->inputs + (row * (d->heads + 2 * d->kv_heads) + d->heads + head) * e;
    FN(turn)(key, job->cosine + row * half, job->sine + row * half, half);
    memcpy(s->keys[index] + place, key, (size_t)e * 4);
    memcpy(s->values[index] + place, key + d->kv_heads * e, (size_t)e * 4);
}

/* What a row sees in a block. */
INLINE FN(Place) FN(seen)(const Step *s, int64_t row, int64_t window) {
    FN(Place) place = {s->places[row], s->starts[row], s->contexts[row]};
    if (window > 0 && window < place.context) {
        const int64_t skipped = place.context - window;
        place.slots = place.slots == NULL ? NULL : place.slots + skipped;
        place.start += skipped;
        place.context = window;
    }
    return place;
}

/* Attention of a key-value head's queries in some rows; `asked` says which these are, or NULL. */
static void FN(heads_of)(const FN(Job) *job, Member one, int64_t index, int64_t head, const int64_t *asked, int64_t from,
                         int64_t to) {
    const Decoder *d = job->decoder;
    const Step *s = job->step;
    const int64_t e = d->head_width, half = e / 2, group = d->heads / d->kv_heads, cached = head * s->capacity * e;
    const int64_t stride = (d->heads + 2 * d->kv_heads) * e;
    float *scores = (float *)(job->own + one.index * job->own_bytes + FN(product_bytes)(s->rows));
    FN(Query) queries[FN(TOGETHER)];
    int64_t count = 0;
    for (int64_t item = from * group; item < to * group; item++) {
        const int64_t place = item / group, row = asked == NULL ? place : asked[place], h = head * group + item % group;
        float *query = job->inputs + row * stride + h * e;
        FN(turn)(query, job->cosine + row * half, job->sine + row * half, half);
        queries[count++] = (FN(Query)){query, job->attended + (place * d->heads + h) * e,
                                       FN(seen)(s, row, d->layers[index].window)};
        if (count < FN(TOGETHER) && item + 1 < to * group)
            continue;
        FN(attend_any)(queries, count, s->keys[index] + cached, s->values[index] + cached, e, scores, job->scores, e);
        count = 0;
    }
}

/* New keys and values into the cache, and attention of every head in some rows. */
static void FN(look)(const FN(Job) *job, Member one, int64_t index, const int64_t *asked, int64_t rows) {
    const Decoder *d = job->decoder;
    const Step *s = job->step;
    const int64_t group = d->heads / d->kv_heads, even = rows * d->kv_heads / one.count;
    int64_t first, stop, some = group < FN(TOGETHER) ? FN(TOGETHER) / group : 1;
    if (s->chained) { /* rows read what others write */
        share(one, s->rows * d->kv_heads, 1, &first, &stop);
        for (int64_t item = first; item < stop; item++)
            FN(keep)(job, index, item / d->kv_heads, item % d->kv_heads);
        meet(one);
    }
    if (some > even) /* so that all have something to do */
        some = even > 0 ? even : 1;
    const int64_t tiles = (rows + some - 1) / some;
    share(one, tiles * d->kv_heads, 1, &first, &stop);
    for (int64_t item = first; item < stop; item++) {
        const int64_t head = item / tiles, from = item % tiles * some, to = from + some < rows ? from + some : rows;
        for (int64_t row = from; !s->chained && row < to; row++)
            FN(keep)(job, index, row, head);
        FN(heads_of)(job, one, index, head, asked, from, to);
    }
}

static void FN(block)(const FN(Job) *job, Member one, int64_t index) {
    const Decoder *d = job->decoder;
    const Step *s = job->step;
    const Layer *layer = d->layers + index;
    const int64_t heads = d->heads * d->head_width, stride = heads + 2 * d->kv_heads * d->head_width;
    const int64_t *asked = index + 1 == d->count ? s->asked : NULL;
    int64_t first, stop, at = 0, rows = s->rows;
    float *x = s->x;
    FN(Inputs) in;
    int coded = FN(coded)(layer->inputs) || FN(coded)(layer->inputs + 1) || FN(coded)(layer->inputs + 2);
    FN(normed)(job, one, x, rows, layer->norms[0], coded, &in);
    for (int i = 0; i < 3; at += layer->inputs[i++].n)
        FN(multiply)(job, one, layer->inputs + i, &in, job->inputs + at, stride, 0);
    meet(one);
    if (asked != NULL) { /* the last block goes on with some rows */
        rows = s->asked_rows;
        x = job->asked;
        share(one, rows, 1, &first, &stop);
        for (int64_t row = first; row < stop; row++)
            memcpy(x + row * d->width, s->x + asked[row] * d->width, (size_t)d->width * 4);
    }
    FN(look)(job, one, index, asked, rows);
    if (rows == 0)
        return;
    meet(one);
    FN(begin)(job, one, rows, heads, &in);
    if (FN(coded)(&layer->output)) {
        FN(mine)(one, rows, &first, &stop);
        for (int64_t row = first; row < stop; row++)
            FN(act)(job->attended + row * heads, row, d->levels, &in.acts, in.plain);
        FN(ready)(one, rows);
    }
    in.rows = job->attended;
    FN(multiply)(job, one, &layer->output, &in, x, d->width, 1);
    meet(one);
    coded = FN(coded)(layer->gates) || FN(coded)(layer->gates + 1);
    FN(normed)(job, one, x, rows, layer->norms[1], coded, &in);
    FN(multiply)(job, one, layer->gates, &in, job->gates, 2 * d->inner, 0);
    FN(multiply)(job, one, layer->gates + 1, &in, job->gates + d->inner, 2 * d->inner, 0);
    meet(one);
    FN(begin)(job, one, rows, d->inner, &in);
    FN(mine)(one, rows, &first, &stop);
    for (int64_t row = first; row < stop; row++) {
        const float *gate = job->gates + row * 2 * d->inner;
        float *to = in.rows + row * d->inner;
        FN(gated)(gate, gate + d->inner, d->inner, to);
        if (FN(coded)(&layer->down))
            FN(act)(to, row, d->levels, &in.acts, in.plain);
    }
    FN(ready)(one, rows);
    FN(multiply)(job, one, &layer->down, &in, x, d->width, 1);
    meet(one);
}

static void FN(whole)(void *given) {
    const FN(Job) *job = given;
    const Decoder *d = job->decoder;
    const Step *s = job->step;
    const int64_t half = d->head_width / 2;
    const Member one = member(job->threads);
    int64_t first, stop;
    share(one, s->rows, 1, &first, &stop);
    for (int64_t row = first; row < stop; row++)
        for (int64_t i = 0; i < half; i++) {
            const float angle = (float)s->positions[row] * d->frequencies[i];
            job->cosine[row * half + i] = cosf(angle);
            job->sine[row * half + i] = sinf(angle);
        }
    for (int64_t index = 0; index < d->count; index++) /* angles are there when all have met in the first block */
        FN(block)(job, one, index);
    const float *x = s->asked == NULL ? s->x : job->asked;
    share(one, s->asked == NULL ? s->rows : s->asked_rows, 1, &first, &stop);
    for (int64_t row = first; row < stop; row++)
        FN(norm)(x + row * d->width, d->norm, d->eps, d->width, s->x + row * d->width);
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
