/* The baseline of bench_latency.py: a thread that answers raw packets and waits as a worker of the dataplane
 * does, spinning for a while and then asleep. A worker spins for 100 us after its work, this thread for 200, for
 * the load that keeps a worker awake is next to no work here. A packet whose first octet behind the IP header
 * is not 1 is load: taken, not answered. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { ROOM = 2048, SPIN = 200000 };

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void answer(int fd, const uint8_t *ip, ssize_t length)
{
    size_t header = (ip[0] & 15) * 4;
    struct sockaddr_in target = {.sin_family = AF_INET};
    if (length <= (ssize_t) header || ip[header] != 1)
        return;
    memcpy(&target.sin_addr, ip + 12, 4);
    sendto(fd, ip + header, length - header, MSG_DONTWAIT, (struct sockaddr *) &target, sizeof target);
}

void echo(int fd, volatile int *stop)
{
    uint8_t packet[ROOM];
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int64_t busy = now();
    ssize_t length;
    while (!*stop) {
        length = recv(fd, packet, sizeof packet, MSG_DONTWAIT);
        if (length > 0) {
            answer(fd, packet, length);
            busy = now();
        } else if (now() - busy < SPIN)
            sched_yield();
        else
            poll(&waiting, 1, 100);
    }
}
