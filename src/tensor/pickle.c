/* The opcodes: protocols 2 to 4 as Python and TorchScript write them. */
#include "pickle.h"

#include "oxide/base/reader.h"
#include "oxide/tensor/limits.h"

#include <inttypes.h>
#include <string.h>

/* Opcodes that share what they do. */
#define SET_ITEM 's'
#define BUILD 'b'
#define TUPLE_1 0x85

#define LINE_MAX_BYTES 128 /* of a name of Python; longer ones are none that we know */

/* A run of the scanner. */
struct scan {
    struct ox_pickle *pickle;
    struct ox_stream *stream;
    uint64_t opcodes;
    uint8_t opcode; /* the one at hand, and what follows it: */
    uint64_t number;
    struct ox_pickle_value argument;
    bool stopped;
};

typedef enum ox_code act_fn(struct scan *scan, struct ox_err *err);

/* --- the stack --------------------------------------------------------------------------------*/

static const struct ox_pickle_value nothing = {OX_PICKLE_OTHER, 0};

static struct ox_pickle_value *stack_of(const struct scan *scan)
{
    return (struct ox_pickle_value *)(void *)scan->pickle->stack.data;
}

static size_t height(const struct scan *scan)
{
    return scan->pickle->stack.len_bytes / sizeof(struct ox_pickle_value);
}

static void drop_to(struct scan *scan, size_t to)
{
    scan->pickle->held_bytes -= (height(scan) - to) * sizeof(struct ox_pickle_value);
    scan->pickle->stack.len_bytes = to * sizeof(struct ox_pickle_value);
}

static enum ox_code push(struct scan *scan, struct ox_pickle_value value, struct ox_err *err)
{
    return ox_pickle_put(scan->pickle, &scan->pickle->stack, &value, sizeof(value), NULL, err);
}

static enum ox_code too_few(const struct scan *scan, struct ox_err *err)
{
    return ox_err_set(err, OX_ECORRUPT, "a pickle takes more than it has before offset %" PRIu64,
                      scan->stream->pos);
}

/* Are there so many values on top, none of them a mark? */
static enum ox_code need(const struct scan *scan, size_t count, struct ox_err *err)
{
    size_t have = height(scan);

    for (size_t i = 1; i <= count; i++) {
        if (i > have || stack_of(scan)[have - i].kind == OX_PICKLE_MARK) {
            return too_few(scan, err);
        }
    }
    return OX_OK;
}

/* Takes values off the stack; they stay readable until the next push. */
static enum ox_code pop(struct scan *scan, size_t count, const struct ox_pickle_value **out,
                        struct ox_err *err)
{
    enum ox_code code = need(scan, count, err);

    if (code == OX_OK) {
        drop_to(scan, height(scan) - count);
        *out = stack_of(scan) + height(scan);
    }
    return code;
}

/* Where the values behind the last mark begin. */
static enum ox_code find_mark(const struct scan *scan, size_t *out, struct ox_err *err)
{
    size_t at = height(scan);

    while (at > 0 && stack_of(scan)[at - 1].kind != OX_PICKLE_MARK) {
        at--;
    }
    *out = at;
    return at > 0 ? OX_OK : too_few(scan, err);
}

/* The value below the mark, where `at` is behind it: what the values are for. */
static enum ox_code below_mark(const struct scan *scan, size_t at, struct ox_pickle_value *out,
                               struct ox_err *err)
{
    if (at < 2 || stack_of(scan)[at - 2].kind == OX_PICKLE_MARK) {
        return too_few(scan, err);
    }
    *out = stack_of(scan)[at - 2];
    return OX_OK;
}

/* --- what opcodes do --------------------------------------------------------------------------*/

static enum ox_code do_nothing(struct scan *scan, struct ox_err *err)
{
    (void)scan;
    (void)err;
    return OX_OK;
}

static enum ox_code push_argument(struct scan *scan, struct ox_err *err)
{
    return push(scan, scan->argument, err);
}

