#include "config/ini.h"

struct ini ini_open(struct str text)
{
    return (struct ini){.rest = text};
}

static struct str without_comment(struct str line)
{
    for (size_t i = 0; i < line.n; i++)
        if ((line.p[i] == '#' || line.p[i] == ';') && (i == 0 || ascii_is_space(line.p[i - 1])))
            return str_slice(line, 0, i);
    return line;
}

enum ini_result ini_next(struct ini *ini, struct ini_line *out, struct err *e)
{
    while (ini->rest.n > 0) {
        struct str line, key;
        str_cut(&ini->rest, '\n', &line);
        ini->number++;
        if (str_find_byte(line, '\0') != STR_NONE) {
            err_set(e, ERR_PERMANENT, "line %u: there is a NUL byte in it; is this a text file?",
                    ini->number);
            return INI_BAD;
        }
        line = str_trim(without_comment(line));
        if (line.n == 0)
            continue;
        *out = (struct ini_line){.number = ini->number};
        if (line.p[0] == '[') {
            if (line.p[line.n - 1] != ']') {
                err_set(e, ERR_PERMANENT, "line %u: a section ends with ']': [name]", ini->number);
                return INI_BAD;
            }
            ini->section = str_trim(str_slice(line, 1, line.n - 2));
            out->section = ini->section;
            return INI_LINE;
        }
        if (!str_cut(&line, '=', &key)) {
            err_set(e, ERR_PERMANENT, "line %u: expected \"key = value\" or \"[section]\"", ini->number);
            return INI_BAD;
        }
        out->section = ini->section;
        out->key = str_trim(key);
        out->value = str_trim(line);
        return INI_LINE;
    }
    return INI_END;
}
