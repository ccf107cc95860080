#include "imap/search_view.h"

static bool is_known(const struct imap_view *v, const struct search_node *n)
{
    switch (n->kind) {
    case SEARCH_ALL:
    case SEARCH_UIDS:
    case SEARCH_FLAGS_SET:
    case SEARCH_FLAGS_UNSET:
    case SEARCH_KEYWORD:
    case SEARCH_UNKEYWORD: return true;
    case SEARCH_MODSEQ: return v->rows.modseqs;
    case SEARCH_AND:
    case SEARCH_OR: return is_known(v, n->first) && is_known(v, n->second);
    case SEARCH_NOT: return is_known(v, n->first);
    default: return false;
    }
}

static bool matches(const struct imap_view *v, size_t row, const struct search_node *n)
{
    uint32_t flags = v->rows.v[row].flags;
    switch (n->kind) {
    case SEARCH_ALL: return true;
    case SEARCH_UIDS: return search_has_uid(n, v->rows.v[row].uid);
    case SEARCH_FLAGS_SET: return (flags & n->flags) == n->flags;
    case SEARCH_FLAGS_UNSET: return (flags & n->flags) == 0;
    case SEARCH_KEYWORD: return keywords_has(view_keywords(&v->rows, row), n->text);
    case SEARCH_UNKEYWORD: return !keywords_has(view_keywords(&v->rows, row), n->text);
    case SEARCH_MODSEQ: return v->rows.modseqs[row] >= n->number;
    case SEARCH_AND: return matches(v, row, n->first) && matches(v, row, n->second);
    case SEARCH_OR: return matches(v, row, n->first) || matches(v, row, n->second);
    case SEARCH_NOT: return !matches(v, row, n->first);
    default: return false;
    }
}

bool imap_search_view(const struct imap_view *v, const struct search_node *tree, struct arena *a,
                      uint32_t **uids, size_t *n)
{
    if (!is_known(v, tree))
        return false;
    *uids = ARENA_ARRAY(a, uint32_t, v->rows.n + 1);
    *n = 0;
    for (size_t row = 0; row < v->rows.n; row++)
        if (!(v->rows.v[row].flags & VIEW_GONE) && matches(v, row, tree))
            (*uids)[(*n)++] = v->rows.v[row].uid;
    return true;
}
