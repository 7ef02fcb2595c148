/*
 * The floor: what a C program pays to move an item, with nothing left out that any client must do.
 *
 *   floor extract PORT    receive the pages of a Scan over TLS, check their CRC32, split them into items in one pass,
 *                         upload the items, one a line, in parts of 5 MiB
 *   floor load PORT KEY   read a staged array in ranges of 4 MiB, rewrite each record as DynamoDB JSON in one pass,
 *                         send 25 to a request, hash each request as a signature must
 *
 * Prints what it cost as bench/worker.py does. It trusts the server's data: it is a measure, not a tool.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define PART_BYTES (5 << 20)
#define READ_BYTES (4 << 20)
#define BATCH 25

typedef struct {
    char *data;
    size_t size, room;
} Buffer;

static SSL *tls;

static void die(const char *what) {
    fprintf(stderr, "floor: %s\n", what);
    exit(1);
}

static void reserve(Buffer *b, size_t more) {
    if (b->size + more <= b->room) return;
    b->room = (b->size + more) * 2;
    if (!(b->data = realloc(b->data, b->room))) die("out of memory");
}

static void append(Buffer *b, const void *data, size_t size) {
    reserve(b, size);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void text(Buffer *b, const char *s) { append(b, s, strlen(s)); }

static void open_connection(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (connect(s, (struct sockaddr *)&address, sizeof address)) die("cannot connect");
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    tls = SSL_new(SSL_CTX_new(TLS_client_method()));
    SSL_set_fd(tls, s);
    if (SSL_connect(tls) != 1) die("no TLS");
}

static void send_all(const char *data, size_t size) {
    while (size) {
        int sent = SSL_write(tls, data, size > (1 << 20) ? 1 << 20 : (int)size);
        if (sent <= 0) die("cannot send");
        data += sent, size -= sent;
    }
}

/* Sends a request and receives its answer; returns the answer's body, and its headers in `head`. */
static char *call(const char *line, const char *headers, const char *body, size_t size, Buffer *in, char *head) {
    static char out[1 << 17];
    size_t length = snprintf(out, sizeof out, "%s HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: %zu\r\n%s\r\n", line, size, headers);
    size_t along = size < sizeof out - length ? size : 0; /* a small body goes out with its head */
    memcpy(out + length, body, along);
    send_all(out, length + along);
    send_all(body + along, size - along);
    in->size = 0;
    char *end;
    size_t whole = 0;
    while (!whole || in->size < whole) {
        reserve(in, 1 << 18);
        int got = SSL_read(tls, in->data + in->size, (int)(in->room - in->size - 1));
        if (got <= 0) die("the answer broke off");
        in->size += got;
        in->data[in->size] = 0;
        if (!whole && (end = strstr(in->data, "\r\n\r\n"))) {
            char *field = strcasestr(in->data, "content-length:");
            whole = (end - in->data) + 4 + (field ? strtoull(field + 15, NULL, 10) : 0);
            snprintf(head, 1024, "%.*s", (int)(end - in->data), in->data);
        }
    }
    if (strncmp(head + 9, "20", 2)) die(in->data);
    return strstr(in->data, "\r\n\r\n") + 4;
}

/* Finds the end of the JSON value at p: one pass, strings honoured. */
static const char *skip(const char *p) {
    int depth = 0;
    for (;; p++) {
        if (*p == '"') {
            while (*++p != '"')
                if (*p == '\\') p++;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            if (--depth == 0) return p + 1;
        }
    }
}

static void upload(const char *upload_id, int number, Buffer *part, Buffer *in, char *head) {
    char line[256];
    snprintf(line, sizeof line, "PUT /bench-staging/extract/floor/data.json?partNumber=%d&uploadId=%s", number, upload_id);
    call(line, "", part->data, part->size, in, head);
    part->size = 0;
}

static long extract(void) {
    Buffer in = {0}, out = {0}, answer = {0};
    char head[1024], body[512], id[64] = "", upload_id[64], cursor[128] = "";
    const char *target = "x-amz-target: DynamoDB_20120810.Scan\r\ncontent-type: application/x-amz-json-1.0\r\n";
    long items = 0;
    int parts = 0;
    char *xml = call("POST /bench-staging/extract/floor/data.json?uploads", "", "", 0, &answer, head);
    sscanf(strstr(xml, "<UploadId>"), "<UploadId>%63[^<]", upload_id);
    text(&out, "[");
    do {
        int size = snprintf(body, sizeof body, "{\"TableName\":\"bench-source\"%s}", cursor);
        char *page = call("POST /", target, body, size, &in, head);
        size_t length = in.size - (page - in.data);
        unsigned long sum = strtoul(strcasestr(head, "x-amz-crc32:") + 12, NULL, 10);
        if (crc32(0, (unsigned char *)page, length) != sum) die("wrong CRC32");
        const char *p = strstr(page, "\"Items\":[") + 9;
        while (*p == '{') {
            const char *end = skip(p);
            text(&out, items++ ? ",\n" : "\n");
            append(&out, p, end - p);
            p = *end == ',' ? end + 1 : end;
        }
        char *key = strstr(p, "cursor-");
        if (key && sscanf(key, "%63[^\"]", id) == 1)
            snprintf(cursor, sizeof cursor, ",\"ExclusiveStartKey\":{\"id\":{\"S\":\"%s\"}}", id);
        else
            cursor[0] = 0;
        if (out.size >= PART_BYTES) upload(upload_id, ++parts, &out, &answer, head);
    } while (cursor[0]);
    text(&out, "\n]\n");
    upload(upload_id, ++parts, &out, &answer, head);
    snprintf(body, sizeof body, "POST /bench-staging/extract/floor/data.json?uploadId=%s", upload_id);
    call(body, "", "", 0, &answer, head);
    return items;
}

