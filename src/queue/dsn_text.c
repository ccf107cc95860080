#include "queue/dsn_text.h"

#include "message/header.h"

#include <string.h>

/* Serbian in both scripts, each written out: no rule makes one of the other ("nj" is њ, but not in
 * "injekcija").
 */
static const char *const PHRASES[DSN_PHRASES][CONFIG_LANGUAGES] = {
    [DSN_SUBJECT_FAILED] = {"Your message could not be delivered", "Vaša poruka nije isporučena",
                            "Ваша порука није испоручена"},
    [DSN_SUBJECT_DELAYED] = {"Your message is delayed", "Vaša poruka kasni", "Ваша порука касни"},
    [DSN_SUBJECT_RELAYED] = {"Your message was passed on", "Vaša poruka je prosleđena",
                             "Ваша порука је прослеђена"},
    [DSN_SUBJECT_DELIVERED] = {"Your message was delivered", "Vaša poruka je isporučena",
                               "Ваша порука је испоручена"},
    [DSN_SUBJECT_EXPANDED] = {"Your message went to several", "Vaša poruka je otišla grupi",
                              "Ваша порука је отишла групи"},
    [DSN_FROM] = {"Mail Delivery System", "Sistem za poštu", "Систем за пошту"},
    [DSN_OPENING] = {"This is the mail system at ", "Ovo je sistem za poštu servera ",
                     "Ово је систем за пошту сервера "},
    [DSN_SAYS_FAILED] = {"Your message could not be delivered to the recipients below. It will not be\r\n"
                         "tried again.\r\n",
                         "Vaša poruka nije mogla da se isporuči primaocima navedenim ispod. Nećemo više\r\n"
                         "pokušavati.\r\n",
                         "Ваша порука није могла да се испоручи примаоцима наведеним испод. Нећемо више\r\n"
                         "покушавати.\r\n"},
    [DSN_SAYS_DELAYED] =
        {"Your message has not been delivered to the recipients below yet. There is nothing\r\n"
         "that you need to do: we keep trying until\r\n    ",
         "Vaša poruka još nije isporučena primaocima navedenim ispod. Ne morate ništa da\r\n"
         "preduzimate: pokušavaćemo do\r\n    ",
         "Ваша порука још није испоручена примаоцима наведеним испод. Не морате ништа да\r\n"
         "предузимате: покушаваћемо до\r\n    "},
    [DSN_SAYS_DELAYED_END] = {"\r\nand tell you if that was in vain.\r\n",
                              "\r\ni javićemo vam ako ne uspemo.\r\n",
                              "\r\nи јавићемо вам ако не успемо.\r\n"},
    [DSN_SAYS_RELAYED] =
        {"You asked to be told: your message was passed on to the next server for the\r\n"
         "recipients below. That server does not report deliveries, so this is the last that\r\n"
         "you hear of it if all goes well.\r\n",
         "Tražili ste obaveštenje: vaša poruka je prosleđena sledećem serveru za primaoce\r\n"
         "navedene ispod. Taj server ne javlja o isporuci, pa je ovo poslednje što ćete čuti\r\n"
         "ako sve bude u redu.\r\n",
         "Тражили сте обавештење: ваша порука је прослеђена следећем серверу за примаоце\r\n"
         "наведене испод. Тај сервер не јавља о испоруци, па је ово последње што ћете чути\r\n"
         "ако све буде у реду.\r\n"},
    [DSN_SAYS_DELIVERED] =
        {"You asked to be told: your message was delivered to the recipients below.\r\n",
         "Tražili ste obaveštenje: vaša poruka je isporučena primaocima navedenim ispod.\r\n",
         "Тражили сте обавештење: ваша порука је испоручена примаоцима наведеним испод.\r\n"},
    [DSN_SAYS_EXPANDED] =
        {"You asked to be told: the addresses below stand for several recipients, and your\r\n"
         "message was passed on to them. They do not report deliveries.\r\n",
         "Tražili ste obaveštenje: adrese navedene ispod predstavljaju više primalaca i vaša\r\n"
         "poruka im je prosleđena. Oni ne javljaju o isporuci.\r\n",
         "Тражили сте обавештење: адресе наведене испод представљају више прималаца и ваша\r\n"
         "порука им је прослеђена. Они не јављају о испоруци.\r\n"},
    [DSN_SAYS_LATE] = {"The time by which you wanted your message delivered has passed. We keep trying.\r\n",
                       "Prošlo je vreme do kog ste želeli da poruka bude isporučena. Pokušavamo i dalje.\r\n",
                       "Прошло је време до ког сте желели да порука буде испоручена. Покушавамо и даље.\r\n"},
    [DSN_SAYS_EXPIRED] = {"The time by which you wanted your message delivered has passed.\r\n",
                          "Prošlo je vreme do kog ste želeli da poruka bude isporučena.\r\n",
                          "Прошло је време до ког сте желели да порука буде испоручена.\r\n"},
    [DSN_SAID] = {" said:", " kaže:", " каже:"},
    [DSN_ATTACHED_HEADER] = {"The header of your message and details for experts are attached.\r\n",
                             "U prilogu su zaglavlje vaše poruke i podaci za stručnjake.\r\n",
                             "У прилогу су заглавље ваше поруке и подаци за стручњаке.\r\n"},
    [DSN_ATTACHED_MESSAGE] = {"Your message and details for experts are attached.\r\n",
                              "U prilogu su vaša poruka i podaci za stručnjake.\r\n",
                              "У прилогу су ваша порука и подаци за стручњаке.\r\n"},
    [DSN_ATTACHED_CUT] = {"Your message is too large to come back as a whole: its header and details for\r\n"
                          "experts are attached.\r\n",
                          "Vaša poruka je prevelika da bi se vratila cela: u prilogu su njeno zaglavlje i\r\n"
                          "podaci za stručnjake.\r\n",
                          "Ваша порука је превелика да би се вратила цела: у прилогу су њено заглавље и\r\n"
                          "подаци за стручњаке.\r\n"},
};

