#include "args.h"

#include "oxide/base/quantity.h"
#include "oxide/base/suggest.h"

#include <stdlib.h>
#include <string.h>

#define PATH_WORDS_MAX 2 /* no command has more words: commands.c */

/* --- looking things up in the table --- */

const struct ox_command *ox_command_find(const char *path)
{
    for (const struct ox_command *command = ox_commands; command->path != NULL; command++) {
        if (strcmp(command->path, path) == 0) {
            return command;
        }
    }
    return NULL;
}

static const struct ox_family *family_find(const char *name)
{
    for (const struct ox_family *family = ox_families; family->name != NULL; family++) {
        if (strcmp(family->name, name) == 0) {
            return family;
        }
    }
    return NULL;
}

static bool option_matches(const struct ox_option *option, const char *name, size_t name_len,
                           char letter)
{
    if (letter != 0) {
        return option->letter == letter;
    }
    return strlen(option->name) == name_len && strncmp(option->name, name, name_len) == 0;
}

static const struct ox_option *option_in(const struct ox_option *rows, const char *name,
                                         size_t name_len, char letter)
{
    for (; rows != NULL && rows->name != NULL; rows++) {
        if (option_matches(rows, name, name_len, letter)) {
            return rows;
        }
    }
    return NULL;
}

/* The option of this name: of `command`, or while that is not known, of any (a test sees to it that
 * options of one name agree on whether they take a value, but for --version). */
static const struct ox_option *option_find(const struct ox_command *command, const char *name,
                                           size_t name_len, char letter)
{
    const struct ox_option *option = option_in(ox_global_options, name, name_len, letter);

    if (option != NULL && (command == NULL || ox_command_takes(command, option))) {
        return option;
    }
    if (command != NULL) {
        return option_in(command->options, name, name_len, letter);
    }
    for (command = ox_commands; command->path != NULL && option == NULL; command++) {
        option = option_in(command->options, name, name_len, letter);
    }
    return option;
}

/* --- messages --- */

static enum ox_code unknown_option(const struct ox_command *command, const char *name,
                                   size_t name_len, struct ox_err *err)
{
    struct ox_suggestion near = {0};
    char word[64] = "";
    const struct ox_option *row;

    if (name_len < sizeof(word)) {
        memcpy(word, name, name_len);
    }
    for (row = command->options; row != NULL && row->name != NULL; row++) {
        ox_suggest(&near, word, row->name);
    }
    for (row = ox_global_options; row->name != NULL; row++) {
        if (ox_command_takes(command, row)) {
            ox_suggest(&near, word, row->name);
        }
    }
    if (near.best != NULL) {
        return ox_err_set(err, OX_EINVAL,
                          "'oxide %s' has no option --%.*s: did you mean --%s? ('oxide help %s')",
                          command->path, (int)name_len, name, near.best, command->path);
    }
    return ox_err_set(err, OX_EINVAL, "'oxide %s' has no option --%.*s: see 'oxide help %s'",
                      command->path, (int)name_len, name, command->path);
}

/* The second word of a command of this family, or NULL. */
static const char *second_word(const struct ox_command *command, const char *family)
{
    size_t len = strlen(family);

    return strncmp(command->path, family, len) == 0 && command->path[len] == ' '
               ? command->path + len + 1
               : NULL;
}

static enum ox_code unknown_command(const char *const *words, size_t count, struct ox_err *err)
{
    struct ox_suggestion near = {NULL, 0};
    const struct ox_family *family = family_find(words[0]);

    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        const char *second = family == NULL ? NULL : second_word(row, family->name);

