/* Lets programs connect without a proxy, in a network namespace that has only a loopback device. There, names have
 * addresses of 198.18.0.0/16, which the worker's name server gives. The kernel leads each TCP connection to such an
 * address to one listening socket, and reports the address and port that the program connects to as the socket's own.
 * Only these addresses and the given ones are local, besides 127.0.0.0/8. All others have no route.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "transparent.h"

enum {
  LOOPBACK = 1,
  /* The kernel drops queries beyond this, because no sandbox pays for the worker's time. */
  QUERIES_PER_S = 1000,
  /* The priority of `mangle`: the kernel has put fragments together before. */
  BEFORE_ROUTING = -150,
  FIRST = NFT_REG32_00,
};

/* The sandbox's own address in the network of names. */
static const unsigned char own_address[] = {198, 18, 0, 1};

/* Messages for the kernel, one after the other. */
struct batch {
  size_t length, message;
  unsigned char bytes[2048];
};

static void put(struct batch *to, const void *bytes, size_t length) {
  memcpy(to->bytes + to->length, bytes, length);
  to->length += NLMSG_ALIGN(length);
}

static void begin(struct batch *to, int type, int flags, const void *head, size_t length) {
  struct nlmsghdr header = {.nlmsg_type = (unsigned short)type, .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags)};
  to->message = to->length;
  put(to, &header, sizeof header);
  put(to, head, length);
}

static void end(struct batch *to) {
  ((struct nlmsghdr *)(to->bytes + to->message))->nlmsg_len = (unsigned)(to->length - to->message);
}

static void put_attribute(struct batch *to, int type, const void *value, size_t length) {
  struct nlattr header = {.nla_len = (unsigned short)(NLA_HDRLEN + length), .nla_type = (unsigned short)type};
  put(to, &header, sizeof header);
  put(to, value, length);
}

static void put_text(struct batch *to, int type, const char *text) { put_attribute(to, type, text, strlen(text) + 1); }

static void put_number(struct batch *to, int type, unsigned number) {
  number = htonl(number);
  put_attribute(to, type, &number, sizeof number);
}

/* A number of 64 bits. */
static void put_long(struct batch *to, int type, unsigned number) {
  unsigned halves[] = {0, htonl(number)};
  put_attribute(to, type, halves, sizeof halves);
}

/* Returns where the nested attribute begins, for `leave_nest`. */
static size_t enter_nest(struct batch *to, int type) {
  size_t at = to->length;
  put_attribute(to, type | NLA_F_NESTED, NULL, 0);
  return at;
}

static void leave_nest(struct batch *to, size_t at) {
  ((struct nlattr *)(to->bytes + at))->nla_len = (unsigned short)(to->length - at);
}

static void begin_table(struct batch *to, int type, int flags) {
  const struct nfgenmsg head = {.nfgen_family = NFPROTO_IPV4, .version = NFNETLINK_V0};
  begin(to, NFNL_SUBSYS_NFTABLES << 8 | type, flags, &head, sizeof head);
}

static void mark_batch(struct batch *to, int type) {
  const struct nfgenmsg head = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
  begin(to, type, 0, &head, sizeof head);
  end(to);
}

/* The nested attributes of one expression of a rule. */
struct expression { size_t element, data; };

static struct expression enter_expression(struct batch *to, const char *name) {
  struct expression one = {.element = enter_nest(to, NFTA_LIST_ELEM)};
  put_text(to, NFTA_EXPR_NAME, name);
  one.data = enter_nest(to, NFTA_EXPR_DATA);
  return one;
}

static void leave_expression(struct batch *to, struct expression one) {
  leave_nest(to, one.data);
  leave_nest(to, one.element);
}

static void put_value(struct batch *to, int type, const void *value, size_t length) {
  size_t data = enter_nest(to, type);
  put_attribute(to, NFTA_DATA_VALUE, value, length);
  leave_nest(to, data);
}

/* The rule goes on only if the register is as the value. */
static void compare(struct batch *to, enum nft_cmp_ops how, const void *value, size_t length) {
  struct expression one = enter_expression(to, "cmp");
  put_number(to, NFTA_CMP_SREG, FIRST);
  put_number(to, NFTA_CMP_OP, how);
  put_value(to, NFTA_CMP_DATA, value, length);
  leave_expression(to, one);
}

