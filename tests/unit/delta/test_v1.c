/* Version 1, both ways. (What a stranger wrote, good and bad, is in test_apply.) */
#include "helpers.h"

#include "oxide/base/reader.h"
#include "oxide/patch/oxdl1.h"

#include <stdlib.h>
#include <time.h>

static struct ox_buf make_v1(const struct artifact *base, const struct artifact *target)
{
    struct memory_output patch = {OX_BUF_INIT, 0};
    struct ox_output output = memory_output(&patch);

    assert_int_equal(ox_delta_create_v1(&base->side, &target->side, &output, NULL), OX_OK);
    return patch.bytes;
}

static size_t round_trip(struct ox_buf base_bytes, struct ox_buf target_bytes)
{
    struct artifact *base = artifact_single(base_bytes);
    struct artifact *target = artifact_single(target_bytes);
    struct ox_buf patch = make_v1(base, target);
    struct ox_buf again = make_v1(base, target);
    struct ox_oxdl1_header header;
    struct ox_oxdl1_chunk chunk;
    struct ox_reader reader;
    size_t len = patch.len_bytes;

    assert_int_equal(again.len_bytes, len);
    assert_memory_equal(again.data, patch.data, len);
    assert_int_equal(ox_oxdl1_read_header(patch.data, len, &header, NULL), OX_OK);
    assert_int_equal(header.strategy, OX_OXDL1_BINARY);
    assert_int_equal(header.chunk_count, 1);
    assert_true(header.target_size_bytes == target_bytes.len_bytes);
    ox_reader_init(&reader, patch.data + OX_OXDL1_HEADER_BYTES, len - OX_OXDL1_HEADER_BYTES, "v1");
    assert_int_equal(ox_oxdl1_read_chunk(&reader, &chunk, NULL), OX_OK);
    assert_int_equal(chunk.name_len, 0);
    assert_int_equal(chunk.op, OX_OXDL1_REPLACE);
    assert_int_equal(ox_reader_end(&reader, NULL), OX_OK);
    for (size_t piece = 0; piece < 8; piece += 3) {
        struct memory_sink sink = {.writes = 0};
        struct ox_err err = OX_ERR_INIT;

        if (apply_patch(base, patch.data, len, piece, &sink, &err) != OX_OK) {
            fail_msg("%s", err.msg);
        }
        assert_int_equal(sink.bytes.len_bytes, target_bytes.len_bytes);
        if (target_bytes.len_bytes > 0) {
            assert_memory_equal(sink.bytes.data, target_bytes.data, target_bytes.len_bytes);
        }
        ox_buf_clear(&sink.bytes);
    }
    ox_buf_clear(&again);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
    return len;
}

static void binary__goes_there_and_back(void **state)
{
    struct ox_buf changed = noise(1, 300000);

    (void)state;
    changed.data[150000] ^= 1;
    assert_true(round_trip(noise(1, 300000), changed) < 500);
    (void)round_trip((struct ox_buf)OX_BUF_INIT, noise(1, 1000));
    (void)round_trip(noise(1, 1000), (struct ox_buf)OX_BUF_INIT);
    (void)round_trip((struct ox_buf)OX_BUF_INIT, (struct ox_buf)OX_BUF_INIT);
    (void)round_trip(noise(1, 1), noise(2, 1));
}

/* Where the first generation failed: its window ended at 2 MiB. */
static void binary__sees_a_large_base_whole(void **state)
{
    struct ox_buf changed = noise(1, 5 << 20);

    (void)state;
    for (size_t i = 0; i < changed.len_bytes; i += 1 << 18) {
        changed.data[i] ^= 1;
    }
    assert_true(round_trip(noise(1, 5 << 20), changed) < 5000);
}

static void several_files__are_unsupported(void **state)
{
    struct artifact several = {.manifest = OX_MANIFEST_INIT};
    struct artifact *one = artifact_copy("abc", 3);
    struct memory_output patch = {OX_BUF_INIT, 0};
    struct ox_output output = memory_output(&patch);

    (void)state;
    artifact_add(&several, "a", bytes_of("a", 1), false);
    artifact_add(&several, "b", bytes_of("b", 1), false);
    artifact_finish(&several);
    assert_int_equal(ox_delta_create_v1(&several.side, &one->side, &output, NULL), OX_EUNSUPPORTED);
    assert_int_equal(ox_delta_create_v1(&one->side, &several.side, &output, NULL), OX_EUNSUPPORTED);
    assert_int_equal(patch.bytes.len_bytes, 0);
    artifact_clear(&several);
    artifact_free(one);
}

