/* How texts are compared in a search: what a reader takes for the same word is the same. Both the needle and
 * the text go through it.
 *
 * - Case, compatibility forms and invisible characters go (NFKC_Casefold, message/decode.h).
 * - Diacritics go: "Čačak" is found by "cacak". Letters with a stroke, which Unicode does not take apart, are
 *   read as their neighbours write them without it: ł l, ø o, æ ae, œ oe, ı i, ħ h, ð d, þ th. The marks of
 *   Hebrew and Arabic go too; those of Indic scripts, Thai and Japanese are letters, and stay.
 * - Serbian Cyrillic becomes Latin, so that each finds the other: љ lj, њ nj, џ dz, ђ dj, ж z, ч and ћ c, ш
 * s. The digraphs of Latin are letters like others: "lj" is found by љ and by "l" alone. đ is dj, the way
 * that it is written without diacritics ("Djordje"), not d: "Dorde" does not find Đorđe. Cyrillic letters
 * that Serbian does not have stay, without their diacritics.
 * - Each run of white space is one space: a phrase is found across line ends. */
#ifndef MESSAGE_SEARCH_FOLD_H
#define MESSAGE_SEARCH_FOLD_H
#include "base/buf.h"

/* Changes whenever the same text may fold otherwise: what was folded and stored is then made anew. */
#define SEARCH_FOLD_VERSION 1

void search_fold(struct str utf8, struct buf *folded);

/* Takes the next word off the front of folded text: letters, digits and their marks. A character of a script
 * that is written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) is a word by itself. False:
 * no more. */
bool search_word(struct str *rest, struct str *word);

/* The same for addresses, which have no words but whole ones: all but white space, controls and <>()[]",;:
 * belongs to it. Each word is a part of one of these. */
bool search_address_word(struct str *rest, struct str *word);

#endif
