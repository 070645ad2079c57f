/* What has to happen between two tokens: find what can be drawn, draw, decode.

   Where a GPU writes a thousand tokens a second, it waits for nothing as long as for the calls that
   do this from Python. Compiled at set-up by engine/native.py; called by sampling_search.py and
   stepping.py, which do without it where there is no compiler. */

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lanes.h"

#define BLOCK 128
/* In floats: a line of the cache, and how far to read ahead. */
#define LINE 16
#define AHEAD 4096
#define MOST_RANK 1024
#define MOST_STEPS 24
/* More than these are left to the samplers to sort. */
#define MOST_ORDERED 256

#define BROKEN (-1)
#define TOO_MANY (-2)
#define NO_LOGITS (-3)

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

typedef struct {
    int32_t n_tokens;
    int32_t *token;
    float *embd;
    int32_t *pos;
    int32_t *n_seq_id;
    int32_t **seq_id;
    int8_t *logits;
} batch;

typedef void (*apply_samplers)(void *chain, token_data_array *candidates);

/* The largest logit of each block of `n`, and behind them NAN, which reaches no bound, up to whole
   vectors. The sum of all logits tells whether any is not finite. */
static float block_tops(const float *logits, int32_t n, float *tops) {
    int32_t blocks = n / BLOCK;
    /* Several, as each waits for itself. */
    lanes sums[4] = {0};
    for (int32_t block = 0; block < blocks; block++) {
        const lanes *x = (const lanes *)(logits + (size_t)block * BLOCK);
        /* What a GPU has written comes from memory. Into the second cache, as the first has too few
           buffers to have enough on the way: up to 3 us less for 128,256 logits on an H100's host. */
        for (int ahead = 0; ahead < BLOCK; ahead += LINE)
            __builtin_prefetch(logits + (size_t)block * BLOCK + AHEAD + ahead, 0, 2);
        lanes largest[4];
        for (int i = 0; i < BLOCK / LANES; i++) {
            sums[i % 4] += x[i];
            largest[i % 4] = i < 4 ? x[i] : larger(x[i], largest[i % 4]);
        }
        tops[block] = largest_lane(
            larger(larger(largest[0], largest[1]), larger(largest[2], largest[3])));
    }
    lanes sum = sums[0] + sums[1] + sums[2] + sums[3];
    float total = 0;
    for (int lane = 0; lane < LANES; lane++) total += sum[lane];
    float rest = -INFINITY;
    for (int32_t id = blocks * BLOCK; id < n; id++) {
        total += logits[id];
        rest = logits[id] > rest ? logits[id] : rest;
    }
    tops[blocks] = rest;
    for (int lane = 1; lane <= LANES; lane++) tops[blocks + lane] = NAN;
    return total;
}

/* Whether any number is none, or infinitely large. */
static bool any_broken(const float *numbers, int32_t count) {
    int32_t broken = 0;
    for (int32_t i = 0; i < count; i++)
        broken |= numbers[i] != numbers[i] || numbers[i] == INFINITY;
    return broken;
}

/* How many numbers are at least `bound`. They are followed by NAN up to whole vectors. */
static int32_t reaching(const float *numbers, int32_t count, float bound) {
    int32_t all = 0;
    for (int32_t i = 0; i < count; i += LANES)
        all += __builtin_popcount(reaching_bits(*(const lanes *)(numbers + i), bound));
    return all;
}

/* The largest of numbers, as for `reaching`. */
static float largest_of(const float *numbers, int32_t count) {
    lanes top = numbers[0] - (lanes){0};
    for (int32_t i = 0; i + LANES <= count; i += LANES)
        top = larger(*(const lanes *)(numbers + i), top);
    float largest = largest_lane(top);
    for (int32_t i = count / LANES * LANES; i < count; i++)
        largest = numbers[i] > largest ? numbers[i] : largest;
    return largest;
}

/* A bound that at least `rank` numbers reach, and few more; minus infinity if that takes all.
   Numbers as for `reaching`.

   By halving, as a count has no branches for the processor to guess wrong. */