static void sizes__over_the_limit_are_too_big(void **state)
{
    struct artifact *one = artifact_copy("abc", 3);
    struct artifact *large = artifact_copy("abc", 3);
    struct memory_output patch = {OX_BUF_INIT, 0};
    struct ox_output output = memory_output(&patch);

    (void)state;
    large->sources[0].size_bytes = OX_OXDL1_SIZE_MAX + 1;
    assert_int_equal(ox_delta_create_v1(&large->side, &one->side, &output, NULL), OX_ETOOBIG);
    assert_int_equal(ox_delta_create_v1(&one->side, &large->side, &output, NULL), OX_ETOOBIG);
    artifact_free(one);
    artifact_free(large);
}

static void cut_or_flipped__never_gives_other_bytes(void **state)
{
    struct artifact *base = artifact_single(prose(1, 2000));
    struct artifact *target = artifact_single(prose(2, 2000));
    struct ox_buf patch = make_v1(base, target);

    (void)state;
    for (size_t i = 0; i < patch.len_bytes; i++) {
        struct memory_sink sink = {.writes = 0};

        assert_int_equal(apply_patch(base, patch.data, i, 0, &sink, NULL), OX_ECORRUPT);
        assert_int_equal(sink.writes, 0);
        for (unsigned bit = 0; bit < 8; bit += 3) {
            patch.data[i] ^= (uint8_t)(1u << bit);
            if (apply_patch(base, patch.data, patch.len_bytes, 0, &sink, NULL) == OX_OK) {
                assert_memory_equal(sink.bytes.data, target->bytes[0].data, 2000);
            }
            patch.data[i] ^= (uint8_t)(1u << bit);
            ox_buf_clear(&sink.bytes);
        }
    }
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

static void check__works_for_it_too(void **state)
{
    struct artifact *base = artifact_single(prose(1, 2000));

    (void)state;
    for (size_t len = 0; len < 2000; len += 1999) {
        struct artifact *target = artifact_single(noise(2, len));
        struct ox_buf patch = make_v1(base, target);
        struct ox_memory memory = {patch.data, patch.len_bytes};
        struct ox_source source = ox_memory_source(&memory);
        struct ox_buf known = bytes_of(target->bytes[0].data, len);
        struct ox_memory known_memory = {known.data, known.len_bytes};
        struct ox_source check = ox_memory_source(&known_memory);
        struct ox_apply_spec spec = {.base = &base->side, .check = &check};

        assert_int_equal(ox_apply_source(&spec, &source, NULL), OX_OK);
        if (len > 0) {
            known.data[len - 1] ^= 1;
            assert_int_equal(ox_apply_source(&spec, &source, NULL), OX_EDIGEST);
        }
        ox_buf_clear(&known);
        ox_buf_clear(&patch);
        artifact_free(target);
    }
    artifact_free(base);
}

static void inspect__tells_its_header(void **state)
{
    struct artifact *base = artifact_single(prose(1, 2000));
    struct artifact *target = artifact_single(prose(2, 3000));
    struct ox_buf patch = make_v1(base, target);
    struct ox_memory memory = {patch.data, patch.len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_oxdl_header header = {0};
    struct ox_delta_stats stats;

    (void)state;
    assert_int_equal(ox_delta_inspect(&source, &header, &stats, NULL), OX_OK);
    assert_int_equal(header.version, 1);
    assert_int_equal(header.target.size_bytes, 3000);
    assert_true(ox_digest_equal(&header.base.digest, &base->side.digest));
    assert_int_equal(stats.patch_total_bytes, patch.len_bytes);
    assert_int_equal(stats.engine, OX_ENGINE_BINARY);
    ox_oxdl_header_clear(&header);
    ox_buf_clear(&patch);
    artifact_free(base);
    artifact_free(target);
}

static void inspect__tells_the_strategy_as_the_engine(void **state)
{
    struct ox_buf patch = file_bytes(OX_TESTS_DIR "/golden/oxdl1/good/tensor.oxdl");
    struct ox_memory memory = {patch.data, patch.len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_oxdl_header header = {0};
    struct ox_delta_stats stats;

    (void)state;
    assert_int_equal(ox_delta_inspect(&source, &header, &stats, NULL), OX_OK);
    assert_int_equal(stats.engine, OX_ENGINE_TENSOR);
    ox_oxdl_header_clear(&header);
    ox_buf_clear(&patch);
}

/* A skeleton of a great many names, and as many chunks: seconds if each were looked for in a row.
 */
static void many_names__take_no_quadratic_time(void **state)
{
    enum { NAMES = 40000 };
    struct artifact *base = artifact_copy("\x3a\x00", 2); /* a model with an empty graph */
    struct ox_oxdl1_header header = {.strategy = OX_OXDL1_TENSOR,
                                     .base_sha256 = base->side.digest,
                                     .format = OX_OXDL1_ONNX,
                                     .chunk_count = NAMES + 1,
                                     .target_size_bytes = 64 << 20};
    static const uint8_t empty_frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00};
    struct ox_buf patch = OX_BUF_INIT;
    struct ox_buf graph = OX_BUF_INIT;
    struct ox_buf skeleton = OX_BUF_INIT;
    struct ox_buf frame = bytes_of("\x28\xb5\x2f\xfd\xa0", 5); /* sizes of 4 bytes, one segment */
    struct ox_oxdl1_chunk bones = {
        (const uint8_t *)"__skeleton__", 12, 0, OX_OXDL1_REPLACE, NULL, 0};
    struct memory_sink sink = {.writes = 0};
    struct ox_err err = OX_ERR_INIT;
    clock_t start;

    (void)state;
    assert_int_equal(ox_oxdl1_put_header(&patch, &header, NULL), OX_OK);
    for (uint32_t i = 0; i < NAMES; i++) {
        uint8_t tensor[8] = {5 << 3 | 2, 6, 8 << 3 | 2, 4, 0, 0, 0, 0};
        struct ox_oxdl1_chunk chunk = {tensor + 4,       4,           0,
                                       OX_OXDL1_REPLACE, empty_frame, sizeof(empty_frame)};

        ox_store_u32le(tensor + 4, i);
        assert_int_equal(ox_oxdl1_put_chunk(&patch, &chunk, NULL), OX_OK);
        ox_store_u32le(tensor + 4, NAMES + i); /* none of which there is a chunk for */
        put(&graph, tensor, sizeof(tensor));
    }
    put(&skeleton, "\x3a", 1);
    assert_int_equal(ox_buf_put_varint(&skeleton, graph.len_bytes, NULL), OX_OK);
    put_buf(&skeleton, &graph);
    assert_int_equal(ox_buf_put_u32le(&frame, (uint32_t)skeleton.len_bytes, NULL), OX_OK);
    for (size_t at = 0; at < skeleton.len_bytes;) { /* stored blocks of at most 128 KiB */
        size_t take = skeleton.len_bytes - at < 131072 ? skeleton.len_bytes - at : 131072;
        uint32_t block = (uint32_t)(take << 3) | (at + take == skeleton.len_bytes);

        put(&frame,
            (const uint8_t[]){(uint8_t)block, (uint8_t)(block >> 8), (uint8_t)(block >> 16)}, 3);
        put(&frame, skeleton.data + at, take);
        at += take;
    }
    bones.uncompressed_bytes = (uint32_t)skeleton.len_bytes;
    bones.data = frame.data;
    bones.data_bytes = (uint32_t)frame.len_bytes;
    assert_int_equal(ox_oxdl1_put_chunk(&patch, &bones, NULL), OX_OK);
    start = clock();
    assert_int_equal(apply_patch(base, patch.data, patch.len_bytes, 0, &sink, &err), OX_EDIGEST);
    assert_true((clock() - start) / CLOCKS_PER_SEC < 2);
    ox_buf_clear(&patch);
    ox_buf_clear(&graph);
    ox_buf_clear(&skeleton);
    ox_buf_clear(&frame);
    artifact_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary__goes_there_and_back),
        cmocka_unit_test(binary__sees_a_large_base_whole),
        cmocka_unit_test(several_files__are_unsupported),
        cmocka_unit_test(sizes__over_the_limit_are_too_big),
        cmocka_unit_test(cut_or_flipped__never_gives_other_bytes),
        cmocka_unit_test(check__works_for_it_too),
        cmocka_unit_test(inspect__tells_its_header),
        cmocka_unit_test(inspect__tells_the_strategy_as_the_engine),
        cmocka_unit_test(many_names__take_no_quadratic_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
