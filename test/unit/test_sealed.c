/* Bytes in sealed memfds, and those that only say that they are; and parcels, which put few bytes elsewhere.
 */
#include "base/mem.h"
#include "base/parcel.h"
#include "base/sealed.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

static void come_back_as_they_went(void **state)
{
    /* around the size from which they are mapped */
    static const size_t SIZES[] = {0, 1, 4096, 128 * 1024, 128 * 1024 + 1, 1000 * 1000};
    (void)state;
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        CLEAN_FREE char *bytes = mem_new(SIZES[i], 1);
        for (size_t k = 0; k < SIZES[i]; k++)
            bytes[k] = (char)(k * 7);
        struct err e = ERR_INIT;
        struct str sent = str_from(bytes, SIZES[i]), got;
        CLEAN_CLOSE int fd = sealed_from("test", sent, &e);
        assert_true(fd >= 0);
        assert_true(sealed_read(fd, SIZES[i], &got, &e));
        assert_true(str_eq(sent, got));
        sealed_release(got);
    }
}

static void nobody_changes_them(void **state)
{
    (void)state;
    CLEAN_CLOSE int fd = sealed_from("test", STR("as it is"), NULL);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 1), -1);
    assert_int_equal(ftruncate(fd, 100), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), -1);
}

static bool is_refused(int fd, uint64_t size, enum err_kind kind)
{
    struct err e = ERR_INIT;
    struct str bytes;
    return !sealed_read(fd, size, &bytes, &e) && e.kind == kind && bytes.n == 0;
}

static void what_is_not_sealed_is_refused(void **state)
{
    static const int TOO_FEW[] = {0, F_SEAL_WRITE | F_SEAL_SHRINK, F_SEAL_SHRINK | F_SEAL_GROW,
                                  F_SEAL_WRITE | F_SEAL_GROW};
    (void)state;
    for (size_t i = 0; i < sizeof TOO_FEW / sizeof *TOO_FEW; i++) {
        CLEAN_CLOSE int fd = sealed_open("test", NULL);
        assert_true(sealed_write(fd, STR("hello"), NULL));
        assert_int_equal(fcntl(fd, F_ADD_SEALS, TOO_FEW[i]), 0);
        assert_true(is_refused(fd, 5, ERR_INTERNAL));
    }
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(is_refused(ends[0], 0, ERR_INTERNAL));
    close(ends[0]);
    close(ends[1]);
    assert_true(is_refused(-1, 0, ERR_INTERNAL));
}

static void the_size_must_be_as_announced(void **state)
{
    (void)state;
    CLEAN_CLOSE int fd = sealed_from("test", STR("hello"), NULL);
    assert_true(is_refused(fd, 4, ERR_INTERNAL));
    assert_true(is_refused(fd, 6, ERR_INTERNAL));
    assert_true(is_refused(fd, UINT64_MAX, ERR_INTERNAL));

    CLEAN_CLOSE int large = sealed_open("test", NULL); /* a hole: costs no memory */
    assert_int_equal(ftruncate(large, (off_t)SEALED_BYTES_MAX + 1), 0);
    assert_true(sealed_close_writing(large, NULL));
    assert_true(is_refused(large, SEALED_BYTES_MAX + 1, ERR_PERMANENT));
}

/* --- parcels --- */

/* What is said of the bytes, and with what. */
static bool get(uint64_t size, struct str bytes, int fd, struct parcel *out)
{
    CLEAN_FRAME struct ipc_frame f;
    ipc_frame_init(&f, 1);
    ipc_put_u64(&f, size);
    ipc_put_str(&f, bytes);
    if (fd >= 0)
        ipc_put_fd(&f, fd);
    f.owns_fds = true; /* as one that was received */
    struct ipc_reader in = ipc_read(&f);
    *out = parcel_get(&in, &f);
    assert_int_equal(in.bad, !parcel_is_there(out));
    return ipc_done(&in);
}

static void parcels_come_as_they_went(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    for (int way = 0; way < 3; way++) {
        CLEAN_FRAME struct ipc_frame f;
        struct str text = way == 0 ? STR("") : STR("as it is"), got;
        ipc_frame_init(&f, 1);
        struct parcel p = parcel_of(text);
        if (way == 2)
            p = (struct parcel){.fd = sealed_from("test", text, &e), .size = text.n};
        parcel_put(&f, &p);
        f.owns_fds = true;
        struct ipc_reader in = ipc_read(&f);
        struct parcel come = parcel_get(&in, &f);
        assert_true(ipc_done(&in) && parcel_is_there(&come));
        assert_int_equal(come.fd >= 0, way == 2);
        assert_true(parcel_read(&come, &got, &e));
        assert_true(str_eq(got, text));
        parcel_release(&come, got);
        parcel_free(&come);
        assert_false(parcel_is_there(&come));
        parcel_free(&come);
    }
}

static void parcels_that_cannot_be(void **state)
{
    static char long_text[PARCEL_INLINE_MAX + 1];
    struct parcel p;
    struct str got;
    (void)state;
    assert_false(get(1, STR(""), -1, &p));
    assert_false(get(0, STR("x"), -1, &p));
    assert_false(get(2, STR("x"), -1, &p));
    assert_false(get(sizeof long_text, str_from(long_text, sizeof long_text), -1, &p));
    assert_true(get(PARCEL_INLINE_MAX, str_from(long_text, PARCEL_INLINE_MAX), -1, &p));
    parcel_free(&p);
    assert_true(get(9, STR(""), sealed_from("test", STR("as it is"), NULL), &p)); /* 8: who reads it sees */
    assert_false(parcel_read(&p, &got, NULL));
    parcel_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(come_back_as_they_went),        cmocka_unit_test(nobody_changes_them),
        cmocka_unit_test(what_is_not_sealed_is_refused), cmocka_unit_test(the_size_must_be_as_announced),
        cmocka_unit_test(parcels_come_as_they_went),     cmocka_unit_test(parcels_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