static enum ox_code push_nothing(struct scan *scan, struct ox_err *err)
{
    return push(scan, nothing, err);
}

static enum ox_code push_mark(struct scan *scan, struct ox_err *err)
{
    return push(scan, (struct ox_pickle_value){OX_PICKLE_MARK, 0}, err);
}

static enum ox_code push_number(struct scan *scan, struct ox_err *err)
{
    struct ox_pickle_value value = {OX_PICKLE_INT, (uint32_t)scan->number};
    enum ox_code code = OX_OK;

    if (scan->number > UINT32_MAX) {
        value.kind = OX_PICKLE_BIG;
        code = ox_pickle_put(scan->pickle, &scan->pickle->bigs, &scan->number, sizeof(uint64_t),
                             &value.at, err);
    }
    return code == OX_OK ? push(scan, value, err) : code;
}

static enum ox_code push_i32(struct scan *scan, struct ox_err *err)
{
    return scan->number > INT32_MAX ? push(scan, nothing, err) : push_number(scan, err);
}

/* Little-endian, two's complement, of any length: what is negative or too large matters nowhere. */
static enum ox_code push_long(struct scan *scan, struct ox_err *err)
{
    uint8_t bytes[8] = {0};
    uint64_t len = scan->number;
    enum ox_code code = OX_OK;

    if (len > sizeof(bytes)) {
        code = ox_stream_skip(scan->stream, len, err);
        return code == OX_OK ? push(scan, nothing, err) : code;
    }
    code = ox_stream_read(scan->stream, bytes, (size_t)len, err);
    scan->number = ox_load_u64le(bytes);
    if (code != OX_OK) {
        return code;
    }
    return len > 0 && bytes[len - 1] > INT8_MAX ? push(scan, nothing, err) : push_number(scan, err);
}

static enum ox_code push_bag(struct scan *scan, struct ox_err *err)
{
    struct ox_pickle_value bag = nothing;
    enum ox_code code = ox_pickle_bag(scan->pickle, &bag, err);

    return code == OX_OK ? push(scan, bag, err) : code;
}

/* Makes a tuple of what lies on the stack from `first` on, cuts it back to `keep`, and puts the
 * tuple there. */
static enum ox_code make_tuple(struct scan *scan, size_t first, size_t count, size_t keep,
                               struct ox_err *err)
{
    struct ox_pickle *pickle = scan->pickle;
    struct ox_pickle_node node = {.count = (uint32_t)count, .is_tuple = true};
    struct ox_pickle_value tuple = {OX_PICKLE_NODE, 0};
    enum ox_code code = OX_OK;

    node.first = (uint32_t)(pickle->items.len_bytes / sizeof(struct ox_pickle_value));
    for (size_t i = 0; i < count && code == OX_OK; i++) {
        struct ox_pickle_value item = stack_of(scan)[first + i];

        code = ox_pickle_put(pickle, &pickle->items, &item, sizeof(item), NULL, err);
    }
    if (code == OX_OK) {
        code = ox_pickle_put(pickle, &pickle->nodes, &node, sizeof(node), &tuple.at, err);
    }
    if (code == OX_OK) {
        drop_to(scan, keep);
        code = push(scan, tuple, err);
    }
    return code;
}

/* Of 0 values, or 1 to 3. */
static enum ox_code tuple_of_few(struct scan *scan, struct ox_err *err)
{
    size_t count = scan->opcode == ')' ? 0 : (size_t)scan->opcode - TUPLE_1 + 1;
    enum ox_code code = need(scan, count, err);
    size_t first = height(scan) - count;

    return code == OX_OK ? make_tuple(scan, first, count, first, err) : code;
}

static enum ox_code tuple_from_mark(struct scan *scan, struct ox_err *err)
{
    size_t at = 0;
    enum ox_code code = find_mark(scan, &at, err);

