/* uses: base */
/* JSON from outside: what is taken goes to text and back, and the getters stand whatever is in it.
 */
#include "oxide/base/json.h"
#include "oxide/base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void get_all(const json_t *object)
{
    static const char *const keys[] = {"a", "b", "path", ""};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *text = "untouched";
        const json_t *inner = NULL;
        uint64_t number = 77;
        bool flag = false;

        if (ox_json_get_str(object, keys[i], &text, NULL) == OX_OK) {
            must(text != NULL && ox_json_has(object, keys[i]));
        } else {
            must(strcmp(text, "untouched") == 0);
        }
        must(ox_json_get_u64(object, keys[i], &number, NULL) != OX_OK || number <= INT64_MAX);
        (void)!ox_json_opt_bool(object, keys[i], &flag, NULL);
        must(ox_json_opt_object(object, keys[i], &inner, NULL) != OX_OK || inner == NULL ||
             json_is_object(inner));
        inner = NULL;
        must(ox_json_opt_array(object, keys[i], &inner, NULL) != OX_OK || inner == NULL ||
             json_is_array(inner));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ox_err err = OX_ERR_INIT;
    json_t *json = NULL;
    json_t *again = NULL;
    char *text = NULL;

    if (ox_json_parse(data, size, &json, &err) != OX_OK) {
        must(err.code == OX_EINVAL && json == NULL && err.msg[0] != '\0');
        ox_text_clean(err.msg);
        again = json_string(err.msg); /* a message can always be put into an answer */
        must(again != NULL);
        json_decref(again);
        return 0;
    }
    get_all(json);
    must(ox_json_text(json, &text, &err) == OX_OK);
    must(ox_json_parse(text, strlen(text), &again, &err) == OX_OK);
    must(json_equal(json, again));
    free(text);
    json_decref(again);
    json_decref(json);
    return 0;
}
