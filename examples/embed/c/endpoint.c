/* One end of an encrypted GRE tunnel, in C.
 *
 *     endpoint OUTER INNER CALL_ID PEER_CALL_ID SEND_KEY RECEIVE_KEY
 *
 * OUTER is the descriptor of a socket that gives enhanced GRE with its IPv4 header and takes it
 * without (a connected raw socket does), INNER of one that has an IPv4 packet in each read and
 * write. The keys are 32 hexadecimal digits each: start keys of 128-bit stateless MPPE, which a
 * real endpoint has from MS-CHAPv2. It ends when INNER does, or at a signal.
 *
 * Python is here only to load the extension: the loop runs without the GIL.
 */
#include <Python.h>
#include <fastpptp.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BATCH = 64,
    ROW = 2048,
    PPP = FASTPPTP_GRE_HEADER,         /* where FF 03 00 FD stands in a packet to be sent, */
    MPPE = PPP + 4,                    /* the MPPE header, */
    TEXT = MPPE + FASTPPTP_MPPE_HEADER, /* the encrypted protocol field 00 21, */
    IP = TEXT + 2,                     /* and the IPv4 packet */
    CATCH_UP = 256
};

static const uint8_t ENCRYPTED[4] = {0xFF, 0x03, 0x00, 0xFD};
static const uint8_t IPV4[2] = {0x00, 0x21};

struct endpoint {
    const fastpptp_api *api;
    fastpptp_engine *engine;
    fastpptp_mppe send, receive;
    int outer, inner;
    uint16_t call_id, peer_call_id;
    uint32_t next;                     /* to send */
    uint32_t expected;                 /* one above the last received */
    int heard;
    unsigned long sent, received, dropped;
    fastpptp_packet packets[BATCH];
    fastpptp_gre gres[BATCH];
    uint8_t rows[BATCH][ROW];
};

/* Take what waits, each packet at `offset` of a row. Returns how many; -1: the other side is gone. */
static int take(struct endpoint *e, int socket, size_t offset, ssize_t sizes[BATCH])
{
    int count = 0;
    while (count < BATCH) {
        sizes[count] = recv(socket, e->rows[count] + offset, ROW - offset, MSG_DONTWAIT);
        if (sizes[count] == 0)
            return count ? count : -1;
        if (sizes[count] < 0)
            break;
        count++;
    }
    return count;
}

static int outward(struct endpoint *e)
{
    ssize_t sizes[BATCH];
    int count = take(e, e->inner, IP, sizes);
    for (int k = 0; k < count; k++) {
        uint8_t *row = e->rows[k];
        memcpy(row + PPP, ENCRYPTED, sizeof ENCRYPTED);
        memcpy(row + TEXT, IPV4, sizeof IPV4);
        e->packets[k] = (fastpptp_packet){
            .state = &e->send, .source = row + MPPE, .target = row + MPPE,
            .length = (uint32_t)sizes[k] + sizeof IPV4};
        e->gres[k] = (fastpptp_gre){
            .payload = row + PPP, .payload_length = (uint32_t)sizes[k] + IP - PPP,
            .headroom = PPP, .call_id = e->peer_call_id, .sequence = e->next++,
            .acknowledged = e->expected - 1,
            .flags = e->heard ? FASTPPTP_GRE_ACKNOWLEDGED : 0};
    }
    if (count < 0)
        return 0;
    e->api->mppe_encrypt(e->engine, e->packets, (size_t)count);
    e->api->gre_encap(e->gres, (size_t)count);
    for (int k = 0; k < count; k++)
        if (send(e->outer, e->gres[k].packet, e->gres[k].packet_length, MSG_NOSIGNAL) >= 0)
            e->sent++;
        else
            e->dropped++;
    return 1;
}

