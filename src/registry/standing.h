/** The variant that stands for a version, for queries of artifacts and of versions. */
#ifndef OX_REGISTRY_STANDING_H
#define OX_REGISTRY_STANDING_H

/** Variants that are held, in the order in which they stand for their version: the one without a
 *  name, else one that is for all, else the preferred one. `a` is the artifact's alias. */
#define OX_STANDING_ORDER(a)                                                                       \
    " ORDER BY " a ".variant <> '', " a ".requires IS NOT NULL, " a ".rank, " a ".id LIMIT 1"

/** Its id, or null where nothing of the version is held. `v` is the version's alias. */
#define OX_STANDING(v)                                                                             \
    "(SELECT s.id FROM artifacts s WHERE s.model_id = " v ".model_id AND s.version = " v           \
    ".version AND s.removed_at IS NULL" OX_STANDING_ORDER("s") ")"

#endif
