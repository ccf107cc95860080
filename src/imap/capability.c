#include "imap/capability.h"

#include "config/config.h"
#include "sasl/sasl.h"

enum when {
    ALWAYS,
    BEFORE,          /* only until somebody is logged in */
    AFTER,           /* only then */
    WITH_STARTTLS,   /* before login, where TLS can be started */
    WITHOUT_PASSWORD /* before login, where it may not */
};

/* What a client may want to know before it logs in is told then already: some never ask again. */
static const struct {
    const char *name;
    enum when when;
} CAPABILITIES[] = {
    {"IMAP4rev1", ALWAYS},
    {"IMAP4rev2", ALWAYS},       /* RFC 9051: after ENABLE */
    {"LITERAL+", ALWAYS},        /* RFC 7888 */
    {"SASL-IR", BEFORE},         /* RFC 4959 */
    {"ID", ALWAYS},              /* RFC 2971 */
    {"ENABLE", ALWAYS},          /* RFC 5161 */
    {"IDLE", ALWAYS},            /* RFC 2177 */
    {"STARTTLS", WITH_STARTTLS}, /* RFC 3501 section 6.2.1 */
    {"LOGINDISABLED", WITHOUT_PASSWORD},
    {"NAMESPACE", AFTER},          /* RFC 2342 */
    {"CHILDREN", AFTER},           /* RFC 3348 */
    {"SPECIAL-USE", AFTER},        /* RFC 6154 */
    {"CREATE-SPECIAL-USE", AFTER}, /* RFC 6154 section 3 */
    {"LIST-EXTENDED", AFTER},      /* RFC 5258 */
    {"LIST-STATUS", AFTER},        /* RFC 5819 */
    {"LIST-MYRIGHTS", AFTER},      /* RFC 8440 */
    {"STATUS=SIZE", AFTER},        /* RFC 8438 */
    {"LIST-METADATA", AFTER},      /* RFC 9590 */
    {"METADATA", AFTER},           /* RFC 5464 */
    {"QUOTA", AFTER},              /* RFC 9208 */
    {"QUOTA=RES-STORAGE", AFTER},  /* its section 5.1 */
    {"QUOTA=RES-MESSAGE", AFTER},  /* 5.2 */
    {"QUOTA=RES-MAILBOX", AFTER},  /* 5.3 */
    {"QUOTASET", AFTER},           /* 4.1.3 */
    {"ACL", AFTER},                /* RFC 4314 */
    {"RIGHTS=texk", AFTER},        /* its section 5.1.1 */
    {"UNSELECT", AFTER},           /* RFC 3691 */
    {"UIDPLUS", AFTER},            /* RFC 4315 */
    {"MOVE", AFTER},               /* RFC 6851 */
    {"BINARY", AFTER},             /* RFC 3516 */
    {"MULTIAPPEND", AFTER},        /* RFC 3502 */
    {"CATENATE", AFTER},           /* RFC 4469 */
    {"URL-PARTIAL", AFTER},        /* RFC 5550 section 5 */
    {"REPLACE", AFTER},            /* RFC 8508 */
    {"CONDSTORE", AFTER},          /* RFC 7162 */
    {"QRESYNC", AFTER},            /* its section 3.2 */
    {"UTF8=ACCEPT", AFTER},        /* RFC 6855 */
    {"INPROGRESS", AFTER},         /* RFC 9585 */
    {"UNAUTHENTICATE", AFTER},     /* RFC 8437 */
    {"UIDONLY", AFTER},            /* RFC 9586 */
    {"UIDBATCHES", AFTER},         /* draft-ietf-mailmaint-imap-uidbatches */
    {"COMPRESS=DEFLATE", AFTER},   /* RFC 4978 */
    {"PREVIEW", AFTER},            /* RFC 8970 */
    {"SAVEDATE", AFTER},           /* RFC 8514 */
    {"OBJECTID", AFTER},           /* RFC 8474 */
    {"ESEARCH", AFTER},            /* RFC 4731 */
    {"SEARCHRES", AFTER},          /* RFC 5182 */
    {"WITHIN", AFTER},             /* RFC 5032 */
    {"SORT", AFTER},               /* RFC 5256 */
    {"SORT=DISPLAY", AFTER},       /* RFC 5957 */
    {"THREAD=ORDEREDSUBJECT", AFTER},
    {"THREAD=REFERENCES", AFTER},
    {"THREAD=REFS", AFTER}, /* draft-ietf-morg-inthread */
    {"ESORT", AFTER},       /* RFC 5267 */
    {"CONTEXT=SEARCH", AFTER},
    {"CONTEXT=SORT", AFTER},
    {"PARTIAL", AFTER},      /* RFC 9394 */
    {"SEARCH=FUZZY", AFTER}, /* RFC 6203 */
    {"MULTISEARCH", AFTER},  /* RFC 7377 */
    {"NOTIFY", AFTER},       /* RFC 5465 */
    {"I18NLEVEL=1", AFTER},  /* RFC 5255: i;unicode-casemap in SEARCH, SORT and THREAD */
};

static bool applies(enum when when, const struct imap_offer *before)
{
    switch (when) {
    case ALWAYS: return true;
    case BEFORE: return before;
    case AFTER: return !before;
    case WITH_STARTTLS: return before && before->starttls;
    case WITHOUT_PASSWORD: return before && !before->login;
    }
    return false;
}

/* `before`: what is offered before login; NULL: after it. */
static void add(struct buf *out, const struct imap_offer *before)
{
    bool first = true;
    for (size_t i = 0; i < sizeof CAPABILITIES / sizeof *CAPABILITIES; i++) {
        if (!applies(CAPABILITIES[i].when, before))
            continue;
        if (!first)
            buf_add_byte(out, ' ');
        buf_add_c(out, CAPABILITIES[i].name);
        first = false;
    }
}

void imap_add_capability_before_login(struct buf *out, const struct imap_offer *offer)
{
    add(out, offer);
    if (!offer->login)
        return;
    buf_add_byte(out, ' ');
    sasl_add_names(out, "AUTH=", " ", offer->bindings);
}

void imap_add_capability_after_login(struct buf *out, const struct config *config)
{
    add(out, NULL);
    buf_addf(out, " APPENDLIMIT=%llu", (unsigned long long)config->message_size_max);
    if (config->imap_message_limit > 0)
        buf_addf(out, " MESSAGELIMIT=%u", config->imap_message_limit);
}