    return code == OX_OK ? make_tuple(scan, at, height(scan) - at, at - 1, err) : code;
}

static enum ox_code set_from_mark(struct scan *scan, struct ox_err *err)
{
    size_t at = 0;
    enum ox_code code = find_mark(scan, &at, err);

    if (code == OX_OK) {
        drop_to(scan, at - 1);
        code = push(scan, nothing, err);
    }
    return code;
}

static struct ox_pickle_value next_index(const struct scan *scan, struct ox_pickle_value bag)
{
    const struct ox_pickle_node *nodes =
        (const struct ox_pickle_node *)(const void *)scan->pickle->nodes.data;

    return bag.kind == OX_PICKLE_NODE ? (struct ox_pickle_value){OX_PICKLE_INT, nodes[bag.at].count}
                                      : nothing;
}

/* Lists take values, dicts take keys and values in turn. */
static enum ox_code add_from_mark(struct scan *scan, bool with_keys, struct ox_err *err)
{
    struct ox_pickle_value bag = nothing;
    size_t at = 0;
    enum ox_code code = find_mark(scan, &at, err);

    if (code == OX_OK) {
        code = below_mark(scan, at, &bag, err);
    }
    if (code == OX_OK && with_keys && (height(scan) - at) % 2 != 0) {
        code = too_few(scan, err);
    }
    for (size_t i = at; code == OX_OK && i < height(scan); i += with_keys ? 2 : 1) {
        const struct ox_pickle_value *value = stack_of(scan) + i;

        code = with_keys ? ox_pickle_add(scan->pickle, bag, value[0], value[1], err)
                         : ox_pickle_add(scan->pickle, bag, next_index(scan, bag), value[0], err);
    }
    if (code == OX_OK) {
        drop_to(scan, at - 1);
    }
    return code;
}

static enum ox_code append_from_mark(struct scan *scan, struct ox_err *err)
{
    return add_from_mark(scan, false, err);
}

static enum ox_code set_items_from_mark(struct scan *scan, struct ox_err *err)
{
    return add_from_mark(scan, true, err);
}

/* A value to a list, a key and its value to a dict, its state to an object. */
static enum ox_code add_one(struct scan *scan, struct ox_err *err)
{
    const struct ox_pickle_value *values = NULL;
    struct ox_pickle_value bag = nothing;
    struct ox_pickle_value key = nothing;
    size_t count = scan->opcode == SET_ITEM ? 3 : 2;
    enum ox_code code = pop(scan, count, &values, err);

    if (code == OX_OK) {
        bag = values[0];
        key = scan->opcode == SET_ITEM ? values[1]
              : scan->opcode == BUILD  ? nothing
                                       : next_index(scan, bag);
        code = ox_pickle_add(scan->pickle, bag, key, values[count - 1], err);
    }
    return code == OX_OK ? push(scan, bag, err) : code;
}

static enum ox_code reduce(struct scan *scan, struct ox_err *err)
{
    const struct ox_pickle_value *values = NULL;
    struct ox_pickle_value made = nothing;
    enum ox_code code = pop(scan, 2, &values, err);

    if (code == OX_OK) {
        code = ox_pickle_call(scan->pickle, values[0], values[1], &made, err);
    }
    return code == OX_OK ? push(scan, made, err) : code;
}

static enum ox_code new_with_keywords(struct scan *scan, struct ox_err *err)
{
    const struct ox_pickle_value *values = NULL;
    enum ox_code code = pop(scan, 1, &values, err);

    return code == OX_OK ? reduce(scan, err) : code;
}

static enum ox_code persistent_id(struct scan *scan, struct ox_err *err)
{
    const struct ox_pickle_value *values = NULL;
    struct ox_pickle_value storage = nothing;
    enum ox_code code = pop(scan, 1, &values, err);

    if (code == OX_OK) {
        code = ox_pickle_load(scan->pickle, values[0], &storage, err);
    }
    return code == OX_OK ? push(scan, storage, err) : code;
}

