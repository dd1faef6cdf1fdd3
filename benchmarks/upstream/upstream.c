/* The platform's API as far as a transfer needs it, and much faster than whatever is measured.
 *
 *     upstream LATENCY_MS [CERTIFICATE KEY]
 *
 * Listens on a loopback port, which it prints, over plain HTTP or, with a certificate, TLS. It
 * answers each request LATENCY_MS after it came: a POST with 201 and the Location of a new leg, a
 * GET with an active call. GET /_control is answered at once and tells what was counted. It ends
 * when its standard input does. One thread; a latency that is the same for all makes the answers
 * that wait a queue.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FDS = 16384, BUFFER = 16384, WAITING = 1 << 14, CALLS = 1 << 22 };

struct connection {
    SSL *ssl;
    uint32_t serial; /* a file descriptor is used again; its number tells whose answer it is */
    int is_open, waits, closes;
    size_t length;
    char text[BUFFER];
};

struct answer {
    int64_t due;
    int fd;
    uint32_t serial;
    int length;
    char text[512];
};

static struct connection *connections[MAX_FDS];
static struct answer queue[WAITING];
static unsigned first, last;
static uint64_t calls[CALLS]; /* hashes of the calls that were transferred */
static long transfers, repeated, others, accepted, malformed;
static int64_t latency;
static SSL_CTX *tls;
static int poll_fd, timer_fd;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

static void set_timer(void) {
    int64_t due = first == last ? 0 : queue[first % WAITING].due;
    struct itimerspec at = {.it_value = {due / 1000000000, due % 1000000000}};
    if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL)) die("timerfd_settime");
}

static void hang_up(int fd) {
    struct connection *c = connections[fd];
    if (c->ssl) {
        SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    close(fd);
    c->is_open = 0;
    c->serial++;
}

/* An answer is far smaller than an empty socket buffer, so what cannot be written is lost. */
static int say(int fd, const char *text, int length) {
    SSL *ssl = connections[fd]->ssl;
    int done = ssl ? SSL_write(ssl, text, length) : (int)write(fd, text, length);
    if (done == length) return 1;
    hang_up(fd);
    return 0;
}

static int is_new(const char *id, size_t length) {
    uint64_t hash = 14695981039346656037ULL;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)id[i]) * 1099511628211ULL;
    hash += !hash;
    for (size_t at = hash % CALLS;; at = (at + 1) % CALLS) {
        if (calls[at] == hash) return 0;
        if (!calls[at]) {
            calls[at] = hash;
            return 1;
        }
    }
}