        if (second != NULL && count > 1) {
            ox_suggest(&near, words[1], second);
        } else if (family == NULL && strchr(row->path, ' ') == NULL) {
            ox_suggest(&near, words[0], row->path);
        }
    }
    if (!OX_FULL_BUILD && family == NULL && near.best == NULL) {
        return ox_err_set(
            err, OX_EINVAL,
            "there is no command 'oxide %s' in this build, which is that of the agent "
            "alone: 'oxide help' lists what it has",
            words[0]);
    }
    if (family != NULL) {
        return near.best != NULL
                   ? ox_err_set(err, OX_EINVAL,
                                "there is no command 'oxide %s %s': did you mean 'oxide %s %s'?",
                                words[0], words[1], words[0], near.best)
                   : ox_err_set(err, OX_EINVAL,
                                "there is no command 'oxide %s%s%s': see 'oxide help %s'", words[0],
                                count > 1 ? " " : "", count > 1 ? words[1] : "", words[0]);
    }
    for (const struct ox_family *row = ox_families; row->name != NULL; row++) {
        ox_suggest(&near, words[0], row->name);
    }
    return near.best != NULL
               ? ox_err_set(err, OX_EINVAL,
                            "there is no command 'oxide %s': did you mean 'oxide %s'?", words[0],
                            near.best)
               : ox_err_set(err, OX_EINVAL,
                            "there is no command 'oxide %s': 'oxide help' lists them", words[0]);
}

/* --- walking argv --- */

/* One argument taken apart. */
struct token {
    const char *name; /* of an option, without dashes; NULL for a word */
    size_t name_len;
    char letter;       /* of a short option, else 0 */
    const char *value; /* behind '=' or a short option's letter; NULL: none */
    bool ends_options; /* "--" */
};

static struct token token_of(const char *arg)
{
    struct token token = {NULL, 0, 0, NULL, false};

    if (arg[0] != '-' || arg[1] == '\0') {
        return token;
    }
    if (arg[1] != '-') {
        token.name = arg + 1;
        token.name_len = 1;
        token.letter = arg[1];
        token.value = arg[2] != '\0' ? arg + 2 + (arg[2] == '=') : NULL;
        return token;
    }
    token.name = arg + 2;
    token.name_len = strcspn(token.name, "=");
    token.value = token.name[token.name_len] == '=' ? token.name + token.name_len + 1 : NULL;
    token.ends_options = token.name_len == 0 && token.value == NULL;
    return token;
}

/* The command, by the first words; also whether help or the version is asked for. */
static enum ox_code find_command(struct ox_args *args, int argc, const char *const *argv,
                                 bool *lenient, struct ox_err *err)
{
    const char *words[PATH_WORDS_MAX];
    size_t count = 0;
    bool options = true;

    for (int i = 1; i < argc && (options || count < PATH_WORDS_MAX); i++) {
        struct token token = options ? token_of(argv[i]) : (struct token){0};
        const struct ox_option *option;

        if (token.ends_options) {
            options = false;
        } else if (token.name == NULL) {
            if (count < PATH_WORDS_MAX) {
                words[count++] = argv[i];
            }
        } else {
            option = option_find(NULL, token.name, token.name_len, token.letter);
            if (option != NULL && option->value != NULL && token.value == NULL) {
                i++;
            }
            *lenient = *lenient || (option != NULL && (strcmp(option->name, "help") == 0 ||
                                                       strcmp(option->name, "version") == 0));
        }
    }
    if (count == 0) {
        return OX_OK;
    }
    args->command = ox_command_find(words[0]);
    for (const struct ox_command *row = ox_commands; count > 1 && row->path != NULL; row++) {
        const char *second = second_word(row, words[0]);

        if (second != NULL && strcmp(second, words[1]) == 0) {
            args->command = row;
        }
    }
    if (args->command != NULL && count > 1 && args->command->words == NULL &&
        strcmp(args->command->path, words[0]) == 0 && family_find(words[0]) != NULL) {
        args->command = NULL; /* a mistyped second word, rather than one too many */
    }
    if (args->command == NULL && count == 1 && family_find(words[0]) != NULL) {
        args->family = words[0];
        return OX_OK;
    }
    return args->command != NULL ? OX_OK : unknown_command(words, count, err);
}