static enum ox_code global_on_stack(struct scan *scan, struct ox_err *err)
{
    const struct ox_pickle_value *values = NULL;
    struct ox_pickle_value found = {OX_PICKLE_GLOBAL, 0};
    enum ox_code code = pop(scan, 2, &values, err);

    if (code == OX_OK && values[0].kind == OX_PICKLE_TEXT && values[1].kind == OX_PICKLE_TEXT) {
        found.at = ox_pickle_find_global(ox_pickle_text(scan->pickle, values[0].at),
                                         ox_pickle_text(scan->pickle, values[1].at));
    }
    return code == OX_OK ? push(scan, found, err) : code;
}

static enum ox_code pop_one(struct scan *scan, struct ox_err *err)
{
    if (height(scan) == 0) {
        return too_few(scan, err);
    }
    drop_to(scan, height(scan) - 1);
    return OX_OK;
}

static enum ox_code pop_mark(struct scan *scan, struct ox_err *err)
{
    size_t at = 0;
    enum ox_code code = find_mark(scan, &at, err);

    if (code == OX_OK) {
        drop_to(scan, at - 1);
    }
    return code;
}

static enum ox_code top(const struct scan *scan, struct ox_pickle_value *out, struct ox_err *err)
{
    size_t have = height(scan);

    if (have == 0 || stack_of(scan)[have - 1].kind == OX_PICKLE_MARK) {
        return too_few(scan, err);
    }
    *out = stack_of(scan)[have - 1];
    return OX_OK;
}

static enum ox_code push_again(struct scan *scan, struct ox_err *err)
{
    struct ox_pickle_value value = nothing;
    enum ox_code code = top(scan, &value, err);

    return code == OX_OK ? push(scan, value, err) : code;
}

/* --- the memo ---------------------------------------------------------------------------------*/

static size_t memo_count(const struct scan *scan)
{
    return scan->pickle->memo.len_bytes / sizeof(struct ox_pickle_value);
}

static struct ox_pickle_value *memo_of(const struct scan *scan)
{
    return (struct ox_pickle_value *)(void *)scan->pickle->memo.data;
}

/* Slots that hold nothing yet are marks. Picklers count up from 0, so a number larger than what ran
 * so far only asks for memory. */
static enum ox_code memo_put(struct scan *scan, struct ox_err *err)
{
    static const struct ox_pickle_value empty = {OX_PICKLE_MARK, 0};
    struct ox_pickle_value value = nothing;
    enum ox_code code = top(scan, &value, err);

    if (code == OX_OK && scan->number > scan->opcodes) {
        code = ox_err_set(err, OX_ECORRUPT,
                          "a pickle remembers value %" PRIu64 " before offset %" PRIu64,
                          scan->number, scan->stream->pos);
    }
    while (code == OX_OK && memo_count(scan) <= scan->number) {
        code = ox_pickle_put(scan->pickle, &scan->pickle->memo, &empty, sizeof(empty), NULL, err);
    }
    if (code == OX_OK) {
        memo_of(scan)[scan->number] = value;
    }
    return code;
}

static enum ox_code memo_next(struct scan *scan, struct ox_err *err)
{
    scan->number = memo_count(scan);
    return memo_put(scan, err);
}

static enum ox_code memo_get(struct scan *scan, struct ox_err *err)
{
    if (scan->number >= memo_count(scan) || memo_of(scan)[scan->number].kind == OX_PICKLE_MARK) {
        return too_few(scan, err);
    }
    return push(scan, memo_of(scan)[scan->number], err);
}

static enum ox_code stop(struct scan *scan, struct ox_err *err)
{
    const struct ox_pickle_value *values = NULL;
    enum ox_code code = pop(scan, 1, &values, err);

    if (code == OX_OK) {
        scan->pickle->root = values[0];
        scan->stopped = true;
    }
    return code;
}

/* --- the table of opcodes ---------------------------------------------------------------------*/