/* Whether a packet is the tunnel's, and not behind what was received: then it may move the keys. */
static int is_ours(struct endpoint *e, const fastpptp_gre *gre)
{
    if (gre->status != FASTPPTP_OK || gre->call_id != e->call_id || gre->payload_length < IP - PPP)
        return 0;
    if (memcmp(gre->payload, ENCRYPTED, sizeof ENCRYPTED) != 0)
        return 0;
    if (e->heard && (int32_t)(gre->sequence - e->expected) < 0)
        return 0;
    e->expected = gre->sequence + 1;
    e->heard = 1;
    return 1;
}

static int inward(struct endpoint *e)
{
    ssize_t sizes[BATCH];
    size_t ours = 0;
    int count = take(e, e->outer, 0, sizes);
    for (int k = 0; k < count; k++)
        e->gres[k] = (fastpptp_gre){.packet = e->rows[k], .packet_length = (uint32_t)sizes[k]};
    if (count < 0)
        return 0;
    e->api->gre_decap_ipv4(e->gres, (size_t)count);
    for (int k = 0; k < count; k++) {
        uint8_t *mppe = e->gres[k].payload + sizeof ENCRYPTED;
        if (is_ours(e, &e->gres[k]))
            e->packets[ours++] = (fastpptp_packet){
                .state = &e->receive, .source = mppe, .target = mppe,
                .length = e->gres[k].payload_length - (TEXT - PPP)};
    }
    e->dropped += (unsigned long)count - ours;
    e->api->mppe_decrypt(e->engine, e->packets, ours, CATCH_UP);
    for (size_t k = 0; k < ours; k++) {
        const fastpptp_packet *packet = &e->packets[k];
        const uint8_t *text = packet->target + FASTPPTP_MPPE_HEADER;
        if (packet->status == FASTPPTP_OK && memcmp(text, IPV4, sizeof IPV4) == 0 &&
            send(e->inner, text + 2, packet->length - 2, MSG_NOSIGNAL) >= 0)
            e->received++;
        else
            e->dropped++;
    }
    return 1;
}

static void serve(struct endpoint *e)
{
    struct pollfd ready[2] = {{.fd = e->outer, .events = POLLIN}, {.fd = e->inner, .events = POLLIN}};
    while (poll(ready, 2, -1) > 0 && !((ready[0].revents | ready[1].revents) & POLLNVAL)) {
        if (ready[0].revents && !inward(e))
            return;
        if (ready[1].revents && !outward(e))
            return;
    }
}

static int read_key(const char *text, uint8_t key[16])
{
    for (int k = 0; k < 16; k++)
        if (sscanf(text + 2 * k, "%2hhx", &key[k]) != 1)
            return 0;
    return text[32] == '\0';
}

static struct endpoint endpoint;

int main(int argc, char **argv)
{
    struct endpoint *e = &endpoint;
    uint8_t send_key[16], receive_key[16];
    if (argc != 7 || strlen(argv[5]) != 32 || strlen(argv[6]) != 32 ||
        !read_key(argv[5], send_key) || !read_key(argv[6], receive_key)) {
        fprintf(stderr, "usage: endpoint OUTER INNER CALL_ID PEER_CALL_ID SEND_KEY RECEIVE_KEY\n");
        return 2;
    }
    e->outer = atoi(argv[1]);
    e->inner = atoi(argv[2]);
    e->call_id = (uint16_t)atoi(argv[3]);
    e->peer_call_id = (uint16_t)atoi(argv[4]);

    Py_InitializeEx(0); /* no signal handlers: a signal ends the loop */
    e->api = fastpptp_import();
    if (e->api == NULL || (e->engine = e->api->engine_new()) == NULL) {
        PyErr_Print();
        return 1;
    }
    PyThreadState *thread = PyEval_SaveThread();
    e->api->mppe_init(&e->send, send_key, 128, 1);
    e->api->mppe_init(&e->receive, receive_key, 128, 1);
    serve(e);
    e->api->mppe_wipe(e->engine, &e->send);
    e->api->mppe_wipe(e->engine, &e->receive);
    e->api->engine_free(e->engine);
    PyEval_RestoreThread(thread);
    printf("sent %lu, received %lu, dropped %lu\n", e->sent, e->received, e->dropped);
    return Py_FinalizeEx() < 0;
}