struct advice {
    const char *status; /* a prefix */
    const char *text[CONFIG_LANGUAGES];
};
/* The first that fits. */
static const struct advice ADVICE[] = {
    {"5.1.10",
     {"That domain says that it takes no mail at all.", "Taj domen objavljuje da uopšte ne prima poštu.",
      "Тај домен објављује да уопште не прима пошту."}},
    {"5.1.2",
     {"There is no such domain. Please check the part after the @ for a typing error.",
      "Takav domen ne postoji. Proverite da li ste pogrešili u delu iza znaka @.",
      "Такав домен не постоји. Проверите да ли сте погрешили у делу иза знака @."}},
    {"5.1.1",
     {"There is no such address there. Please check it for a typing error.",
      "Takva adresa tamo ne postoji. Proverite da li je dobro napisana.",
      "Таква адреса тамо не постоји. Проверите да ли је добро написана."}},
    {"5.1",
     {"The address does not seem to be right. Please check it for a typing error.",
      "Adresa izgleda nije ispravna. Proverite da li je dobro napisana.",
      "Адреса изгледа није исправна. Проверите да ли је добро написана."}},
    {"5.2.2",
     {"The mailbox is full. The recipient has to make room before you send the message again.",
      "Sanduče je puno. Primalac mora da oslobodi mesto pre nego što poruku pošaljete ponovo.",
      "Сандуче је пуно. Прималац мора да ослободи место пре него што поруку пошаљете поново."}},
    {"5.2",
     {"The mailbox does not take this message at present.", "Sanduče trenutno ne prima ovu poruku.",
      "Сандуче тренутно не прима ову поруку."}},
    {"5.3.4",
     {"The message is too large for the other server. Please send it in parts, or share it in\r\n"
      "    another way.",
      "Poruka je prevelika za drugi server. Pošaljite je u delovima ili je podelite na drugi\r\n"
      "    način.",
      "Порука је превелика за други сервер. Пошаљите је у деловима или је поделите на други\r\n"
      "    начин."}},
    {"5.7",
     {"The other server does not want this message, by its own rules. If you think that it should,\r\n"
      "    please reach the recipient in another way and ask for help there.",
      "Drugi server po svojim pravilima ne želi ovu poruku. Ako mislite da bi trebalo da je\r\n"
      "    primi, javite se primaocu na drugi način i zatražite pomoć tamo.",
      "Други сервер по својим правилима не жели ову поруку. Ако мислите да би требало да је\r\n"
      "    прими, јавите се примаоцу на други начин и затражите помоћ тамо."}},
    {"4.4.7",
     {"We tried again and again for as long as we keep a message, without success.",
      "Pokušavali smo iznova sve vreme koliko čuvamo poruke, bez uspeha.",
      "Покушавали смо изнова све време колико чувамо поруке, без успеха."}},
};

