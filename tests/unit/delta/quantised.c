#include "quantised.h"

size_t scale_of(const struct scales_shape *shape, size_t i)
{
    size_t columns = shape->columns == 0 ? shape->count : shape->columns;
    size_t row = (shape->column + i) / columns;
    size_t column = (shape->column + i) % columns;

    switch (shape->axis) {
    case SCALES_ROWS:
        return row;
    case SCALES_COLUMNS:
        return column;
    case SCALES_TILES:
        return (shape->row + row) / shape->tile.rows *
                   ((columns + shape->tile.columns - 1u) / shape->tile.columns) +
               column / shape->tile.columns;
    default:
        return 0;
    }
}

size_t patch_of_tensor(const char *dtype, size_t rows, size_t columns, struct ox_buf base,
                       struct ox_buf target, uint64_t *frames)
{
    struct ox_buf bytes[2] = {base, target};
    struct artifact *sides[2];
    struct ox_delta_stats stats;
    struct ox_buf patch;
    struct memory_sink sink = {.writes = 0};
    size_t len;

    for (size_t i = 0; i < 2; i++) {
        struct tensors model = {OX_BUF_INIT, OX_BUF_INIT};

        tensors_add(&model, "w", dtype, rows, columns, bytes[i]);
        sides[i] = artifact_single(tensors_file(&model));
    }
    patch = make_patch(sides[0], sides[1], OX_ENGINE_AUTO, 2, &stats);
    assert_int_equal(apply_patch(sides[0], patch.data, patch.len_bytes, 0, &sink, NULL), OX_OK);
    assert_int_equal(sink.bytes.len_bytes, sides[1]->bytes[0].len_bytes);
    assert_memory_equal(sink.bytes.data, sides[1]->bytes[0].data, sink.bytes.len_bytes);
    len = patch.len_bytes;
    *frames = stats.frames;
    ox_buf_clear(&sink.bytes);
    ox_buf_clear(&patch);
    artifact_free(sides[0]);
    artifact_free(sides[1]);
    return len;
}
