#include "choosing.h"

struct prediction choose_for(enum ox_dtype dtype, uint32_t columns, const struct ox_buf *base,
                             const struct ox_buf *target)
{
    struct tensor_pair pair = {.dtype = dtype,
                               .base_dtype = dtype,
                               .has_base = true,
                               .columns = columns,
                               .base_columns = columns,
                               .target_bytes = target->len_bytes,
                               .base_bytes = base->len_bytes};
    struct ox_memory memory[2] = {{base->data, base->len_bytes}, {target->data, target->len_bytes}};
    struct ox_source sources[2] = {ox_memory_source(&memory[0]), ox_memory_source(&memory[1])};
    struct chooser chooser = {.base = &sources[0], .target = &sources[1], .mixing = MIX_NEVER};

    pair.prediction = prediction_default(&pair);
    assert_int_equal(choose_prediction(&chooser, &pair, NULL), OX_OK);
    chooser_clear(&chooser);
    return pair.prediction;
}
