/* Every file of the suites as a message: the bytes that come back are the bytes that came in, whole, by parts
 * and by partials, from a store that was closed and opened again. */
#include "message/parts.h"

#include "store_fixture.h"
#include "suite.h"

#include <ftw.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILES_MAX  4000
#define BATCH      16 /* stored together */
#define HASH_BYTES 32

struct sent {
    const char *path; /* below the suites */
    struct str prefix;
    unsigned char hash[HASH_BYTES];
    uint64_t size;
    uint32_t uid;
};

static struct {
    struct arena arena;
    struct sent v[FILES_MAX];
    size_t n, root_length;
} all;

static void hash(struct str a, struct str b, unsigned char out[HASH_BYTES])
{
    unsigned n = 0;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_true(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) && EVP_DigestUpdate(c, a.p, a.n) &&
                EVP_DigestUpdate(c, b.p, b.n) && EVP_DigestFinal_ex(c, out, &n) && n == HASH_BYTES);
    EVP_MD_CTX_free(c);
}

static int add_file(const char *path, const struct stat *st, int type)
{
    if (type != FTW_F || st->st_size == 0)
        return 0;
    assert_true(all.n < FILES_MAX);
    all.v[all.n++].path = arena_copy_c(&all.arena, str_from_c(path + all.root_length + 1));
    return 0;
}

static void find_files(void)
{
    const char *root = getenv("GOLUB_SUITES");
    if (!root || ftw(root, add_file, 16) != 0) {
        fprintf(stderr, "GOLUB_SUITES must name the folder of the public test suites\n");
        exit(1);
    }
}

static void store_batch(struct fixture *f, int64_t inbox, struct sent *v, size_t n)
{
    CLEAN_ARENA struct arena a = ARENA_INIT;
    struct store_append items[BATCH];
    for (size_t i = 0; i < n; i++) {
        struct str bytes = suite_read(v[i].path, &a);
        v[i].prefix = i % 3 == 0 ? STR("Return-Path: <>\r\nDelivered-To: ana@example.test\r\n") : STR("");
        v[i].size = v[i].prefix.n + bytes.n;
        hash(v[i].prefix, bytes, v[i].hash);
        items[i] = (struct store_append){.mailbox = inbox,
                                         .prefix = v[i].prefix,
                                         .bytes = bytes,
                                         .keywords = STR(""),
                                         .received = 1700000000};
    }
    assert_int_equal(store_append(f->store, items, n, &f->e), STORE_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(items[i].result, STORE_OK);
        v[i].uid = items[i].uid;
    }
}

static void expect_hash(const struct sent *s, struct str got, const char *how)
{
    unsigned char h[HASH_BYTES];
    hash(got, STR(""), h);
    if (got.n != s->size || memcmp(h, s->hash, HASH_BYTES) != 0)
        fail_msg("%s, %s: other bytes came back", s->path, how);
}

static void read_into(struct fixture *f, struct store_fetch *fetch, uint64_t at, uint64_t n, struct buf *out)
{
    assert_int_equal(store_fetch_body(fetch, at, n, out, &f->e), STORE_OK);
}

/* Pieces of that many bytes, one after the other. */
static void in_partials(struct fixture *f, struct store_fetch *fetch, const struct sent *s, uint64_t piece)
{
    CLEAN_BUF struct buf got;
    buf_init(&got, BUF_MAX_DEFAULT);
    for (uint64_t at = 0; at < s->size; at += piece)
        read_into(f, fetch, at, piece, &got);
    read_into(f, fetch, s->size, piece, &got); /* nothing stands behind the end */
    expect_hash(s, buf_str(&got), "by partials");
}

/* Each leaf's header and body, read by themselves, are what the message has there, and nothing of the message
 * that is read by parts lies outside it. */
static void in_parts(struct fixture *f, struct store_fetch *fetch, const struct sent *s, struct str whole,
                     const struct mime_part *part)
{
    CLEAN_BUF struct buf got;
    buf_init(&got, BUF_MAX_DEFAULT);
    read_into(f, fetch, part->header_at, part->header_size, &got);
    read_into(f, fetch, part->body_at, part->body_size, &got);
    struct str expected = str_slice(whole, part->header_at, part->header_size + part->body_size);
    if (part->body_at != part->header_at + part->header_size || !str_eq(buf_str(&got), expected) ||
        part->body_at + part->body_size > s->size)
        fail_msg("%s: a part has other bytes", s->path);
    for (size_t i = 0; i < part->child_count; i++)
        in_parts(f, fetch, s, whole, part->children[i]);
}

static void check(struct fixture *f, struct store_fetch *fetch, const struct fetch_row *row,
                  const struct sent *s, bool by_parts)
{
    CLEAN_BUF struct buf whole;
    CLEAN_ARENA struct arena a = ARENA_INIT;
    buf_init(&whole, BUF_MAX_DEFAULT);
    assert_int_equal(row->row.uid, s->uid);
    assert_int_equal(row->row.size, s->size);
    read_into(f, fetch, 0, UINT64_MAX, &whole);
    expect_hash(s, buf_str(&whole), "whole");
    in_partials(f, fetch, s, 997);
    in_partials(f, fetch, s, 100000);
    if (!by_parts)
        return;
    struct mime_part *root = parts_unpack(row->parts, &a);
    assert_non_null(root);
    in_parts(f, fetch, s, buf_str(&whole), root);
}

static void read_all(struct fixture *f, int64_t inbox, unsigned want)
{
    struct store_fetch *fetch;
    const struct fetch_row *row;
    size_t n = 0;
    assert_int_equal(store_fetch_open(f->store, inbox, NULL, 0, want, &fetch, &f->e), STORE_OK);
    for (; store_fetch_next(fetch, &row); n++)
        check(f, fetch, row, &all.v[n], want & WANT_PARTS);
    assert_int_equal(store_fetch_close(fetch, &f->e), STORE_OK);
    assert_int_equal(n, all.n);
}

static void every_file_comes_back(void **state)
{
    struct fixture *f = *state;
    int64_t inbox = id_of(f, "INBOX");
    find_files();
    assert_true(all.n > 500);
    for (size_t at = 0; at < all.n; at += BATCH)
        store_batch(f, inbox, all.v + at, all.n - at < BATCH ? all.n - at : BATCH);
    store_close(f->store);
    fixture_open(f);
    assert_non_null(f->store);
    read_all(f, inbox, WANT_PARTS);
    read_all(f, inbox, WANT_PARTS | WANT_BODY);
    read_all(f, inbox, WANT_BODY);
    arena_free(&all.arena);
}

int main(void)
{
    all.root_length = strlen(getenv("GOLUB_SUITES") ? getenv("GOLUB_SUITES") : "");
    const struct CMUnitTest tests[] = {STORE_TEST(every_file_comes_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
