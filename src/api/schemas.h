/** The tables of what requests and answers are made of: schemas and parameters. */
#ifndef OX_API_SCHEMAS_H
#define OX_API_SCHEMAS_H

#include <stddef.h>

/** A named schema: rows of routes.c, and other schemas, name it. */
struct ox_schema {
    const char *name; /* upper case first */
    const char *what; /* a sentence without its full stop */
    const char *shape;
};
extern const struct ox_schema ox_schemas[];
extern const size_t ox_schemas_count;

enum ox_parameter_place { OX_IN_PATH, OX_IN_QUERY, OX_IN_HEADER };

/** A parameter: a ":name" of a path, or what a route names in its `params`. */
struct ox_parameter {
    const char *name; /* that routes know it by: its own, or "campaign.state" for one "state" */
    enum ox_parameter_place place;
    const char *shape; /* of one value; what a query holds is checked against it */
    const char *what;
};
extern const struct ox_parameter ox_parameters[];
extern const size_t ox_parameters_count;

/** The name as it stands in a request. */
const char *ox_parameter_name(const struct ox_parameter *parameter);

/** The row of a name of len bytes in a place; NULL if there is none. */
const struct ox_parameter *ox_parameter_find(enum ox_parameter_place place, const char *name,
                                             size_t len);

#endif
