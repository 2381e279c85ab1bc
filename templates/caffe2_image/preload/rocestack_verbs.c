// Puts a program's RDMA traffic where the fabric is lossless, without a change to the program.
//
// Gloo's ibverbs transport always takes GID index 0, which on mlx5 is RoCE v1 and has no DSCP, and never sets a
// traffic class. Preloaded, this library stands between it and libibverbs in two calls:
//
//   ibv_query_gid   index 0 is answered with the GID at the wanted index, which the program sends to its peer
//   ibv_modify_qp   the wanted index and traffic class go into the address, the ACK timeout beside them
//
// Settings, from the environment; with none of them every call passes through as it is:
//
//   ROCESTACK_GID_INDEX      0 to 255; must hold a RoCE v2 GID made of an IPv4 address
//   ROCESTACK_TRAFFIC_CLASS  0 to 255, the IPv4 ToS byte: DSCP 26 with ECN is 106; needs a GID index
//   ROCESTACK_ACK_TIMEOUT    1 to 31, 4.096 us times two to that power; needs a GID index
//
// All lines on standard error begin with "rocestack-verbs: ". The first queue pair that was set gives exactly one
// line, which is the proof that the library was there. A setting that is no number ends the process with 78
// (EX_CONFIG); a GID that is not as wanted fails the program's call, and one line says why.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <infiniband/verbs.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

enum { UNSET = -1, EXIT_CONFIG = 78, GID_TEXT = 40 };

static const char kSymbolVersion[] = "IBVERBS_1.1";
static const char kRoceV2[] = "RoCE v2";

static struct {
  int gid_index;
  int traffic_class;
  int ack_timeout;
} wanted = {UNSET, UNSET, UNSET};

static struct {
  int (*modify_qp)(struct ibv_qp *, struct ibv_qp_attr *, int);
  int (*query_gid)(struct ibv_context *, uint8_t, int, union ibv_gid *);
} real;

// Many threads may make queue pairs at once; each kind of line is printed by the first.
static atomic_flag told_setting = ATOMIC_FLAG_INIT;
static atomic_flag told_refusal = ATOMIC_FLAG_INIT;

// Prints a refusal once; the first one is the cause, the others follow from it.
#define REFUSE(...)                                  \
  do {                                               \
    if (!atomic_flag_test_and_set(&told_refusal)) {  \
      fprintf(stderr, "rocestack-verbs: error: " __VA_ARGS__); \
    }                                                \
  } while (0)

// Returns the whole number in variable `name`, or UNSET; anything else in it ends the process.
static int setting(const char *name, long least, long most) {
  const char *text = getenv(name);
  if (text == NULL) {
    return UNSET;
  }
  char *end = NULL;
  errno = 0;
  long number = strtol(text, &end, 10);
  // strtol would skip blanks and take a sign.
  bool whole = text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
  if (!whole || number < least || number > most) {
    fprintf(stderr, "rocestack-verbs: error: %s='%s' is not a whole number from %ld to %ld\n", name, text, least,
            most);
    _exit(EXIT_CONFIG);
  }
  return (int)number;
}

static void *function(const char *name) {
  void *found = dlvsym(RTLD_NEXT, name, kSymbolVersion);
  if (found == NULL) {
    fprintf(stderr, "rocestack-verbs: error: this libibverbs has no %s@%s\n", name, kSymbolVersion);
    _exit(EXIT_CONFIG);
  }
  return found;
}

__attribute__((constructor)) static void start(void) {
  wanted.gid_index = setting("ROCESTACK_GID_INDEX", 0, 255);
  wanted.traffic_class = setting("ROCESTACK_TRAFFIC_CLASS", 0, 255);
  wanted.ack_timeout = setting("ROCESTACK_ACK_TIMEOUT", 1, 31);
  if (wanted.gid_index == UNSET && (wanted.traffic_class != UNSET || wanted.ack_timeout != UNSET)) {
    fprintf(stderr, "rocestack-verbs: error: ROCESTACK_TRAFFIC_CLASS and ROCESTACK_ACK_TIMEOUT need "
                    "ROCESTACK_GID_INDEX: GID index 0 may be RoCE v1, which carries neither\n");
    _exit(EXIT_CONFIG);
  }
  // ISO C has no conversion from an object's address to a function's.
  *(void **)&real.modify_qp = function("ibv_modify_qp");
  *(void **)&real.query_gid = function("ibv_query_gid");
}

// Writes a GID as eight groups of hexadecimal digits into `text`, GID_TEXT bytes.
static void write_gid(const union ibv_gid *gid, char *text) {
  for (int i = 0; i < 16; i += 2) {
    text += sprintf(text, "%s%02x%02x", i == 0 ? "" : ":", gid->raw[i], gid->raw[i + 1]);
  }
}

// Whether a GID is an IPv4 address: ten bytes of 0, two of 255, then the address (RFC 4291, 2.5.5.2).
static bool is_ipv4(const union ibv_gid *gid) {
  static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
  return memcmp(gid->raw, prefix, sizeof prefix) == 0;
}

