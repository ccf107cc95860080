/* A new segment of the full text index, in memory until it is written. */
#include "base/mem.h"
#include "mailbox/word_block.h"
#include "message/header.h"
#include "message/search_fold.h"

#include <stdlib.h>

#define SLOTS_START 4096 /* a power of two */

struct entry {
    struct str word; /* with its place */
    uint32_t hash;
    struct postings postings;
};

struct word_builder {
    struct arena arena; /* the words */
    uint32_t *slots;    /* number of the entry + 1; 0: free. Open addressing */
    size_t slot_count;
    struct entry *entries;
    size_t n, cap;
    struct buf text, word; /* of a field; of the word that is looked up */
    int64_t first, last, bodies;
    size_t bytes;
    size_t words; /* of this body */
    struct segment_writer writer;
};

struct word_builder *word_builder_new(void)
{
    struct word_builder *b = MEM_NEW(struct word_builder);
    b->slot_count = SLOTS_START;
    b->slots = mem_new(b->slot_count, sizeof *b->slots);
    buf_init(&b->text, SEARCH_TEXT_MAX);
    buf_init(&b->word, WORD_MAX + 1);
    segment_writer_init(&b->writer);
    return b;
}

void word_builder_free(struct word_builder *b)
{
    for (size_t i = 0; i < b->n; i++)
        buf_free(&b->entries[i].postings.bytes);
    segment_writer_free(&b->writer);
    arena_free(&b->arena);
    buf_free(&b->text);
    buf_free(&b->word);
    free(b->entries);
    free(b->slots);
    free(b);
}

size_t word_builder_bytes(const struct word_builder *b)
{
    return b->bytes;
}

static uint32_t hash_of(struct str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 16777619u;
    return h ^ h >> 15;
}

static uint32_t *slot_of(struct word_builder *b, struct str word, uint32_t hash)
{
    size_t at = hash & (b->slot_count - 1);
    for (; b->slots[at]; at = (at + 1) & (b->slot_count - 1)) {
        const struct entry *e = &b->entries[b->slots[at] - 1];
        if (e->hash == hash && str_eq(e->word, word))
            break;
    }
    return &b->slots[at];
}

static void grow_slots(struct word_builder *b)
{
    b->slot_count *= 2;
    free(b->slots);
    b->slots = mem_new(b->slot_count, sizeof *b->slots);
    for (size_t i = 0; i < b->n; i++) {
        size_t at = b->entries[i].hash & (b->slot_count - 1);
        while (b->slots[at])
            at = (at + 1) & (b->slot_count - 1);
        b->slots[at] = (uint32_t)i + 1;
    }
}

static struct entry *entry_of(struct word_builder *b, struct str word)
{
    uint32_t hash = hash_of(word), *slot = slot_of(b, word, hash);
    if (*slot)
        return &b->entries[*slot - 1];
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : SLOTS_START / 2;
        b->entries = mem_resize(b->entries, b->cap, sizeof *b->entries);
    }
    struct entry *e = &b->entries[b->n++];
    *e = (struct entry){.word = arena_copy(&b->arena, word), .hash = hash};
    buf_init(&e->postings.bytes, BUF_MAX_DEFAULT);
    postings_init(&e->postings, b->first);
    *slot = (uint32_t)b->n;
    if (b->n * 2 > b->slot_count)
        grow_slots(b);
    return e;
}

static void add_piece(struct word_builder *b, enum word_place place, struct str piece)
{
    buf_reset(&b->word);
    buf_add_byte(&b->word, (char)place);
    buf_add(&b->word, piece);
    struct entry *e = entry_of(b, buf_str(&b->word));
    if (e->postings.last == b->last)
        return; /* it stands in this body more than once */
    postings_add(&e->postings, b->last);
    b->words++;
}

static void add_word(struct word_builder *b, enum word_place place, struct str word)
{
    while (word.n > WORD_MAX) {
        add_piece(b, place, str_slice(word, 0, WORD_MAX));
        word = str_from_offset(word, WORD_CERTAIN);
    }
    add_piece(b, place, word);
}

static void add_text(struct word_builder *b, enum word_place place, struct str folded)
{
    b->bytes += folded.n;
    bool (*take)(struct str *, struct str *) =
        WORD_ADDRESSES & WORD_PLACE(place) ? search_address_word : search_word;
    for (struct str word; b->words <= BODY_WORDS_MAX && take(&folded, &word);)
        add_word(b, place, word);
}

enum word_place word_place_of(struct str field)
{
    static const struct {
        struct str name;
        enum word_place place;
    } PLACES[] = {
        {STR_INIT("Subject"), WORD_SUBJECT},
        {STR_INIT("From"), WORD_FROM},
        {STR_INIT("To"), WORD_TO},
        {STR_INIT("Cc"), WORD_CC},
    };
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++)
        if (str_eq_nocase(field, PLACES[i].name))
            return PLACES[i].place;
    return WORD_HEADER;
}

static bool add_message(struct word_builder *b, struct search_text *t)
{
    struct err ignored = ERR_INIT;
    struct str header, body;
    if (!search_text_header(t, &header, &ignored))
        return false;
    size_t before = b->bytes;
    for (struct header_field f; header_next(&header, &f);) {
        buf_reset(&b->text);
        search_fold(f.name, &b->text);
        add_text(b, WORD_NAME, buf_str(&b->text));
        buf_reset(&b->text);
        search_text_fold_field(t, &f, &b->text);
        add_text(b, word_place_of(f.name), buf_str(&b->text));
        if (b->text.overflow || b->bytes - before > SEARCH_TEXT_MAX / 2)
            return false; /* a search looks at as much of it, all fields together */
    }
    if (!search_text_folded_body(t, &body, &ignored))
        return false;
    add_text(b, WORD_BODY, body);
    return b->words <= BODY_WORDS_MAX;
}

void word_builder_add(struct word_builder *b, int64_t body, struct search_text *t)
{
    if (b->bodies++ == 0)
        b->first = body;
    b->last = body;
    b->words = 0;
    if (!add_message(b, t))
        add_piece(b, WORD_NONE, STR(""));
}

/* --- writing --- */

MAIL_STATEMENT(LAST_SEGMENT, "SELECT coalesce(max(id), 0) FROM word_segment");

static int compare_entries(const void *a, const void *b)
{
    return str_compare(((const struct entry *)a)->word, ((const struct entry *)b)->word);
}

void word_builder_finish(struct word_builder *b)
{
    if (b->n > 0)
        qsort(b->entries, b->n, sizeof *b->entries, compare_entries); /* slots are of no use any more */
    for (size_t i = 0; i < b->n; i++) {
        postings_finish(&b->entries[i].postings);
        segment_writer_add(&b->writer, b->entries[i].word, buf_str(&b->entries[i].postings.bytes));
    }
    segment_writer_finish(&b->writer);
}

bool word_builder_write(struct word_builder *b, struct sql *db, struct err *e)
{
    int64_t last = 0;
    if (b->bodies == 0)
        return true;
    return sql_one_int(db, &LAST_SEGMENT, SQL_NONE, &last, e) >= 0 &&
           segment_writer_store(&b->writer, db, last + 1, b->first, b->last, b->bodies, e);
}