const char *dsn_phrase(enum config_language language, enum dsn_phrase phrase)
{
    return PHRASES[phrase][language];
}

const char *dsn_advice(enum config_language language, const char *status)
{
    for (size_t i = 0; i < sizeof ADVICE / sizeof *ADVICE; i++)
        if (strncmp(status, ADVICE[i].status, strlen(ADVICE[i].status)) == 0)
            return ADVICE[i].text[language];
    return NULL;
}

/* --- the sender's language --- */

static bool has_subtag(struct str tag, struct str wanted)
{
    struct str part;
    while (tag.n > 0) {
        str_cut(&tag, '-', &part);
        if (str_eq_nocase(part, wanted))
            return true;
    }
    return false;
}

/* One tag of RFC 5646. Serbian without a script is written as is usual here, else in Latin, as most mail is.
 * Who reads Croatian, Bosnian or Montenegrin reads Serbian in Latin too, rather than English. */
static bool speak(struct str tag, enum config_language usual, enum config_language *language)
{
    static const struct str LATIN[] = {STR_INIT("hr"), STR_INIT("bs"), STR_INIT("cnr"), STR_INIT("sh")};
    struct str rest = tag, primary;
    str_cut(&rest, '-', &primary);
    *language = usual == CONFIG_SERBIAN_CYRILLIC ? usual : CONFIG_SERBIAN_LATIN;
    if (str_eq_nocase(primary, STR("en")))
        *language = CONFIG_ENGLISH;
    else if (has_subtag(rest, STR("Cyrl")))
        *language = CONFIG_SERBIAN_CYRILLIC;
    else if (has_subtag(rest, STR("Latn")))
        *language = CONFIG_SERBIAN_LATIN;
    if (str_eq_nocase(primary, STR("en")) || str_eq_nocase(primary, STR("sr")))
        return true;
    for (size_t i = 0; i < sizeof LATIN / sizeof *LATIN; i++)
        if (str_eq_nocase(primary, LATIN[i])) {
            *language = CONFIG_SERBIAN_LATIN;
            return true;
        }
    return false;
}

/* Tags with commas between, each perhaps with ";q=" and how much it is liked, most liked first in practice.
 */
static bool first_spoken(struct str value, enum config_language usual, enum config_language *language)
{
    struct str item, tag;
    while (value.n > 0) {
        str_cut(&value, ',', &item);
        str_cut(&item, ';', &tag);
        if (speak(str_trim(tag), usual, language))
            return true;
    }
    return false;
}

enum config_language dsn_language_of(struct str header, enum config_language usual)
{
    static const struct str FIELDS[] = {STR_INIT("Accept-Language"), STR_INIT("Content-Language")};
    struct header_field f;
    enum config_language language;
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        if (header_find(header, FIELDS[i], &f) && first_spoken(f.value, usual, &language))
            return language;
    return usual;
}

/* --- a field's words --- */

#define WORD_BYTES_MAX 45 /* an encoded word has at most 75 characters: RFC 2047 section 2 */

static void add_base64(struct buf *out, struct str s)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.n; i += 3) {
        unsigned v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < s.n ? (unsigned char)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_add_byte(out, i + k > s.n ? '=' : DIGITS[v >> (18 - 6 * k) & 63]);
    }
}

void dsn_add_words(struct buf *out, const char *text)
{
    bool is_plain = true;
    for (const char *c = text; *c; c++)
        is_plain &= (unsigned char)*c < 128;
    if (is_plain) {
        buf_add_c(out, text);
        return;
    }
    struct str rest = str_from_c(text);
    while (rest.n > 0) {
        size_t n = rest.n < WORD_BYTES_MAX ? rest.n : WORD_BYTES_MAX;
        while (n < rest.n && n > 1 && ((unsigned char)rest.p[n] & 0xc0) == 0x80)
            n--; /* not within a character */
        buf_add_c(out, rest.p == text ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        add_base64(out, str_slice(rest, 0, n));
        buf_add_c(out, "?=");
        rest = str_from_offset(rest, n);
    }
}
