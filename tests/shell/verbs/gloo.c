// What Gloo's ibverbs transport asks of libibverbs for each pair, in the same order and with the same values:
// the GID at index 0, then INIT, RTR with an address, RTS with a timeout of 14. Python loads it, as it loads Gloo.

#include <infiniband/verbs.h>
#include <stdio.h>
#include <string.h>

// Connects `pairs` pairs on device `name`, whose folder in sysfs is `path`. The address has GID index `index`, and
// a global part if `global`. Returns 0, or what the first call that failed returned.
int connect_pairs(const char *name, const char *path, int pairs, int index, int global) {
  static struct ibv_device device;
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);  // in one order with what Python prints
  snprintf(device.name, sizeof device.name, "%s", name);
  snprintf(device.ibdev_path, sizeof device.ibdev_path, "%s", path);
  struct ibv_context context = {.device = &device};
  struct ibv_qp qp = {.context = &context};

  for (int pair = 0; pair < pairs; pair++) {
    union ibv_gid gid;
    int status = ibv_query_gid(&context, 1, 0, &gid);
    if (status != 0) {
      return status;
    }
    printf("answer %02x%02x:%02x%02x..%u\n", gid.raw[0], gid.raw[1], gid.raw[10], gid.raw[11], gid.raw[15]);

    struct ibv_qp_attr init = {.qp_state = IBV_QPS_INIT, .port_num = 1};
    status = ibv_modify_qp(&qp, &init, IBV_QP_STATE | IBV_QP_PORT);
    if (status != 0) {
      return status;
    }
    struct ibv_qp_attr rtr = {
        .qp_state = IBV_QPS_RTR,
        .path_mtu = IBV_MTU_1024,
        .ah_attr = {.is_global = (uint8_t)global, .port_num = 1, .grh = {.sgid_index = (uint8_t)index, .hop_limit = 1}},
    };
    struct ibv_qp_attr given = rtr;
    status = ibv_modify_qp(&qp, &rtr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU);
    if (memcmp(&given, &rtr, sizeof rtr) != 0) {
      printf("the caller's attributes were changed\n");
    }
    if (status != 0) {
      return status;
    }
    struct ibv_qp_attr rts = {.qp_state = IBV_QPS_RTS, .timeout = 14, .retry_cnt = 7, .rnr_retry = 7};
    status = ibv_modify_qp(&qp, &rts, IBV_QP_STATE | IBV_QP_TIMEOUT);
    if (status != 0) {
      return status;
    }
  }
  return 0;
}
