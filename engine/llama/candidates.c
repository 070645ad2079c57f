/* Finds the tokens that a draw can choose, in one pass over the logits.

   A dozen calls of numpy do the same, and take a tenth of a token's time where a GPU writes a
   thousand tokens a second. Compiled at set-up by engine/native.py, called by sampling_native.py;
   without a compiler numpy does it. */

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
#define BLOCK 128
#define MOST_RANK 1024

#define BROKEN (-1)
#define TOO_MANY (-2)

/* As llama.h declares them. */
typedef struct {
    int32_t id;
    float logit;
    float p;
} token_data;

typedef struct {
    token_data *data;
    size_t size;
    int64_t selected;
    bool sorted;
} token_data_array;

typedef void (*apply_samplers)(void *chain, token_data_array *candidates);

/* Vectors that need not be aligned. Plain loops are not made into such by every compiler. */
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(4 * LANES)));

#define LARGER(a, b) ((lanes)(((mask)(a) & ((a) > (b))) | ((mask)(b) & ~((a) > (b)))))

/* The largest logit of each whole block; false where any logit is not a number. */
static bool block_tops(const float *logits, int32_t blocks, float *tops) {
    mask broken = {0};
    for (int32_t block = 0; block < blocks; block++) {
        const lanes *x = (const lanes *)(logits + (size_t)block * BLOCK);
        lanes top = x[0];
        for (int i = 0; i < BLOCK / LANES; i++) {
            lanes next = x[i];
            broken |= next != next;
            top = LARGER(next, top);
        }
        float best = top[0];
        for (int lane = 1; lane < LANES; lane++) best = top[lane] > best ? top[lane] : best;
        tops[block] = best;
    }
    int32_t any = 0;
    for (int lane = 0; lane < LANES; lane++) any |= broken[lane];
    return !any;
}

static void sift_down(float *heap, int32_t size, int32_t at) {
    for (;;) {
        int32_t least = at, left = 2 * at + 1, right = left + 1;
        if (left < size && heap[left] < heap[least]) least = left;
        if (right < size && heap[right] < heap[least]) least = right;
        if (least == at) return;
        float moved = heap[at];
        heap[at] = heap[least];
        heap[least] = moved;
        at = least;
    }
}

/* The rank-th largest of some numbers: at least so many tokens reach it. */
static float nth_largest(const float *numbers, int32_t count, int32_t rank) {
    float heap[MOST_RANK];
    for (int32_t i = 0; i < rank; i++) heap[i] = numbers[i];
    for (int32_t i = rank / 2; i-- > 0;) sift_down(heap, rank, i);
    for (int32_t i = rank; i < count; i++) {
        if (numbers[i] > heap[0]) {
            heap[0] = numbers[i];
            sift_down(heap, rank, 0);
        }
    }
    return heap[0];
}

/* Fills `found` with at least the `rank` largest logits of `n`, and all equal to the least of them
   or above; `floor` becomes that. `tops` has room for n / 128 numbers, `found->data` for `room`.

   Returns 0; BROKEN where a logit is not a number or the largest is infinite; TOO_MANY where the
   rank is too large for the vocabulary, or the room too small. */
int leadline_candidates(const float *logits, int32_t n, int32_t rank, float *tops, int32_t room,
                        token_data_array *found, float *floor) {
    int32_t blocks = n / BLOCK, count = 0;
    if (rank < 1 || rank > MOST_RANK || rank * 2 > blocks) return TOO_MANY;
    if (!block_tops(logits, blocks, tops)) return BROKEN;
    float bound = nth_largest(tops, blocks, rank);
    for (int32_t block = 0; block < blocks; block++) {
        if (!(tops[block] >= bound)) continue;
        if (tops[block] == INFINITY) return BROKEN;
        if (count + BLOCK > room) return TOO_MANY;
        for (int32_t id = block * BLOCK; id < (block + 1) * BLOCK; id++)
            if (logits[id] >= bound) found->data[count++] = (token_data){id, logits[id], 0.0f};
    }
    for (int32_t id = blocks * BLOCK; id < n; id++) {
        if (logits[id] != logits[id] || logits[id] == INFINITY) return BROKEN;
        if (logits[id] < bound) continue;
        if (count == room) return TOO_MANY;
        found->data[count++] = (token_data){id, logits[id], 0.0f};
    }
    if (bound == -INFINITY) return TOO_MANY;
    found->size = (size_t)count;
    found->selected = -1;
    found->sorted = false;
    *floor = bound;
    return 0;
}

/* Finds the candidates and has the samplers choose one: its id, or what leadline_candidates
   returned instead of 0. */
int32_t leadline_draw(const float *logits, int32_t n, int32_t rank, float *tops, int32_t room,
                      token_data_array *found, float *floor, apply_samplers apply, void *chain) {
    int code = leadline_candidates(logits, n, rank, tops, room, found, floor);
    if (code) return code;
    apply(chain, found);
    return found->data[found->selected].id;
}