/* Copies the string at p, quotes and all; returns what follows it. */
static const char *string(Buffer *out, const char *p) {
    const char *start = p;
    while (*++p != '"')
        if (*p == '\\') p++;
    append(out, start, p + 1 - start);
    return p + 1;
}

/* Rewrites the compact plain JSON value at p as DynamoDB JSON; returns what follows it. */
static const char *marshal(Buffer *out, const char *p, int bare) {
    switch (*p) {
    case '"':
        text(out, "{\"S\":");
        p = string(out, p);
        text(out, "}");
        return p;
    case '{':
        text(out, bare ? "{" : "{\"M\":{");
        for (p++; *p != '}';) {
            p = string(out, p);
            text(out, ":");
            p = marshal(out, p + 1, 0);
            if (*p == ',') append(out, p++, 1);
        }
        text(out, bare ? "}" : "}}");
        return p + 1;
    case '[':
        text(out, "{\"L\":[");
        for (p++; *p != ']';) {
            p = marshal(out, p, 0);
            if (*p == ',') append(out, p++, 1);
        }
        text(out, "]}");
        return p + 1;
    case 't':
        text(out, "{\"BOOL\":true}");
        return p + 4;
    case 'f':
        text(out, "{\"BOOL\":false}");
        return p + 5;
    case 'n':
        text(out, "{\"NULL\":true}");
        return p + 4;
    default: {
        size_t length = strcspn(p, ",}]");
        text(out, "{\"N\":\"");
        append(out, p, length);
        text(out, "\"}");
        return p + length;
    }
    }
}

static void write_batch(Buffer *body, Buffer *in, char *head) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char headers[512];
    text(body, "]}}");
    SHA256((unsigned char *)body->data, body->size, digest);
    int at = snprintf(headers, sizeof headers, "x-amz-target: DynamoDB_20120810.BatchWriteItem\r\nauthorization: ");
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        headers[at++] = "0123456789abcdef"[digest[i] >> 4];
        headers[at++] = "0123456789abcdef"[digest[i] & 15];
    }
    memcpy(headers + at, "\r\n", 3);
    char *answer = call("POST /", headers, body->data, body->size, in, head);
    if (!strstr(answer, "\"UnprocessedItems\":{}")) die("unprocessed items");
    body->size = 0;
}

static long load(const char *key) {
    Buffer rest = {0}, in = {0}, body = {0}, answer = {0};
    char head[1024], line[256], range[128];
    size_t offset = 0, size = 1;
    long items = 0;
    int batch = 0;
    snprintf(line, sizeof line, "GET /bench-staging/%s", key);
    while (offset < size) {
        snprintf(range, sizeof range, "range: bytes=%zu-%zu\r\n", offset, offset + READ_BYTES - 1);
        char *chunk = call(line, range, "", 0, &in, head);
        size_t length = in.size - (chunk - in.data);
        size = strtoull(strchr(strcasestr(head, "content-range:"), '/') + 1, NULL, 10);
        offset += length;
        append(&rest, chunk, length);
        char *p = rest.data, *end;
        while ((end = memchr(p, '\n', rest.data + rest.size - p))) {
            if (*p == '{') {
                text(&body, batch ? ",{\"PutRequest\":{\"Item\":" : "{\"RequestItems\":{\"bench-destination\":[{\"PutRequest\":{\"Item\":");
                marshal(&body, p, 1);
                text(&body, "}}");
                items++;
                if (++batch == BATCH) write_batch(&body, &answer, head), batch = 0;
            }
            p = end + 1;
        }
        rest.size -= p - rest.data;
        memmove(rest.data, p, rest.size);
    }
    if (batch) write_batch(&body, &answer, head);
    return items;
}

/* Largest resident memory in MB; ru_maxrss would be the parent's, where that was larger. */
static double peak_mb(void) {
    char line[256];
    long kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) sscanf(line, "VmHWM: %ld", &kilobytes);
    return kilobytes * 1024 / 1e6;
}

static double seconds(struct timeval a, struct timeval b) { return a.tv_sec + b.tv_sec + (a.tv_usec + b.tv_usec) / 1e6; }

int main(int argc, char **argv) {
    struct rusage before, after;
    struct timespec started, ended;
    if (argc < 3) die("usage: floor extract PORT | floor load PORT KEY");
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &started);
    open_connection(atoi(argv[2]));
    long items = strcmp(argv[1], "load") ? extract() : load(argv[3]);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    getrusage(RUSAGE_SELF, &after);
    printf("{\"cpu_seconds\": %f, \"wall_seconds\": %f, \"peak_mb\": %f, \"base_mb\": 0, \"facts\": {\"items\": %ld}}\n",
           seconds(after.ru_utime, after.ru_stime) - seconds(before.ru_utime, before.ru_stime),
           (ended.tv_sec - started.tv_sec) + (ended.tv_nsec - started.tv_nsec) / 1e9, peak_mb(), items);
    return 0;
}