static float bound_of(const float *numbers, int32_t count, int32_t rank) {
    if (rank >= count) return -INFINITY;
    float top = largest_of(numbers, count);
    if (rank == 1) return top;
    float high = top, width = 16;
    while (reaching(numbers, count, top - width) < rank) {
        high = top - width;
        width *= 4;
    }
    float low = top - width;
    if (low == -INFINITY) return low;
    for (int steps = 0; steps < MOST_STEPS; steps++) {
        float middle = low + (high - low) / 2;
        int32_t reach = reaching(numbers, count, middle);
        if (reach < rank) {
            high = middle;
        } else {
            low = middle;
            if (reach <= rank + rank / 4) break;
        }
    }
    return low;
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

/* The rank-th largest logit: at least so many reach it. */
static float nth_largest(const token_data *data, int32_t count, int32_t rank) {
    float heap[MOST_RANK];
    for (int32_t i = 0; i < rank; i++) heap[i] = data[i].logit;
    for (int32_t i = rank / 2; i-- > 0;) sift_down(heap, rank, i);
    for (int32_t i = rank; i < count; i++) {
        if (data[i].logit > heap[0]) {
            heap[0] = data[i].logit;
            sift_down(heap, rank, 0);
        }
    }
    return heap[0];
}

/* Drops what is smaller than the rank-th largest, which becomes the bound; how many are left. */
static int32_t keep_largest(token_data *data, int32_t count, int32_t rank, float *bound) {
    if (count <= rank) return count;
    *bound = nth_largest(data, count, rank);
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++)
        if (data[i].logit >= *bound) data[kept++] = data[i];
    return kept;
}

/* Appends what reaches the bound of the logits from `first` to `end`; how many there are then. */
static int32_t take(const float *logits, int32_t first, int32_t end, float bound, token_data *data,
                    int32_t count) {
    int32_t id = first;
    for (; id + LANES <= end; id += LANES) {
        uint32_t bits = reaching_bits(*(const lanes *)(logits + id), bound);
        for (; bits; bits &= bits - 1) {
            int32_t reaches = id + __builtin_ctz(bits);
            data[count++] = (token_data){reaches, logits[reaches], 0.0f};
        }
    }
    for (; id < end; id++)
        if (logits[id] >= bound) data[count++] = (token_data){id, logits[id], 0.0f};
    return count;
}

/* Fills `found` with the `rank` largest logits of `n`, and all equal to the least of them. All that
   reach `floor` are among them. `tops` has room for n / 128 + 17 numbers, `found->data` for `room`.

   Likely tokens are neighbours where a vocabulary was made of the commonest first. So the tops of
   blocks only give a first bound, and what reaches it may be many times the rank.

   Returns 0; BROKEN where a logit is not a number or the largest is infinite; TOO_MANY where the
   rank is too large for this, or too many logits are equal. */
int leadline_candidates(const float *logits, int32_t n, int32_t rank, float *tops, int32_t room,
                        token_data_array *found, float *floor) {
    int32_t blocks = (n + BLOCK - 1) / BLOCK, count = 0;
    if (rank < 1 || rank > MOST_RANK || room <= rank + BLOCK) return TOO_MANY;
    if (!isfinite(block_tops(logits, n, tops)) && any_broken(logits, n)) return BROKEN;
    float bound = bound_of(tops, blocks, rank);
    for (int32_t some = 0; some < blocks; some += LANES) {
        uint32_t bits = reaching_bits(*(const lanes *)(tops + some), bound);
        for (; bits; bits &= bits - 1) {
            int32_t first = (some + __builtin_ctz(bits)) * BLOCK;
            if (count + BLOCK >= room) {
                count = keep_largest(found->data, count, rank, &bound);
                if (count + BLOCK >= room) return TOO_MANY;
            }
            int32_t end = first + BLOCK < n ? first + BLOCK : n;
            count = take(logits, first, end, bound, found->data, count);
        }
    }
    count = keep_largest(found->data, count, rank, &bound);
    if (bound == -INFINITY) return TOO_MANY;
    found->size = (size_t)count;
    found->selected = -1;
    found->sorted = false;
    *floor = bound;
    return 0;
}