static bool value_allowed(const char *words, const char *value)
{
    size_t len = strlen(value);

    for (const char *at = words;; at++) {
        size_t word_len = strcspn(at, "|");

        if (word_len == len && strncmp(at, value, len) == 0) {
            return true;
        }
        at += word_len;
        if (*at == '\0') {
            return false;
        }
    }
}

/* Take one option, with its value from itself or from the next argument. */
static enum ox_code take_option(struct ox_args *args, const struct token *token, int argc,
                                const char *const *argv, int *i, struct ox_err *err)
{
    const struct ox_option *option =
        option_find(args->command, token->name, token->name_len, token->letter);
    const char *value = token->value;

    if (option == NULL && token->letter != 0) {
        return ox_err_set(err, OX_EINVAL, "'oxide %s' has no option -%c: see 'oxide help %s'",
                          args->command->path, token->letter, args->command->path);
    }
    if (option == NULL) {
        return unknown_option(args->command, token->name, token->name_len, err);
    }
    if (option->value == NULL && value != NULL) {
        return ox_err_set(err, OX_EINVAL, "--%s takes no value: leave out '%s'", option->name,
                          value);
    }
    if (option->value != NULL && value == NULL) {
        if (*i + 1 >= argc) {
            return ox_err_set(err, OX_EINVAL, "--%s needs a value: --%s %s", option->name,
                              option->name, option->value);
        }
        value = argv[++*i];
    }
    if (value != NULL && strchr(option->value, '|') != NULL &&
        !value_allowed(option->value, value)) {
        return ox_err_set(err, OX_EINVAL, "--%s cannot be '%s': it is one of %s", option->name,
                          value, option->value);
    }
    args->given[args->given_count++] = (struct ox_given){option, value};
    return OX_OK;
}

static enum ox_code check_words(const struct ox_args *args, struct ox_err *err)
{
    const struct ox_positional *row = args->command->words;
    size_t at = 0;

    for (; row != NULL && row->name != NULL; row++, at++) {
        if (at >= args->word_count && row->count != OX_WORD_OPTIONAL) {
            return ox_err_set(err, OX_EINVAL, "'oxide %s' needs %s: see 'oxide help %s'",
                              args->command->path, row->name, args->command->path);
        }
        if (row->count == OX_WORD_MANY) {
            return OX_OK;
        }
    }
    if (at < args->word_count) {
        return ox_err_set(err, OX_EINVAL,
                          "'oxide %s' does not know what to do with '%s': see 'oxide help %s'",
                          args->command->path, args->words[at], args->command->path);
    }
    return OX_OK;
}

enum ox_code ox_args_parse(struct ox_args *out, int argc, const char *const *argv,
                           struct ox_err *err)
{
    bool lenient = false;
    bool options = true;
    size_t skip = 0; /* words of the command's own path still to come */
    enum ox_code code = find_command(out, argc, argv, &lenient, err);

    out->given = calloc((size_t)argc + 1, sizeof(*out->given));
    out->words = calloc((size_t)argc + 1, sizeof(*out->words));
    if (out->given == NULL || out->words == NULL) {
        return ox_err_nomem(err, "the command line");
    }
    if (code != OX_OK) {
        return code;
    }
    if (out->command != NULL) {
        skip = strchr(out->command->path, ' ') != NULL ? 2 : 1;
    }
    for (int i = 1; i < argc && code == OX_OK; i++) {
        struct token token = options ? token_of(argv[i]) : (struct token){0};

        if (token.ends_options) {
            options = false;
        } else if (token.name != NULL && (out->command != NULL || !lenient)) {
            code = out->command != NULL
                       ? take_option(out, &token, argc, argv, &i, err)
                       : ox_err_set(err, OX_EINVAL, "no command is named: 'oxide help' lists them");
        } else if (token.name != NULL) {
            const struct ox_option *option =
                option_find(NULL, token.name, token.name_len, token.letter);

            if (option != NULL) {
                out->given[out->given_count++] = (struct ox_given){option, token.value};
            }
        } else if (skip > 0) {
            skip--;
        } else if (out->command != NULL) {
            out->words[out->word_count++] = argv[i];
        }
    }
    /* `agent apply FILE --version v7` does not ask for ours */
    return code == OX_OK && out->command != NULL && !ox_args_asks(out, "help") &&
                   !ox_args_asks(out, "version")
               ? check_words(out, err)
               : code;
}

