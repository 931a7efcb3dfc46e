/* The baseline of bench_cores.py: a PPTP data path as a plain daemon has it. One read and one write for each
 * packet, no super-packets, MPPE-128 stateless (RFC 3078, 3079) with the kernel's shape of RC4. Each function
 * works until nothing waits any more and returns how many packets came through. */
#include "mppe_kernel.c"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 2048, HEADROOM = 64, IP = 20, GRE = 16, PPP = 4, MPPE = 2 };

/* `address` is the peer's inner one, as on the wire, as are those of the two ends outside. */
typedef struct {
    session send, receive;
    uint32_t address, local, remote;
    uint32_t sent, received;
    uint16_t call_id, peer_call_id, sent_count, received_count;
} call;

size_t call_size(void) { return sizeof(call); }

void call_start(call *c, uint16_t call_id, uint16_t peer_call_id, uint32_t local, uint32_t remote)
{
    memset(c, 0, sizeof *c);
    c->call_id = call_id;
    c->peer_call_id = peer_call_id;
    c->local = local;
    c->remote = remote;
    c->sent_count = c->received_count = 0x0FFF;
    c->received = 0xFFFFFFFF;
}

void call_address(call *c, uint32_t address) { c->address = address; }

void call_keys(call *c, int sending, const uint8_t *start_key, const uint8_t *session_key)
{
    start_session(sending ? &c->send : &c->receive, start_key, session_key);
}

static uint32_t get(const uint8_t *p, int octets)
{
    uint32_t value = 0;
    while (octets--)
        value = value << 8 | *p++;
    return value;
}

static void put(uint8_t *p, uint32_t value, int octets)
{
    while (octets--) {
        p[octets] = (uint8_t) value;
        value >>= 8;
    }
}

static call *by_id(call *calls, uint32_t count, uint32_t call_id)
{
    uint32_t place = call_id - calls[0].call_id;
    return place < count ? &calls[place] : NULL;
}

static call *by_address(call *calls, uint32_t count, uint32_t address)
{
    uint32_t place = ntohl(address) - ntohl(calls[0].address);
    return place < count ? &calls[place] : NULL;
}

/* A GRE packet behind its IP header: its text, in place, or NULL. */
static uint8_t *open_packet(call *calls, uint32_t count, uint8_t *ip, ssize_t length, size_t *text_length)
{
    size_t header = (ip[0] & 15) * 4;
    uint8_t *gre = ip + header, *ppp;
    call *c;
    uint32_t ppp_length;
    if (length < (ssize_t) header + GRE + PPP + MPPE + 3 || get(gre + 2, 2) != 0x880B || !(gre[0] & 0x10))
        return NULL;
    c = by_id(calls, count, get(gre + 6, 2));
    ppp = gre + 12 + (gre[1] & 0x80 ? 4 : 0);
    ppp_length = get(gre + 4, 2);
    if (c == NULL || ppp + ppp_length > ip + length || (int32_t) (get(gre + 8, 4) - c->received) <= 0)
        return NULL;
    c->received = get(gre + 8, 4);
    if (get(ppp, 2) == 0xFF03)
        ppp += 2, ppp_length -= 2;
    if (get(ppp, 2) != 0x00FD)
        return NULL;
    while (c->received_count != (get(ppp + 2, 2) & 0x0FFF)) {
        change_key(&c->receive);
        c->received_count = (c->received_count + 1) & 0x0FFF;
    }
    arc4_key(&c->receive.rc4, c->receive.session_key);
    *text_length = ppp_length - PPP;
    arc4_crypt(&c->receive.rc4, *text_length, ppp + PPP, ppp + PPP);
    return ppp + PPP;
}

/* From the raw socket into the TUN. */
uint32_t relay_up(int outer, int inner, call *calls, uint32_t count)
{
    uint8_t packet[ROOM], *text;
    uint32_t moved = 0;
    size_t text_length = 0;
    ssize_t length;
    while ((length = recv(outer, packet, sizeof packet, MSG_DONTWAIT)) > 0) {
        text = open_packet(calls, count, packet, length, &text_length);
        if (text != NULL && get(text, 2) == 0x0021)
            moved += write(inner, text + 2, text_length - 2) > 0;
    }
    return moved;
}

/* From the TUN into the raw socket. */
uint32_t relay_down(int outer, int inner, call *calls, uint32_t count)
{
    uint8_t packet[ROOM], *ip = packet + HEADROOM, *p;
    struct sockaddr_in target = {.sin_family = AF_INET};
    uint32_t moved = 0, address;
    ssize_t length;
    call *c;
    while ((length = read(inner, ip, ROOM - HEADROOM)) > 0) {
        memcpy(&address, ip + 16, 4);
        c = by_address(calls, count, address);
        if (c == NULL)
            continue;
        c->sent_count = (c->sent_count + 1) & 0x0FFF;
        change_key(&c->send);
        arc4_key(&c->send.rc4, c->send.session_key);
        p = ip - 2;
        put(p, 0x0021, 2);
        arc4_crypt(&c->send.rc4, (size_t) length + 2, p, p);
        put(p - 2, 0x9000u | c->sent_count, 2);
        put(p - 6, 0xFF0300FDu, 4);
        p -= 6 + GRE;
        put(p, 0x3081880Bu, 4);
        put(p + 4, (uint32_t) length + 8, 2);
        put(p + 6, c->peer_call_id, 2);
        put(p + 8, c->sent++, 4);
        put(p + 12, c->received, 4);
        target.sin_addr.s_addr = c->remote;
        moved += sendto(outer, p, (size_t) length + 8 + GRE, MSG_DONTWAIT, (struct sockaddr *) &target,
                        sizeof target) > 0;
    }
    return moved;
}
