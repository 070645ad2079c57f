/* Vectors of floats, as wide as the processor's own: wider ones are slower than none.

   Only what C cannot say is said for each processor. Where two are compared and one of them is no
   number, the result is either of the two. */

#ifndef LEADLINE_LANES_H
#define LEADLINE_LANES_H

#include <stdint.h>

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

#if defined(__SSE2__)
#include <immintrin.h>
#endif

/* They need not be aligned. */
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* The larger of each pair. */
static inline lanes larger(lanes a, lanes b) {
#if defined(__AVX512F__)
    return (lanes)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (lanes)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
    return (lanes)_mm_max_ps((__m128)a, (__m128)b);
#else
    typedef int32_t mask __attribute__((vector_size(4 * LANES)));
    mask first = a > b;
    return (lanes)((first & (mask)a) | (~first & (mask)b));
#endif
}

static inline float largest_lane(lanes numbers) {
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps((__m512)numbers);
#elif defined(__SSE2__)
#if defined(__AVX2__)
    __m128 four = _mm_max_ps(_mm256_castps256_ps128((__m256)numbers),
                             _mm256_extractf128_ps((__m256)numbers, 1));
#else
    __m128 four = (__m128)numbers;
#endif
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
#else
    float top = numbers[0];
    for (int lane = 1; lane < LANES; lane++) top = numbers[lane] > top ? numbers[lane] : top;
    return top;
#endif
}

/* A bit for each number that is at least `bound`. */
static inline uint32_t reaching_bits(lanes numbers, float bound) {
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask((__m512)numbers, _mm512_set1_ps(bound), _CMP_GE_OQ);
#elif defined(__AVX2__)
    return (uint32_t)_mm256_movemask_ps(
        _mm256_cmp_ps((__m256)numbers, _mm256_set1_ps(bound), _CMP_GE_OQ));
#elif defined(__SSE2__)
    return (uint32_t)_mm_movemask_ps(_mm_cmpge_ps((__m128)numbers, _mm_set1_ps(bound)));
#else
    uint32_t bits = 0;
    for (int lane = 0; lane < LANES; lane++) bits |= (uint32_t)(numbers[lane] >= bound) << lane;
    return bits;
#endif
}

#endif
