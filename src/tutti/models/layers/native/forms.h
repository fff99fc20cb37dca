/* What the packed products and the decode step are given; `forms.py` mirrors it. */

#include <stdint.h>

enum { BLOCK = 64, CHUNK = 1024, FLOAT32 = 0, INT8 = 1, INT4 = 2 };

/* A matrix (N, K).
   FLOAT32: row by row.
   INT8: blocks of 64 rows, N filled up; in a block (K / 4, 64, 4) bytes of code + 128, K filled up.
   INT4: blocks of 64 rows; in a block, for each group of columns: 64 steps, 64 offsets, and (group / 8, 64, 4) bytes,
   whose low halves are columns 0 to 3 of eight and the high ones 4 to 7: weight = step * code + offset. */
typedef struct {
    int64_t n, k;
    const void *weight;
    const float *factor; /* (N,): what a whole number of a sum stands for; not for FLOAT32 */
    const float *bias;   /* (N,) or NULL */
    int32_t kind, group; /* INT4: columns of a group */
    const struct Change *changes; /* `changed` of them, or NULL; products of many rows leave them alone */
    int64_t changed;
} Matrix;

/* What adapters add to some neighbouring rows of a matrix. */
typedef struct Change {
    int64_t first, n;    /* which */
    const float *down;   /* (R of all adapters, K), scaled */
    const float *up;     /* (R of all adapters, n) */
    const int64_t *ends; /* of each adapter's rows in both, 0 first */
} Change;

/* Rows of activations as whole numbers: tiles of rows, in a tile (K / 4, rows, 4). */
typedef struct {
    int8_t *codes;
    float *top;    /* (rows,): largest magnitudes */
    int32_t *sums; /* (rows, groups) */
    int64_t rows, k, groups;
} Acts;

static inline int64_t up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

static inline int64_t group_of(int64_t k) { return k % 128 == 0 ? 128 : k % 64 == 0 ? 64 : k % 32 == 0 ? 32 : k; }

/* Bytes of a block of a matrix. */
static inline int64_t block_bytes(const Matrix *m) {
    return m->kind == INT8 ? up(m->k, 4) * BLOCK : m->k / m->group * (2 * BLOCK + m->group * BLOCK / 2);
}

/* A block of a LLaMA-type decoder. */
typedef struct {
    Matrix inputs[3]; /* queries, keys and values: one below the other in the first, or one by one */
    Matrix output;
    Matrix gates[2]; /* gate and up: the same */
    Matrix down;
    const float *norms[2]; /* before attention, before the MLP: (D,) */
    int64_t window;        /* tokens that a token looks back at, itself included; 0: all */
} Layer;

typedef struct {
    const Layer *layers;
    const float *norm;        /* behind the last block: (D,) */
    const float *frequencies; /* (E / 2,) */
    int64_t count, width, inner, heads, kv_heads, head_width;
    float eps;
    int32_t levels;
} Decoder;

/* Tokens of as many sequences, one of each, or several of some of them. */
typedef struct {
    float *x;                 /* (T, D): embeddings; hidden states after it */
    const int64_t *positions; /* (T,) */
    const int64_t *slots;     /* (T,): where the cache takes their keys and values */
    float *const *keys;       /* a (K, `capacity`, E) for each block */
    float *const *values;
    const int64_t *const *places; /* (T,): each sequence's slots, or NULL if they lie side by side from `starts` on */
    const int64_t *starts;
    const int64_t *contexts; /* (T,): tokens of each sequence, this one included */
    uint8_t *scratch;        /* `tutti_step_bytes` */
    const int64_t *adapters; /* (T,): which adapter each goes through, -1 none; or NULL */
    int64_t rows, capacity, longest;
    int64_t chained; /* whether some are neighbouring tokens of one sequence, which read one another's keys */
    const int64_t *asked; /* (R,): rows whose hidden states are wanted, in the first of x; NULL: all; only if chained */
    int64_t asked_rows;
} Step;

enum { GELU = 0, QUICK_GELU = 1, TANH_GELU = 2, SILU = 3, RELU = 4 };

/* A block of a trunk: x += output(attention(norm(x))), then x += second(activation(first(norm(x)))). */
typedef struct {
    Matrix inputs[3]; /* queries, keys and values: one below the other in the first, or one by one; none in float32 */
    Matrix output, first, second;
    const float *norms[2], *shifts[2]; /* of the layer norms: (D,) */
    int64_t width, inner, heads, activation;
    float eps;
    int32_t levels;
} Trunk;
