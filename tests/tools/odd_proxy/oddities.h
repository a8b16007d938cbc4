/** The ways in which odd_proxy distorts an answer. */
#ifndef TESTS_ODD_PROXY_ODDITIES_H
#define TESTS_ODD_PROXY_ODDITIES_H

#include <stdbool.h>
#include <stddef.h>

#define HEAD_MAX 16384
#define RULE_MAX 512

/* One request and what the control plane says to it. */
struct exchange {
    int fd; /* the client's */
    char head[HEAD_MAX];
    char method[16];
    char path[1024];
    const char *arg; /* the rule's; "" if it has none */
    char *answer;    /* head and body */
    size_t answer_len;
    char *body; /* in it */
    size_t body_len;
    size_t sent; /* bytes */
    bool closed; /* by the client */
};

struct oddity {
    const char *name;
    void (*say)(struct exchange *x);
    bool whole; /* the control plane is not told of Range */
    const char *help;
};

/** By name; NULL: there is none. */
const struct oddity *ox_oddity(const char *name);
/** A line of help for each, on standard output. */
void ox_oddities_help(void);

/** Send to the client, and count. False: it is gone. */
bool ox_put(struct exchange *x, const void *bytes, size_t len);

/** The value of a header in `head`, cut to cap; "" if it is absent. */
const char *ox_head_value(const char *head, const char *name, char *out, size_t cap);

#endif
