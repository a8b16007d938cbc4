/** Names of HTTP headers and media types that both sides use. To add one: here, and in
 *  docs/rest.md. */
#ifndef OXIDE_WIRE_HEADER_H
#define OXIDE_WIRE_HEADER_H

/* requests */
#define OX_HEADER_BASE_VERSION "X-Oxide-Base-Version" /* the version that the asker holds */
#define OX_HEADER_READS "X-Oxide-Reads"               /* patch formats; see wire/reads.h */
#define OX_HEADER_DEVICE "X-Oxide-Device"             /* who asks: for byte counts */
#define OX_HEADER_META "X-Oxide-Meta"                 /* JSON: what is said of a raw upload */

#define OX_HEADER_REQUEST_ID "X-Request-Id" /* of the asker, or made; in the answer too */

/* answers */
#define OX_HEADER_SHA256 "x-oxide-sha256"               /* of a whole file */
#define OX_HEADER_STRATEGY "x-oxide-delta-strategy"     /* tensor or binary */
#define OX_HEADER_DELTA_BASE "x-oxide-delta-base"       /* SHA-256 of the base */
#define OX_HEADER_TARGET_SHA256 "x-oxide-target-sha256" /* of what the patch rebuilds */
#define OX_HEADER_TARGET_SIZE "x-oxide-target-size"     /* bytes of what the patch rebuilds */
#define OX_HEADER_DELTA_STATUS "x-oxide-delta-status"   /* pending: ask again for a patch */
#define OX_HEADER_UPLOAD_OFFSET "x-oxide-upload-offset" /* bytes of an upload held so far */
#define OX_HEADER_NEXT_CURSOR "X-Oxide-Next-Cursor"     /* of a list: where its next page begins */

/* deliveries to webhooks: docs/events.md */
#define OX_HEADER_WEBHOOK "X-Oxide-Webhook"
#define OX_HEADER_TIMESTAMP "X-Oxide-Timestamp" /* seconds since 1970 */
#define OX_HEADER_SIGNATURE "X-Oxide-Signature" /* v1=HMAC-SHA256 of "timestamp.body", in hex */

#define OX_MEDIA_JSON "application/json"
#define OX_MEDIA_BYTES "application/octet-stream"
#define OX_MEDIA_DELTA "application/x-oxide-delta"
#define OX_MEDIA_MANIFEST "application/vnd.oxide.manifest+json"
#define OX_MEDIA_TAR "application/x-tar"

#endif