/* What the number behind an opcode is. */
enum number_of { NUMBER, TEXT_BYTES, SKIPPED_BYTES, NAMES };

static const struct opcode {
    act_fn *act; /* NULL: unknown */
    uint8_t number_bytes;
    enum number_of number_of;
} opcodes[256] = {
    ['('] = {push_mark, 0, NUMBER},
    [')'] = {tuple_of_few, 0, NUMBER},
    ['.'] = {stop, 0, NUMBER},
    ['0'] = {pop_one, 0, NUMBER},
    ['1'] = {pop_mark, 0, NUMBER},
    ['2'] = {push_again, 0, NUMBER},
    ['B'] = {push_nothing, 4, SKIPPED_BYTES},
    ['C'] = {push_nothing, 1, SKIPPED_BYTES},
    ['G'] = {push_nothing, 8, NUMBER},
    ['J'] = {push_i32, 4, NUMBER},
    ['K'] = {push_number, 1, NUMBER},
    ['M'] = {push_number, 2, NUMBER},
    ['N'] = {push_nothing, 0, NUMBER},
    ['Q'] = {persistent_id, 0, NUMBER},
    ['R'] = {reduce, 0, NUMBER},
    ['T'] = {push_argument, 4, TEXT_BYTES},
    ['U'] = {push_argument, 1, TEXT_BYTES},
    ['X'] = {push_argument, 4, TEXT_BYTES},
    [']'] = {push_bag, 0, NUMBER},
    ['a'] = {add_one, 0, NUMBER},
    [BUILD] = {add_one, 0, NUMBER},
    ['c'] = {push_argument, 0, NAMES},
    ['e'] = {append_from_mark, 0, NUMBER},
    ['h'] = {memo_get, 1, NUMBER},
    ['j'] = {memo_get, 4, NUMBER},
    ['q'] = {memo_put, 1, NUMBER},
    ['r'] = {memo_put, 4, NUMBER},
    [SET_ITEM] = {add_one, 0, NUMBER},
    ['t'] = {tuple_from_mark, 0, NUMBER},
    ['u'] = {set_items_from_mark, 0, NUMBER},
    ['}'] = {push_bag, 0, NUMBER},
    [0x80] = {do_nothing, 1, NUMBER},          /* PROTO */
    [0x81] = {reduce, 0, NUMBER},              /* NEWOBJ */
    [TUPLE_1] = {tuple_of_few, 0, NUMBER},     /* TUPLE1 */
    [0x86] = {tuple_of_few, 0, NUMBER},        /* TUPLE2 */
    [0x87] = {tuple_of_few, 0, NUMBER},        /* TUPLE3 */
    [0x88] = {push_nothing, 0, NUMBER},        /* NEWTRUE */
    [0x89] = {push_nothing, 0, NUMBER},        /* NEWFALSE */
    [0x8a] = {push_long, 1, NUMBER},           /* LONG1 */
    [0x8b] = {push_long, 4, NUMBER},           /* LONG4 */
    [0x8c] = {push_argument, 1, TEXT_BYTES},   /* SHORT_BINUNICODE */
    [0x8d] = {push_argument, 8, TEXT_BYTES},   /* BINUNICODE8 */
    [0x8e] = {push_nothing, 8, SKIPPED_BYTES}, /* BINBYTES8 */
    [0x8f] = {push_bag, 0, NUMBER},            /* EMPTY_SET */
    [0x90] = {append_from_mark, 0, NUMBER},    /* ADDITEMS */
    [0x91] = {set_from_mark, 0, NUMBER},       /* FROZENSET */
    [0x92] = {new_with_keywords, 0, NUMBER},   /* NEWOBJ_EX */
    [0x93] = {global_on_stack, 0, NUMBER},     /* STACK_GLOBAL */
    [0x94] = {memo_next, 0, NUMBER},           /* MEMOIZE */
    [0x95] = {do_nothing, 8, NUMBER},          /* FRAME */
    [0x96] = {push_nothing, 8, SKIPPED_BYTES}, /* BYTEARRAY8 */
};