static void match_protocol(struct batch *to, unsigned char protocol) {
  struct expression one = enter_expression(to, "meta");
  put_number(to, NFTA_META_KEY, NFT_META_L4PROTO);
  put_number(to, NFTA_META_DREG, FIRST);
  leave_expression(to, one);
  compare(to, NFT_CMP_EQ, &protocol, sizeof protocol);
}

static void load_bytes(struct batch *to, enum nft_payload_bases header, unsigned offset, size_t length) {
  struct expression one = enter_expression(to, "payload");
  put_number(to, NFTA_PAYLOAD_DREG, FIRST);
  put_number(to, NFTA_PAYLOAD_BASE, header);
  put_number(to, NFTA_PAYLOAD_OFFSET, offset);
  put_number(to, NFTA_PAYLOAD_LEN, (unsigned)length);
  leave_expression(to, one);
}

static void begin_rule(struct batch *to, int flags, size_t *list) {
  begin_table(to, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | flags);
  put_text(to, NFTA_RULE_TABLE, "dari");
  put_text(to, NFTA_RULE_CHAIN, "names");
  *list = enter_nest(to, NFTA_RULE_EXPRESSIONS);
}

static void end_rule(struct batch *to, size_t list) {
  leave_nest(to, list);
  end(to);
}

static void put_chain(struct batch *to) {
  begin_table(to, NFT_MSG_NEWTABLE, NLM_F_CREATE);
  put_text(to, NFTA_TABLE_NAME, "dari");
  end(to);
  begin_table(to, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  put_text(to, NFTA_CHAIN_TABLE, "dari");
  put_text(to, NFTA_CHAIN_NAME, "names");
  size_t hook = enter_nest(to, NFTA_CHAIN_HOOK);
  put_number(to, NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
  put_number(to, NFTA_HOOK_PRIORITY, (unsigned)BEFORE_ROUTING);
  leave_nest(to, hook);
  put_text(to, NFTA_CHAIN_TYPE, "filter");
  end(to);
}

/* udp dport 53 limit rate over 1000/second drop */
static void limit_queries(struct batch *to) {
  const unsigned short port = htons(NAME_PORT);
  size_t list;
  begin_rule(to, 0, &list);
  match_protocol(to, IPPROTO_UDP);
  load_bytes(to, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof port);
  compare(to, NFT_CMP_EQ, &port, sizeof port);
  struct expression one = enter_expression(to, "limit");
  put_long(to, NFTA_LIMIT_RATE, QUERIES_PER_S);
  put_long(to, NFTA_LIMIT_UNIT, 1);
  put_number(to, NFTA_LIMIT_BURST, QUERIES_PER_S);
  put_number(to, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
  put_number(to, NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV);
  leave_expression(to, one);
  one = enter_expression(to, "immediate");
  put_number(to, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
  size_t data = enter_nest(to, NFTA_IMMEDIATE_DATA), verdict = enter_nest(to, NFTA_DATA_VERDICT);
  put_number(to, NFTA_VERDICT_CODE, NF_DROP);
  leave_nest(to, verdict);
  leave_nest(to, data);
  leave_expression(to, one);
  end_rule(to, list);
}

/* ip daddr != 127.0.0.0/8 tcp tproxy to :3129 */
static void direct_connections(struct batch *to) {
  const unsigned short port = htons(TRANSPARENT_PORT);
  const unsigned char loopback = IN_LOOPBACKNET;
  size_t list;
  /* The kernel answers only to the last message, or to the first that is wrong. */
  begin_rule(to, NLM_F_ACK, &list);
  match_protocol(to, IPPROTO_TCP);
  load_bytes(to, NFT_PAYLOAD_NETWORK_HEADER, 16, sizeof loopback);
  compare(to, NFT_CMP_NEQ, &loopback, sizeof loopback);
  struct expression one = enter_expression(to, "immediate");
  put_number(to, NFTA_IMMEDIATE_DREG, FIRST);
  put_value(to, NFTA_IMMEDIATE_DATA, &port, sizeof port);
  leave_expression(to, one);
  one = enter_expression(to, "tproxy");
  put_number(to, NFTA_TPROXY_FAMILY, NFPROTO_IPV4);
  put_number(to, NFTA_TPROXY_REG_PORT, FIRST);
  leave_expression(to, one);
  end_rule(to, list);
}

/* Returns 0 once the kernel has accepted everything, or -1 with errno. */
static int tell_kernel(int protocol, const struct batch *batch) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct { struct nlmsghdr header; struct nlmsgerr result; char rest[2048]; } answer;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -1;
  ssize_t got = sendto(fd, batch->bytes, batch->length, 0, (struct sockaddr *)&kernel, sizeof kernel);
  if (got >= 0) got = recv(fd, &answer, sizeof answer, 0);
  int error = got < 0 ? errno : EPROTO;
  if (got >= (ssize_t)(sizeof answer.header + sizeof answer.result.error) && answer.header.nlmsg_type == NLMSG_ERROR)
    error = -answer.result.error;
  close(fd);
  errno = error;
  return error == 0 ? 0 : -1;
}

/* All addresses of the network of a loopback device's address are local. Programs that ask whether there is IPv4 look
 * for an address outside of 127.0.0.0/8. */
static int add_network(void) {
  const struct ifaddrmsg head = {
      .ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_scope = RT_SCOPE_HOST, .ifa_index = LOOPBACK};
  struct batch batch = {0};
  begin(&batch, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
  put_attribute(&batch, IFA_LOCAL, own_address, sizeof own_address);
  put_attribute(&batch, IFA_ADDRESS, own_address, sizeof own_address);
  end(&batch);
  return tell_kernel(NETLINK_ROUTE, &batch);
}

/* Makes another address local. */
static void add_address(const char *text) {
  const struct rtmsg head = {.rtm_family = AF_INET,
                             .rtm_dst_len = 32,
                             .rtm_table = RT_TABLE_LOCAL,
                             .rtm_protocol = RTPROT_STATIC,
                             .rtm_scope = RT_SCOPE_HOST,
                             .rtm_type = RTN_LOCAL};
  const int device = LOOPBACK;
  struct in_addr address;
  struct batch batch = {0};
  if (inet_pton(AF_INET, text, &address) != 1) return;
  begin(&batch, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, &head, sizeof head);
  put_attribute(&batch, RTA_DST, &address, sizeof address);
  put_attribute(&batch, RTA_OIF, &device, sizeof device);
  put_attribute(&batch, RTA_PREFSRC, own_address, sizeof own_address);
  end(&batch);
  /* An address that the kernel refuses has no route, as without this. */
  tell_kernel(NETLINK_ROUTE, &batch);
}

static int add_rules(void) {
  struct batch batch = {0};
  mark_batch(&batch, NFNL_MSG_BATCH_BEGIN);
  put_chain(&batch);
  limit_queries(&batch);
  direct_connections(&batch);
  mark_batch(&batch, NFNL_MSG_BATCH_END);
  return tell_kernel(NETLINK_NETFILTER, &batch);
}

/* Returns a bound socket, or -1 with errno. */
static int bind_socket(int type, int port) {
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), yes = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0) return -1;
  if ((type != SOCK_STREAM || setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &yes, sizeof yes) == 0) &&
      bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

void say_proxy_only(int fd) {
  dprintf(fd, "sandbox: connections without the proxy variables are not possible: %s\n", strerror(errno));
}

int is_transparent(const char *word) { return strncmp(word, TRANSPARENT, strlen(TRANSPARENT)) == 0; }

int open_transparent(char *word, int sockets[2]) {
  char *rest, *address;
  if (add_network() != 0 || add_rules() != 0) return -1;
  strtok_r(word, "/", &rest);
  while ((address = strtok_r(NULL, "/", &rest)) != NULL) add_address(address);
  if ((sockets[0] = bind_socket(SOCK_STREAM, TRANSPARENT_PORT)) < 0) return -1;
  if (listen(sockets[0], 511) == 0 && (sockets[1] = bind_socket(SOCK_DGRAM, NAME_PORT)) >= 0) return 0;
  int error = errno;
  close(sockets[0]);
  errno = error;
  return -1;
}
