// A libibverbs that does nothing but say what it was asked: one line a call on standard output.
//
// Its GID table is the file GIDS in the folder VERBS_STUB: line n has index n as 32 hexadecimal digits, or "empty".
// As in the real one, an empty slot is answered with 0 and a GID of zeros, and an index past the end with an error.

#include <errno.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ibv_query_gid(struct ibv_context *context, uint8_t port, int index, union ibv_gid *gid) {
  char path[4096], line[64];
  printf("query_gid device=%s port=%u index=%d\n", context->device->name, port, index);
  snprintf(path, sizeof path, "%s/gids", getenv("VERBS_STUB"));
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    abort();
  }
  int at = 0;
  char *found = fgets(line, sizeof line, file);
  for (; found != NULL && at < index; at++) {
    found = fgets(line, sizeof line, file);
  }
  fclose(file);
  if (found == NULL) {
    errno = EINVAL;
    return -1;
  }
  memset(gid, 0, sizeof *gid);
  for (int i = 0; i < 16 && strncmp(line, "empty", 5) != 0; i++) {
    unsigned byte;
    if (sscanf(line + 2 * i, "%2x", &byte) != 1) {
      abort();
    }
    gid->raw[i] = (uint8_t)byte;
  }
  return 0;
}

// Takes everything, but fails with the errno in VERBS_STUB_FAILS where that is set.
int ibv_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attributes, int mask) {
  printf("modify_qp device=%s mask=%x global=%d index=%u class=%u hops=%u timeout=%u\n", qp->context->device->name,
         (unsigned)mask, attributes->ah_attr.is_global, attributes->ah_attr.grh.sgid_index,
         attributes->ah_attr.grh.traffic_class, attributes->ah_attr.grh.hop_limit, attributes->timeout);
  const char *fails = getenv("VERBS_STUB_FAILS");
  return fails == NULL ? 0 : atoi(fails);
}