static enum ox_code read_number(struct scan *scan, size_t bytes, struct ox_err *err)
{
    uint8_t number[8] = {0};
    enum ox_code code = ox_stream_read(scan->stream, number, bytes, err);

    scan->number = ox_load_u64le(number);
    return code;
}

/* A string too long for a name, or with a NUL in it, is nothing. */
static enum ox_code read_text(struct scan *scan, struct ox_err *err)
{
    struct ox_pickle *pickle = scan->pickle;
    char text[OX_TENSOR_NAME_MAX + 1];
    size_t len = (size_t)scan->number;
    enum ox_code code;

    scan->argument = nothing;
    if (scan->number > OX_TENSOR_NAME_MAX) {
        return ox_stream_skip(scan->stream, scan->number, err);
    }
    code = ox_stream_read(scan->stream, text, len, err);
    if (code != OX_OK || (len > 0 && memchr(text, '\0', len) != NULL)) {
        return code;
    }
    text[len] = '\0';
    scan->argument.kind = OX_PICKLE_TEXT;
    return ox_pickle_put(pickle, &pickle->texts, text, len + 1, &scan->argument.at, err);
}

static enum ox_code read_line(struct scan *scan, char out[LINE_MAX_BYTES], struct ox_err *err)
{
    size_t len = 0;
    uint8_t c = 0;
    enum ox_code code = ox_stream_u8(scan->stream, &c, err);

    for (; code == OX_OK && c != '\n'; code = ox_stream_u8(scan->stream, &c, err)) {
        if (len < LINE_MAX_BYTES) {
            out[len++] = (char)c;
        }
    }
    out[len < LINE_MAX_BYTES ? len : 0] = '\0';
    return code;
}

static enum ox_code read_names(struct scan *scan, struct ox_err *err)
{
    char module[LINE_MAX_BYTES];
    char name[LINE_MAX_BYTES];
    enum ox_code code = read_line(scan, module, err);

    if (code == OX_OK) {
        code = read_line(scan, name, err);
    }
    if (code == OX_OK) {
        scan->argument =
            (struct ox_pickle_value){OX_PICKLE_GLOBAL, ox_pickle_find_global(module, name)};
    }
    return code;
}

static enum ox_code step(struct scan *scan, struct ox_err *err)
{
    const struct opcode *opcode;
    enum ox_code code = ox_stream_u8(scan->stream, &scan->opcode, err);

    if (code != OX_OK) {
        return code;
    }
    opcode = &opcodes[scan->opcode];
    if (opcode->act == NULL) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "a pickle has an opcode 0x%02x that we do not know before offset "
                          "%" PRIu64,
                          scan->opcode, scan->stream->pos);
    }
    if (++scan->opcodes > OX_PICKLE_OPCODES_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "a pickle has more than %u opcodes",
                          OX_PICKLE_OPCODES_MAX);
    }
    code = read_number(scan, opcode->number_bytes, err);
    if (code == OX_OK && opcode->number_of == TEXT_BYTES) {
        code = read_text(scan, err);
    } else if (code == OX_OK && opcode->number_of == SKIPPED_BYTES) {
        code = ox_stream_skip(scan->stream, scan->number, err);
    } else if (code == OX_OK && opcode->number_of == NAMES) {
        code = read_names(scan, err);
    }
    return code == OX_OK ? opcode->act(scan, err) : code;
}

enum ox_code ox_pickle_scan(struct ox_pickle *pickle, struct ox_stream *stream, struct ox_err *err)
{
    struct scan scan = {.pickle = pickle, .stream = stream};
    enum ox_code code = OX_OK;

    pickle->root = nothing;
    while (code == OX_OK && !scan.stopped) {
        code = step(&scan, err);
    }
    return code;
}