/* Puts candidates in order, the likeliest first, unless they are many or one is no number.

   The samplers would do it too, but compare one by one, and the processor guesses half of the
   outcomes wrong. Here each is compared with all others at once, which tells its place. */
static void put_in_order(token_data_array *found) {
    int32_t count = (int32_t)found->size;
    if (count > MOST_ORDERED) return;
    float logits[MOST_ORDERED + LANES];
    token_data ordered[MOST_ORDERED];
    bool taken[MOST_ORDERED] = {false};
    for (int32_t i = 0; i < count; i++) logits[i] = found->data[i].logit;
    for (int lane = 0; lane < LANES; lane++) logits[count + lane] = NAN;
    for (int32_t i = 0; i < count; i++) {
        int32_t place = reaching(logits, count, logits[i]) - 1;
        if (place < 0) return;
        /* Equal ones share the last of their places. */
        while (taken[place]) place--;
        taken[place] = true;
        ordered[place] = found->data[i];
    }
    memcpy(found->data, ordered, (size_t)count * sizeof *ordered);
    found->sorted = true;
}

/* Gives up what the caches hold of logits that were read. A GPU that writes the next ones there has
   to wait for that: 11 us for 128,256 logits on an H100's host. Takes 50 us there, while the GPU
   computes. */
static void give_up(const float *logits, int32_t n) {
#if defined(__CLFLUSHOPT__)
    for (int32_t id = 0; id < n; id += LINE) _mm_clflushopt((void *)(logits + id));
#else
    (void)logits, (void)n;
#endif
}

/* All that a step needs; stepping.py declares the same. */
typedef struct {
    void *context, *vocab, *adjusting, *choosing;
    float *(*logits_of)(void *context, int32_t output);
    bool (*ends)(const void *vocab, int32_t token);
    int32_t (*decode)(void *context, batch tokens);
    apply_samplers apply;
    batch next;
    token_data_array *found;
    token_data *data;
    float *tops;
    int32_t n_vocab, rank, least, room, n_ctx;
    bool decodes, stops;
    /* What came of it: whether the token was decoded, and what llama_decode returned. */
    bool decoded;
    int32_t status;
    float floor;
} step;

/* Fills `found` with candidates and adjusts them. At least `least` have to stay above the floor
   then, so that none from outside can matter: where they are fewer, more are taken, also from
   then on.

   Returns 0 or what leadline_candidates does. */
static int adjusted_candidates(step *s, const float *logits) {
    for (;; s->rank *= 2) {
        s->found->data = s->data;
        int code =
            leadline_candidates(logits, s->n_vocab, s->rank, s->tops, s->room, s->found, &s->floor);
        if (code || !s->adjusting) return code;
        s->apply(s->adjusting, s->found);
        int32_t above = 0;
        for (size_t i = 0; i < s->found->size; i++) above += s->found->data[i].logit >= s->floor;
        if (above >= s->least) return 0;
    }
}

/* Waits for the logits of the last decode and chooses a token. If it `decodes`, that happens too,
   at `position`, unless the token ends the reply or the context is full.

   `rank` as for leadline_candidates, to begin with; `adjusting` may be null, `least` as above;
   without `choosing` the likeliest is taken.

   Returns the token, or what leadline_candidates returned instead of 0, or NO_LOGITS. */
int32_t leadline_step(step *s, int32_t position) {
    s->decoded = false;
    const float *logits = s->logits_of(s->context, -1);
    if (!logits) return NO_LOGITS;
    int code = adjusted_candidates(s, logits);
    if (code) return code;
    int64_t chosen = 0;
    if (s->choosing) {
        put_in_order(s->found);
        s->apply(s->choosing, s->found);
        chosen = s->found->selected;
    }
    int32_t token = s->found->data[chosen].id;
    if (!s->decodes || position >= s->n_ctx) return token;
    if (s->stops && s->ends(s->vocab, token)) return token;
    *s->next.token = token;
    *s->next.pos = position;
    *s->next.logits = 1;
    s->status = s->decode(s->context, s->next);
    s->decoded = true;
    give_up(logits, s->n_vocab);
    return token;
}