// Reads the type of the wanted GID from sysfs, which old libraries and kernels have too; false if there is none.
static bool read_gid_type(const struct ibv_context *context, uint8_t port, char *type, int size) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/ports/%u/gid_attrs/types/%d", context->device->ibdev_path, port,
                        wanted.gid_index);
  if (length < 0 || length >= (int)sizeof path) {
    return false;
  }
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    return false;
  }
  bool read = fgets(type, size, file) != NULL;
  fclose(file);
  if (read) {
    type[strcspn(type, "\n")] = '\0';
  }
  return read;
}

// Fills `gid` with the wanted GID; 0, or ENODATA with a line that says what is there instead.
static int wanted_gid(struct ibv_context *context, uint8_t port, union ibv_gid *gid) {
  static const union ibv_gid empty;
  const char *device = context->device->name;
  if (real.query_gid(context, port, wanted.gid_index, gid) != 0) {
    REFUSE("%s port %u has no GID index %d\n", device, port, wanted.gid_index);
    return ENODATA;
  }
  // An empty slot is no error to libibverbs.
  if (memcmp(gid->raw, empty.raw, sizeof empty.raw) == 0) {
    REFUSE("GID index %d of %s port %u is empty; show_gids lists those that are not\n", wanted.gid_index, device,
           port);
    return ENODATA;
  }
  char type[32];
  if (!read_gid_type(context, port, type, sizeof type)) {
    REFUSE("the type of GID index %d of %s port %u cannot be read below %s\n", wanted.gid_index, device, port,
           context->device->ibdev_path);
    return ENODATA;
  }
  char text[GID_TEXT];
  write_gid(gid, text);
  if (strcmp(type, kRoceV2) != 0 || !is_ipv4(gid)) {
    REFUSE("GID index %d of %s port %u is %s, %s; it must be RoCE v2 with an IPv4 address (0000:…:ffff:…)\n",
           wanted.gid_index, device, port, type, text);
    return ENODATA;
  }
  return 0;
}

static void tell(const struct ibv_qp *qp, uint8_t port, const union ibv_gid *gid) {
  if (atomic_flag_test_and_set(&told_setting)) {
    return;
  }
  char traffic_class[32] = "unchanged", ack_timeout[32] = "unchanged";
  if (wanted.traffic_class != UNSET) {
    snprintf(traffic_class, sizeof traffic_class, "%d", wanted.traffic_class);
  }
  if (wanted.ack_timeout != UNSET) {
    snprintf(ack_timeout, sizeof ack_timeout, "%d", wanted.ack_timeout);
  }
  // One call, so that no other output gets into the line.
  fprintf(stderr, "rocestack-verbs: set device=%s port=%u gid_index=%d gid=%u.%u.%u.%u type='%s' "
                  "traffic_class=%s ack_timeout=%s\n",
          qp->context->device->name, port, wanted.gid_index, gid->raw[12], gid->raw[13], gid->raw[14],
          gid->raw[15], kRoceV2, traffic_class, ack_timeout);
}

// Puts the wanted index and traffic class into an address; 0, or the error that the program's call gets.
static int set_address(const struct ibv_qp *qp, struct ibv_ah_attr *address, union ibv_gid *gid) {
  if (!address->is_global) {
    REFUSE("a queue pair on %s has no global address, so no GID can go into it\n", qp->context->device->name);
    return EINVAL;
  }
  if (address->grh.sgid_index != 0 && address->grh.sgid_index != wanted.gid_index) {
    REFUSE("the program itself asks for GID index %u, and ROCESTACK_GID_INDEX is %d\n", address->grh.sgid_index,
           wanted.gid_index);
    return EINVAL;
  }
  int status = wanted_gid(qp->context, address->port_num, gid);
  if (status != 0) {
    return status;
  }
  address->grh.sgid_index = (uint8_t)wanted.gid_index;
  if (wanted.traffic_class != UNSET) {
    address->grh.traffic_class = (uint8_t)wanted.traffic_class;
  }
  return 0;
}

// 0 or an errno, as libibverbs' own. The program's attributes are left as they are.
EXPORTED int ibv_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attributes, int mask) {
  bool address = (mask & IBV_QP_AV) != 0, timeout = (mask & IBV_QP_TIMEOUT) != 0 && wanted.ack_timeout != UNSET;
  if (wanted.gid_index == UNSET || (!address && !timeout)) {
    return real.modify_qp(qp, attributes, mask);
  }
  struct ibv_qp_attr changed = *attributes;
  union ibv_gid gid;
  if (timeout) {
    changed.timeout = (uint8_t)wanted.ack_timeout;
  }
  if (address) {
    int status = set_address(qp, &changed.ah_attr, &gid);
    if (status != 0) {
      return status;
    }
  }
  int status = real.modify_qp(qp, &changed, mask);
  if (status == 0 && address) {
    tell(qp, changed.ah_attr.port_num, &gid);
  }
  return status;
}

// 0, or -1 with errno. Only index 0 is answered with another: who asks for a GID by its number gets that one.
EXPORTED int ibv_query_gid(struct ibv_context *context, uint8_t port, int index, union ibv_gid *gid) {
  if (wanted.gid_index == UNSET || index != 0) {
    return real.query_gid(context, port, index, gid);
  }
  int status = wanted_gid(context, port, gid);
  if (status != 0) {
    errno = status;
    return -1;
  }
  return 0;
}
