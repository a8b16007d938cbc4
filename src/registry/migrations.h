/**
 * The schema, step by step. To change it: add migrations/NNNN_name.sql with the next number, never
 * touch one that was released. Each runs once, in a transaction with the new user_version.
 */
#ifndef OX_REGISTRY_MIGRATIONS_H
#define OX_REGISTRY_MIGRATIONS_H

#include <stddef.h>

struct ox_migration {
    int number;
    const char *name;
    const char *sql;
};

extern const struct ox_migration ox_migrations[];
extern const size_t ox_migrations_count;

#endif