void ox_args_clear(struct ox_args *args)
{
    free(args->given);
    free(args->words);
    *args = (struct ox_args)OX_ARGS_INIT;
}

/* --- reading what was given --- */

bool ox_args_asks(const struct ox_args *args, const char *global)
{
    for (size_t i = 0; i < args->given_count; i++) {
        if (args->given[i].option == option_in(ox_global_options, global, strlen(global), 0)) {
            return true;
        }
    }
    return false;
}

bool ox_args_has(const struct ox_args *args, const char *option)
{
    for (size_t i = 0; i < args->given_count; i++) {
        if (strcmp(args->given[i].option->name, option) == 0) {
            return true;
        }
    }
    return false;
}

const char *ox_args_value(const struct ox_args *args, const char *option, const char *fallback)
{
    for (size_t i = args->given_count; i > 0; i--) {
        if (strcmp(args->given[i - 1].option->name, option) == 0) {
            return args->given[i - 1].value;
        }
    }
    return fallback;
}

const char *ox_args_nth(const struct ox_args *args, const char *option, size_t index)
{
    for (size_t i = 0; i < args->given_count; i++) {
        if (strcmp(args->given[i].option->name, option) == 0 && index-- == 0) {
            return args->given[i].value;
        }
    }
    return NULL;
}

const char *ox_args_word(const struct ox_args *args, size_t index)
{
    return index < args->word_count ? args->words[index] : NULL;
}

enum ox_code ox_args_number(const struct ox_args *args, const char *option, uint64_t min,
                            uint64_t max, uint64_t *out, struct ox_err *err)
{
    const char *text = ox_args_value(args, option, NULL);
    uint64_t value = 0;

    if (text == NULL) {
        return OX_OK;
    }
    if (!ox_number_parse(text, &value) || value < min || value > max) {
        return ox_err_set(err, OX_EINVAL, "--%s cannot be '%s': it is a whole number, %llu to %llu",
                          option, text, (unsigned long long)min, (unsigned long long)max);
    }
    *out = value;
    return OX_OK;
}

enum ox_code ox_args_size(const struct ox_args *args, const char *option, uint64_t min,
                          uint64_t max, uint64_t *out, struct ox_err *err)
{
    const char *text = ox_args_value(args, option, NULL);
    uint64_t value = 0;
    char least[OX_QUANTITY_TEXT_MAX];
    char most[OX_QUANTITY_TEXT_MAX];

    if (text == NULL) {
        return OX_OK;
    }
    if (!ox_size_parse(text, max, &value) || value < min) {
        return ox_err_set(err, OX_EINVAL,
                          "--%s cannot be '%s': it is a size such as 64M or 1G, %s to %s", option,
                          text, ox_size_text(min, least), ox_size_text(max, most));
    }
    *out = value;
    return OX_OK;
}

enum ox_code ox_args_seconds(const struct ox_args *args, const char *option, uint64_t max_ms,
                             uint64_t *out_ms, struct ox_err *err)
{
    const char *text = ox_args_value(args, option, NULL);

    return text == NULL ? OX_OK : ox_args_read_seconds(option, text, max_ms, out_ms, err);
}

enum ox_code ox_args_read_seconds(const char *option, const char *text, uint64_t max_ms,
                                  uint64_t *out_ms, struct ox_err *err)
{
    return ox_time_span_parse(text, max_ms, out_ms)
               ? OX_OK
               : ox_err_set(
                     err, OX_EINVAL,
                     "--%s cannot be '%s': it is a time such as 30, 500ms, 15m, 1h or 90d, up to "
                     "%llu s",
                     option, text, (unsigned long long)(max_ms / 1000));
}
