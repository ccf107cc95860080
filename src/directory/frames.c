#include "directory/frames.h"

void directory_answer_put(struct ipc_frame *f, const struct directory_answer *answer, struct str words)
{
    ipc_put_u8(f, (uint8_t)answer->fate);
    ipc_put_str(f, words);
    ipc_put_str(f, answer->reply);
    ipc_put_str(f, answer->sender);
    ipc_put_u8(f, answer->is_for_sender);
    ipc_put_u8(f, answer->rewrites);
    ipc_put_u32(f, (uint32_t)answer->count);
    for (size_t i = 0; i < answer->count; i++) {
        const struct directory_target *t = &answer->targets[i];
        ipc_put_u8(f, t->is_local);
        ipc_put_u8(f, t->has_quota);
        ipc_put_u64(f, (uint64_t)t->account);
        ipc_put_str(f, t->address);
        ipc_put_str(f, t->detail);
        ipc_put_str(f, t->sender);
    }
}

bool directory_answer_get(const struct ipc_frame *f, struct arena *a, struct directory_answer *answer,
                          struct str *words)
{
    struct ipc_reader r = ipc_read(f);
    uint8_t fate = ipc_get_u8(&r);
    *words = arena_copy(a, ipc_get_str(&r));
    struct str reply = arena_copy(a, ipc_get_str(&r)), sender = arena_copy(a, ipc_get_str(&r));
    bool is_for_sender = ipc_get_u8(&r) != 0, rewrites = ipc_get_u8(&r) != 0;
    uint32_t n = ipc_get_u32(&r);
    if (r.bad || fate > DIRECTORY_REFUSED || n > DIRECTORY_TARGETS_MAX || sender.n > ADDRESS_MAX)
        return false;
    *answer = (struct directory_answer){.fate = (enum directory_fate)fate,
                                        .targets = ARENA_ARRAY(a, struct directory_target, n),
                                        .count = n,
                                        .reply = reply,
                                        .sender = sender,
                                        .is_for_sender = is_for_sender,
                                        .rewrites = rewrites};
    for (uint32_t i = 0; i < n; i++) {
        struct directory_target *t = &answer->targets[i];
        t->is_local = ipc_get_u8(&r) != 0;
        t->has_quota = ipc_get_u8(&r) != 0;
        t->account = (int64_t)ipc_get_u64(&r);
        t->address = arena_copy(a, ipc_get_str(&r));
        t->detail = arena_copy(a, ipc_get_str(&r));
        t->sender = arena_copy(a, ipc_get_str(&r));
        if (r.bad || t->address.n == 0 || t->address.n > ADDRESS_MAX || t->sender.n > ADDRESS_MAX ||
            (t->is_local && t->account <= 0))
            return false;
    }
    return ipc_done(&r);
}

void directory_sender_put(struct ipc_frame *f, const struct directory_sender *s)
{
    ipc_put_u8(f, (uint8_t)s->right);
    for (size_t i = 0; i < LIMIT_RATES; i++) {
        ipc_put_u8(f, s->settings.rates[i].is_set);
        ipc_put_u32(f, s->settings.rates[i].limit.count);
        ipc_put_u32(f, s->settings.rates[i].limit.period_s);
    }
    ipc_put_u8(f, (uint8_t)(s->settings.language + 1));
}

bool directory_sender_get(const struct ipc_frame *f, struct directory_sender *s)
{
    struct ipc_reader r = ipc_read(f);
    uint8_t right = ipc_get_u8(&r);
    *s = (struct directory_sender){.right = (enum directory_send)right};
    for (size_t i = 0; i < LIMIT_RATES; i++) {
        s->settings.rates[i].is_set = ipc_get_u8(&r) != 0;
        s->settings.rates[i].limit.count = ipc_get_u32(&r);
        s->settings.rates[i].limit.period_s = ipc_get_u32(&r);
    }
    uint8_t language = ipc_get_u8(&r);
    s->settings.language = (enum config_language)(language - 1);
    return ipc_done(&r) && right <= DIRECTORY_SEND_AS && language <= CONFIG_LANGUAGES;
}

void directory_route_put(struct ipc_frame *f, const struct directory_route *r)
{
    ipc_put_u8(f, r->is_set);
    ipc_put_u8(f, r->is_lmtp);
    ipc_put_u8(f, r->by_mx);
    ipc_put_u8(f, (uint8_t)r->tls);
    ipc_put_u32(f, r->port);
    ipc_put_str(f, r->host);
    ipc_put_str(f, r->user);
    ipc_put_str(f, r->password);
    ipc_put_str(f, r->source_ipv4);
    ipc_put_str(f, r->source_ipv6);
}

bool directory_route_get(const struct ipc_frame *f, struct arena *a, struct directory_route *r)
{
    struct ipc_reader in = ipc_read(f);
    r->is_set = ipc_get_u8(&in) != 0;
    r->is_lmtp = ipc_get_u8(&in) != 0;
    r->by_mx = ipc_get_u8(&in) != 0;
    uint8_t tls = ipc_get_u8(&in);
    uint32_t port = ipc_get_u32(&in);
    r->host = arena_copy(a, ipc_get_str(&in));
    r->user = arena_copy(a, ipc_get_str(&in));
    r->password = arena_copy(a, ipc_get_str(&in));
    r->source_ipv4 = arena_copy(a, ipc_get_str(&in));
    r->source_ipv6 = arena_copy(a, ipc_get_str(&in));
    r->tls = (enum directory_tls)tls;
    r->port = (uint16_t)port;
    return ipc_done(&in) && tls <= DIRECTORY_TLS_NONE && port <= UINT16_MAX;
}