static int with_body(char *into, const char *body) {
    return sprintf(into,
                   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
}

static int tell_counts(char *into) {
    char body[256];
    sprintf(body,
            "{\"transfers\": %ld, \"repeated\": %ld, \"others\": %ld, \"connections\": %ld, "
            "\"malformed\": %ld}",
            transfers, repeated, others, accepted, malformed);
    return with_body(into, body);
}

static int answer_call(char *into, const char *path, int path_length, int is_post,
                       const char *body, size_t length) {
    if (is_post && memmem(body, length, "\"transferring\"", 14)) {
        transfers++;
        repeated += !is_new(path, path_length);
    } else {
        others++;
    }
    if (!is_post) return with_body(into, "{\"direction\": \"in\", \"state\": \"active\"}");
    const char *slash = memrchr(path, '/', path_length);
    return sprintf(into,
                   "HTTP/1.1 201 Created\r\nLocation: %.*s/c-leg%018ld\r\n"
                   "Content-Length: 0\r\n\r\n",
                   (int)(slash - path) > 256 ? 256 : (int)(slash - path), path, transfers);
}

/* Answers the first request in a connection's buffer; 0 if it is not there in full. */
static int take_request(int fd) {
    struct connection *c = connections[fd];
    char *end = memmem(c->text, c->length, "\r\n\r\n", 4);
    if (!end) return 0;
    *end = 0;
    char *stated = strcasestr(c->text, "\r\ncontent-length:");
    size_t body = stated ? strtoul(stated + 17, NULL, 10) : 0;
    size_t whole = (size_t)(end - c->text) + 4 + body;
    char *path = strchr(c->text, ' ');
    char *after = path ? strchr(path + 1, ' ') : NULL;
    if (whole >= BUFFER || !after || path[1] != '/' || strcasestr(c->text, "\r\ntransfer-encoding:")) {
        malformed++;
        hang_up(fd);
        return 0;
    }
    if (c->length < whole) {
        *end = '\r';
        return 0;
    }
    c->closes = strcasestr(c->text, "\r\nconnection: close") != NULL;
    struct answer *a = &queue[last % WAITING];
    if (last - first == WAITING) die("too many answers wait");
    path++;
    int length = (int)(after - path);
    if (!strncmp(path, "/_control ", 10)) {
        a->length = tell_counts(a->text);
        if (!say(fd, a->text, a->length)) return 0;
    } else {
        a->length = answer_call(a->text, path, length, !strncmp(c->text, "POST ", 5), end + 4, body);
        a->fd = fd;
        a->serial = c->serial;
        a->due = now() + latency;
        c->waits = 1;
        if (first == last++) set_timer();
    }
    c->length -= whole;
    memmove(c->text, c->text + whole, c->length);
    return 1;
}

static void take_requests(int fd) {
    struct connection *c = connections[fd];
    while (c->is_open && !c->waits && c->length && take_request(fd)) {}
}

static void give_answers(void) {
    uint64_t times;
    if (read(timer_fd, &times, sizeof times) < 0 && errno != EAGAIN) die("timer");
    int64_t at = now();
    for (; first != last && queue[first % WAITING].due <= at; first++) {
        struct answer *a = &queue[first % WAITING];
        struct connection *c = connections[a->fd];
        if (!c->is_open || c->serial != a->serial) continue;
        c->waits = 0;
        if (!say(a->fd, a->text, a->length)) continue;
        if (c->closes)
            hang_up(a->fd);
        else
            take_requests(a->fd);
    }
    set_timer();
}

static void take_connections(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= MAX_FDS) die("too many connections");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (!connections[fd]) connections[fd] = calloc(1, sizeof *connections[fd]);
        struct connection *c = connections[fd];
        c->is_open = 1;
        c->waits = c->closes = 0;
        c->length = 0;
        if (tls) {
            c->ssl = SSL_new(tls);
            SSL_set_fd(c->ssl, fd);
            SSL_set_accept_state(c->ssl);
        }
        accepted++;
        watch(fd);
    }
}

static void listen_to(int fd) {
    struct connection *c = connections[fd];
    while (c->is_open && c->length < BUFFER) {
        char *into = c->text + c->length;
        int left = (int)(BUFFER - c->length), got, wait;
        if (c->ssl) {
            ERR_clear_error(); /* one that another connection left would be taken for ours */
            got = SSL_read(c->ssl, into, left);
            wait = got <= 0 && SSL_get_error(c->ssl, got) == SSL_ERROR_WANT_READ;
        } else {
            got = (int)read(fd, into, left);
            wait = got < 0 && errno == EAGAIN;
        }
        if (wait) break;
        if (got <= 0) {
            hang_up(fd);
            return;
        }
        c->length += got;
        take_requests(fd);
    }
}

static SSL_CTX *open_tls(const char *certificate, const char *key) {
    SSL_CTX *made = SSL_CTX_new(TLS_server_method());
    if (!made || SSL_CTX_use_certificate_file(made, certificate, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "%s or %s cannot be used\n", certificate, key);
        exit(1);
    }
    return made;
}

int main(int count, char **arguments) {
    if (count != 2 && count != 4) {
        fprintf(stderr, "usage: upstream LATENCY_MS [CERTIFICATE KEY]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    latency = (int64_t)(atof(arguments[1]) * 1e6);
    if (count == 4) tls = open_tls(arguments[2], arguments[3]);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&here, size) || listen(listener, 4096)) die("listen");
    getsockname(listener, (struct sockaddr *)&here, &size);
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
    poll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    watch(listener);
    watch(timer_fd);
    watch(STDIN_FILENO);
    struct epoll_event events[256];
    for (;;) {
        int ready = epoll_wait(poll_fd, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO) return 0;
            if (fd == listener)
                take_connections(fd);
            else if (fd == timer_fd)
                give_answers();
            else if (connections[fd]->is_open)
                listen_to(fd);
        }
    }
}
