/* The files of the trace, in DATA/trace: each has blocks one after the other, and is named after the moment
 * of its first line. The newest is being written to. */
#ifndef TRACE_FILES_H
#define TRACE_FILES_H
#include "base/err.h"
#include "trace/block.h"

/* Lines come to the trace a little after they were said; of several processes not in order. */
#define TRACE_FILE_MS_SLACK ((int64_t)60 * 1000)

struct trace_file {
    int64_t start; /* milliseconds since 1970: its name */
    uint64_t size;
};
struct trace_files {
    struct trace_file *v; /* the oldest first */
    size_t n, room;
};

/* DATA/trace; free() it. */
char *trace_folder(struct str data);
/* The file's path. */
const char *trace_file_path(const char *folder, int64_t start, struct arena *a);

/* What a command noted (trace/note.h): one block, not packed. */
const char *trace_note_path(const char *folder, int64_t start, struct arena *a);

/* Those that are there; what is not named like one is passed over. A folder that is not there has none. */
bool trace_files_list(const char *folder, struct trace_files *out, struct err *e);
bool trace_notes_list(const char *folder, struct trace_files *out, struct err *e);
void trace_files_add(struct trace_files *f, struct trace_file one);
void trace_files_free(struct trace_files *f);
#define CLEAN_TRACE_FILES __attribute__((cleanup(trace_files_free)))

#endif
