/* The calls of libpq that we make (its manual, chapter 34), in a table that is filled when PostgreSQL is
 * first asked for: base/library.h says why. */
#ifndef BASE_LIBPQ_H
#define BASE_LIBPQ_H
#include "base/err.h"

#include <libpq-fe.h>

#define LIBPQ_CALLS(X)   \
    X(clear)             \
    X(cmdStatus)         \
    X(cmdTuples)         \
    X(connectdbParams)   \
    X(conninfoFree)      \
    X(conninfoParse)     \
    X(consumeInput)      \
    X(db)                \
    X(errorMessage)      \
    X(exec)              \
    X(execParams)        \
    X(execPrepared)      \
    X(finish)            \
    X(freemem)           \
    X(ftype)             \
    X(getisnull)         \
    X(getlength)         \
    X(getvalue)          \
    X(host)              \
    X(nfields)           \
    X(ntuples)           \
    X(parameterStatus)   \
    X(pass)              \
    X(prepare)           \
    X(resultErrorField)  \
    X(resultStatus)      \
    X(serverVersion)     \
    X(setNoticeReceiver) \
    X(status)            \
    X(transactionStatus)

struct libpq {
#define LIBPQ_CALL(name) __typeof__ (&PQ##name)(name);
    LIBPQ_CALLS(LIBPQ_CALL)
#undef LIBPQ_CALL
};
extern struct libpq pq;

bool libpq_open(struct err *e);

#endif
